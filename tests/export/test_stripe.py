"""Stripe is sent what the ledger has, each unit once, whatever fails and whoever is killed."""

import json
import random
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from quotad.export import buckets
from quotad.export.stripe_account import StripeAccount
from quotad.store.exports import ExportPart, ExportRecords
from tests.export.billed import HOUR_MS, Billed, each_event

DAY_MS = 24 * HOUR_MS


def test_usage_is_summed_up_by_customer_meter_and_hour_and_sent_when_the_hour_is_over(
    billed: Billed,
) -> None:
    for number in range(10):
        billed.take("a", 3, "calls", key=f"{number}")
        billed.take("b", 1, "mails")
        billed.take("b", 100, "views")
    billed.export()
    closed = len(billed.double.events)  # of the hour before, where one has just begun

    billed.shift_ms = HOUR_MS
    billed.export()

    expected = {("cus_a", "api_calls"): 30, ("cus_b", "mails_sent"): 10}
    assert expected == billed.double.sums() == billed.owed()
    assert closed in (0, 2)
    assert 2 <= len(billed.double.events) <= 4
    billed.export()
    assert expected == billed.double.sums()


def test_many_buckets_that_end_together_are_closed_some_at_a_time(
    billed: Billed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "CLOSED_MAX", 2)
    for number in range(7):
        billed.take(f"c{number}", 1 + number, "calls")
    billed.shift_ms = HOUR_MS

    billed.export()

    assert 7 == len(billed.double.events)
    assert billed.owed() == billed.double.sums()
    billed.shift_ms += DAY_MS
    billed.export()
    (name,) = billed.records.parts
    left = billed.records.read(ExportPart("stripe", name))
    assert not [field for field in left if field.startswith("n:")]


def test_identifiers_and_values_are_frozen_once_for_whoever_sends_them(billed: Billed) -> None:
    billed.double.fault = each_event("after")  # it is taken, and that is never known
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export_once()
    billed.take("a", 2, "calls")

    billed.double.fault = lambda *_: ""
    billed.export()

    assert [5, 2] == [event.value for event in billed.double.events.values()]
    assert billed.owed() == billed.double.sums()


def test_an_event_that_stripe_has_already_is_taken_as_sent(billed: Billed) -> None:
    billed.double.forgets_keys = True  # so that the identifier alone is left to tell
    billed.double.fault = each_event("500 after")
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export_once()
    billed.double.fault = lambda *_: ""

    billed.export()

    assert {("cus_a", "api_calls"): 5} == billed.double.sums()
    assert not billed.watch().warnings


def test_the_double_shows_what_it_bills_to_programs_and_to_people(billed: Billed) -> None:
    billed.take("<a>", 5, "calls")
    billed.shift_ms = HOUR_MS

    def read(accept: str) -> str:
        request = urllib.request.Request(billed.url, headers={"accept": accept})
        with urllib.request.urlopen(request) as answer:
            return str(answer.read().decode())

    assert "Nothing was sent yet" in read("text/html")
    billed.export()

    (bill,) = json.loads(read("*/*"))
    assert ("cus_<a>", "api_calls", 5, 1) == tuple(
        bill[key] for key in ("customer", "meter", "billed", "events")
    )
    assert "<td>cus_&lt;a&gt;</td><td>api_calls</td><td>5</td>" in read("text/html,*/*")


class Killed(BaseException):
    """The process ends here."""


FAULTS = ("before", "after", "429", "500", "500 after", "nonsense")


