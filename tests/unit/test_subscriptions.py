"""Provisioning: who is on which plan from when on, and trials."""

from typing import Any

import pytest
from msgspec.structs import replace

from quotad.customers.checks import ANCHOR_MAX_MS
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    Trial,
    archive,
)
from quotad.entitlements.phases import (
    PhaseStatus,
    active_subscription,
    phases_in_force,
    phases_of,
    status,
)
from quotad.errors import InvalidRequest
from quotad.records import CALENDAR, CustomerRecord, Subscription
from tests.unit.subscribing import (
    DAY,
    KNOWN,
    NEW,
    NOW,
    cancel,
    change,
    course,
    on,
    provision,
    provision_as,
)


@pytest.mark.parametrize(
    ("record", "plan"),
    [
        (NEW, None),
        (on(("later", NOW + 1)), None),
        (on(("now", NOW)), "now"),
        (on(("past", NOW - DAY), ("later", NOW + 1)), "past"),
        (on(("old", NOW - 2 * DAY), ("young", NOW - DAY)), "young"),
        (on(("young", NOW - DAY), ("old", NOW - 2 * DAY)), "young"),
    ],
)
def test_the_last_to_start_of_those_that_have_started_is_active(
    record: CustomerRecord, plan: str | None
) -> None:
    active = active_subscription(record, NOW)

    assert plan == (active and active.plan_id)


def test_the_first_plan_starts_now() -> None:
    record = provision(NEW, "free", None, NOW)

    assert CustomerRecord("acme", (Subscription("free", NOW),), False, NOW, NOW) == record


def test_another_plan_keeps_the_start_and_the_date_of_creation() -> None:
    record = provision(on(("free", NOW - 5 * DAY)), "pro", None, NOW)

    assert (Subscription("pro", NOW - 5 * DAY, revision=3),) == record.subscriptions
    assert (NOW - 9 * DAY, NOW) == (record.created_ms, record.updated_ms)


def test_a_start_of_its_own_replaces_the_one_before() -> None:
    record = provision(on(("free", NOW - 5 * DAY)), "pro", NOW - DAY, NOW)

    assert (Subscription("pro", NOW - DAY, revision=3),) == record.subscriptions


def test_a_plan_of_the_future_leaves_the_one_of_today_in_force() -> None:
    record = provision(on(("free", NOW - 5 * DAY)), "pro", NOW + DAY, NOW)

    assert (Subscription("free", NOW - 5 * DAY), Subscription("pro", NOW + DAY, revision=3)) == (
        record.subscriptions
    )
    active = [active_subscription(record, NOW + wait) for wait in (DAY - 1, DAY)]
    assert ["free", "pro"] == [each.plan_id for each in active if each]


def test_a_second_plan_of_the_future_takes_the_place_of_the_first() -> None:
    planned = provision(on(("free", NOW - 5 * DAY)), "pro", NOW + DAY, NOW)

    record = provision(planned, "team", NOW + 2 * DAY, NOW)

    assert ["free", "team"] == [s.plan_id for s in record.subscriptions]


def test_a_plan_from_now_on_drops_the_one_of_the_future() -> None:
    planned = provision(on(("free", NOW - 5 * DAY)), "pro", NOW + DAY, NOW)

    assert (Subscription("team", NOW - 5 * DAY),) == provision(
        planned, "team", None, NOW
    ).subscriptions


def test_archiving_keeps_everything_else_and_provisioning_brings_back() -> None:
    record = on(("free", NOW - 5 * DAY))

    gone = archive(record, NOW)
    back = provision(gone, "free", None, NOW + 7)

    assert gone.archived
    assert record.subscriptions == gone.subscriptions == back.subscriptions
    assert not back.archived
    assert NOW + 7 == back.updated_ms


@pytest.mark.parametrize("behind_ms", [1, 1000])
def test_a_server_whose_clock_is_behind_sees_what_has_started(behind_ms: int) -> None:
    record = provision(NEW, "free", None, NOW)

    active = active_subscription(record, NOW - behind_ms)

    assert Subscription("free", NOW) == active


