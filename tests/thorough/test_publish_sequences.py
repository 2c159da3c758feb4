"""Any catalogs, published one after the other: what comes out can always be served."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.catalog import (
    ApplyTo,
    Catalog,
    Snapshot,
    Source,
    carry,
    compile_snapshot,
    diff,
    parse,
    restore,
)
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import resolve
from quotad.errors import CatalogError
from quotad.model import Entitlement, FeatureType, MeterKind
from quotad.records import CustomerRecord, Subscription
from tests.unit.random_catalogs import LIMITS, raw_catalogs

NOW = 1_800_000_000_000

# Few names, so that catalogs have much in common.
NAMES = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.builds(
    lambda limit, key, amount: (
        {key: amount}
        | {name: limit[name] for name in ("per", "anchor", "timezone") if name in limit}
    ),
    LIMITS,
    st.sampled_from(["add", "set"]),
    st.integers(1, 99),
)
PUBLISHES = st.sampled_from([ApplyTo.NEW, ApplyTo.NEW, ApplyTo.NEW, None, ApplyTo.ALL, "rollback"])


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """A valid catalog; add-ons have amounts where its plans have limits that they fit."""
    raw = draw(raw_catalogs(NAMES, least=2))
    plain = parse([Source("a.json", json.dumps(raw))])
    for addon in raw["addons"].values():
        before: dict[str, Any] = addon["entitlements"]
        amounts = {name: draw(AMOUNTS) for name in before if draw(st.booleans())}
        addon["entitlements"] = before | amounts
        try:
            plain = parse([Source("a.json", json.dumps(raw))])
        except CatalogError:
            addon["entitlements"] = before
    return plain


def published(
    in_force: Catalog | None, history: list[Catalog], after: Catalog, how: object
) -> Catalog | None:
    """What is in force after one more publish; as before, if it is refused."""
    try:
        if how == "rollback" and history:
            return restore(in_force, history[len(after.document) % len(history)])
        return carry(in_force, after, how if isinstance(how, ApplyTo) else None)
    except CatalogError as error:
        wrong = [text for text in error.problems if ".decimals: cannot change from" not in text]
    assert not wrong
    return in_force


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(catalogs(), PUBLISHES), min_size=2, max_size=6))
def test_whatever_is_published_can_be_read_and_compiled(
    steps: list[tuple[Catalog, object]],
) -> None:
    in_force: Catalog | None = None
    history: list[Catalog] = []
    for after, how in steps:
        before, in_force = in_force, published(in_force, history, after, how)
        assert in_force is not None
        history.append(in_force)
        read = Catalog.from_document(in_force.document)
        snapshot = compile_snapshot(read, len(history))

        assert in_force == Catalog(read.definitions)
        assert snapshot == compile_snapshot(in_force, len(history))
        assert before is None or bool(diff(before, in_force)) == (before != in_force)
        for plan_id, plan in snapshot.plans.items():
            for revision in range(1, plan.revision + 2):
                check_customers(snapshot, Subscription(plan_id, NOW - 1, revision=revision))


@settings(max_examples=60, deadline=None)
@given(catalogs(), catalogs(), st.sampled_from([None, ApplyTo.NEW]))
def test_the_same_files_again_change_nothing(
    before: Catalog, after: Catalog, how: ApplyTo | None
) -> None:
    once = published(before, [], after, how)
    assert once is not None

    assert once == before or once == carry(once, after, how)


def check_customers(snapshot: Snapshot, subscription: Subscription) -> None:
    """Whoever has this revision, with every add-on or none, has what a plan could grant."""
    addons = {
        name: min(2, addon.max_quantity or 2)
        for name, addon in snapshot.addons.items()
        if addon.plans is None or subscription.plan_id in addon.plans
    }
    for bought in ({}, addons):
        phase = msgspec.structs.replace(subscription, addons=bought)
        record = CustomerRecord("acme", (phase,))
        effective = resolve(record, snapshot, NOW, "acme")

        assert effective.denied is None
        for feature_id, right in effective.entitlements.items():
            assert_sound(right)
            assert right.feature == snapshot.features[feature_id]
        for feature_id in snapshot.features:
            explain(record, snapshot, NOW, "acme", "", feature_id)


def assert_sound(right: Entitlement) -> None:
    feature = right.feature
    assert right.rollout is None
    if feature.type is not FeatureType.METERED:
        assert not right.limits
        assert set(right.values) <= set(feature.values)
        return
    assert right.limits or feature.credit
    windows = [limit.window for limit in right.limits]
    assert len(windows) == len(set(windows))
    assert feature.kind is MeterKind.COUNTER or windows == [None]
