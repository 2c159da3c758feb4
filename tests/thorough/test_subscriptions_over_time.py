"""Any sequence of changes to any customer's subscriptions: what holds whatever happens."""

from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.customers.settle import settled
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial, archive
from quotad.entitlements.phases import (
    PhaseStatus,
    active_subscription,
    billing_period_end,
    generation,
    phases_in_force,
    phases_of,
    status,
)
from quotad.errors import InvalidRequest, NotFound
from quotad.records import CustomerRecord, Subscription
from tests.unit.subscribing import CATALOG, DAY, NEW, NOW, cancel, change, provision_as

Step = tuple[int, Callable[[CustomerRecord, int], CustomerRecord]]

KEYS = [("", ""), ("a", ""), ("", "w")]
ON_SALE = ["free", "pro", "team", "fresh", "yearly"]
HOURS = st.integers(0, 24 * 70).map(lambda hours: hours * 3_600_000)

names = st.sampled_from(KEYS)
addons = st.dictionaries(st.sampled_from(["calls", "seats"]), st.integers(1, 3), max_size=2)
waits = st.none() | st.integers(-20, 70)


def _provisioned(
    named: tuple[str, str], plan: str, added: dict[str, int], start: int | None, length: int | None
) -> Callable[[CustomerRecord, int], CustomerRecord]:
    def step(record: CustomerRecord, now_ms: int) -> CustomerRecord:
        start_ms = None if start is None else now_ms + start * DAY
        end_ms = None if length is None else now_ms + length * DAY
        wanted = Provision(plan, start_ms, *named, added, end_ms)
        return provision_as(record, wanted, now_ms)

    return step


def _tried(
    named: tuple[str, str], plan: str, days: int, then: str | None
) -> Callable[[CustomerRecord, int], CustomerRecord]:
    def step(record: CustomerRecord, now_ms: int) -> CustomerRecord:
        trial = Trial(now_ms + days * DAY, then is None, then or "")
        return provision_as(record, Provision(plan, None, *named, trial=trial), now_ms)

    return step


def _changed(
    named: tuple[str, str],
    plan: str | None,
    added: dict[str, int] | None,
    latest: bool,
    later: bool,
) -> Callable[[CustomerRecord, int], CustomerRecord]:
    wanted = Change(*named, plan or "", added, latest, later)
    return lambda record, now_ms: change(record, wanted, now_ms)


def _cancelled(
    named: tuple[str, str], later: bool
) -> Callable[[CustomerRecord, int], CustomerRecord]:
    return lambda record, now_ms: cancel(record, Cancellation(*named, later), now_ms)


plans = st.sampled_from(ON_SALE)
steps = st.one_of(
    st.builds(_provisioned, names, plans, addons, waits, waits),
    st.builds(_tried, names, plans, st.integers(1, 60), st.none() | plans),
    st.builds(_changed, names, st.none() | plans, st.none() | addons, st.booleans(), st.booleans()),
    st.builds(_cancelled, names, st.booleans()),
    st.just(archive),
)
histories = st.lists(st.tuples(HOURS, steps), min_size=1, max_size=12)


def played(history: list[Step]) -> list[tuple[CustomerRecord, CustomerRecord, int]]:
    """Before, after and the moment of each step that was not refused."""
    found: list[tuple[CustomerRecord, CustomerRecord, int]] = []
    record, now_ms = NEW, NOW
    for wait_ms, step in history:
        now_ms += wait_ms
        try:
            after = step(record, now_ms)
        except (InvalidRequest, NotFound):
            continue
        found.append((record, after, now_ms))
        record = after
    return found


def plans_in_force(record: CustomerRecord, at_ms: int, resource_id: str) -> list[tuple[str, str]]:
    return [
        (phase.subscription_id, phase.plan_id)
        for phase in phases_in_force(record, at_ms, resource_id)
    ]


