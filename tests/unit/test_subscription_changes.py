"""Changing and cancelling subscriptions, now or later, and what that does to usage."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.entitlements.phases import (
    PhaseStatus,
    billing_period_end,
    generation,
    phases_in_force,
    status,
)
from quotad.errors import InvalidRequest, NotFound
from quotad.records import CustomerRecord, Subscription
from tests.unit.subscribing import (
    CATALOG,
    DAY,
    KNOWN,
    MONTH_END,
    NEW,
    NOW,
    cancel,
    change,
    course,
    on,
    provision,
    provision_as,
)

# Changes


def test_a_change_now_keeps_start_and_billing_periods() -> None:
    first = Provision("pro", NOW - 5 * DAY, addons={"calls": 1}, anchor_ms=NOW - 40 * DAY)
    record = provision_as(NEW, first)

    record = change(record, Change(plan_id="team"))

    [phase] = record.subscriptions
    assert (
        Subscription("team", NOW - 5 * DAY, addons={"calls": 1}, anchor_ms=NOW - 40 * DAY) == phase
    )


def test_a_change_at_the_end_of_the_period_waits_for_it_and_keeps_billing_periods() -> None:
    record = provision(NEW, "pro", None, NOW)

    record = change(record, Change(plan_id="free", at_period_end=True), NOW + DAY)

    assert ["pro", "free"] == course(record, MONTH_END - 1, MONTH_END)
    current, later = record.subscriptions
    assert (PhaseStatus.ACTIVE, PhaseStatus.SCHEDULED) == (
        status(record, current, NOW + DAY),
        status(record, later, NOW + DAY),
    )
    assert NOW == later.anchor


def test_the_billing_period_is_that_of_the_plan() -> None:
    record = provision(NEW, "yearly", None, NOW)

    record = change(record, Change(plan_id="free", at_period_end=True))

    assert NOW + 365 * DAY == record.subscriptions[1].start_ms


def test_the_billing_period_of_a_plan_that_is_gone_is_a_month() -> None:
    assert MONTH_END == billing_period_end(Subscription("gone", NOW), CATALOG, NOW)


def test_a_change_replaces_one_that_waits() -> None:
    record = provision(NEW, "pro", None, NOW)
    waiting = change(record, Change(plan_id="free", at_period_end=True))

    for wanted in (
        Change(plan_id="team", at_period_end=True),
        Change(addons={"calls": 1}, at_period_end=True),
        Change(addons={"calls": 1}),
        Change(plan_id="pro", at_period_end=True),
        Change(plan_id="pro"),
    ):
        assert change(record, wanted).subscriptions == change(waiting, wanted).subscriptions


def test_changing_to_what_is_in_force_takes_back_what_waits() -> None:
    record = provision(NEW, "pro", None, NOW)
    waiting = change(record, Change(plan_id="free", at_period_end=True))

    for later in (False, True):
        back = change(waiting, Change(plan_id="pro", at_period_end=later))
        assert record.subscriptions == back.subscriptions


def test_moving_to_the_latest_revision_now_or_later() -> None:
    record = replace(on(), subscriptions=(Subscription("pro", NOW, revision=1),))

    for later, revisions in ((False, [3]), (True, [1, 3])):
        moved = change(record, Change(latest_revision=True, at_period_end=later))
        assert revisions == [phase.revision for phase in moved.subscriptions]
    assert 1 == change(record, Change(plan_id="pro", addons={})).subscriptions[0].revision


def test_a_subscription_that_has_not_started_is_changed_as_it_will_start() -> None:
    record = provision(KNOWN, "pro", NOW + DAY, NOW)

    changed = change(record, Change(plan_id="team"))

    assert ["", "team"] == course(changed, NOW, NOW + DAY)
    with pytest.raises(InvalidRequest, match="has not started; change it now"):
        change(record, Change(plan_id="team", at_period_end=True))


def test_who_is_on_an_archived_plan_may_change_the_rest() -> None:
    record = on(("old", NOW - DAY))

    changed = change(record, Change(addons={"calls": 1}, latest_revision=True))

    assert {"calls": 1} == changed.subscriptions[0].addons
    with pytest.raises(InvalidRequest, match="'old' is archived"):
        change(on(("pro", NOW)), Change(plan_id="old"))


def test_add_ons_that_the_new_plan_may_not_have_stop_the_change() -> None:
    record = provision_as(NEW, Provision("pro", addons={"seats": 1}))

    with pytest.raises(InvalidRequest, match="'seats' is not for the plan 'free'"):
        change(record, Change(plan_id="free"))

    assert {} == change(record, Change(plan_id="free", addons={})).subscriptions[0].addons


def test_an_add_on_that_is_not_sold_any_more_is_kept_and_never_had_more_of() -> None:
    held = Subscription("pro", NOW, addons={"old": 2})
    record = replace(on(("pro", NOW)), subscriptions=(held,))

    kept = change(record, Change(addons={"old": 1, "calls": 1}))
    assert {"old": 1, "calls": 1} == kept.subscriptions[0].addons
    assert {"old": 2} == provision_as(record, Provision("pro", addons={"old": 2})).subscriptions[
        0
    ].addons
    with pytest.raises(InvalidRequest, match="the add-on 'old' is archived"):
        change(record, Change(addons={"old": 3}))


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^plan_id: nothing to change; give plan_id, addons"):
        change(on(("pro", NOW)), Change(at_period_end=True))


def test_a_change_after_the_end_is_refused() -> None:
    record = cancel(provision(NEW, "pro", None, NOW), Cancellation(at_period_end=True))

    with pytest.raises(InvalidRequest, match=r"^when: the subscription ends before its next"):
        change(record, Change(plan_id="team", at_period_end=True))


def test_a_subscription_that_is_not_there_is_not_found_and_those_that_are_are_named() -> None:
    record = provision_as(KNOWN, Provision("pro", subscription_id="a"))
    wanted = Provision("pro", resource_id="w1")

    record = provision_as(record, wanted)

    calls: list[Callable[[], CustomerRecord]] = [
        lambda: change(record, Change("b", plan_id="pro")),
        lambda: cancel(record, Cancellation("b")),
    ]
    for call in calls:
        with pytest.raises(NotFound) as refused:
            call()
        assert (
            "subscription_id: 'acme' has no subscription 'b'; it has 'a', one without an id of the"
            " resource 'w1'"
        ) == str(refused.value)
    with pytest.raises(
        NotFound, match=r"'acme' has no subscription without an id; it has none; provision one$"
    ):
        cancel(on())


# Cancelling


def test_cancelling_now_ends_at_once_and_shows_it_until_the_next_write() -> None:
    record = cancel(provision(NEW, "pro", None, NOW), now_ms=NOW + DAY)

    assert ["pro", ""] == course(replace(record, updated_ms=NOW), NOW + DAY - 1, NOW + DAY)
    assert [] == phases_in_force(record, NOW)  # also on a server whose clock is behind
    assert PhaseStatus.ENDED == status(record, record.subscriptions[0], NOW)
    assert ("team", NOW + 2 * DAY) == (
        (back := provision(record, "team", None, NOW + 2 * DAY).subscriptions[0]).plan_id,
        back.start_ms,
    )


def test_cancelling_at_the_end_of_the_period_waits_for_it() -> None:
    record = provision(NEW, "pro", None, NOW)

    record = cancel(record, Cancellation(at_period_end=True), NOW + DAY)

    assert ["pro", ""] == course(record, MONTH_END - 1, MONTH_END)
    assert ["pro"] == course(provision(record, "pro", None, NOW + DAY), MONTH_END)


def test_cancelling_never_makes_a_subscription_longer() -> None:
    record = provision_as(NEW, Provision("pro", end_ms=NOW + DAY))

    record = cancel(record, Cancellation(at_period_end=True))

    assert NOW + DAY == record.subscriptions[0].end_ms


@pytest.mark.parametrize("later", [False, True])
def test_cancelling_takes_back_what_waits(later: bool) -> None:
    waiting = provision(provision(NEW, "pro", None, NOW), "team", NOW + DAY, NOW)
    unstarted = provision(KNOWN, "pro", NOW + DAY, NOW)

    ended = [cancel(each, Cancellation(at_period_end=later)) for each in (waiting, unstarted)]

    assert ["pro" if later else "", ""] == course(ended[0], NOW, NOW + 40 * DAY)
    assert () == ended[1].subscriptions


# What plan changes do to usage


def generations(record: CustomerRecord, *moments: int, resource_id: str = "") -> list[int]:
    return [generation(record, moment, resource_id) for moment in moments]


def test_usage_is_reset_when_a_plan_that_resets_it_takes_force() -> None:
    record = provision(NEW, "pro", None, NOW)

    now = change(record, Change(plan_id="fresh"))
    later = change(record, Change(plan_id="fresh", at_period_end=True))
    planned = provision(record, "fresh", NOW + DAY, NOW)

    assert [1, 1] == generations(now, NOW, MONTH_END)
    assert [0, 0, 1] == generations(later, NOW, MONTH_END - 1, MONTH_END)
    assert [0, 1] == generations(planned, NOW, NOW + DAY)
    assert [0, 0] == generations(cancel(later), NOW, MONTH_END)


def test_a_reset_that_has_happened_is_kept() -> None:
    record = change(provision(NEW, "pro", None, NOW), Change(plan_id="fresh", at_period_end=True))

    after = MONTH_END + DAY
    record = change(record, Change(plan_id="pro"), after)
    after += MONTH_END - NOW
    again = change(record, Change(plan_id="fresh"), after)

    assert [1, 2] == [generation(each, after) for each in (record, again)]
    assert {"": 2} == again.resets


def test_changing_to_and_fro_resets_usage_once_per_billing_period() -> None:
    record = provision(NEW, "pro", None, NOW)
    found = []
    for day in (1, 2, 30, 31, 32, 62):
        record = change(record, Change(plan_id="fresh"), NOW + day * DAY)
        record = change(record, Change(plan_id="pro"), NOW + day * DAY)
        found.append(generation(record, NOW + day * DAY))

    assert [1, 1, 1, 2, 2, 3] == found
    assert {"": NOW + (31 + 28 + 31) * DAY} == record.reset_until


def test_a_new_start_or_a_change_that_waits_resets_usage_no_sooner() -> None:
    fresh = Provision("fresh", NOW + 3 * DAY)
    record = provision_as(provision(NEW, "pro", None, NOW), Provision("fresh"))
    record = provision_as(record, Provision("pro", NOW + DAY), NOW + DAY)
    again = provision_as(record, Provision("fresh", NOW + 2 * DAY), NOW + 2 * DAY)
    waits = provision_as(record, fresh, NOW + 2 * DAY)
    beside = provision_as(
        provision(NEW, "pro", None, NOW), Provision("pro", None, "extra"), NOW + DAY
    )
    for subscription_id in ("", "extra"):
        both = Provision("fresh", NOW + 5 * DAY, subscription_id)
        beside = provision_as(beside, both, NOW + 2 * DAY)

    assert [1, 1] == generations(again, NOW + 2 * DAY, NOW + 9 * DAY)
    assert [1, 1] == generations(waits, NOW + 2 * DAY, NOW + 3 * DAY)
    assert [0, 1] == generations(beside, NOW + 2 * DAY, NOW + 5 * DAY)
    # A change that waits for the end of the billing period is in the next.
    later = change(
        provision(NEW, "fresh", None, NOW), Change(plan_id="pro", at_period_end=True), NOW + DAY
    )
    later = change(later, Change(plan_id="pro"), MONTH_END)
    later = change(later, Change(plan_id="fresh", at_period_end=True), MONTH_END + DAY)
    assert [1, 1, 2] == generations(later, NOW, MONTH_END + DAY, MONTH_END + 28 * DAY)


def test_the_end_of_a_trial_that_reset_usage_may_reset_it_again() -> None:
    wanted = Provision("fresh", trial=Trial(NOW + 5 * DAY, plan_id="renewed"))

    record = provision_as(NEW, wanted)

    assert [1, 2] == generations(record, NOW, NOW + 5 * DAY)


def test_usage_is_kept_where_nothing_is_changed_for_a_plan_that_resets_it() -> None:
    record = provision(NEW, "fresh", None, NOW)
    for wanted in (Change(plan_id="fresh"), Change(addons={"calls": 1}), Change(plan_id="pro")):
        assert generations(record, NOW) == generations(change(record, wanted), NOW)
    assert [1] == generations(provision(NEW, "fresh", None, NOW), NOW)  # from the default plan
    resource = provision_as(NEW, Provision("fresh", resource_id="w"))
    assert [0] == generations(resource, NOW, resource_id="w")


def test_coming_back_does_not_reset_usage() -> None:
    record = cancel(provision(NEW, "fresh", None, NOW))

    back = provision(record, "fresh", None, NOW + DAY)

    assert generations(record, NOW) == generations(back, NOW + DAY)


def test_every_resource_has_counters_of_its_own() -> None:
    record = NEW
    for resource_id in ("", "w1", "w2"):
        wanted = Provision("pro", resource_id=resource_id)
        record = provision_as(record, wanted)

    record = change(record, Change(resource_id="w1", plan_id="fresh"))

    assert [0, 1, 0] == [generation(record, NOW, name) for name in ("", "w1", "w2")]


def test_what_follows_a_trial_may_reset_usage() -> None:
    wanted = Provision("pro", trial=Trial(NOW + DAY, plan_id="fresh"))

    record = provision_as(NEW, wanted)

    assert [0, 1] == generations(record, NOW, NOW + DAY)


def test_resets_of_resources_that_are_gone_are_dropped_in_time() -> None:
    record = provision(NEW, "fresh", None, NOW)
    for number in range(300):
        resource_id = f"w{number}"
        record = provision_as(record, Provision("pro", resource_id=resource_id))
        record = change(record, Change(plan_id="fresh", resource_id=resource_id))
        if number:
            record = cancel(record, Cancellation(resource_id=resource_id))

    assert 1 == record.resets[""] == record.resets["w0"] == record.resets["w299"]
    assert len(record.resets) <= 110
