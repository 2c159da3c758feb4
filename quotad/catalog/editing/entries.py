"""An entry of a plan as a form has it: read from what is written, and written back.

What the form does not show (an anchor, a time zone, an overage limit) stays as it was written.
Refusals name the fields of the form: `limit0` and `per0` are of the first limit.
"""

from typing import Any

import msgspec

from quotad.catalog.editing.changes import GONE, NoValue
from quotad.catalog.editing.typed import (
    looks_numeric,
    typed_day,
    typed_number,
    typed_period,
    typed_whole,
)
from quotad.catalog.windows import WINDOW_KEYS
from quotad.errors import InvalidRequest
from quotad.model import Feature, FeatureType

OWN, OFF, NOT_NAMED = "on", "off", ""
"""How an entry stands: it grants something, it is false, or the plan does not name the feature."""

_CONDITIONS = ("from", "until")


class LimitForm(msgspec.Struct, frozen=True):
    """One limit."""

    limit: str = ""
    """Empty: unlimited."""
    per: str = ""
    soft: bool = False
    per_unit: bool = False


class EntryForm(msgspec.Struct, frozen=True):
    """What a plan has of a feature."""

    state: str = NOT_NAMED
    limits: tuple[LimitForm, ...] = ()
    """Of a metered feature; none: unlimited, or limited by its pool."""
    value: str = ""
    """Of a config feature; several with commas between them, where it has `values`."""
    percent: str = ""
    """Of the plan's customers; empty: all."""
    starts: str = ""
    ends: str = ""


def read_entry(written: Any, feature: Feature) -> EntryForm:
    """Return an entry as a form shows it.

    Args:
        written: what the file has; GONE: nothing.
        feature: of which.
    """
    if isinstance(written, NoValue):
        return EntryForm()
    if written is False:
        return EntryForm(OFF)
    fields: dict[str, Any] = {"state": OWN}
    if isinstance(written, dict):
        rollout = written.get("rollout")
        if isinstance(rollout, dict) and "percent" in rollout:
            fields["percent"] = str(rollout["percent"])
        fields["starts"] = str(written.get("from", ""))
        fields["ends"] = str(written.get("until", ""))
    if feature.type is FeatureType.METERED:
        fields["limits"] = tuple(_limit_form(row) for row in _rows(written))
    elif feature.type is FeatureType.CONFIG:
        value = written.get("value", "") if isinstance(written, dict) else written
        listed = value if isinstance(value, list) else [value]
        fields["value"] = ", ".join(map(str, listed))
    return EntryForm(**fields)


def write_form(form: EntryForm, feature: Feature, written: Any) -> Any:
    """Return what the file is to have; GONE: no entry.

    Args:
        form: as it was sent.
        feature: of which.
        written: what the file has now.

    Raises:
        InvalidRequest: a field cannot be what it was sent as.
    """
    if form.state == NOT_NAMED:
        return GONE
    if form.state == OFF:
        return False
    if form == read_entry(written, feature):
        return written
    conditions = _conditions(form, written)
    if feature.type is FeatureType.BOOLEAN:
        return conditions or True
    if feature.type is FeatureType.CONFIG:
        value = config_value(form.value, feature, written)
        return {"value": value, **conditions} if conditions else value
    rest = _metered(form, feature, written)
    if not conditions:
        return rest
    if rest == "unlimited":
        rest = {"unlimited": True}
    return {**({} if rest is True else rest), **conditions}


def _rows(written: Any) -> list[dict[str, Any]]:
    """The limits of an entry as they are written."""
    if not isinstance(written, dict):
        return []
    rows = written.get("limits")
    if isinstance(rows, list):
        return [row for row in rows if isinstance(row, dict)]
    return [written] if "limit" in written or "per" in written else []


def _limit_form(row: dict[str, Any]) -> LimitForm:
    limit = row.get("limit", "")
    per_unit = isinstance(limit, dict)
    if isinstance(limit, dict):
        limit = limit.get("per_unit", "")
    text = f"{limit:,}" if type(limit) is int else str(limit)
    return LimitForm(text, str(row.get("per", "")), row.get("soft") is True, per_unit)


def _conditions(form: EntryForm, written: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if form.percent:
        old = written.get("rollout") if isinstance(written, dict) else None
        kept = old if isinstance(old, dict) else {}
        fields["rollout"] = {**kept, "percent": _percent(form.percent)}
    if form.starts:
        typed_day("from", form.starts)
        fields["from"] = form.starts
    if form.ends:
        if form.starts and typed_day("until", form.ends) <= typed_day("from", form.starts):
            raise InvalidRequest("until: must be later than the first day")
        typed_day("until", form.ends)
        fields["until"] = form.ends
    return fields


def _percent(text: str) -> Any:
    percent = typed_number("percent", text.removesuffix("%").rstrip())
    if percent > 100:
        raise InvalidRequest(f"percent: {text[:40]!r} is more than 100")
    return percent


def config_value(text: str, feature: Feature, written: Any, field: str = "value") -> Any:
    """Return the value of a config feature as a file has it.

    Raises:
        InvalidRequest: it is missing, or a number that may mean two.
    """
    old = written.get("value") if isinstance(written, dict) else written
    parts = [part.strip() for part in text.split(",")] if feature.values else [text]
    if not text or not all(parts):
        raise InvalidRequest(f"{field}: is missing")
    if len(parts) > 1 or isinstance(old, list):
        return parts
    if not feature.values and not isinstance(old, str) and looks_numeric(text):
        return typed_number(field, text)
    return text


def _metered(form: EntryForm, feature: Feature, written: Any) -> Any:
    old = _rows(written)
    kept = {} if not isinstance(written, dict) else written
    extras = {name: kept[name] for name in ("overage_price",) if name in kept}
    if not form.limits:
        return True if feature.credit is not None and written is True else "unlimited"
    same_count = len(old) == len(form.limits)
    rows = [_row(row, _old_of(row, i, old, same_count), i) for i, row in enumerate(form.limits)]
    if not any(row.get("soft") for row in rows):
        extras = {}
    if len(rows) == 1 and "limits" not in kept:
        return {**rows[0], **extras}
    return {"limits": rows, **extras}


def _old_of(
    form: LimitForm, index: int, old: list[dict[str, Any]], same_count: bool
) -> dict[str, Any]:
    """The limit that a row was, also where one before it was taken out."""
    if not same_count:
        return next((each for each in old if str(each.get("per", "")) == form.per), {})
    return old[index]


def _row(form: LimitForm, old: dict[str, Any], index: int) -> dict[str, Any]:
    """A limit as the form has it, with what the form does not show."""
    row = {
        name: value
        for name, value in old.items()
        if name not in ("rollout", "overage_price", "limits", "unlimited", *_CONDITIONS)
    }
    if form.limit:
        amount = typed_whole(f"limit{index}", form.limit)
        row = {"limit": {"per_unit": amount} if form.per_unit else amount} | row
        row["limit"] = {"per_unit": amount} if form.per_unit else amount
    else:
        for name in ("limit", "soft", "overage_limit", "enforce"):
            row.pop(name, None)
        row = {"unlimited": True, **row}
    if form.per:
        row["per"] = typed_period(f"per{index}", form.per)
    else:
        for name in WINDOW_KEYS:  # which mean nothing without a period
            row.pop(name, None)
    if form.soft and form.limit:
        row["soft"] = True
    elif row.pop("soft", False):
        row.pop("overage_limit", None)
    return row
