"""Catalog files -> one top level: which file defines what, and names that are defined twice."""

from collections.abc import Collection, Sequence

from quotad.catalog.load import load
from quotad.catalog.parse_feature import check_id
from quotad.catalog.problems import Place, Problems, check_keys, described, mapping_of, shown
from quotad.catalog.sources import Source

NAMES_MAX = 10_000
"""Most features, and most plans, add-ons, groups and meters, of one catalog."""

GONE_KEY = "gone"
"""Of documents that were published; no file has it."""

_SINGLES = ("version", "default_plan", "product", "on_store_failure")
_PUBLISHED_ONLY = {GONE_KEY: "is kept by the published catalog; take it out of the file"}
_SECTIONS = {
    "features": "{api-calls: {type: metered}}",
    "plans": "{free: {entitlements: {}}}",
    "addons": "{more-calls: {entitlements: {api-calls: {add: 1000}}}}",
    "groups": "{basics: {entitlements: {}}}",
    "meters": "{api-call: {feature: api-calls}}",
    "experiments": "{pricing: {of: pro, share: 10 %, to: pro-b}}",
}

Section = dict[str, tuple[Place, object]]
"""What stands below a name, and where."""


class Merged:
    """The merged top level of all files: each name with its place and what stands there.

    Args:
        problems: for what is wrong with it.
        sources: the files.
        published: whether they are the document of a published catalog.
    """

    def __init__(
        self, problems: Problems, sources: Sequence[Source], published: bool = False
    ) -> None:
        self._keys = (*_SINGLES, GONE_KEY) if published else _SINGLES
        self.singles: Section = {}
        """By key, as `default_plan`; of a published catalog also `gone`."""
        self._sections: dict[str, Section] = {key: {} for key in _SECTIONS}
        self.features = self._sections["features"]
        self.plans = self._sections["plans"]
        self.addons = self._sections["addons"]
        self.groups = self._sections["groups"]
        self.meters = self._sections["meters"]
        self.experiments = self._sections["experiments"]
        self.complete = True
        """Whether all files could be read; if not, what seems missing may be in the others."""
        names = ", ".join(source.name for source in sources[:3]) or "catalog"
        self.place = Place(problems, names + (", ..." if len(sources) > 3 else ""))
        """For problems of the whole."""
        for source in sources:
            place = Place(problems, source.name)
            raw = load(place, source.text, published)
            if raw is None:
                self.complete = False
                continue
            self._merge(place, raw)
        self._check_version()

    def plan_name(self, place: Place, value: object) -> str | None:
        """Return the name of a plan that is defined, or note a problem."""
        return self._name(place, value, "plan", self.plans)

    def names(self, place: Place, value: object, kind: str) -> tuple[str, ...]:
        """Return a list of names that are defined, or note a problem for every other.

        Args:
            place: of the list.
            value: what stands there.
            kind: `plan` or `group`.
        """
        if not isinstance(value, list) or not value:
            what = "an empty list" if value == [] else described(value)
            hint = f"; write [{value}]" if isinstance(value, str) and len(value) < 60 else ""
            place.refuse(f"must be a list of {kind}s, not {what}{hint}")
            return ()
        defined = self._sections[f"{kind}s"]
        found: dict[str, int] = {}
        for index, item in enumerate(value):
            name = self._name(place.item(index), item, kind, defined)
            if name is not None and found.setdefault(name, index) != index:
                place.item(index).refuse(f"{shown(name)} is already in the list")
        return tuple(found)

    def _name(self, place: Place, value: object, kind: str, defined: Collection[str]) -> str | None:
        if not isinstance(value, str):
            place.refuse(f"must be the name of a {kind}, not {described(value)}")
        elif value in defined:
            return value
        elif self.complete:
            place.refuse(f"unknown {kind} {shown(value)}{place.suggestion(value, defined)}")
        return None

    def _merge(self, place: Place, raw: dict[str, object]) -> None:
        check_keys(place, raw, (*self._keys, *_SECTIONS), _PUBLISHED_ONLY)
        for key in self._keys:
            if key in raw:
                _define(self.singles, place.key(key), key, raw[key])
        for key, example in _SECTIONS.items():
            if key not in raw:
                continue
            defined = self._sections[key]
            section = place.key(key)
            for name, value in (mapping_of(section, raw[key], example) or {}).items():
                spot = section.key(name)
                if check_id(spot, name):
                    _define(defined, spot, name, value)
            if len(defined) > NAMES_MAX:
                section.refuse(f"{len(defined)} {key}, at most {NAMES_MAX} are allowed")

    def _check_version(self) -> None:
        if "version" not in self.singles:
            if self.complete:
                self.place.refuse("version is missing; write 'version: 1' in one file")
            return
        place, value = self.singles["version"]
        if isinstance(value, bool) or not isinstance(value, int):
            place.refuse(f"must be the number 1, not {described(value)}")
        elif value != 1:
            place.refuse(f"unknown version {described(value)}; this server reads version 1")


def _define(defined: Section, place: Place, name: str, value: object) -> None:
    if name in defined:
        place.refuse(f"is already defined in {defined[name][0].source}")
    else:
        defined[name] = place, value
