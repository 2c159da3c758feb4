import pytest

from quotad.entitlements.subscriptions import active_subscription, archive, provision
from quotad.model import CustomerRecord, Subscription

NOW = 1_800_000_000_000
DAY = 86_400_000
NEW = CustomerRecord("acme")


def on(*subscriptions: tuple[str, int], archived: bool = False) -> CustomerRecord:
    made = tuple(Subscription(plan, start) for plan, start in subscriptions)
    return CustomerRecord("acme", made, archived, NOW - 9 * DAY, NOW - 9 * DAY)


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

    assert (Subscription("pro", NOW - 5 * DAY),) == record.subscriptions
    assert (NOW - 9 * DAY, NOW) == (record.created_ms, record.updated_ms)


def test_a_start_of_its_own_replaces_the_one_before() -> None:
    record = provision(on(("free", NOW - 5 * DAY)), "pro", NOW - DAY, NOW)

    assert (Subscription("pro", NOW - DAY),) == record.subscriptions


def test_a_plan_of_the_future_leaves_the_one_of_today_in_force() -> None:
    record = provision(on(("free", NOW - 5 * DAY)), "pro", NOW + DAY, NOW)

    assert (Subscription("free", NOW - 5 * DAY), Subscription("pro", NOW + DAY)) == (
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

    assert (Subscription("pro", NOW),) == changed.subscriptions
    assert NOW == changed.updated_ms
    assert NOW == archive(changed, NOW - 5).updated_ms
