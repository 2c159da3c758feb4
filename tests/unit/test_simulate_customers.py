"""The file that says who is on which plan."""

from pathlib import Path

import pytest

from quotad.catalog import Source, compile_snapshot, parse
from quotad.entitlements.resolve import resolve
from quotad.simulate.customers import PROBLEMS_SHOWN, CustomersError, read_customers
from quotad.simulate.roster import CALENDAR_MS
from tests.deciding import at

SNAPSHOT = compile_snapshot(
    parse(
        [
            Source(
                "plans.yaml",
                """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 10, per: day}}}
  pro: {entitlements: {calls: {limit: 100, per: day}}}
addons:
  more: {entitlements: {calls: {add: 5}}}
""",
            )
        ]
    ),
    version=1,
)


def limit_of(path: Path, customer_id: str) -> int | None:
    """What a customer of the file has at some time."""
    record = read_customers(path, SNAPSHOT)[customer_id]
    effective = resolve(record, SNAPSHOT, at("2015-05-17 10:00"), customer_id)
    return effective.entitlements["calls"].limits[0].limit


def test_rows_of_an_import_hold_at_the_times_of_the_log(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(
        '{"customer_id": "a", "plan": "pro"}\n'
        "\n"
        '{"customer_id": "b", "plan": "pro", "addons": {"more": 3}}\n'
        '{"customer_id": "c", "plan": "free", "overrides":'
        ' [{"feature": "calls", "entitlement": {"limit": 7, "per": "day"}}]}\n'
        '{"customer_id": "d", "plan": "free", "promotions": [{"feature": "calls",'
        ' "entitlement": {"limit": 50, "per": "day"}, "end": "2015-06-01T00:00:00Z"}]}\n'
    )

    assert [100, 115, 7, 50] == [limit_of(path, name) for name in "abcd"]


def test_a_subscription_without_a_start_renews_with_the_calendar(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(
        '{"customer_id": "a", "plan": "pro"}\n'
        '{"customer_id": "b", "plan": "pro", "start": "2015-01-31T09:00:00Z"}\n'
    )

    records = read_customers(path, SNAPSHOT)

    assert {"a": (0, CALENDAR_MS), "b": (at("2015-01-31 09:00"), at("2015-01-31 09:00"))} == {
        name: (phase.start_ms, phase.anchor)
        for name, record in records.items()
        for phase in record.subscriptions
    }


def test_every_line_that_does_not_fit_is_counted_and_the_first_few_are_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text('{"customer_id": "a", "plan": "por"}\n' * (PROBLEMS_SHOWN + 3))

    with pytest.raises(CustomersError) as caught:
        read_customers(path, SNAPSHOT)

    assert PROBLEMS_SHOWN + 1 == len(caught.value.problems)
    assert caught.value.problems[0].startswith(f"{path}: line 1: ")
    assert "por" in caught.value.problems[0]
    assert caught.value.problems[-1] == f"{path}: 3 more lines cannot be used"
