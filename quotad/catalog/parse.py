"""Catalog files -> `Definitions`: merged, checked, every problem of every file at once.

Owns the order of the checks, and circles of plans. One feature, plan, add-on, entitlement or
window is checked by a separate module; what concerns several of them is checked last, in fit.
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog.definitions import Definitions, PlanDefinition
from quotad.catalog.fit import ENTITLEMENTS_MAX, check_addons, check_rollouts, check_sizes
from quotad.catalog.known import Known
from quotad.catalog.merge import GONE_KEY, Merged
from quotad.catalog.parse_addon import parse_addon
from quotad.catalog.parse_credit import with_credits
from quotad.catalog.parse_experiment import parse_experiments
from quotad.catalog.parse_fallback import parse_default_policy, with_policies
from quotad.catalog.parse_feature import NAME_BYTES_MAX, parse_feature
from quotad.catalog.parse_meter import parse_meter
from quotad.catalog.parse_plan import parse_group, parse_plan
from quotad.catalog.parse_revision import REVISION_MAX, RevisionReader
from quotad.catalog.problems import Problems, described, mapping_of, shown, text_of
from quotad.catalog.sources import Source
from quotad.model import Feature

__all__ = ["ENTITLEMENTS_MAX", "parse_definitions"]


def parse_definitions(sources: Sequence[Source], published: bool = False) -> Definitions:
    """Check and merge catalog files.

    Args:
        sources: the files.
        published: whether they are the document of a published catalog, which keeps revisions.

    Raises:
        CatalogError: with every problem found.
    """
    problems = Problems()
    merged = Merged(problems, sources, published)
    features = _features(merged, published)
    known = Known(merged, features, published)
    groups = {
        name: group
        for name, (place, value) in merged.groups.items()
        if (group := parse_group(known, place, name, value)) is not None
    }
    plans = _plans(merged, known, published)
    addons = {
        name: addon
        for name, (place, value) in merged.addons.items()
        if (addon := parse_addon(known, place, name, value)) is not None
    }
    meters = {
        name: meter
        for name, (place, value) in merged.meters.items()
        if (meter := parse_meter(known, place, name, value)) is not None
    }
    definitions = Definitions(
        features={name: feature for name, feature in features.items() if feature is not None},
        plans=plans,
        default_plan=_default_plan(merged, plans),
        meters=meters,
        experiments=parse_experiments(merged),
        product=_product(merged),
        on_store_failure=parse_default_policy(merged),
        addons=addons,
        groups=groups,
        gone=_gone(merged),
    )
    if not problems and check_sizes(merged, definitions) and check_rollouts(merged, definitions):
        check_addons(merged, definitions)
    problems.raise_if_any()
    return definitions


def _features(merged: Merged, published: bool) -> dict[str, Feature | None]:
    """Return all features; those that are defined badly as None, so that their name is known."""
    features = {
        name: parse_feature(place, name, value, published)
        for name, (place, value) in merged.features.items()
    }
    return with_policies(merged, with_credits(merged, features))


def _plans(merged: Merged, known: Known, published: bool) -> dict[str, PlanDefinition]:
    plans: dict[str, PlanDefinition] = {}
    reader = RevisionReader(known)
    for plan_id, (place, value) in merged.plans.items():
        plan = parse_plan(known, place, plan_id, value, published)
        if plan is None:
            continue
        if published and isinstance(value, dict):
            revision, earlier = reader.revisions(place, plan_id, value)
            plan = msgspec.structs.replace(plan, revision=revision, earlier=earlier)
        plans[plan_id] = plan
    _check_cycles(merged, plans)
    return plans


def _gone(merged: Merged) -> dict[str, int]:
    """The revisions of plans that are gone; of a published document."""
    if GONE_KEY not in merged.singles:
        return {}
    place, value = merged.singles[GONE_KEY]
    gone: dict[str, int] = {}
    for plan_id, revision in (mapping_of(place, value, "{pro: 3}") or {}).items():
        fits = isinstance(revision, int) and not isinstance(revision, bool)
        if isinstance(revision, int) and fits and 1 <= revision <= REVISION_MAX:
            gone[plan_id] = revision
        else:
            place.key(plan_id).refuse(f"must be a revision, not {described(revision)}")
    return gone


def _product(merged: Merged) -> str:
    if "product" not in merged.singles:
        return ""
    place, value = merged.singles["product"]
    return text_of(place, value, NAME_BYTES_MAX) or ""


def _default_plan(merged: Merged, plans: dict[str, PlanDefinition]) -> str | None:
    if "default_plan" not in merged.singles:
        return None
    place, value = merged.singles["default_plan"]
    name = merged.plan_name(place, value)
    if name in plans and plans[name].archived:
        place.refuse(f"plan {shown(name)} is archived, and no customer can be put on it any more")
    return name


def _check_cycles(merged: Merged, plans: dict[str, PlanDefinition]) -> None:
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
            merged.plans[plan_id][0].key("extends").refuse(f"plans extend in a circle: {shape}")
        finished.update(chain)
