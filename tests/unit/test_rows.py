"""Rows of an import: what can be said, and what is refused with which words."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from quotad.customers.drafts import Phase
from quotad.customers.row_reader import MESSAGE_CHARS_MAX, RowReader
from quotad.errors import InvalidRequest
from quotad.model import Anchor, Entry, Limit, Unit, Window
from quotad.records import CALENDAR, Override, Promotion
from tests.unit.rows_catalog import snapshot

CATALOG = snapshot()
NOW = datetime(2031, 1, 15, tzinfo=UTC)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def read(**row: Any) -> Any:
    return read_bytes(msgspec.json.encode({"customer_id": "acme"} | row))


def read_bytes(data: bytes) -> Any:
    return RowReader(CATALOG, int(NOW.timestamp() * 1000)).read(data)


def refused(data: bytes | None = None, **row: Any) -> str:
    if data is None:
        data = msgspec.json.encode({"customer_id": "acme"} | row)
    with pytest.raises(InvalidRequest) as caught:
        read_bytes(data)
    return str(caught.value)


def test_short_form_is_one_subscription() -> None:
    draft = read(
        plan="pro",
        start="2030-01-31T09:00:00+01:00",
        end="2032-01-01",
        addons={"more-calls": 2},
        resource="ws-1",
    )

    phase = Phase(
        "pro",
        ms("2030-01-31T08:00:00"),
        resource_id="ws-1",
        end_ms=ms("2032-01-01"),
        addons={"more-calls": 2},
    )
    assert ("acme", (phase,), False) == (draft.customer_id, draft.phases, draft.archived)


def test_null_is_the_same_as_absent() -> None:
    nothing = dict.fromkeys(
        ("start", "end", "addons", "resource", "archived", "subscriptions", "overrides")
    )

    assert read(plan="pro") == read(plan="pro", **nothing)


def test_long_form_has_phases_with_everything() -> None:
    draft = read(
        archived=True,
        subscriptions=[
            {
                "plan": "free",
                "start": "2030-01-01T00:00:00.250",
                "end": "2031-02-01",
                "id": "main",
                "resource": "ws",
                "revision": 1,
                "trial": True,
                "anchor": "2029-12-31",
                "addons": {"more-seats": 3},
            },
            {"plan": "pro", "start": "2031-02-01", "id": "main", "resource": "ws"},
        ],
    )

    trial = Phase(
        "free",
        ms("2030-01-01T00:00:00.250"),
        "main",
        "ws",
        ms("2031-02-01"),
        ms("2029-12-31"),
        1,
        {"more-seats": 3},
        True,
    )
    assert (trial, Phase("pro", ms("2031-02-01"), "main", "ws")) == draft.phases
    assert draft.archived


def test_the_value_of_a_config_feature_stays_as_it_is_written() -> None:
    for written in ("2.0", "1.10", "9223372036854775807", "1e2"):
        row = '{"customer_id": "acme", "plan": "pro", "overrides": [%s]}'
        override = f'{{"feature": "upload-mb", "entitlement": {written}}}'
        draft = read_bytes((row % override).encode())

        assert written == draft.overrides[0].entry.value


def test_billing_periods_of_the_calendar_are_shown_in_a_word() -> None:
    draft = read(subscriptions=[{"plan": "free", "anchor": "calendar"}])

    assert (Phase("free", anchor_ms=CALENDAR),) == draft.phases


def test_overrides_and_promotions_are_as_a_catalog_spells_them() -> None:
    draft = read(
        plan="pro",
        overrides=[
            {"feature": "csv-export", "entitlement": False},
            {"feature": "support", "entitlement": ["email", "phone"], "resource": "ws"},
        ],
        promotions=[
            {"feature": "api-calls", "entitlement": {"limit": 7, "per": "day"}, "end": "2031-06-01"}
        ],
    )

    assert (
        Override("csv-export", Entry(granted=False)),
        Override("support", Entry(value="phone", values=("email", "phone")), "ws"),
    ) == draft.overrides
    daily = Entry(limits=(Limit(7, Window(Unit.DAY)),))
    assert (Promotion("api-calls", daily, ms("2031-06-01")),) == draft.promotions


def test_a_limit_without_a_period_keeps_that_of_the_plan() -> None:
    draft = read(plan="pro", overrides=[{"feature": "api-calls", "entitlement": {"limit": 7}}])

    monthly = Window(Unit.MONTH, 1, Anchor.SUBSCRIPTION)
    assert Entry(limits=(Limit(7, monthly),)) == draft.overrides[0].entry


def test_below_limits_a_limit_without_a_period_is_for_life() -> None:
    value = {"limits": [{"limit": 7}]}
    draft = read(plan="pro", overrides=[{"feature": "api-calls", "entitlement": value}])

    assert Entry(limits=(Limit(7),)) == draft.overrides[0].entry


def test_an_archived_plan_can_be_imported() -> None:
    assert "old" == read(plan="old").phases[0].plan_id


def test_a_customer_without_any_subscription_is_reported_expressly() -> None:
    assert () == read(subscriptions=[]).phases
    assert refused().startswith("plan: missing; for a customer without one")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"customer_id": ""}, "customer_id: missing; give 1 to 256 bytes"),
    ({"customer_id": "a\n"}, "customer_id: 'a\\n' has characters that cannot be printed"),
    ({"plan": "por"}, "plan: unknown plan 'por', did you mean 'pro'?"),
    ({"plann": "pro"}, "unknown key 'plann', did you mean 'plan'?"),
    ({"plan": "pro", "colour": 1}, "unknown key 'colour' (known: customer_id, plan, start, "),
    ({"plan": 7}, "plan: must be text, not a whole number"),
    ({"plan": "pro", "start": "soon"}, "start: 'soon' is not a time such as 2026-01-31T09:00:00Z"),
    ({"plan": "pro", "start": "1969-12-31"}, "start: '1969-12-31' is not a time"),
    ({"plan": "pro", "start": "2030-01-01", "end": "2030-01-01"}, "end: is not after the start"),
    ({"plan": "pro", "resource": "\t"}, "resource: '\\t' has characters"),
    (
        {
            "plan": "pro",
            "overrides": [
                {"feature": "api-calls", "entitlement": {"limit": 5}, "resource": "ws-9"}
            ],
        },
        "overrides[0].resource: 'acme' has no subscription for 'ws-9'",
    ),
    (
        {"subscriptions": [{"plan": "pro", "anchor": "9999-12-30T00:00:00Z"}]},
        "subscriptions[0].anchor: must be before 9999-12-30",
    ),
    ({"plan": "pro", "addons": {"more-cals": 1}}, "addons: unknown add-on 'more-cals', did you"),
    ({"plan": "pro", "addons": {"more-calls": 6}}, "addons: 6 x 'more-calls'; at most 5"),
    ({"plan": "pro", "addons": {"more-calls": 0}}, "addons: 0 x 'more-calls'; give at least 1"),
    (
        {"plan": "pro", "addons": {"more-calls": 1.5}},
        "addons.*: must be a whole number, not a number",
    ),
    ({"plan": "free", "addons": {"more-calls": 1}}, "addons: 'more-calls' is not for the plan"),
    ({"plan": "pro", "subscriptions": []}, "plan: belongs into subscriptions"),
    ({"subscriptions": [{"plan": "pro", "pln": 1}]}, "subscriptions[0]: unknown key 'pln', did"),
    ({"subscriptions": [{}]}, "subscriptions[0].plan: missing"),
    ({"subscriptions": [{"plan": "x"}]}, "subscriptions[0].plan: unknown plan 'x'"),
    (
        {"subscriptions": [{"plan": "pro", "revision": 2}]},
        "subscriptions[0].revision: plan 'pro' has no revision 2 (known: 1); leave it out",
    ),
    (
        {"subscriptions": [{"plan": "pro", "trial": True}]},
        "subscriptions[0].end: missing; a trial needs one",
    ),
    (
        {"subscriptions": [{"plan": "pro"}, {"plan": "free", "start": "2030-01-01"}]},
        "subscriptions[1]: is of the same subscription as subscriptions[0]; give it an id",
    ),
    (
        {"subscriptions": [{"plan": "pro", "id": str(i)} for i in range(101)]},
        "subscriptions: 101 of them; at most 100",
    ),
    (
        {"subscriptions": [{"plan": "pro", "start": str(1970 + i) + "-01-01"} for i in range(401)]},
        "subscriptions: phases: 401 of them; at most 400",
    ),
    (
        {"plan": "pro", "overrides": [{"feature": "seat", "entitlement": True}]},
        "overrides[0].feature: unknown feature 'seat', did you mean 'seats'?",
    ),
    (
        {"plan": "pro", "overrides": [{"feature": "csv-export", "entitlement": 3}]},
        "overrides[0].entitlement: is a boolean feature",
    ),
    (
        {"plan": "pro", "overrides": [{"feature": "csv-export", "entitlement": True}] * 2},
        "overrides[1]: is for the same feature as overrides[0]",
    ),
    (
        {"plan": "pro", "overrides": [{"feature": "api-calls"}]},
        "overrides[0].entitlement: missing",
    ),
    (
        {"subscriptions": [], "promotions": [{"feature": "image", "entitlement": {"limit": 1}}]},
        "promotions[0].entitlement: 'acme' has no limit of 'image' whose period",
    ),
    (
        {"plan": "pro", "promotions": [{"feature": "csv-export", "entitlement": False}]},
        "promotions[0].entitlement: a promotion grants; to revoke use an override",
    ),
]


@pytest.mark.parametrize(("row", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_what_does_not_fit_is_refused_with_where_and_what_instead(
    row: dict[str, Any], words: str
) -> None:
    assert refused(**row).startswith(words)


def test_everything_that_is_wrong_with_a_row_is_reported_at_once() -> None:
    problem = refused(
        plan="por", start="soon", overrides=[{"feature": "seat", "entitlement": True}]
    )

    assert ["start", "plan", "overrides[0].feature"] == [
        part.partition(":")[0] for part in problem.split("; ")
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not a JSON object: input data was truncated"),
        (b"hello", "is not a JSON object: invalid character"),
        (b"[1]", "must be an object, not a list"),
        (b"{}", "customer_id: missing"),
        (b'{"customer_id": "\xff"}', "is not UTF-8"),
        (b'{"customer_id": "a"} {}', "is not a JSON object: trailing characters"),
        (
            b'{"customer_id": "a", "overrides": [{"feature": "x", "entitlement": '
            + b"[" * 100_000
            + b"]" * 100_000
            + b"}]}",
            "is not a JSON object: maximum recursion depth",
        ),
    ],
)
def test_what_is_no_row_at_all_is_refused(data: bytes, words: str) -> None:
    assert refused(data).startswith(words)


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"limit":', b"}")])
def test_an_entitlement_that_is_nested_too_deep_is_refused_as_any_other(
    opened: bytes, closed: bytes
) -> None:
    for depth in (9, 300, 900):
        value = opened * depth + b"1" + closed * depth
        row = b'{"customer_id":"acme","plan":"pro","overrides":[{"feature":"seats","entitlement":'
        assert refused(row + value + b"}]}").startswith("overrides[0].entitlement")


def test_no_account_of_a_row_is_long() -> None:
    problem = refused(subscriptions=[{"plan": f"p{i}", "id": str(i)} for i in range(200)])

    assert MESSAGE_CHARS_MAX + 3 == len(problem)


def test_a_file_full_of_misspelled_names_is_refused_without_looking_for_all_of_them() -> None:
    reader = RowReader(CATALOG, 0)

    def problem(number: int) -> str:
        with pytest.raises(InvalidRequest) as caught:
            reader.read(msgspec.json.encode({"customer_id": "a", "plan": f"pro-{number}"}))
        return str(caught.value)

    hints = ["did you mean" in problem(number) for number in range(300)]

    assert (True, False) == (hints[0], hints[-1])
    assert "did you mean" in problem(0)
