"""What is valid in a catalog and may still not be what was meant, for `quotad catalog check`."""

from collections.abc import Iterator

from quotad.catalog.definitions import Definitions
from quotad.catalog.overshoot import overshoot
from quotad.catalog.problems import path_with

_PLANS_SHOWN_MAX = 5


def advice(definitions: Definitions) -> list[str]:
    """List what to look at again, each with its path.

    That is every rollout without `inherit`: before that key existed, plans that extend its plan
    inherited it. And how far past its limit usage may go while the store is gone.
    """
    rollouts = [
        f"{path}.rollout: is for {where} only; to plans that extend it ({_listed(heirs)}) it does"
        " not apply any more: write 'inherit: true' to have it there too, or 'inherit: false' to"
        " leave it so"
        for path, where, heirs in _unsaid(definitions)
    ]
    return rollouts + overshoot(definitions)


def _unsaid(definitions: Definitions) -> Iterator[tuple[str, str, list[str]]]:
    """Rollouts without `inherit`: path, name of the plan, and the plans that have inherited it."""
    heirs: dict[str, list[str]] = {}
    for plan in definitions.plans.values():
        if plan.extends is not None:
            heirs.setdefault(plan.extends, []).append(plan.plan_id)
    for plan_id, extending in heirs.items():
        plan = definitions.plans[plan_id]
        layers = [("groups", name, definitions.groups[name].entries) for name in plan.groups]
        layers.append(("plans", plan_id, plan.entries))
        for section, name, entries in layers:
            place = path_with(path_with(section, name), "entitlements")
            for feature_id, entry in entries.items():
                if entry.rollout is None or entry.inherit is not None:
                    continue
                reached = [heir for heir in extending if _inherits(definitions, heir, feature_id)]
                if reached:
                    yield path_with(place, feature_id), f"plan {plan_id}", reached


def _inherits(definitions: Definitions, plan_id: str, feature_id: str) -> bool:
    """Whether a plan has no entry for a feature that replaces all of what it inherits."""
    plan = definitions.plans[plan_id]
    layers = [plan.entries, *(definitions.groups[name].entries for name in plan.groups)]
    said = [entries[feature_id] for entries in layers if feature_id in entries]
    return all(entry.rollout is not None for entry in said)


def _listed(names: list[str]) -> str:
    more = len(names) - _PLANS_SHOWN_MAX
    shown = ", ".join(names[:_PLANS_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
