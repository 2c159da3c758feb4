"""Catalog files -> `Definitions`: merged, checked, every problem of every file at once.

Owns what concerns the whole: which file defines what, names that refer to other names, limits on
size. One feature, entitlement or window is checked by a module of its own.
"""

from collections.abc import Sequence

from quotad.catalog.definitions import Definitions, FeatureDefinition, PlanDefinition
from quotad.catalog.load import load
from quotad.catalog.parse_entitlement import parse_entry
from quotad.catalog.parse_feature import check_id, names_of, parse_feature
from quotad.catalog.problems import Place, Problems, check_keys, described, mapping_of, shown
from quotad.catalog.sources import Source
from quotad.model import Entry

NAMES_MAX = 10_000
"""Most features, and most plans, of one catalog."""

ENTITLEMENTS_MAX = 1_000_000
"""Most entitlements of all plans together, inheritance written out; about 100 MB in memory."""

_TOP_KEYS = ("version", "default_plan", "features", "plans")
_TOP_LATER = ("addons",)
_PLAN_KEYS = ("extends", "entitlements", "name", "description")
_PLAN_LATER = ("apply_to",)


def parse_definitions(sources: Sequence[Source]) -> Definitions:
    """Check and merge catalog files.

    Raises:
        CatalogError: with every problem found.
    """
    problems = Problems()
    files = _Files(problems, sources)
    features = _features(files)
    plans = _plans(files, features)
    default_plan = _default_plan(files)
    if not problems:
        _check_sizes(files, plans)
    problems.raise_if_any()
    return Definitions(
        features={name: feature for name, feature in features.items() if feature is not None},
        plans=plans,
        default_plan=default_plan,
    )


class _Files:
    """The merged top level of all files: each name with its place and what stands there."""

    def __init__(self, problems: Problems, sources: Sequence[Source]) -> None:
        self.singles: dict[str, tuple[Place, object]] = {}
        """`version` and `default_plan`."""
        self.features: dict[str, tuple[Place, object]] = {}
        self.plans: dict[str, tuple[Place, object]] = {}
        self.complete = True
        """Whether all files could be read; if not, what seems missing may be in the others."""
        names = ", ".join(source.name for source in sources[:3]) or "catalog"
        self.place = Place(problems, names + (", ..." if len(sources) > 3 else ""))
        """For problems of the whole."""
        for source in sources:
            place = Place(problems, source.name)
            raw = load(place, source.text)
            if raw is None:
                self.complete = False
                continue
            self._merge(place, raw)
        self._check_version()

    def _merge(self, place: Place, raw: dict[str, object]) -> None:
        check_keys(place, raw, _TOP_KEYS, _TOP_LATER)
        for key in ("version", "default_plan"):
            if key in raw:
                _define(self.singles, place.key(key), key, raw[key])
        for key, defined, example in (
            ("features", self.features, "{api-calls: {type: metered}}"),
            ("plans", self.plans, "{free: {entitlements: {}}}"),
        ):
            if key not in raw:
                continue
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


def _define(
    defined: dict[str, tuple[Place, object]], place: Place, name: str, value: object
) -> None:
    if name in defined:
        place.refuse(f"is already defined in {defined[name][0].source}")
    else:
        defined[name] = place, value


def _features(files: _Files) -> dict[str, FeatureDefinition | None]:
    """Return all features; those that are defined badly as None, so that their name is known."""
    return {
        name: parse_feature(place, name, value) for name, (place, value) in files.features.items()
    }


def _plans(
    files: _Files, features: dict[str, FeatureDefinition | None]
) -> dict[str, PlanDefinition]:
    plans: dict[str, PlanDefinition] = {}
    for plan_id, (place, value) in files.plans.items():
        raw = mapping_of(place, value, "{entitlements: {}}")
        if raw is None:
            continue
        check_keys(place, raw, _PLAN_KEYS, _PLAN_LATER)
        entries: dict[str, Entry] = {}
        if "entitlements" in raw:
            section = place.key("entitlements")
            listed = mapping_of(section, raw["entitlements"], "{api-calls: unlimited}") or {}
            for feature_id, entry in listed.items():
                parsed = _entry(files, features, section.key(feature_id), feature_id, entry)
                if parsed is not None:
                    entries[feature_id] = parsed
        base = None
        if "extends" in raw:
            base = _plan_name(files, place.key("extends"), raw["extends"])
        plans[plan_id] = PlanDefinition(plan_id, base, entries, *names_of(place, raw))
    _check_cycles(files, plans)
    return plans


def _entry(
    files: _Files,
    features: dict[str, FeatureDefinition | None],
    place: Place,
    feature_id: str,
    value: object,
) -> Entry | None:
    if feature_id not in features:
        if files.complete:
            place.refuse(f"unknown feature{place.suggestion(feature_id, features)}")
        return None
    definition = features[feature_id]
    return None if definition is None else parse_entry(place, definition.feature, value)


def _plan_name(files: _Files, place: Place, value: object) -> str | None:
    """Return the name of a plan that exists, or note a problem."""
    if not isinstance(value, str):
        place.refuse(f"must be the name of a plan, not {described(value)}")
    elif value in files.plans:
        return value
    elif files.complete:
        place.refuse(f"unknown plan {shown(value)}{place.suggestion(value, files.plans)}")
    return None


def _default_plan(files: _Files) -> str | None:
    if "default_plan" not in files.singles:
        return None
    return _plan_name(files, *files.singles["default_plan"])


def _check_cycles(files: _Files, plans: dict[str, PlanDefinition]) -> None:
    """Note a problem for every circle of plans that extend one another."""
    finished: set[str] = set()
    for start in plans:
        chain: dict[str, None] = {}
        plan_id: str | None = start
        while plan_id in plans and plan_id not in finished and plan_id not in chain:
            chain[plan_id] = None
            plan_id = plans[plan_id].extends
        if plan_id in chain:
            names = list(chain)
            circle = [*names[names.index(plan_id) :], plan_id]
            shape = " -> ".join(circle if len(circle) <= 20 else [*circle[:20], "..."])
            files.plans[plan_id][0].key("extends").refuse(f"plans extend in a circle: {shape}")
        finished.update(chain)


def _check_sizes(files: _Files, plans: dict[str, PlanDefinition]) -> None:
    """Refuse a catalog whose plans are too much to hold once inheritance is written out.

    Ten thousand plans that extend one with ten thousand features fit into a small file.
    """
    sizes: dict[str, int] = {}
    for start in plans:
        chain: list[str] = []
        plan_id: str | None = start
        while plan_id is not None and plan_id not in sizes:
            chain.append(plan_id)
            plan_id = plans[plan_id].extends
        size = 0 if plan_id is None else sizes[plan_id]
        for plan_id in reversed(chain):
            size = min(size + len(plans[plan_id].entries), len(files.features))
            sizes[plan_id] = size
    if sum(sizes.values()) > ENTITLEMENTS_MAX:
        files.place.key("plans").refuse(
            f"{sum(sizes.values()):,} entitlements with those inherited,"
            f" at most {ENTITLEMENTS_MAX:,} are allowed"
        )
