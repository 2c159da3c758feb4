"""Customer records as they are stored."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from quotad.model import Anchor, Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion, Subscription
from quotad.store.records import decode_customer, encode_customer

FULL = CustomerRecord(
    "acme",
    (
        Subscription("pro", 1, "s", "w", 2, 3, 4, {"calls": 5}, trial=True),
        Subscription("free", 2, "s", "w", resets_usage=True, resets_until_ms=9),
        Subscription("free", 3, unit_quantity=50, external_ids={"stripe": "sub_1"}),
    ),
    archived=True,
    created_ms=1,
    updated_ms=2,
    overrides=(
        Override(
            "calls",
            Entry(
                limits=(
                    Limit(5, Window(Unit.WEEK, 2, Anchor.CALENDAR, ZoneInfo("Asia/Kolkata"), 6)),
                    Limit(None, Window(Unit.DAY, anchor=Anchor.FIRST_USE)),
                    Limit(7, None, soft=True, overage_limit=3),
                    Limit(8, Window(Unit.HOUR), shadow=True),
                )
            ),
            "w",
        ),
        Override("export", Entry(granted=False)),
    ),
    promotions=(
        Promotion("calls", Entry(limits=None), 9, "w"),
        Promotion("support", Entry(value="phone", values=("email", "phone"))),
    ),
    resets={"": 1, "w": 2},
    reset_until={"w": 7},
    name="Acme",
    email="ada@acme.example",
    timezone="Europe/Berlin",
    metadata={"a": "1"},
    external_ids={"stripe": "cus_1"},
)


@pytest.mark.parametrize("record", [CustomerRecord("acme"), FULL], ids=["least", "most"])
def test_a_record_comes_back_as_it_was(record: CustomerRecord) -> None:
    assert record == decode_customer(encode_customer(record))


def test_a_time_zone_comes_back_as_the_same_one() -> None:
    [limit, *_] = decode_customer(encode_customer(FULL)).overrides[0].entry.limits or ()

    assert limit.window is not None
    assert ZoneInfo("Asia/Kolkata") is limit.window.zone


def test_records_of_the_first_servers_are_read_with_the_defaults() -> None:
    stored = {
        "customer_id": "acme",
        "subscriptions": [{"plan_id": "pro", "start_ms": 5}],
        "archived": True,
        "created_ms": 5,
        "updated_ms": 6,
    }

    record = decode_customer(msgspec.msgpack.encode(stored))

    assert CustomerRecord("acme", (Subscription("pro", 5),), True, 5, 6) == record


def test_what_only_newer_servers_know_is_passed_over() -> None:
    stored = {"customer_id": "acme", "subscriptions": [], "colour": "red"}

    assert CustomerRecord("acme") == decode_customer(msgspec.msgpack.encode(stored))


def test_an_ordinary_record_takes_few_bytes() -> None:
    record = CustomerRecord("acme", (Subscription("pro", 1),), created_ms=1, updated_ms=1)

    assert len(encode_customer(record)) < 100


def test_what_a_record_cannot_hold_is_a_bug_and_not_written() -> None:
    with pytest.raises(TypeError, match="cannot hold a complex"):
        encode_customer(CustomerRecord(1j))  # type: ignore[arg-type]
