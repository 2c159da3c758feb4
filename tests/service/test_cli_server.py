"""Client, command line and replay against the real server, over both fronts."""

import asyncio
import json
import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import (
    AsyncClient,
    Client,
    Consumption,
    Decision,
    QuotaInvalid,
    QuotaUnavailable,
    Reason,
)
from tests.running import CALL_S, Running, running

PLANS = """
version: 1
default_plan: free
features:
  api-calls: {type: metered, unit: call}
  seats:     {type: metered, kind: gauge}
plans:
  free:
    entitlements:
      api-calls: {limit: 100, per: 100 years}
      seats:     {limit: 3}
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture
def client(quotad: Running) -> Iterator[Client]:
    with Client(quotad.server.address, timeout=CALL_S) as made:
        yield made


def test_replay_allows_each_address_what_its_plan_grants(quotad: Running, tmp_path: Path) -> None:
    run = uuid.uuid4().hex[:8]
    counts = {f"{run}-{n}": count for n, count in enumerate([1, 99, 100, 101, 250, 700, 33])}
    hosts = list(Counter(counts).elements())
    random.Random(7).shuffle(hosts)
    log = tmp_path / "access.log"
    log.write_text(
        "".join(
            f'{host} - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"\n'
            for host in hosts
        )
    )

    result = CliRunner().invoke(
        app,
        [
            *("replay", str(log), "--customer", "{remote_host}", "--feature", "api-calls"),
            *("--server", quotad.server.address, "--concurrency", "8", "--json"),
        ],
    )

    report = json.loads(result.stdout)
    assert 0 == result.exit_code
    assert sum(min(count, 100) for count in counts.values()) == report["allowed"]
    assert sum(max(count - 100, 0) for count in counts.values()) == report["denied"]
    assert [
        {"customer_id": f"{run}-5", "denied": 600},
        {"customer_id": f"{run}-4", "denied": 150},
        {"customer_id": f"{run}-3", "denied": 1},
    ] == report["top_denied"]


def test_threads_sharing_a_client_never_pass_the_limit(client: Client, customer: str) -> None:
    allowed: list[bool] = []

    def consume() -> None:
        allowed.extend(client.consume(customer, "api-calls").allowed for _ in range(30))

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (240, 100) == (len(allowed), sum(allowed))


async def test_tasks_sharing_an_async_client_never_pass_the_limit(
    quotad: Running, customer: str
) -> None:
    async with AsyncClient(quotad.server.address, timeout=CALL_S) as client:
        decisions = await asyncio.gather(
            *(client.consume(customer, "api-calls") for _ in range(240))
        )

    assert 100 == sum(decision.allowed for decision in decisions)


def test_own_key_replays_the_first_decision(client: Client, customer: str) -> None:
    first = client.consume(customer, "api-calls", 40, idempotency_key="job-1")
    again = client.consume(customer, "api-calls", 40, idempotency_key="job-1")

    assert (False, True) == (first.replayed, again.replayed)
    assert 40 == client.check(customer, "api-calls").used
    with pytest.raises(QuotaInvalid) as caught:
        client.consume(customer, "api-calls", 41, idempotency_key="job-1")
    assert "IDEMPOTENCY_MISMATCH" == caught.value.reason


def test_batch_holds_decisions_and_errors_in_order(client: Client, customer: str) -> None:
    seats, none, wrong, unknown = client.consume_many(
        [
            Consumption(customer, "seats", 3),
            Consumption(customer, "seats"),
            Consumption(customer, "api-calls", -1),
            Consumption(customer, "warp-drive"),
        ]
    )

    assert isinstance(seats, Decision)
    assert isinstance(none, Decision)
    assert isinstance(wrong, QuotaInvalid)
    assert isinstance(unknown, Decision)
    assert (True, False) == (seats.allowed, none.allowed)
    assert wrong.message.startswith("quantity: ")
    assert Reason.FEATURE_NOT_FOUND is unknown.reason


def test_request_of_a_wrong_shape_has_its_error_in_its_place(client: Client, customer: str) -> None:
    seats = Consumption(customer, "seats")
    wrong = Consumption(customer, "seats", 10**16)

    first, refused, last = client.consume_many([seats, wrong, seats])

    assert isinstance(refused, QuotaInvalid)
    assert str(refused).startswith("quantity: ")
    assert (True, True) == (bool(first), bool(last))
    assert 2 == client.check(customer, "seats").used


def test_entitlements_show_what_was_used(client: Client, customer: str) -> None:
    client.consume(customer, "seats", 2)

    found = client.entitlements(customer)

    assert "free" == found.plan_id
    assert {"api-calls": 0, "seats": 2} == {
        each.feature_id: each.used for each in found.entitlements
    }
    assert client.entitlement(customer, "seats").gauge


def test_server_without_a_catalog_is_unavailable_and_reports_it(store_url: str) -> None:
    with (
        running(store_url, f"t-{uuid.uuid4().hex[:12]}") as empty,
        Client(empty.server.address, timeout=CALL_S) as client,
    ):
        with pytest.raises(QuotaUnavailable) as caught:
            client.consume("acme", "api-calls")
        status = CliRunner().invoke(app, ["status", "--server", empty.server.address])

    assert caught.value.reason
    assert 2 == status.exit_code
    assert status.stdout.startswith("not ready")
    assert "none published yet" in status.stdout
