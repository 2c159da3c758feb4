"""The TypeScript client that decides in its own process: never more than the server would."""

import subprocess
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.clients.node import CLIENT, CallFailed, Node, needs_client
from tests.processes import DEADLINE_S
from tests.running import Running, eventually, running
from tests.service.fake_quotad import FakeServer

pytestmark = needs_client

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  many: {type: metered}
  seats: {type: metered, kind: gauge}
plans:
  free:
    entitlements:
      calls: {limit: 2000, per: year}
      many: {limit: 1000000000, per: year}
      seats: {limit: 3}
"""
TTL_MS = 2_000
"""Long enough that no holder misses it on a busy machine, by the second of grace that it has."""

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def pair(store_url: str) -> Iterator[list[Running]]:
    """Two servers on one store whose leases end soon."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with (
        running(store_url, prefix, "native", lease_ttl_ms=TTL_MS) as first,
        running(store_url, prefix, "native", lease_ttl_ms=TTL_MS) as second,
    ):
        first.publish_and_wait(CATALOG)
        second.wait_ready()
        yield [first, second]


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def leased(node: Node, pair: list[Running], place: int = 0, **options: Any) -> Any:
    return node.client(pair[place % 2].server.address, "leased", timeoutMs=20_000, **options)


def used(pair: list[Running], customer: str) -> int:
    return sum(pair[0].counters(customer).values())


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_lost_and_whenever_a_term_ends_no_more_is_spent_than_is_lent(
    node: Node, seed: int
) -> None:
    spent = node.client("", "leasing")("fuzz", seed, 1000)

    assert 0 < spent["local"] <= spent["used"] <= spent["limit"]


def test_a_clock_that_is_set_ends_leases_early_and_never_late(node: Node) -> None:
    """Milliseconds that it ran, that the machine slept, and that it was set ahead meanwhile."""
    moves = [(10, 0, 0), (10, 0, HOUR_MS), (10, 0, -2 * HOUR_MS), (10, HOUR_MS, 0), (10, 0, 0)]

    read = node.client("", "leasing")("clocked", moves)

    steps = [after - before for before, after in zip([0, *read], read, strict=False)]
    assert [10, HOUR_MS + 10, 10, HOUR_MS + 10, 10] == steps


def test_holders_over_two_servers_admit_the_limit_and_no_more(
    node: Node, pair: list[Running], customer: str
) -> None:
    clients = [leased(node, pair, place, tranche=100) for place in range(4)]
    going = [
        client.start("spend", customer, "calls", [1 + place % 2, 1 + place % 3])
        for place, client in enumerate(clients)
    ]
    spent = [each.result(4 * DEADLINE_S) for each in going]
    for client in clients:
        client("close")
    taken, local = map(sum, zip(*spent, strict=True))

    assert taken == used(pair, customer)
    assert local > 0
    rest = node.client(pair[0].server.address)
    left = rest("consume", customer, "calls", 2_000, {"bestEffort": True})
    assert 2_000 == taken + left["granted"]
    assert not rest("consume", customer, "calls")["allowed"]


def test_what_was_not_spent_comes_back_on_close_on_request_and_from_who_is_idle(
    node: Node, pair: list[Running], customer: str
) -> None:
    closed, asked, idle = (leased(node, pair, place) for place in range(3))
    taken = sum(each("warm", customer, "many") for each in (closed, asked, idle))
    closed("close")
    asked("giveAllBack")

    eventually(lambda: used(pair, customer), taken.__eq__, DEADLINE_S)
    assert not asked("consume", customer, "many")["local"]
    with pytest.raises(CallFailed, match="the client is closed"):
        closed("consume", customer, "many")


def test_a_lease_is_refilled_before_it_runs_dry_while_a_caller_asks_without_a_pause(
    node: Node,
) -> None:
    assert 0 == node.client("", "leasing")("dry", 20_000)


def test_a_plan_that_takes_the_feature_away_reaches_a_holder(
    node: Node, pair: list[Running], customer: str
) -> None:
    client = leased(node, pair)
    pair[0].provision(customer, "free")
    client("warm", customer, "many")
    pair[1].archive(customer)

    refused = eventually(
        lambda: client("consume", customer, "many"),
        lambda decision: not decision["allowed"],
        DEADLINE_S,
    )

    assert ("CUSTOMER_ARCHIVED", False) == (refused["reason"], refused["local"])
    client("close")


@pytest.mark.parametrize(
    "args",
    [
        ["seats"],
        ["many", 1, {"idempotencyKey": "mine"}],
        ["many", 1, {"explain": True}],
        ["many", 1, {"bestEffort": True}],
        ["many", 1_001],
        ["many", 0],
        ["many", 1, {"resourceId": "w-1"}],
    ],
)
def test_what_cannot_be_decided_here_is_asked_of_the_server(
    node: Node, pair: list[Running], customer: str, args: list[Any]
) -> None:
    client = leased(node, pair)
    client("warm", customer, "many")

    assert [False, False] == [client("consume", customer, *args)["local"] for _ in range(2)]
    client("close")


def test_amounts_of_a_decision_here_are_as_the_server_last_knew_them(
    node: Node, pair: list[Running], customer: str
) -> None:
    client = leased(node, pair)
    known = {
        "allowed": True,
        "reason": "WITHIN_LIMIT",
        "granted": 3,
        "limit": 1_000_000_000,
        "replayed": False,
    }

    for quantity in (3, {"$bigint": "3"}):
        decision = eventually(
            partial(client, "consume", customer, "many", quantity),
            lambda found: found["local"],
            DEADLINE_S,
        )
        assert known.items() <= decision.items()
    client("close")


def test_a_server_of_an_older_version_without_leases_decides_itself(
    node: Node, server: FakeServer
) -> None:
    client = node.client(server.address, "leased")

    answers = [client("consume", "acme", "api-calls") for _ in range(20)]

    assert {(False, True)} == {(each["local"], each["allowed"]) for each in answers}
    client("close")


SCRIPT = """
import { LeasedClient, LocalDecision } from "./index.js";
const [address, customer, how] = process.argv.slice(-3);
const quotad = new LeasedClient(address, { timeoutMs: 20_000 });
let taken = 0;
for (let local = false; !local; taken++) {
  local = (await quotad.consume(customer, "many")) instanceof LocalDecision;
}
console.log(taken);
if (how === "killed") process.kill(process.pid, "SIGKILL");
"""


@pytest.mark.parametrize("how", ["ends", "killed"])
def test_a_process_that_ends_returns_what_it_holds_and_that_of_a_killed_one_counts(
    node: Node, pair: list[Running], customer: str, how: str
) -> None:
    words = ["node", "--input-type=module", "-e", SCRIPT, pair[0].server.address, customer, how]
    done = subprocess.run(
        words, cwd=CLIENT / "dist", capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert (how == "killed", "") == (done.returncode != 0, done.stderr)
    taken = int(done.stdout)
    reader = node.client(pair[1].server.address)
    ended = eventually(
        lambda: reader("entitlement", customer, "many"),
        lambda found: found["leased"] == 0,
        DEADLINE_S,
    )
    assert (ended["used"] > taken) if how == "killed" else (ended["used"] == taken)