def test_a_server_whose_clock_is_behind_changes_the_plan_that_has_started() -> None:
    record = provision(NEW, "free", None, NOW)

    changed = provision(record, "pro", None, NOW - 5)

    assert (Subscription("pro", NOW, revision=3),) == changed.subscriptions
    assert NOW == changed.updated_ms
    assert NOW == archive(changed, NOW - 5).updated_ms


# Provisioning


def test_saying_the_same_again_changes_nothing() -> None:
    wanted = Provision("pro", addons={"calls": 2}, end_ms=NOW + 90 * DAY, anchor_ms=NOW - DAY)
    first = provision_as(NEW, wanted)

    again = provision_as(first, wanted, NOW + DAY)

    assert first.subscriptions == again.subscriptions
    assert (NOW, NOW + DAY) == (again.created_ms, again.updated_ms)


def test_saying_the_same_again_changes_nothing_also_when_it_is_not_sold_any_more() -> None:
    for addons in ({"seats": 6}, {"gone": 1}):
        phase = Subscription("pro", NOW - DAY, revision=3, addons=addons)
        record = replace(on(), subscriptions=(phase,))

        again = provision_as(record, Provision("pro", addons=addons))

        assert (phase,) == again.subscriptions
        more = {name: quantity + 1 for name, quantity in addons.items()}
        for other in (Provision("team", addons=addons), Provision("pro", addons=more)):
            with pytest.raises(InvalidRequest, match=r"^addons: "):
                provision_as(record, other)


@pytest.mark.parametrize("kept", [{"seats": 6}, {"gone": 2}, {"gone": 1}])
def test_who_has_more_than_may_be_had_now_may_still_buy_something_else(
    kept: dict[str, int],
) -> None:
    held = {"seats": 7} if "seats" in kept else {"gone": 2}
    phase = Subscription("pro", NOW - DAY, revision=3, addons=held)
    record = replace(on(), subscriptions=(phase,))
    addons = kept | {"calls": 1}

    changed = change(record, Change(addons=addons))
    said = provision_as(record, Provision("pro", addons=addons))

    assert addons == changed.subscriptions[0].addons == said.subscriptions[0].addons


def test_the_same_plan_keeps_its_revision_and_another_is_had_as_it_is_now() -> None:
    record = replace(on(), subscriptions=(Subscription("pro", NOW - DAY, revision=1),))

    same, other = provision(record, "pro", None, NOW), provision(record, "team", None, NOW)
    back = provision(other, "pro", None, NOW)
    anew = provision(record, "pro", NOW, NOW)

    found = [made.subscriptions[0].revision for made in (same, other, back, anew)]
    assert [1, 1, 3, 3] == found


def test_add_ons_and_end_are_those_that_were_sent_last() -> None:
    first = Provision("pro", addons={"calls": 2}, end_ms=NOW + DAY)
    record = provision_as(NEW, first)

    record = provision(record, "pro", None, NOW)

    assert (Subscription("pro", NOW, revision=3),) == record.subscriptions


def test_a_subscription_ends_at_its_end() -> None:
    record = provision_as(NEW, Provision("pro", end_ms=NOW + DAY))

    assert ["pro", "pro", ""] == course(record, NOW, NOW + DAY - 1, NOW + DAY)
    [phase] = record.subscriptions
    assert [PhaseStatus.ACTIVE, PhaseStatus.ENDED] == [
        status(record, phase, moment) for moment in (NOW, NOW + DAY)
    ]


def test_one_that_ends_does_not_give_way_to_the_one_before_it() -> None:
    record = provision(NEW, "free", None, NOW)
    wanted = Provision("pro", NOW + DAY, end_ms=NOW + 2 * DAY)

    record = provision_as(record, wanted)

    assert ["free", "pro", ""] == course(record, NOW, NOW + DAY, NOW + 2 * DAY)


def test_several_subscriptions_stand_side_by_side_the_main_one_first() -> None:
    record = NEW
    for wanted in (
        Provision("team", subscription_id="b"),
        Provision("pro", subscription_id="a", resource_id="w1"),
        Provision("pro", subscription_id="a"),
        Provision("free"),
    ):
        record = provision_as(record, wanted)

    in_force = [
        [(phase.subscription_id, phase.plan_id) for phase in phases_in_force(record, NOW, resource)]
        for resource in ("", "w1", "w2")
    ]
    assert [[("", "free"), ("a", "pro"), ("b", "team")], [("a", "pro")], []] == in_force


