"""Whatever a customer is: written as a row and read again, it is the same."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotad.catalog import parse_entry_value
from quotad.customers.checks import ANCHOR_MAX_MS
from quotad.customers.drafts import carried_out, current
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.model import Entry, Limit, Unit, Window
from quotad.records import CALENDAR, CustomerRecord, Override, Promotion, Subscription
from quotad.transfer.lines import CellError, Form, csv_header, csv_line, numbered_rows
from tests.unit.rows_catalog import snapshot

CATALOG = replace(
    snapshot(), plans={name: replace(p, revision=3) for name, p in snapshot().plans.items()}
)
NOW = 1_900_000_000_000
LAST_MS = 253_402_300_799_999

texts = st.characters(codec="utf-8")  # no half surrogates: they are in no JSON
ids = st.text(texts, min_size=1, max_size=20).filter(str.isprintable)
optional_ids = st.just("") | st.sampled_from(["a", "ws-1"]) | ids
times = st.just(LAST_MS) | st.integers(0, LAST_MS) | st.integers(NOW - 100, NOW + 100)
amounts = st.integers(0, 10**15)

windows: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"per": st.sampled_from(["second", "5 hours", "month", "2 years"])},
        optional={
            "anchor": st.sampled_from(["subscription", "calendar", "first_use"]),
            "timezone": st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]),
        },
    ),
    st.fixed_dictionaries(
        {"per": st.just("week"), "week_starts": st.sampled_from(["sunday", "monday"])}
    ),
)
hard = st.builds(lambda limit: {"limit": limit}, amounts)
limits = st.one_of(
    hard,
    st.just({"unlimited": True}),
    st.builds(lambda one: one | {"soft": True}, hard),
    st.builds(lambda one, more: one | {"soft": True, "overage_limit": more}, hard, amounts),
    st.builds(lambda one: one | {"enforce": "shadow"}, hard),
)
listed = st.builds(lambda a, b: {"limits": [a | b]}, limits, windows)
values: dict[str, st.SearchStrategy[Any]] = {
    "api-calls": st.just("unlimited") | listed,
    "image": st.just(True) | listed,
    "ai-credits": st.builds(
        lambda limit, window: {"limits": [{"limit": limit} | window]},
        st.integers(0, 10**10),
        windows,
    ),
    "seats": st.builds(lambda limit: {"limit": limit}, amounts),
    "csv-export": st.just(True),
    "upload-mb": st.integers(-(10**20), 10**20) | st.floats(-1e15, 1e15) | st.text(texts),
    "support": st.lists(st.sampled_from(["community", "email", "phone"]), min_size=1, unique=True),
}


def entry(feature_id: str, value: object) -> Any:
    return parse_entry_value(CATALOG.features[feature_id], value)


granted = st.sampled_from(sorted(values)).flatmap(
    lambda feature_id: values[feature_id].map(lambda value: (feature_id, entry(feature_id, value)))
)
revoked = st.sampled_from(sorted(values)).map(lambda name: (name, Entry(granted=False))) | granted
overrides = st.builds(
    lambda said, resource, start: Override(said[0], said[1], resource, start),
    revoked,
    optional_ids,
    st.none() | times,
)
promotions = st.builds(
    lambda said, end, resource, early: Promotion(
        said[0], said[1], end, resource, None if early is None or end is None else end // early
    ),
    granted,
    (st.none() | times).filter(lambda end: end is None or end > 0),
    optional_ids,
    st.none() | st.integers(2, 9),
)


known_as = st.dictionaries(st.sampled_from(["stripe", "crm"]), ids, max_size=2)


@st.composite
def phases(draw: st.DrawFn) -> Subscription:
    plan_id = draw(st.sampled_from(sorted(CATALOG.plans)))
    start_ms = draw(times)
    end_ms = draw(st.none() | st.integers(start_ms + 1, LAST_MS + 1).filter(lambda e: e <= LAST_MS))
    addons = ["more-seats"] + (["more-calls"] if plan_id == "pro" else [])
    return Subscription(
        plan_id,
        start_ms,
        draw(optional_ids),
        draw(optional_ids),
        end_ms,
        draw(st.none() | st.just(CALENDAR) | times.filter(lambda time: time < ANCHOR_MAX_MS)),
        draw(st.integers(1, 3)),
        draw(st.dictionaries(st.sampled_from(addons), st.integers(1, 5))),
        end_ms is not None and draw(st.booleans()),
        unit_quantity=draw(st.sampled_from([1, 50, 10**9])),
        external_ids=draw(known_as),
    )


def of_feature(each: Override | Promotion) -> tuple[str, str]:
    return each.feature_id, each.resource_id


records = st.builds(
    CustomerRecord,
    ids,
    st.lists(
        phases(), max_size=4, unique_by=lambda p: (p.resource_id, p.subscription_id, p.start_ms)
    ).map(tuple),
    st.booleans(),
    overrides=st.lists(overrides, max_size=3, unique_by=of_feature).map(tuple),
    promotions=st.lists(promotions, max_size=3, unique_by=of_feature).map(tuple),
    email=st.sampled_from(["", "ada@acme.example"]),
    timezone=st.sampled_from(["", "Europe/Berlin"]),
    metadata=known_as,
    external_ids=known_as,
)


def imported(row: bytes, before: CustomerRecord | None = None) -> CustomerRecord:
    return carried_out(RowReader(CATALOG, NOW).read(row), before, CATALOG, NOW)


def content(record: CustomerRecord) -> CustomerRecord:
    """What of a record a row can say."""
    return replace(current(record, NOW), created_ms=0, updated_ms=0, resets={}, reset_until={})


@given(records)
def test_a_customer_that_is_exported_and_imported_is_the_same(record: CustomerRecord) -> None:
    row = write_row(record, CATALOG, NOW)

    assert content(record) == content(imported(row))
    assert record is imported(row, record)
    assert row == write_row(imported(row), CATALOG, NOW)


@pytest.mark.parametrize(
    ("feature_id", "stored", "exported"),
    [
        ("csv-export", Entry(limits=None), []),
        ("csv-export", Entry(value="10"), []),
        ("api-calls", Entry(), []),
        ("seats", Entry(limits=(Limit(5, Window(Unit.DAY)),)), []),
        ("upload-mb", Entry(), []),
        ("upload-mb", Entry(value="phone", values=("email", "phone")), ["phone"]),
        ("support", Entry(value="fax", values=("email", "fax")), ["email"]),
        ("support", Entry(value="fax", values=("fax",)), []),
        ("csv-export", Entry(granted=False), [False]),
    ],
    ids=str,
)
def test_an_entry_for_another_kind_of_feature_is_exported_as_far_as_it_counts(
    feature_id: str, stored: Entry, exported: list[object]
) -> None:
    record = CustomerRecord("acme", overrides=(Override(feature_id, stored),))

    row = msgspec.json.decode(write_row(record, CATALOG, NOW))

    assert exported == [each["entitlement"] for each in row.get("overrides", [])]


simple = st.builds(
    CustomerRecord,
    ids,
    phases().map(
        lambda p: (
            replace(
                p, subscription_id="", anchor_ms=None, revision=3, trial=False, external_ids={}
            ),
        )
    ),
    st.booleans(),
)


@given(simple)
def test_csv_holds_a_customer_of_one_subscription(record: CustomerRecord) -> None:
    row = write_row(record, CATALOG, NOW)
    if not current(record, NOW).subscriptions:
        return
    lines = [csv_header().encode(), csv_line(row).encode()]

    (again,) = numbered_rows(lines, Form.CSV)

    assert content(record) == content(imported(again.row))


@given(records)
def test_csv_holds_all_of_a_customer_or_nothing(record: CustomerRecord) -> None:
    row = write_row(record, CATALOG, NOW)
    try:
        line = csv_line(row)
    except CellError:
        return

    (again,) = numbered_rows([csv_header().encode(), line.encode()], Form.CSV)

    assert msgspec.json.decode(row) == msgspec.json.decode(again.row)
