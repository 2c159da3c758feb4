"""Customers in bulk, as an operation reads and writes them."""

import json
from collections.abc import Iterator

import pytest

from quotad.decision import BATCH_MAX
from quotad.errors import InvalidRequest, NotReady
from quotad.operations.transfer import TransferOperations
from tests.deciding import Bench, bench

PLANS = """
version: 1
features: {calls: {type: metered}}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {entitlements: {calls: {limit: 50, per: month}}}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        yield one


@pytest.fixture
def transfer(made: Bench) -> TransferOperations:
    return TransferOperations(made.customers, made.snapshots, made.views, made.clock)


def row(customer_id: str, plan_id: str) -> bytes:
    return json.dumps({"customer_id": customer_id, "plan": plan_id}).encode()


def test_good_rows_are_written_and_bad_ones_reported_in_order(
    made: Bench, transfer: TransferOperations
) -> None:
    made.publish(PLANS)

    done = transfer.import_rows([row("a", "pro"), b"hello", row("b", "por"), row("a", "free")])

    assert (1, 0) == (done.written, done.unchanged)
    assert {
        1: "is not a JSON object: invalid character (byte 0)",
        2: "plan: unknown plan 'por', did you mean 'pro'?",
        3: "customer_id: 'a' is in row 0 already",
    } == done.problems
    assert [1, 2, 3] == list(done.problems)
    assert 50 == made.consume("a", "calls").limit

    again = transfer.import_rows([row("a", "pro")])

    assert (0, 1) == (again.written, again.unchanged)


def test_the_next_decision_knows_an_import(made: Bench, transfer: TransferOperations) -> None:
    made.publish(PLANS)
    for plan_id, limit in (("free", 5), ("pro", 50)):
        transfer.import_rows([row("a", plan_id)])

        assert limit == made.consume("a", "calls").limit


def test_a_dry_run_writes_nothing(made: Bench, transfer: TransferOperations) -> None:
    made.publish(PLANS)

    assert 1 == transfer.import_rows([row("a", "pro")], dry_run=True).written
    assert [] == transfer.export_rows().rows


def test_pages_of_an_export_have_every_customer_once(
    made: Bench, transfer: TransferOperations
) -> None:
    made.publish(PLANS)
    names = {f"c{number}" for number in range(7)}
    transfer.import_rows([row(name, "free") for name in names])
    found: list[str] = []
    token = ""
    while True:
        page = transfer.export_rows(token, 3)
        assert len(page.rows) <= 3
        found += [json.loads(each)["customer_id"] for each in page.rows]
        token = page.next_token
        if not token:
            break

    assert sorted(names) == sorted(found)


def test_a_plan_that_this_server_has_not_heard_of_yet_is_known(
    made: Bench, transfer: TransferOperations
) -> None:
    made.publish(PLANS)
    made.publish_elsewhere(PLANS.replace("  pro:", "  newest: {}\n  pro:"))

    done = transfer.import_rows([row("a", "newest")])

    assert (1, {}) == (done.written, done.problems)


def test_what_cannot_be_transferred_is_refused(made: Bench, transfer: TransferOperations) -> None:
    with pytest.raises(NotReady):
        transfer.import_rows([row("a", "pro")])

    made.publish(PLANS)

    with pytest.raises(InvalidRequest, match="rows: 1001 of them; at most 1000"):
        transfer.import_rows([b"{}"] * (BATCH_MAX + 1))
    with pytest.raises(InvalidRequest, match="page_size: -1 is not between 0 and 1000"):
        transfer.export_rows(size=-1)