def terms_of(record: CustomerRecord, named: tuple[str, str]) -> list[Subscription]:
    """The phases of a subscription, but for resets of usage: those are the customer's, once per
    billing period, so that a write of one subscription may take that of another one away."""
    return [
        msgspec.structs.replace(phase, resets_usage=False, resets_until_ms=0)
        for phase in phases_of(record, *named)
    ]


@settings(max_examples=250, deadline=None)
@given(histories, st.lists(HOURS, min_size=3, max_size=3))
def test_whatever_happens_a_record_stays_in_order(history: list[Step], waits: list[int]) -> None:
    for before, after, now_ms in played(history):
        for named in KEYS:
            phases = phases_of(after, *named)
            assert len(phases) <= 4  # two trials, one after the other, each with its sequel
            assert all(p.end_ms is None or p.start_ms <= p.end_ms for p in phases)
            starts = [p.start_ms for p in phases]
            assert sorted(set(starts)) == starts
        kept = settled(before, now_ms)
        touched = [named for named in KEYS if terms_of(kept, named) != terms_of(after, named)]
        # The first write may put on record that the customer is on the default plan.
        assert len(touched) <= 1 or (("", "") in touched and not before.created_ms)
        for wait_ms in (0, *waits):
            moment = now_ms + wait_ms
            for resource_id in ("", "w"):
                in_force = plans_in_force(after, moment, resource_id)
                assert sorted({each for each, _ in in_force}) == [each for each, _ in in_force]
                # Dropping what is over changes nothing about what is not.
                kept = settled(after, moment)
                assert in_force == plans_in_force(kept, moment, resource_id)
                assert generation(after, moment, resource_id) == generation(
                    kept, moment, resource_id
                )
                assert generation(kept, moment + DAY, resource_id) == generation(
                    after, moment + DAY, resource_id
                )
            statuses = [status(after, phase, moment) for phase in after.subscriptions]
            running = sum(each in (PhaseStatus.ACTIVE, PhaseStatus.IN_TRIAL) for each in statuses)
            assert running == sum(len(phases_in_force(after, moment, r)) for r in ("", "w"))
        assert all(generation(before, now_ms, r) <= generation(after, now_ms, r) for r in ("", "w"))


@settings(max_examples=200, deadline=None)
@given(histories, names, plans, st.booleans())
def test_a_change_keeps_billing_periods_and_leaves_others_alone(
    history: list[Step], named: tuple[str, str], plan: str, later: bool
) -> None:
    for _, record, now_ms in played(history):
        active = active_subscription(record, now_ms, *named)
        if active is None or active.trial:
            continue
        try:
            after = change(record, Change(*named, plan, {}, at_period_end=later), now_ms)
        except InvalidRequest:
            continue

        at_ms = billing_period_end(active, CATALOG, now_ms) if later else now_ms
        changed = active_subscription(after, at_ms, *named)
        assert changed is not None
        assert (plan, active.anchor) == (changed.plan_id, changed.anchor)
        if later:
            assert active == active_subscription(after, at_ms - 1, *named)
        for other in KEYS:
            if other != named:
                assert terms_of(settled(record, now_ms), other) == terms_of(after, other)


@settings(max_examples=200, deadline=None)
@given(histories, names, st.booleans())
def test_a_cancelled_subscription_is_over_at_the_latest_when_its_period_ends(
    history: list[Step], named: tuple[str, str], later: bool
) -> None:
    for _, record, now_ms in played(history):
        active = active_subscription(record, now_ms, *named)
        if active is None:
            continue

        after = cancel(record, Cancellation(*named, later), now_ms)

        end_ms = now_ms
        if later:
            end_ms = billing_period_end(active, CATALOG, now_ms)
            end_ms = end_ms if active.end_ms is None else min(active.end_ms, end_ms)
            end_ms = active.end_ms if active.trial and active.end_ms else end_ms
            still = active_subscription(after, end_ms - 1, *named)
            assert still is not None
            assert active.plan_id == still.plan_id
        assert all(
            active_subscription(after, at_ms, *named) is None
            for at_ms in (end_ms, end_ms + DAY, end_ms + 1000 * DAY)
        )