def test_a_change_of_one_subscription_leaves_the_others_alone() -> None:
    record = NEW
    for named in (("", ""), ("a", ""), ("", "w1")):
        wanted = Provision("pro", subscription_id=named[0], resource_id=named[1])
        record = provision_as(record, wanted)
    later = change(record, Change("a", plan_id="team", at_period_end=True))

    record = cancel(change(later, Change(resource_id="w1", plan_id="free")), Cancellation())

    assert [Subscription("pro", NOW, revision=3, end_ms=NOW)] == phases_of(record, "", "")
    assert phases_of(later, "a", "") == phases_of(record, "a", "")
    assert ["free"] == [phase.plan_id for phase in phases_of(record, "", "w1")]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Provision("pros"), "plan_id: unknown plan 'pros', did you mean 'pro'?"),
        (
            Provision("gone"),
            "plan_id: unknown plan 'gone'; the catalog has free, pro, team, yearly, fresh, renewed",
        ),
        (
            Provision("old"),
            "plan_id: the plan 'old' is archived: its subscribers stay, and no one else can have"
            " it; choose another plan",
        ),
        (
            Provision("pro", addons={"call": 1}),
            "addons: unknown add-on 'call', did you mean 'calls'?",
        ),
        (
            Provision("free", addons={"seats": 1}),
            "addons: 'seats' is not for the plan 'free', only for pro, team; leave it out or"
            " choose another plan",
        ),
        (
            Provision("pro", addons={"old": 1}),
            "addons: the add-on 'old' is archived: those who have it keep it, and no one else can"
            " buy it",
        ),
        (Provision("pro", addons={"seats": 6}), "addons: 6 x 'seats'; at most 5 are allowed"),
        (
            Provision("pro", addons={"seats": 0}),
            "addons: 0 x 'seats'; give at least 1, or leave it out",
        ),
        (
            Provision("pro", addons={"calls": 1_000_001}),
            "addons: 1000001 x 'calls'; at most 1000000 are allowed",
        ),
        (
            Provision("pro", addons={"huge": 2}),
            "addons: 2 x 'huge' would add more of 'api' than 1,000,000,000,000,000, the most that"
            " is counted exactly",
        ),
        (
            Provision("pro", addons={f"{i}": 1 for i in range(101)}),
            "addons: 101 of them; at most 100",
        ),
        (
            Provision("pro", NOW + DAY, end_ms=NOW + DAY),
            "end: must be later than the start of the subscription",
        ),
        (
            Provision("pro", NOW - DAY, end_ms=NOW),
            "end: the subscription would be over; give a later end",
        ),
        (
            Provision("pro", NOW + DAY, trial=Trial(NOW + DAY)),
            "trial.end: must be later than the start of the subscription",
        ),
        (
            Provision("pro", NOW - DAY, trial=Trial(NOW)),
            "trial.end: the trial would be over; give a later end",
        ),
        (
            Provision("pro", trial=Trial(NOW + DAY, ends=True, plan_id="free")),
            "trial.plan_id: nothing follows a trial that ends; leave it out",
        ),
        (
            Provision("pro", trial=Trial(NOW + DAY, ends=True), end_ms=NOW + DAY),
            "end: a trial that ends has an end of its own; leave it out",
        ),
        (
            Provision("pro", trial=Trial(NOW + DAY), end_ms=NOW + DAY),
            "end: must be later than the end of its trial",
        ),
        (
            Provision("pro", anchor_ms=ANCHOR_MAX_MS),
            "anchor: must be before 9999-12-30; leave it out for the start",
        ),
        (
            Provision("pro", trial=Trial(NOW + DAY, plan_id="old")),
            "trial.plan_id: the plan 'old' is archived: its subscribers stay, and no one else can"
            " have it; choose another plan",
        ),
        (
            Provision("pro", addons={"seats": 1}, trial=Trial(NOW + DAY, plan_id="free")),
            "addons: 'seats' is not for the plan 'free', only for pro, team; leave it out or"
            " choose another plan",
        ),
    ],
)
def test_what_cannot_be_provisioned_is_refused_with_what_to_do(
    wanted: Provision, message: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        provision_as(NEW, wanted)

    assert message == str(refused.value)


def test_who_is_on_an_archived_plan_stays_on_it() -> None:
    record = on(("old", NOW - DAY))

    back = provision(archive(record, NOW), "old", None, NOW)
    more = provision_as(back, Provision("old", addons={"calls": 1}))

    assert (False, record.subscriptions) == (back.archived, back.subscriptions)
    assert {"calls": 1} == more.subscriptions[0].addons
    with pytest.raises(InvalidRequest, match="'old' is archived"):
        provision(record, "old", NOW, NOW)


def test_a_customer_has_a_hundred_subscriptions_at_most() -> None:
    record = KNOWN
    for number in range(100):
        record = provision_as(record, Provision("pro", resource_id=f"w{number}"))

    with pytest.raises(InvalidRequest, match=r"^subscription_id: 'acme' has 100 subscriptions"):
        provision_as(record, Provision("pro"))

    over = cancel(record, Cancellation(resource_id="w7"))
    assert 100 == len(provision_as(over, Provision("pro")).subscriptions)


# Trials


def test_a_trial_goes_on_as_the_subscription_that_it_was_for() -> None:
    wanted = Provision("pro", addons={"calls": 1}, trial=Trial(NOW + DAY), end_ms=NOW + 9 * DAY)

    record = provision_as(NEW, wanted)

    moments = (NOW, NOW + DAY - 1, NOW + DAY, NOW + 9 * DAY)
    assert ["pro", "pro", "pro", ""] == course(record, *moments)
    trial, sequel = record.subscriptions
    assert (True, False, {"calls": 1}) == (trial.trial, sequel.trial, sequel.addons)
    assert [
        (PhaseStatus.IN_TRIAL, PhaseStatus.SCHEDULED),
        (PhaseStatus.IN_TRIAL, PhaseStatus.SCHEDULED),
        (PhaseStatus.ENDED, PhaseStatus.ACTIVE),
        (PhaseStatus.ENDED, PhaseStatus.ENDED),
    ] == [(status(record, trial, at), status(record, sequel, at)) for at in moments]
    assert [NOW, NOW + DAY] == [trial.anchor, sequel.anchor]  # billing starts with what is paid


def test_a_trial_may_go_on_with_another_plan_or_end() -> None:
    other = Provision("pro", trial=Trial(NOW + DAY, plan_id="free"))
    ends = Provision("pro", trial=Trial(NOW + DAY, ends=True))

    found = [course(provision_as(NEW, wanted), NOW, NOW + DAY) for wanted in (other, ends)]

    assert [["pro", "free"], ["pro", ""]] == found


def test_an_anchor_of_its_own_holds_for_trial_and_sequel() -> None:
    wanted = Provision("pro", anchor_ms=NOW - DAY, trial=Trial(NOW + DAY))

    record = provision_as(NEW, wanted)

    assert [NOW - DAY, NOW - DAY] == [phase.anchor for phase in record.subscriptions]


def test_a_trial_of_a_subscriber_starts_now_and_the_same_trial_again_does_not_start_over() -> None:
    wanted = Provision("pro", trial=Trial(NOW + 9 * DAY, plan_id="free"))

    first = provision_as(on(("free", NOW - DAY)), wanted)
    again = provision_as(first, wanted, NOW + DAY)

    assert NOW == first.subscriptions[0].start_ms
    assert first.subscriptions == again.subscriptions


@pytest.mark.parametrize("start_ms", [None, NOW])
def test_saying_the_same_again_after_the_trial_changes_nothing(start_ms: int | None) -> None:
    trial = Trial(NOW + DAY, plan_id="team")
    wanted = Provision("pro", start_ms, addons={"seats": 2}, trial=trial)
    first = provision_as(NEW, wanted)

    again = provision_as(first, wanted, NOW + 2 * DAY)

    assert first.subscriptions[1:] == again.subscriptions
    with pytest.raises(InvalidRequest, match=r"^trial.end: the trial would be over"):
        provision_as(first, Provision("pro", trial=Trial(NOW + DAY - 1)), NOW + 2 * DAY)


def test_provisioning_without_a_trial_ends_it_and_billing_starts() -> None:
    record = provision_as(NEW, Provision("pro", trial=Trial(NOW + 9 * DAY)))

    record = provision(record, "pro", None, NOW + DAY)

    assert (Subscription("pro", NOW + DAY, revision=3),) == record.subscriptions


def test_a_change_in_a_trial_holds_in_the_trial_and_after_it() -> None:
    trial = Trial(NOW + DAY, plan_id="team")
    record = provision_as(NEW, Provision("pro", trial=trial))

    more = change(record, Change(addons={"seats": 2}))
    other = change(more, Change(plan_id="free", addons={}))

    moments = (NOW, NOW + DAY)
    assert [["pro", "team"], ["free", "free"]] == [course(each, *moments) for each in (more, other)]
    assert [{"seats": 2}] * 2 == [phase.addons for phase in more.subscriptions]
    assert [PhaseStatus.IN_TRIAL] * 2 == [
        status(each, each.subscriptions[0], NOW) for each in (more, other)
    ]


def test_a_change_at_the_end_of_the_period_waits_for_the_end_of_a_trial() -> None:
    record = provision_as(NEW, Provision("pro", trial=Trial(NOW + 50 * DAY)))

    record = change(record, Change(plan_id="team", at_period_end=True))

    assert ["pro", "team"] == course(record, NOW + 50 * DAY - 1, NOW + 50 * DAY)
    assert [True, False] == [phase.trial for phase in record.subscriptions]


def test_a_trial_that_ends_has_no_period_to_wait_for() -> None:
    record = provision_as(NEW, Provision("pro", trial=Trial(NOW + DAY, True)))

    with pytest.raises(InvalidRequest, match=r"^when: nothing follows the trial; change it now$"):
        change(record, Change(plan_id="team", at_period_end=True))


def test_a_trial_cancelled_at_the_end_of_the_period_does_not_go_on() -> None:
    record = provision_as(NEW, Provision("pro", trial=Trial(NOW + 50 * DAY)))

    record = cancel(record, Cancellation(at_period_end=True))

    assert ["pro", ""] == course(record, NOW + 50 * DAY - 1, NOW + 50 * DAY)


# What is in force until a later start, and what is had already


def test_a_cancelled_subscription_goes_on_until_what_is_to_follow() -> None:
    cancelled = cancel(on(("free", NOW - DAY)), Cancellation(at_period_end=True))

    record = provision(cancelled, "pro", NOW + 40 * DAY, NOW)

    assert ["free", "free", "pro"] == course(record, NOW, NOW + 40 * DAY - 1, NOW + 40 * DAY)
    assert record.subscriptions == provision(record, "pro", NOW + 40 * DAY, NOW).subscriptions


def test_what_follows_a_trial_goes_on_until_a_later_start() -> None:
    tried = provision_as(NEW, Provision("pro", trial=Trial(NOW + 5 * DAY, plan_id="team")))

    record = provision(tried, "yearly", NOW + 9 * DAY, NOW)

    days = (0, 5, 8, 9)
    assert ["pro", "team", "team", "yearly"] == course(record, *(NOW + day * DAY for day in days))
    before_its_end = provision(tried, "yearly", NOW + 5 * DAY, NOW)
    assert ["pro", "yearly"] == course(before_its_end, NOW, NOW + 5 * DAY)


def test_a_trial_that_ends_is_not_made_longer_by_a_later_start() -> None:
    tried = provision_as(NEW, Provision("pro", trial=Trial(NOW + 5 * DAY, ends=True)))

    record = provision(tried, "team", NOW + 9 * DAY, NOW)

    assert ["pro", "", "team"] == course(record, NOW, NOW + 5 * DAY, NOW + 9 * DAY)


@pytest.mark.parametrize(
    "wanted",
    [
        Provision("pro", NOW + DAY),
        Provision("pro", resource_id="w"),
        Provision("pro", subscription_id="extra"),
    ],
)
def test_who_was_on_the_default_plan_keeps_it_beside_what_is_not_a_change_of_it_now(
    wanted: Provision,
) -> None:
    record = provision_as(NEW, wanted)

    assert ["free", "free"] == course(record, NOW, NOW + DAY - 1)
    assert Subscription("free", NOW, anchor_ms=CALENDAR) in record.subscriptions
    assert [False, False] == [phase.resets_usage for phase in record.subscriptions]
    again = provision_as(record, wanted, NOW + 1)
    assert record.subscriptions == again.subscriptions
    known = provision_as(KNOWN, wanted)
    assert ["pro"] == [phase.plan_id for phase in known.subscriptions]


def test_usage_resets_only_where_a_plan_in_force_is_replaced() -> None:
    later = provision(NEW, "fresh", NOW + DAY, NOW)
    tried = provision_as(NEW, Provision("pro", trial=Trial(NOW + 5 * DAY, ends=True)))
    gap = provision(tried, "fresh", NOW + 9 * DAY, NOW)

    assert [False, True] == [phase.resets_usage for phase in later.subscriptions]
    assert [False, False] == [phase.resets_usage for phase in gap.subscriptions]


def held(record: CustomerRecord, *changes: dict[str, Any]) -> CustomerRecord:
    """The record, with its phases of other revisions than the latest."""
    phases = [replace(p, **c) for p, c in zip(record.subscriptions, changes, strict=True)]
    return replace(record, subscriptions=tuple(phases))


def revisions(record: CustomerRecord) -> list[int]:
    return [phase.revision for phase in record.subscriptions]


def test_saying_the_same_again_leaves_the_revision_of_what_follows_a_trial() -> None:
    wanted = Provision("team", trial=Trial(NOW + DAY, plan_id="pro"))
    record = held(provision_as(NEW, wanted), {}, {"revision": 2})

    assert [1, 2] == revisions(provision_as(record, wanted))
    longer = Provision("team", trial=Trial(NOW + 2 * DAY, plan_id="pro"))
    assert [1, 2] == revisions(provision_as(record, longer))
    other = Provision("team", trial=Trial(NOW + DAY, plan_id="yearly"))
    assert [1, 1] == revisions(provision_as(record, other))


def test_saying_the_same_again_leaves_the_revision_of_what_has_not_started() -> None:
    record = held(provision(KNOWN, "pro", NOW + DAY, NOW), {"revision": 2})

    assert [2] == revisions(provision(record, "pro", NOW + DAY, NOW))
    assert [3] == revisions(provision(record, "pro", NOW + 2 * DAY, NOW))


def test_saying_a_trial_to_come_again_leaves_what_follows_it() -> None:
    wanted = Provision("team", NOW + DAY, trial=Trial(NOW + 2 * DAY, plan_id="pro"))
    record = held(provision_as(on(("free", NOW - DAY)), wanted), {}, {}, {"revision": 2})

    assert [1, 1, 2] == revisions(provision_as(record, wanted))
    gone = held(record, {}, {}, {"plan_id": "old"})
    again = Provision("team", NOW + DAY, trial=Trial(NOW + 2 * DAY, plan_id="old"))
    assert ["free", "team", "old"] == course(
        provision_as(gone, again), NOW, NOW + DAY, NOW + 2 * DAY
    )


def test_a_trial_that_is_paid_for_early_keeps_its_revision() -> None:
    trial = provision_as(NEW, Provision("pro", trial=Trial(NOW + DAY)))
    other = provision_as(NEW, Provision("team", trial=Trial(NOW + DAY, plan_id="pro")))

    assert [2] == revisions(
        provision(held(trial, {"revision": 2}, {"revision": 2}), "pro", None, NOW)
    )
    assert [2] == revisions(provision(held(other, {}, {"revision": 2}), "pro", None, NOW))


def test_an_archived_plan_may_be_sent_again_by_its_subscribers() -> None:
    archived = {"plan_id": "old"}
    wanted = Provision("team", trial=Trial(NOW + DAY, plan_id="old"))
    tried = held(provision_as(NEW, Provision("team", trial=Trial(NOW + DAY))), {}, archived)
    waits = held(provision(KNOWN, "pro", NOW + DAY, NOW), archived)

    assert ["team", "old"] == course(provision_as(tried, wanted), NOW, NOW + DAY)
    assert ["old"] == course(provision(tried, "old", None, NOW), NOW + DAY)
    assert ["", "old"] == course(provision(waits, "old", NOW + DAY, NOW), NOW, NOW + DAY)
    with pytest.raises(InvalidRequest, match="'old' is archived"):
        provision(waits, "old", NOW + 2 * DAY, NOW)
