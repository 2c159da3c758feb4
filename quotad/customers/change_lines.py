"""The lines of `described`, read back: what each of them is about.

For edges that show them with names and dates of their own. What was cut, or comes from another
release, cannot be read; the line itself is all there is to show then.
"""

import json
import re
from typing import Final

import msgspec

from quotad.moments import parsed_time

OVERRIDE: Final = "override"
PROMOTION: Final = "promotion"

_TIME = r"\d{4}-\d\d-\d\dT[\d:.]+Z"
_WHOSE = r"(?: \((?:resource (?P<resource>.+?))?(?:, )?(?:subscription (?P<subscription>.+?))?\))?"
_GIVEN = re.compile(
    r"(?P<kind>override|promotion) of (?P<feature>.+?): (?P<value>[\[{\"tfn\d-].*?)"
    rf"(?: from (?P<start>{_TIME}))?(?: until (?P<end>{_TIME}))?{_WHOSE}"
)
_REMOVED = re.compile(rf"(?P<kind>override|promotion) of (?P<feature>.+?) removed{_WHOSE}")
_PHASE = re.compile(
    r"(?P<word>subscription|no more): (?P<plan>.+?)(?:, revision (?P<revision>\d+))?"
    r"(?P<trial>, trial)?(?:, (?P<units>\d+) units)?(?P<addons>(?:, [^,]+ x \d+)*)"
    rf", from (?P<start>{_TIME})(?:, until (?P<end>{_TIME}))?(?:, [^,(]+)*{_WHOSE}"
)
_ADDON = re.compile(r", ([^,]+) x (\d+)")


class GivenLine(msgspec.Struct, frozen=True):
    """An override or a promotion that was set or removed."""

    kind: str
    """`OVERRIDE` or `PROMOTION`."""
    feature_id: str
    value: object = None
    """As a catalog spells it."""
    removed: bool = False
    start_ms: int | None = None
    end_ms: int | None = None
    resource_id: str = ""


class PhaseLine(msgspec.Struct, frozen=True):
    """A phase of a subscription that is new, or not any more."""

    gone: bool
    plan_id: str
    trial: bool
    unit_quantity: int
    addons: dict[str, int]
    start_ms: int
    end_ms: int | None = None
    resource_id: str = ""
    subscription_id: str = ""

    @property
    def named(self) -> tuple[str, str]:
        """The same for all phases of one subscription."""
        return self.resource_id, self.subscription_id


def read_line(line: str) -> GivenLine | PhaseLine | None:
    """Return what a line is about; None: about something else, or it cannot be read."""
    if found := _PHASE.fullmatch(line):
        return _phase(found)
    if found := _REMOVED.fullmatch(line):
        return GivenLine(
            found["kind"], found["feature"], removed=True, resource_id=found["resource"] or ""
        )
    if found := _GIVEN.fullmatch(line):
        try:
            value = json.loads(found["value"])
        except ValueError:
            return None
        return GivenLine(
            found["kind"],
            found["feature"],
            value,
            start_ms=_time(found["start"]),
            end_ms=_time(found["end"]),
            resource_id=found["resource"] or "",
        )
    return None


def _phase(found: re.Match[str]) -> PhaseLine | None:
    start_ms = _time(found["start"])
    if start_ms is None:
        return None
    return PhaseLine(
        found["word"] == "no more",
        found["plan"],
        found["trial"] is not None,
        int(found["units"] or 1),
        {name: int(count) for name, count in _ADDON.findall(found["addons"])},
        start_ms,
        _time(found["end"]),
        found["resource"] or "",
        found["subscription"] or "",
    )


def _time(text: str | None) -> int | None:
    return None if text is None else parsed_time(text)