def test_killed_and_failing_at_200_random_points_the_sums_are_those_of_the_ledger(
    billed: Billed, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = random.Random(16)
    kills = faults = 0

    def fault(*_: object) -> str:
        nonlocal faults
        if drawn.random() < 0.75:
            return ""
        faults += 1
        return drawn.choice(FAULTS)

    def dying(do: Callable[..., object]) -> Callable[..., object]:
        def carried_out(*args: object, **named: object) -> object:
            point = drawn.random()
            if point < 0.06:
                raise Killed
            result = do(*args, **named)
            if point > 0.94:
                raise Killed
            return result

        return carried_out

    billed.double.fault, billed.in_process = fault, True
    with monkeypatch.context() as patched:
        for owner, name in (
            (ExportRecords, "claim"),
            (ExportRecords, "write"),
            (StripeAccount, "send"),
            (StripeAccount, "cancel"),
        ):
            patched.setattr(owner, name, dying(getattr(owner, name)))
        while kills < 200:
            for customer in ("a", "b", "c"):
                billed.take(customer, drawn.randint(1, 9), "calls")
            if drawn.random() < 0.3:
                billed.refund("a", drawn.randint(1, 9))
            billed.shift_ms += 10 * 60_000
            try:
                billed.export_once()
            except Killed:
                kills += 1
                billed.end_lease(billed.target())
    billed.double.fault = lambda *_: ""
    billed.shift_ms += HOUR_MS
    billed.export()

    assert faults > 50
    assert billed.owed() == billed.double.sums()
    assert not billed.operations.parked()


def test_events_of_a_customer_and_meter_are_sent_one_at_a_time_in_order(billed: Billed) -> None:
    target = billed.target(length_ms=1)
    for number in range(40):
        billed.take(f"c{number % 4}", 1 + number, "calls")
        billed.pass_time()
    billed.shift_ms = 1000
    exporter = billed.exporter(target)
    with ThreadPoolExecutor(target.senders) as pool:
        while exporter.round(target, pool):
            pass
    exporter.let_go(target)

    assert 1 == billed.double.at_once_max
    assert billed.owed() == billed.double.sums()
    for customer in range(4):
        sent = [e.value for e in billed.double.events.values() if e.customer == f"cus_c{customer}"]
        assert sorted(sent) == sent
        assert len(sent) == 10


def test_usage_of_a_customer_without_an_id_at_stripe_is_parked_and_sent_once_it_has_one(
    billed: Billed,
) -> None:
    billed.unknown = {"a"}
    billed.take("a", 5, "calls")
    billed.take("b", 2, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()
    assert {("cus_b", "api_calls"): 2} == billed.double.sums()
    (parked,) = billed.operations.parked()
    assert "customer 'a' has no id at Stripe" in parked.why
    assert any("1 item parked" in each for each in billed.watch().warnings)
    billed.shift_ms += 2 * DAY_MS  # of which nothing is in doubt

    billed.unknown = set()
    billed.export()

    assert billed.owed() == billed.double.sums()
    assert not billed.operations.parked()


def test_usage_of_customers_without_an_id_at_stripe_is_left_out_where_that_is_set(
    billed: Billed,
) -> None:
    billed.unknown, billed.skip_without_id = {"a"}, True
    billed.take("a", 5, "calls")
    billed.take("b", 2, "calls")
    billed.shift_ms = HOUR_MS

    billed.export()

    assert {("cus_b", "api_calls"): 2} == billed.double.sums()
    assert not billed.operations.parked()


def test_usage_for_a_meter_that_stripe_does_not_have_is_parked_until_it_is_there(
    billed: Billed,
) -> None:
    billed.double.meters = lambda: ["mails_sent"]
    billed.take("a", 5, "calls")
    billed.take("a", 2, "mails")
    billed.shift_ms = HOUR_MS
    billed.export()
    (parked,) = billed.operations.parked()
    assert "Stripe has no active meter 'api_calls'" == parked.why
    assert {("cus_a", "mails_sent"): 2} == billed.double.sums()

    billed.double.meters = lambda: ["mails_sent", "api_calls"]
    assert 1 == billed.operations.retry("stripe")
    billed.export()

    assert billed.owed() == billed.double.sums()


@pytest.mark.parametrize("fault", ["after", "before"])
def test_after_a_day_of_doubt_stripe_is_asked_what_it_has_before_anything_is_sent_again(
    billed: Billed, fault: str
) -> None:
    billed.double.fault = each_event(fault)
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export_once()
    billed.shift_ms += 2 * DAY_MS  # Stripe does not know the identifier any more

    billed.double.fault = lambda *_: ""
    billed.export()

    assert {("cus_a", "api_calls"): 5} == billed.double.sums()
    assert not billed.operations.parked()


def test_after_a_day_of_doubt_an_event_that_cannot_be_told_from_others_is_parked(
    billed: Billed,
) -> None:
    billed.double.fault = each_event("after")
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export_once()
    (event,) = billed.double.events.values()
    event.value = Decimal(12)  # of someone else as well
    billed.shift_ms += 2 * DAY_MS

    billed.double.fault = lambda *_: ""
    billed.export()

    assert {("cus_a", "api_calls"): 12} == billed.double.sums()
    (parked,) = billed.operations.parked()
    assert "it is not known if event" in parked.why
    assert "Stripe has 12.0" in parked.why
    billed.operations.retry()
    billed.export()
    assert 1 == len(billed.operations.parked()), "all at once, nothing is sent blindly"
    assert 1 == billed.operations.retry("stripe", parked.id)
    billed.export()
    assert {("cus_a", "api_calls"): 17} == billed.double.sums()


def test_a_parked_event_that_is_dropped_is_never_sent(billed: Billed) -> None:
    billed.unknown = {"a"}
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()
    (parked,) = billed.operations.parked()

    assert 1 == billed.operations.drop("stripe", parked.id)
    assert 0 == billed.operations.drop("stripe", parked.id)

    billed.unknown = set()
    billed.export()
    assert {} == billed.double.sums()


def test_nothing_is_kept_of_customers_whose_events_are_a_day_old(billed: Billed) -> None:
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()
    (name,) = billed.records.parts
    before = billed.records.read(ExportPart("stripe", name))
    assert any(field.startswith("n:") for field in before)

    billed.shift_ms += DAY_MS
    billed.export()

    left = billed.records.read(ExportPart("stripe", name))
    assert {"at", "progress"} == {field for field in left if field not in ("asked",)}


def test_what_is_taken_back_within_a_day_has_the_event_cancelled_and_sent_with_the_rest(
    billed: Billed,
) -> None:
    billed.take("a", 9, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()
    billed.refund("a", 4)
    billed.shift_ms += HOUR_MS
    billed.export()

    assert [9, 5] == [event.value for event in billed.double.events.values()]
    assert [True, False] == [event.cancelled for event in billed.double.events.values()]
    billed.refund("a", 5)
    billed.shift_ms += HOUR_MS
    billed.export()
    assert {} == billed.double.sums() == billed.owed()


@pytest.mark.parametrize("later_ms", [0, 2 * DAY_MS])
def test_what_cannot_be_cancelled_any_more_is_taken_back_by_an_event_below_zero(
    billed: Billed, later_ms: int
) -> None:
    billed.take("a", 9, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()
    billed.refund("a", 4)
    billed.shift_ms += HOUR_MS + later_ms
    if not later_ms:
        for event in billed.double.events.values():
            event.received_s -= 24 * 3600  # Stripe has it for longer than is known here
    billed.export()

    assert billed.owed() == billed.double.sums() == {("cus_a", "api_calls"): 5}
    assert [-4] == [event.value for event in billed.double.events.values() if event.value < 0]


def test_what_is_taken_back_within_the_bucket_is_never_sent(billed: Billed) -> None:
    target = billed.target(length_ms=100 * DAY_MS)
    billed.take("a", 9, "calls")
    billed.refund("a", 4)
    billed.take("b", 2, "calls")
    billed.refund("b", 2)
    billed.shift_ms = 100 * DAY_MS
    billed.stripe_shift_ms = -billed.shift_ms

    billed.export(target)

    assert [5] == [event.value for event in billed.double.events.values()]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_of_the_store_that_is_an_hour_off_loses_and_doubles_nothing(
    billed: Billed, hours: int
) -> None:
    billed.stripe_shift_ms = -hours * HOUR_MS - HOUR_MS
    billed.take("a", 5, "calls")
    billed.shift_ms = HOUR_MS
    billed.export_once()
    early = hours == 1
    assert ({} if early else {("cus_a", "api_calls"): 5}) == billed.double.sums()
    problems = [each.problem for each in billed.watch().readings.values()]
    assert [early] == ["too far in the future" in each for each in problems]

    billed.stripe_shift_ms = 0
    billed.export()

    assert {("cus_a", "api_calls"): 5} == billed.double.sums() == billed.owed()


def test_a_refusal_of_one_event_parks_it_and_lets_others_of_the_customer_pass(
    billed: Billed,
) -> None:
    billed.double.customers = {"cus_b"}
    billed.take("a", 5, "calls")
    billed.take("b", 2, "calls")
    billed.shift_ms = HOUR_MS
    billed.export()

    (parked,) = billed.operations.parked()
    assert "Stripe refuses it: No such customer: 'cus_a'" == parked.why
    assert {("cus_b", "api_calls"): 2} == billed.double.sums()
    billed.double.customers = None
    billed.operations.retry()
    billed.export()
    assert billed.owed() == billed.double.sums()
