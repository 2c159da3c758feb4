"""The file that says who is on which plan."""

from pathlib import Path

import pytest

from quotad.catalog import Source, compile_snapshot, parse
from quotad.entitlements.resolve import resolve
from quotad.records import CALENDAR
from quotad.simulate.customers import (
    PROBLEMS_SHOWN,
    CustomersError,
    read_customers,
    read_lines,
)
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
    record = read_customers(read_lines(path), SNAPSHOT)[customer_id]
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

    records = read_customers(read_lines(path), SNAPSHOT)

    assert {"a": (0, CALENDAR), "b": (at("2015-01-31 09:00"), at("2015-01-31 09:00"))} == {
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
        read_customers(read_lines(path), SNAPSHOT)

    assert PROBLEMS_SHOWN + 1 == len(caught.value.problems)
    assert caught.value.problems[0].startswith(f"{path}: line 1: ")
    assert "por" in caught.value.problems[0]
    assert caught.value.problems[-1] == f"{path}: 3 more lines cannot be used"


OTHER = compile_snapshot(
    parse(
        [
            Source(
                "plans.yaml",
                """
version: 1
features:
  calls: {type: metered}
  sso: {type: boolean}
plans:
  pro2: {entitlements: {calls: {limit: 200, per: day}}}
addons:
  extra: {entitlements: {calls: {add: 7}}}
""",
            )
        ]
    ),
    version=1,
)


def test_what_only_the_other_catalog_has_is_no_mistake_and_has_no_effect(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(
        '{"customer_id": "a", "plan": "pro", "addons": {"extra": 2}, "overrides":'
        ' [{"feature": "sso", "entitlement": true}]}\n'
        '{"customer_id": "b", "plan": "pro2"}\n'
        '{"customer_id": "c", "subscriptions": [{"plan": "pro", "revision": 7}]}\n'
    )
    lines = read_lines(path)

    here = read_customers(lines, SNAPSHOT, [OTHER])
    there = read_customers(lines, OTHER, [SNAPSHOT])

    assert ["a", "b", "c"] == list(here) == list(there)
    found = [resolve(here[name], SNAPSHOT, at("2015-05-17 10:00"), name) for name in "abc"]
    assert ["pro", "", "pro"] == [each.plan_id for each in found]
    assert 100 == found[0].entitlements["calls"].limits[0].limit
    (override,) = there["a"].overrides
    assert "sso" == override.feature_id
    with pytest.raises(CustomersError, match="unknown plan 'pro2'"):
        read_customers(lines, SNAPSHOT)


def test_what_no_catalog_has_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(
        '{"customer_id": "a", "plan": "por"}\n'
        '{"customer_id": "b", "plan": "pro", "addons": {"mroe": 1}}\n'
        '{"customer_id": "c", "plan": "pro", "overrides":'
        ' [{"feature": "calls", "entitlement": true}]}\n'
    )

    with pytest.raises(CustomersError) as caught:
        read_customers(read_lines(path), SNAPSHOT, [OTHER])

    told = [problem.partition(": line ")[2].partition(": ")[2] for problem in caught.value.problems]
    assert "plan: unknown plan 'por', did you mean 'pro'?" == told[0]
    assert "addons: unknown add-on 'mroe', did you mean 'more'?" == told[1]
    assert told[2].startswith("overrides[0].entitlement: is a metered feature")


def test_long_rows_and_a_mark_of_the_byte_order_are_read(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    row = b'{"customer_id": "a", "plan": "pro"%s}\n' % (b" " * 100_000)
    path.write_bytes(b"\xef\xbb\xbf" + row)

    assert ["a"] == list(read_customers(read_lines(path), SNAPSHOT))


@pytest.mark.parametrize("quantity", [0, -1, 1001])
def test_what_an_import_refuses_of_an_add_on_is_refused(tmp_path: Path, quantity: int) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(f'{{"customer_id": "a", "plan": "pro", "addons": {{"few": {quantity}}}}}\n')
    lines = read_lines(path)
    few = compile_snapshot(
        parse(
            [
                Source(
                    "plans.yaml",
                    """
version: 1
features: {calls: {type: metered}}
plans:
  pro: {entitlements: {calls: {limit: 100, per: day}}}
  other: {entitlements: {}}
addons:
  few: {max_quantity: 1000, plans: [pro], entitlements: {calls: {add: 5}}}
""",
                )
            ]
        ),
        version=1,
    )

    for others in ([], [SNAPSHOT], [few]):
        with pytest.raises(CustomersError, match=r"give at least 1|at most 1000 are allowed"):
            read_customers(lines, few, others)


def test_an_add_on_counts_only_where_its_catalog_lets_the_plan_have_it(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text('{"customer_id": "a", "plan": "pro", "addons": {"more": 2}}\n')
    text = """
version: 1
features: {calls: {type: metered}}
plans:
  pro: {entitlements: {calls: {limit: 100, per: day}}}
  team: {entitlements: {calls: {limit: 100, per: day}}}
addons:
  more: {plans: [team], entitlements: {calls: {add: 5}}}
"""
    strict = compile_snapshot(parse([Source("plans.yaml", text)]), version=1)
    lines = read_lines(path)

    assert {} == read_customers(lines, strict, [SNAPSHOT])["a"].subscriptions[0].addons
    assert {"more": 2} == read_customers(lines, SNAPSHOT, [strict])["a"].subscriptions[0].addons
    with pytest.raises(CustomersError, match="'more' is not for the plan 'pro'"):
        read_customers(lines, strict)


def test_an_override_that_takes_its_period_from_a_plan_needs_one_catalog_with_that_plan(
    tmp_path: Path,
) -> None:
    path = tmp_path / "customers.jsonl"
    override = '{"feature": "calls", "entitlement": {"limit": 3}}'
    path.write_text(f'{{"customer_id": "a", "plan": "pro2", "overrides": [{override}]}}\n')
    lines = read_lines(path)

    (made,) = read_customers(lines, OTHER, [SNAPSHOT])["a"].overrides
    assert made.entry.limits is not None
    assert (3, "day") == (made.entry.limits[0].limit, made.entry.limits[0].window.per)  # type: ignore[union-attr]
    assert () == read_customers(lines, SNAPSHOT, [OTHER])["a"].overrides


def test_what_is_wrong_is_reported_by_the_catalog_that_knows_the_feature(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(
        '{"customer_id": "a", "plan": "pro", "overrides": [{"feature": "sso", "entitlement": 7}]}\n'
    )

    with pytest.raises(CustomersError, match=r"overrides\[0\].entitlement: "):
        read_customers(read_lines(path), SNAPSHOT, [OTHER])
