"""What a customer is known by: name, email, time zone, metadata, ids in other systems."""

import json

import pytest

from quotad.catalog.parse_feature import METADATA_MAX
from quotad.customers.drafts import carried_out
from quotad.customers.profile import Profile, check_profile, update
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.customers.subscriptions import Change, Provision, change_subscription, provision
from quotad.errors import InvalidRequest
from quotad.records import CALENDAR, CustomerRecord, Subscription
from tests.unit.rows_catalog import snapshot

NOW = 1_800_000_000_000
CATALOG = snapshot()
NEW = CustomerRecord("acme")
ALL = Profile("Acme", "ada@acme.example", "Europe/Berlin", {"a": "1"}, {"stripe": "cus_1"})


def test_what_is_left_out_stays_and_what_is_empty_goes() -> None:
    record = update(NEW, ALL, CATALOG, NOW)
    more = Profile(name="", metadata={"b": "2"}, external_ids={"crm": "7", "stripe": ""})

    changed = update(record, more, CATALOG, NOW + 1)

    assert ("Acme", "ada@acme.example", "Europe/Berlin") == (
        record.name,
        record.email,
        record.timezone,
    )
    assert ("", "ada@acme.example") == (changed.name, changed.email)
    assert ({"a": "1", "b": "2"}, {"crm": "7"}) == (changed.metadata, changed.external_ids)
    assert (NOW, NOW + 1) == (changed.created_ms, changed.updated_ms)


def test_a_customer_without_a_record_keeps_the_default_plan() -> None:
    record = update(NEW, ALL, CATALOG, NOW)

    assert (Subscription("free", NOW, anchor_ms=CALENDAR),) == record.subscriptions


def test_a_customer_with_a_record_keeps_its_subscriptions_or_the_lack_of_them() -> None:
    without = CustomerRecord("acme", created_ms=1, archived=True)

    record = update(without, ALL, CATALOG, NOW)

    assert ((), True) == (record.subscriptions, record.archived)


def test_provisioning_sets_it_as_well() -> None:
    record = provision(NEW, Provision("pro", profile=ALL), CATALOG, NOW)

    again = provision(record, Provision("free"), CATALOG, NOW)

    assert record.external_ids == again.external_ids == {"stripe": "cus_1"}


def test_ids_of_a_subscription_stay_with_its_changes() -> None:
    wanted = Provision("pro", external_ids={"stripe": "sub_1"})
    record = provision(NEW, wanted, CATALOG, NOW)

    later = change_subscription(record, Change("", "", "free", at_period_end=True), CATALOG, NOW)
    gone = provision(record, Provision("pro", external_ids={"stripe": ""}), CATALOG, NOW)

    assert [{"stripe": "sub_1"}] * 2 == [each.external_ids for each in later.subscriptions]
    assert {} == gone.subscriptions[0].external_ids


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Profile("x" * 257), "name: 257 bytes long; at most 256"),
        (Profile(email="ada"), "email: 'ada' is no email address such as ada@example.com"),
        (Profile(email="a b@c"), "email: 'a b@c' is no email address such as ada@example.com"),
        (Profile(email="@c"), "email: '@c' is no email address such as ada@example.com"),
        (Profile(email="x@" + "y" * 319), "email: 321 bytes long; at most 320"),
        (
            Profile(timezone="Europe/Berln"),
            "timezone: unknown time zone 'Europe/Berln', did you mean 'Europe/Berlin'?",
        ),
        (Profile(timezone="../etc"), "timezone: unknown time zone '../etc'; write it as"),
        (Profile(metadata={"": "x"}), "metadata: a key is empty"),
        (Profile(metadata={"a": "x" * 1025}), "metadata: 'a' is 1025 bytes long; at most 1024"),
        (Profile(external_ids={"": "x"}), "external_ids: missing; give 1 to 256 bytes"),
        (Profile(external_ids={"a": "\n"}), "external_ids: '\\n' has characters"),
    ],
)
def test_a_wrong_part_is_refused_by_name(wanted: Profile, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_profile(wanted)

    assert str(caught.value).startswith(problem)


def test_a_record_holds_only_so_much() -> None:
    record = update(NEW, Profile(metadata={f"k{n}": "1" for n in range(40)}), CATALOG, NOW)
    most = {f"k{n}": "2" for n in range(METADATA_MAX)}
    ids = {f"s{n}": "1" for n in range(21)}

    assert most == update(record, Profile(metadata=most), CATALOG, NOW).metadata
    with pytest.raises(InvalidRequest, match=r"^metadata: 51 of them"):
        update(record, Profile(metadata=most | {"k50": "1"}), CATALOG, NOW)
    with pytest.raises(InvalidRequest, match=r"^external_ids: 21 of them"):
        update(record, Profile(external_ids=ids), CATALOG, NOW)


def test_a_row_keeps_what_it_does_not_name() -> None:
    row = {
        "customer_id": "acme",
        "plan": "pro",
        "start": "2026-01-31T00:00:00Z",
        "name": "Acme",
        "email": "ada@acme.example",
        "timezone": "Europe/Berlin",
        "metadata": {"a": "1"},
        "external_ids": {"stripe": "cus_1"},
    }
    reader = RowReader(CATALOG, NOW)
    record = carried_out(reader.read(json.dumps(row).encode()), None, CATALOG, NOW)
    short = {"customer_id": "acme", "plan": "pro", "metadata": {}, "email": ""}

    kept = carried_out(reader.read(json.dumps(short).encode()), record, CATALOG, NOW)

    assert row == json.loads(write_row(record, CATALOG, NOW))
    assert ("Acme", "", {}) == (kept.name, kept.email, kept.metadata)
    assert {"stripe": "cus_1"} == kept.external_ids


def test_a_row_is_refused_with_what_is_wrong() -> None:
    row = {"customer_id": "acme", "plan": "pro", "email": "x", "metadata": {"a": 1}}

    with pytest.raises(InvalidRequest, match=r"^metadata\.\*: must be text, not a whole number"):
        RowReader(CATALOG, NOW).read(json.dumps(row).encode())
    with pytest.raises(InvalidRequest, match=r"^email: 'x' is no email address"):
        RowReader(CATALOG, NOW).read(json.dumps(row | {"metadata": None}).encode())
