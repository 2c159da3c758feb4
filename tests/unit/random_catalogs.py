"""Catalogs with everything that there is, drawn at random."""

from typing import Any

from hypothesis import strategies as st

IDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
WINDOWS = st.fixed_dictionaries(
    {"per": st.sampled_from(["second", "5 hours", "day", "week", "3 months", "1 year"])},
    optional={
        "anchor": st.sampled_from(["calendar", "subscription", "first_use"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
    },
)
LIMITS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda limit, window, how: {"limit": limit, **window, **how},
    st.integers(0, 10**13),
    st.one_of(st.just({}), WINDOWS),
    st.sampled_from(
        [{}, {"soft": True}, {"soft": True, "overage_limit": 5}, {"enforce": "shadow"}]
    ),
)
ROLLOUTS = st.fixed_dictionaries(
    {"percent": st.one_of(st.integers(0, 100), st.sampled_from([0.01, 12.5, 99.99]))},
    optional={"salt": st.just("salt"), "variant": st.just("large"), "inherit": st.booleans()},
)
SCALARS = st.one_of(TEXTS, st.integers(-(10**18), 10**18), st.floats(-1e9, 1e9))
VALUES = ["a", "b", "c"]
KINDS: dict[str, dict[str, Any]] = {
    "counter": {"type": "metered", "usage_history": "13 months"},
    "gauge": {"type": "metered", "kind": "gauge"},
    "slots": {"type": "metered", "kind": "concurrency"},
    "pool": {"type": "metered", "decimals": 2},
    "paid": {"type": "metered", "credit": {"pool": "pool", "cost": 0.25}},
    "boolean": {"type": "boolean"},
    "config": {"type": "config"},
    "values": {"type": "config", "values": VALUES},
}
COUNTED = st.one_of(st.just("unlimited"), st.just(False), LIMITS)
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "counter": COUNTED,
    "gauge": st.one_of(
        st.just("unlimited"),
        st.builds(dict, limit=st.integers(0, 99) | st.builds(dict, per_unit=st.integers(1, 9))),
    ),
    "slots": st.one_of(st.just("unlimited"), st.builds(dict, limit=st.integers(0, 99))),
    "pool": COUNTED,
    "paid": st.one_of(st.just(True), COUNTED),
    "boolean": st.booleans(),
    "config": st.one_of(st.just(False), SCALARS),
    "values": st.one_of(
        st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), min_size=1, unique=True)
    ),
}
ADDED: dict[str, st.SearchStrategy[Any]] = {
    "counter": st.just("unlimited"),
    "gauge": st.builds(dict, add=st.integers(1, 9)),
    "slots": st.builds(dict, set=st.integers(1, 9)),
    "pool": st.just("unlimited"),
    "paid": st.just(True),
    "boolean": st.just(True),
    "config": SCALARS.filter(lambda value: value != ""),
    "values": SHAPES["values"],
}
PLAN_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXTS,
    "metadata": st.dictionaries(st.sampled_from(["tier", "docs"]), TEXTS),
    "apply_to": st.sampled_from(["new", "all"]),
    "billing": st.sampled_from(["month", "1 year"]),
    "usage_on_change": st.sampled_from(["keep", "reset"]),
}
CHOICE: st.SearchStrategy[Any] = st.booleans()


SPANS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"until": st.sampled_from(["2027-01-01", "2031-02-01T09:00+01:00"])},
    optional={"from": st.sampled_from(["2026-01-01", "2026-12-31T23:59:59.999Z"])},
)


def with_span(kind: str, value: Any, span: Any) -> Any:
    """The entry for a time, where its shape has room for that."""
    if isinstance(value, dict):
        return value | span
    if kind in ("config", "values") and value is not False:
        return {"value": value} | span
    if value is True:
        return span
    return {"unlimited": True} | span if value == "unlimited" else value


def with_rollout(kind: str, value: Any, rollout: Any) -> Any:
    """The entry for a share of customers, where its shape has room for that."""
    if isinstance(value, dict):
        return value | {"rollout": rollout}
    if kind in ("config", "values") and value is not False:
        return {"value": value, "rollout": rollout}
    if value is True:
        return {"rollout": rollout}
    return {"unlimited": True, "rollout": rollout} if value == "unlimited" else value


def rights(features: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    shapes = {
        name: st.one_of(
            SHAPES[kind],
            st.builds(with_rollout, st.just(kind), SHAPES[kind], ROLLOUTS),
            st.builds(with_span, st.just(kind), SHAPES[kind], SPANS),
        )
        for name, kind in features.items()
    }
    return st.fixed_dictionaries({}, optional=shapes)


@st.composite
def raw_catalogs(
    draw: st.DrawFn, ids: st.SearchStrategy[str] = IDS, least: int = 0
) -> dict[str, Any]:
    """A whole catalog, valid, as JSON values.

    Args:
        draw: of hypothesis.
        ids: of features, plans, groups and add-ons.
        least: features, and plans.
    """
    features = draw(
        st.dictionaries(ids, st.sampled_from(sorted(KINDS)), min_size=least, max_size=5)
    )
    features["pool"] = "pool"
    names = st.lists(ids, max_size=2, unique=True)
    groups = {name: {"entitlements": draw(rights(features))} for name in draw(names)}
    plans: dict[str, Any] = {}
    for name in draw(st.lists(ids, min_size=least, max_size=4, unique=True)):
        plan = draw(st.fixed_dictionaries({}, optional=PLAN_KEYS))
        plan["entitlements"] = draw(rights(features))
        if plans and draw(CHOICE):
            plan["extends"] = draw(st.sampled_from(sorted(plans)))
        if groups and draw(CHOICE):
            plan["groups"] = draw(st.permutations(sorted(groups)))
        plans[name] = plan
    raw: dict[str, Any] = {"version": 1, "plans": plans, "groups": groups, "addons": {}}
    raw["features"] = {name: KINDS[kind] for name, kind in features.items()}
    added = {name: ADDED[kind] for name, kind in features.items()}
    for name in draw(names):
        addon: dict[str, Any] = {"entitlements": draw(st.fixed_dictionaries({}, optional=added))}
        if plans and draw(CHOICE):
            addon["plans"] = draw(st.permutations(sorted(plans)))
        raw["addons"][name] = addon
    if plans and draw(CHOICE):
        raw["default_plan"] = draw(st.sampled_from(sorted(plans)))
    return raw
