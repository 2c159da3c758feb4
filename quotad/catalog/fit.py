"""What can only be checked once bases and groups are known: sizes, rollouts, add-ons on plans."""

from itertools import chain

from quotad.catalog.definitions import Definitions
from quotad.catalog.flatten import ROLLOUTS_MAX, bases_first, flatten
from quotad.catalog.merge import Merged
from quotad.catalog.parse_addon import LIFETIME
from quotad.catalog.problems import shown
from quotad.catalog.windows import write_window
from quotad.model import AddOnEntry, Limit, MeterKind, Plan, Window

ENTITLEMENTS_MAX = 1_000_000
"""Most entitlements of all plans together, inheritance written out; about 100 MB in memory."""


def check_sizes(merged: Merged, definitions: Definitions) -> bool:
    """Whether the plans are not too much to hold once inheritance is written out.

    Ten thousand plans that extend one with ten thousand features fit into a small file.
    """
    sizes: dict[str, int] = {}
    for plan in bases_first(definitions):
        own = len(plan.entries) + sum(len(definitions.groups[name].entries) for name in plan.groups)
        base = 0 if plan.extends is None else sizes[plan.extends]
        sizes[plan.plan_id] = min(base + own, len(definitions.features))
    earlier = (
        len(kept.entitlements)
        for plan in definitions.plans.values()
        for kept in plan.earlier.values()
    )
    total = sum(sizes.values()) + sum(earlier)
    if total > ENTITLEMENTS_MAX:
        merged.place.key("plans").refuse(
            f"{total:,} entitlements with those inherited, at most {ENTITLEMENTS_MAX:,} are allowed"
        )
    return total <= ENTITLEMENTS_MAX


def check_rollouts(merged: Merged, definitions: Definitions) -> bool:
    """Whether no feature has too many rollouts and spans above one another."""
    fits = True
    inherited: dict[str, dict[str, int]] = {}
    for plan in bases_first(definitions):
        handed_down = dict(inherited[plan.extends]) if plan.extends is not None else {}
        depth = dict(handed_down)
        layers = [*(definitions.groups[name].entries for name in plan.groups), plan.entries]
        for feature_id, entry in chain.from_iterable(layer.items() for layer in layers):
            if not entry.conditional:
                depth.pop(feature_id, None)
                handed_down.pop(feature_id, None)
                continue
            if entry.inherit or entry.rollout is None:
                handed_down[feature_id] = handed_down.get(feature_id, 0) + 1
            depth[feature_id] = depth.get(feature_id, 0) + 1
            if depth[feature_id] == ROLLOUTS_MAX + 1:
                fits = False
                place = merged.plans[plan.plan_id][0].key("entitlements").key(feature_id)
                place.refuse(
                    f"has more than {ROLLOUTS_MAX} rollouts or spans of time above one another,"
                    " those of its groups and bases included"
                )
        inherited[plan.plan_id] = handed_down
    return fits


def check_addons(merged: Merged, definitions: Definitions) -> None:
    """Note a problem for every amount of an add-on that has no limit to apply to."""
    amounts = [
        (addon, feature_id, entry)
        for addon in definitions.addons.values()
        for feature_id, entry in addon.entries.items()
        if entry.entry is None
    ]
    if not amounts:
        return
    plans = flatten(definitions)
    for addon, feature_id, entry in amounts:
        if definitions.features[feature_id].kind is not MeterKind.COUNTER:
            continue  # others have one limit, and one that is not there yet has one shape
        allowed = plans if addon.plans is None else addon.plans
        wrong = {name: _misfit(plans[name], feature_id, entry) for name in allowed}
        first = next((name for name, why in wrong.items() if why), None)
        if first is None:
            continue
        count = sum(1 for why in wrong.values() if why) - 1
        more = f" (and {count} more plans)" if count > 1 else " (and another plan)" * count
        place = merged.addons[addon.addon_id][0].key("entitlements").key(feature_id)
        place.refuse(f"plan {shown(first)} {wrong[first]}{more}")


def _misfit(plan: Plan, feature_id: str, entry: AddOnEntry) -> str:
    """Return why the amount of an add-on fits no limit of a plan; empty: it does."""
    right = plan.entitlements.get(feature_id)
    if right is None:
        if entry.names_window:
            return ""
        return (
            "does not grant it, so there is no limit to change; grant it there, name the"
            " 'plans' that may take the add-on, or say 'per' for a limit of its own"
        )
    layers = [right.limits]  # with rollouts, not all customers of a plan have the same
    rolled = right.rollout is not None
    while right.otherwise is not None:
        right = right.otherwise
        rolled = rolled or right.rollout is not None
        layers.append(right.limits)
    found = [why for limits in layers if (why := _misfit_of(limits, entry))]
    if not found:
        return ""
    if len(layers) == 1:
        return found[0]
    return _misfit_of_layers(layers, "rollout" if rolled else "span of time")


def _misfit_of_layers(layers: list[tuple[Limit, ...]], what_for: str) -> str:
    """Return why an amount fits some customers of a plan with rollouts or spans, not others."""
    limited = [limits for limits in layers if any(limit.limit is not None for limit in limits)]
    windows = [[_spelled(limit.window) for limit in limits] for limits in limited]
    told = list(dict.fromkeys("; ".join(names) for names in windows))
    common = [name for name in windows[0] if all(name in names for names in windows)]
    if all(len(names) == 1 for names in windows):
        what = "leave 'per' out, so that it is for the limit that each of them has"
    elif common:
        what = f"say '{common[0]}', which all of them have"
    else:
        what = "give them a window in common, or name the 'plans' that may take the add-on"
    if len(told) == 1:
        return f"has limits of it ({told[0]}) inside and outside of its {what_for}; {what}"
    return f"has limits of it that its {what_for} sets apart ({' or '.join(told)}); {what}"


def _misfit_of(limits: tuple[Limit, ...], entry: AddOnEntry) -> str:
    if all(limit.limit is None for limit in limits):
        return ""  # what is unlimited stays so
    there = "; ".join(_spelled(limit.window) for limit in limits)
    if not entry.names_window:
        return f"has several limits of it ({there}); name one with 'per'" if len(limits) > 1 else ""
    windows = [limit.window for limit in limits]
    # A month is a month, whatever it is aligned to, as long as there is one only.
    near = [window for window in windows if _length(window) == _length(entry.window)]
    if entry.window in windows or len(near) == 1:
        return ""
    what = "several limits" if near else "no limit"
    return (
        f"has {what} of it with {_spelled(entry.window)}; name one that it has ({there}), or the"
        " 'plans' that may take the add-on"
    )


def _length(window: Window | None) -> str:
    return "" if window is None else window.per


def _spelled(window: Window | None) -> str:
    """Spell a window as an add-on names it: `per: month, anchor: subscription`."""
    fields = {"per": LIFETIME} if window is None else write_window(window)
    return ", ".join(f"{key}: {value}" for key, value in fields.items())
