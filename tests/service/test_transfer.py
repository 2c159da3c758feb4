"""Customers in bulk through the admin service, on a real store, over both fronts."""

import json
import uuid
from typing import Any

import grpc
import pytest

from quotad.v1 import admin_pb2 as pb
from tests.running import CALL_S, Running, refusal, running
from tests.unit.rows_catalog import PLANS


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


def as_row(row: "dict[str, Any] | bytes") -> bytes:
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def import_rows(quotad: Running, *rows: "dict[str, Any] | bytes", dry_run: bool = False) -> Any:
    request = pb.ImportCustomersRequest(rows=map(as_row, rows), dry_run=dry_run)
    return quotad.admin.ImportCustomers(request, timeout=CALL_S)


def export(quotad: Running, page_size: int = 1000) -> dict[str, dict[str, Any]]:
    """Every customer, by id."""
    found: dict[str, dict[str, Any]] = {}
    token = ""
    while True:
        request = pb.ExportCustomersRequest(page_size=page_size, page_token=token)
        page = quotad.admin.ExportCustomers(request, timeout=CALL_S)
        assert len(page.rows) <= page_size
        for row in map(json.loads, page.rows):
            assert row["customer_id"] not in found
            found[row["customer_id"]] = row
        token = page.next_page_token
        if not token:
            return found


def epoch(quotad: Running, customer: str) -> int:
    request = pb.GetCustomerRequest(customer_id=customer)
    answer: int = quotad.admin.GetCustomer(request, timeout=CALL_S).epoch
    return answer


def test_an_imported_customer_is_decided_on_at_the_next_call(
    quotad: Running, customer: str
) -> None:
    assert 3 == quotad.consume(customer, "seats", quantity=2).limit

    answer = import_rows(
        quotad, {"customer_id": customer, "plan": "pro", "addons": {"more-seats": 2}}
    )

    assert (1, 0, 0) == (answer.written, answer.unchanged, len(answer.problems))
    assert (5, 3) == (
        quotad.consume(customer, "seats").limit,
        quotad.consume(customer, "seats", quantity=0).used,
    )


def test_bad_rows_are_reported_by_their_index_and_the_others_are_written(
    quotad: Running, customer: str
) -> None:
    answer = import_rows(
        quotad,
        {"customer_id": customer, "plan": "por"},
        {"customer_id": customer, "plan": "pro"},
        b"hello",
        {"customer_id": customer, "plan": "free"},
    )

    assert [
        (0, "plan: unknown plan 'por', did you mean 'pro'?"),
        (2, "is not a JSON object: invalid character (byte 0)"),
        (3, f"customer_id: {customer!r} is in row 1 already"),
    ] == [(problem.row, problem.message) for problem in answer.problems]
    assert (1, 0) == (answer.written, answer.unchanged)
    assert "pro" == export(quotad)[customer]["plan"]


def test_what_is_so_already_is_counted_and_its_epoch_stays(quotad: Running, customer: str) -> None:
    row = {
        "customer_id": customer,
        "plan": "pro",
        "overrides": [{"feature": "api-calls", "entitlement": {"limit": 7, "per": "day"}}],
    }
    import_rows(quotad, row)
    written = epoch(quotad, customer)

    again = import_rows(quotad, row)
    assert written == epoch(quotad, customer)
    changed = import_rows(quotad, row | {"archived": True})

    assert (0, 1) == (again.written, again.unchanged)
    assert (1, 0) == (changed.written, changed.unchanged)
    assert written < epoch(quotad, customer)


def test_a_dry_run_shows_what_would_be_and_writes_nothing(quotad: Running, customer: str) -> None:
    known = {"customer_id": f"{customer}-known", "plan": "pro"}
    import_rows(quotad, known)

    answer = import_rows(
        quotad, known, {"customer_id": customer, "plan": "pro"}, {"plan": "pro"}, dry_run=True
    )

    assert (1, 1, [2]) == (answer.written, answer.unchanged, [p.row for p in answer.problems])
    assert customer not in export(quotad)


def test_what_is_exported_page_by_page_is_imported_without_a_change(
    quotad: Running, customer: str
) -> None:
    rows: list[dict[str, Any] | bytes] = [
        {
            "customer_id": f"{customer}-{number}",
            "subscriptions": [
                {"plan": "pro", "start": "2031-01-01T00:00:00Z", "id": "a", "resource": "ws"},
                {"plan": "old", "start": "2031-02-01T00:00:00Z"},
            ],
            "promotions": [{"feature": "csv-export", "entitlement": True}],
        }
        for number in range(7)
    ]
    import_rows(quotad, *rows)

    exported = export(quotad, page_size=3)
    again = import_rows(quotad, *map(dict, exported.values()))

    assert {f"{customer}-{number}" for number in range(7)} <= exported.keys()
    assert (0, len(exported), 0) == (again.written, again.unchanged, len(again.problems))


def test_more_rows_than_fit_into_a_call_are_refused(quotad: Running) -> None:
    failed = refusal(lambda: import_rows(quotad, *[b"{}"] * 1001))

    assert grpc.StatusCode.INVALID_ARGUMENT is failed.code
    assert "rows: 1001 of them; at most 1000" == failed.message


def test_without_a_catalog_nothing_can_be_imported(store_url: str) -> None:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as empty:
        failed = refusal(lambda: import_rows(empty, {"customer_id": "a", "plan": "pro"}))

    assert (grpc.StatusCode.UNAVAILABLE, "NOT_READY") == (failed.code, failed.reason)
