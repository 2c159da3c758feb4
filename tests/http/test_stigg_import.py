"""`quotad import stigg`, from a server that answers as Stigg's API does: quotad's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from quotad.transfer.stigg import StiggError, StiggSource, row_of, usage_of
from tests.http.serving import HttpRunning

PROVISION = "mutation P($input: I!) { provisionCustomer(input: $input) { customer { id } } }"

Quotad = Callable[..., Result]


@pytest.fixture
def quotad(served: HttpRunning) -> Quotad:
    from quotad.cli.app import app

    def run(*words: str, **env: str) -> Result:
        found = {"QUOTAD_SERVER": served.grpc.server.address, "STIGG_API_KEY": "any"} | env
        return CliRunner().invoke(app, list(words), env=found)

    return run


def test_customers_are_read_from_stigg_and_imported_with_their_usage(
    served: HttpRunning, quotad: Quotad, customer: str, tmp_path: Path
) -> None:
    served.post(
        "/graphql",
        {
            "query": PROVISION,
            "variables": {
                "input": {
                    "customerId": customer,
                    "name": "Hotel",
                    "subscriptionParams": {"planId": "free", "unitQuantity": 3},
                }
            },
        },
    )
    report = {"customerId": customer, "featureId": "calls", "value": 4}
    served.post("/api/v1/usage", {"usages": [report]})
    rows, used = tmp_path / "customers.jsonl", tmp_path / "usage.jsonl"

    result = quotad(
        "import", "stigg", str(rows), "--url", f"http://{served.address}", "--usage", str(used)
    )

    assert 0 == result.exit_code, result.stderr
    assert f"now: quotad customers import {rows}" in result.stdout
    (row,) = (
        r for r in map(json.loads, rows.read_text().splitlines()) if r["customer_id"] == customer
    )
    (subscription,) = row.pop("subscriptions")
    assert {"customer_id": customer, "name": "Hotel"} == row
    assert ("free", 3, {"stigg": customer}) == (
        subscription["plan"],
        subscription["unit_quantity"],
        subscription["external_ids"],
    )
    mine = {"customer_id": customer, "feature_id": "calls", "used": 4}
    assert mine in [json.loads(line) for line in used.read_text().splitlines()]

    own, more = tmp_path / "own.jsonl", tmp_path / "more.jsonl"
    own.write_text(json.dumps(row | {"subscriptions": [subscription]}) + "\n")
    assert 0 == quotad("customers", "import", str(own)).exit_code
    more.write_text(json.dumps(mine | {"used": 2}) + "\n")
    assert "set 1 counter\n" == quotad("import", "usage", str(more)).stdout
    check = f"/api/v1/customers/{customer}/entitlements/check?featureId=calls"
    assert 2 == served.get(check).body["data"]["currentUsage"]


def test_bad_rows_of_usage_are_listed_and_spoil_no_other(
    quotad: Quotad, customer: str, tmp_path: Path
) -> None:
    file = tmp_path / "usage.jsonl"
    good = {"customer_id": customer, "feature_id": "calls", "used": 1}
    bad = [good | {"feature_id": "cals"}, good | {"used": -1}, {"customer_id": customer}]
    file.write_text("\n".join(json.dumps(each) for each in [*bad, good]))

    result = quotad("import", "usage", str(file))

    assert (1, "set 1 counter\n") == (result.exit_code, result.stdout)
    assert ["line 1", "line 2", "line 3"] == [
        line.partition(":")[0] for line in result.stderr.splitlines()
    ]


@pytest.mark.parametrize(
    ("words", "key", "problem"),
    [
        (["--url", "ftp://stigg"], "any", "must be as https://api.stigg.io"),
        (["--url", "http://127.0.0.1:1"], "any", "Connection refused"),
        ([], "", "STIGG_API_KEY: missing"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    quotad: Quotad, tmp_path: Path, words: list[str], key: str, problem: str
) -> None:
    result = quotad("import", "stigg", str(tmp_path / "f"), *words, STIGG_API_KEY=key)

    assert 2 == result.exit_code
    assert problem in result.stderr
    assert 1 == len(result.stderr.splitlines())


def test_an_answer_with_an_error_says_where(served: HttpRunning) -> None:
    source = StiggSource(f"http://{served.address}", "any")
    with pytest.raises(StiggError, match="/nothing: answered 404"):
        source._get("/nothing")


def test_what_has_ended_is_left_out_and_fractions_are_rounded_up() -> None:
    row = row_of(
        {"id": "a", "archivedAt": "2031-01-01T00:00:00Z", "metadata": {"n": 3}},
        [
            {"planId": "old", "status": "CANCELED"},
            {"planId": "new", "status": "IN_TRIAL", "trialEndDate": "2031-02-01T00:00:00Z"},
        ],
        [
            {"featureId": "x", "status": "Expired"},
            {"featureId": "y", "status": "Active", "usageLimit": 5.0, "resetPeriod": "MONTH"},
            {"featureId": "z", "hasUnlimitedUsage": True},
        ],
    )

    assert {
        "customer_id": "a",
        "archived": True,
        "metadata": {"n": "3"},
        "subscriptions": [{"plan": "new", "end": "2031-02-01T00:00:00Z", "trial": True}],
        "promotions": [
            {"feature": "y", "entitlement": {"limit": 5, "per": "month"}},
            {"feature": "z", "entitlement": "unlimited"},
        ],
    } == row
    feature = {"id": "f", "meterType": "INCREMENTAL"}
    (usage,) = usage_of("a", [{"feature": feature, "currentUsage": 2.1}])
    assert 3 == usage.used
