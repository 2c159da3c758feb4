"""Clients that decide by themselves never admit more than the server would."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotad.client import AsyncLeasedClient, Client, Decision, LeasedClient, LocalDecision, Reason
from quotad.store import Store
from tests.integration.conftest import Pair
from tests.integration.processes import serve
from tests.running import eventually

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
      calls: {limit: 6000, per: year}
      many: {limit: 1000000000, per: year}
      seats: {limit: 3}
"""
TTL_MS = 400
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def short(store_url: str) -> Iterator[Pair]:
    """Two servers whose leases end soon."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    store = Store(store_url, timeout_ms=10_000)
    with (
        serve(store_url, prefix, "native", lease_ttl_ms=TTL_MS) as first,
        serve(store_url, prefix, "grpcio", lease_ttl_ms=TTL_MS) as second,
    ):
        made = Pair(first, second, store, prefix)
        made.publish(CATALOG)
        yield made
    store.close()


def leased(pair: Pair, place: int = 0, tranche: int = 1_000) -> LeasedClient:
    server = (pair.first, pair.second)[place % 2]
    return LeasedClient(server._address, timeout=TIMEOUT_S, tranche=tranche)


def used(pair: Pair, customer: str) -> int:
    return sum(pair.counters(customer).values())


def warm(client: LeasedClient, customer: str, feature_id: str = "many") -> int:
    """Call until a decision is one of the client's own; returns how much was taken."""
    taken = 0

    def call() -> Decision:
        nonlocal taken
        decision = client.consume(customer, feature_id)
        taken += decision.granted
        return decision

    eventually(call, lambda decision: isinstance(decision, LocalDecision))
    return taken


def test_clients_over_two_servers_admit_the_limit_and_no_more(short: Pair, customer: str) -> None:
    clients = [leased(short, place, tranche=300) for place in range(4)]

    def spend(place: int) -> tuple[int, int]:
        client, taken, local = clients[place % 4], 0, 0
        while (decision := client.consume(customer, "calls", 1 + place % 3)).allowed:
            taken += decision.granted
            local += isinstance(decision, LocalDecision)
        return taken, local

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(spend, range(8)))
    for client in clients:
        client.close()
    taken = sum(each for each, _ in spent)

    assert taken == used(short, customer)
    assert sum(local for _, local in spent) > 500
    with Client(short.first._address, timeout=TIMEOUT_S) as rest:
        left = rest.consume(customer, "calls", 6_000, best_effort=True)
        assert 6_000 == taken + left.granted
        assert not rest.consume(customer, "calls").allowed


def test_closing_returns_what_was_not_spent(short: Pair, customer: str) -> None:
    with leased(short) as client:
        taken = warm(client, customer)
        assert used(short, customer) > taken
        taken += client.consume(customer, "many", 2).granted

    assert taken == used(short, customer)
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.consume(customer, "many")


def test_a_client_on_asyncio_returns_what_was_not_spent(short: Pair, customer: str) -> None:
    async def spend() -> int:
        taken = local = 0
        client = AsyncLeasedClient(short.first._address, timeout=TIMEOUT_S)
        async with client:
            while local < 500:
                decision = await client.consume(customer, "many")
                taken += decision.granted
                if isinstance(decision, LocalDecision):
                    local += 1
                else:
                    await asyncio.sleep(0)
        return taken

    assert asyncio.run(spend()) == used(short, customer)


def test_an_idle_client_returns_what_it_holds(short: Pair, customer: str) -> None:
    with leased(short) as client:
        taken = warm(client, customer)

        eventually(lambda: used(short, customer), lambda found: found == taken)


def test_a_lease_is_renewed_for_as_long_as_it_is_spent(short: Pair, customer: str) -> None:
    with leased(short) as client:
        warm(client, customer)
        (tranche,) = client._by_name.values()
        first, ends = tranche.lease_id, tranche._ends
        taken: list[Decision] = []

        def call() -> float:
            taken.append(client.consume(customer, "many"))
            return tranche._ends

        eventually(call, lambda found: found > ends + TTL_MS / 1000)
        assert first == tranche.lease_id


def test_a_plan_that_takes_the_feature_away_reaches_a_holder(short: Pair, customer: str) -> None:
    with leased(short) as client:
        short.first.provision(customer, "free")
        warm(client, customer)
        short.second.archive(customer)

        refused = eventually(
            lambda: client.consume(customer, "many"), lambda decision: not decision.allowed
        )

        assert Reason.CUSTOMER_ARCHIVED == refused.reason
        eventually(lambda: client._by_name[customer, "many", ""].held, lambda held: held == 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda client, customer: client.consume(customer, "seats"),
        lambda client, customer: client.consume(customer, "many", idempotency_key="mine"),
        lambda client, customer: client.consume(customer, "many", explain=True),
        lambda client, customer: client.consume(customer, "many", 1_001),
        lambda client, customer: client.consume(customer, "many", 0),
    ],
)
def test_what_cannot_be_decided_here_is_asked_of_the_server(
    short: Pair, customer: str, call: Callable[[LeasedClient, str], Decision]
) -> None:
    with leased(short) as client:
        warm(client, customer)
        for _ in range(3):
            assert not isinstance(call(client, customer), LocalDecision)


SCRIPT = """
import os, sys
from quotad.client import LeasedClient, LocalDecision, AsyncLeasedClient

def blocking():
    client = LeasedClient(sys.argv[1], timeout=20.0)
    taken = 0
    while not isinstance(decision := client.consume(sys.argv[2], "many"), LocalDecision):
        taken += 1
    return client, taken + 1

async def spend():
    client = AsyncLeasedClient(sys.argv[1], timeout=20.0)
    taken = 0
    while not isinstance(decision := await client.consume(sys.argv[2], "many"), LocalDecision):
        taken += 1
        await asyncio.sleep(0)
    return client, taken + 1
"""


def run(pair: Pair, customer: str, lines: str) -> str:
    script = SCRIPT + lines
    done = subprocess.run(
        [sys.executable, "-c", script, pair.first._address, customer],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "lines",
    [
        "client, taken = blocking(); print(taken)",
        "import asyncio; client, taken = asyncio.run(spend()); print(taken)",
    ],
    ids=["blocking", "asyncio"],
)
def test_a_process_that_ends_without_closing_returns_what_it_holds(
    short: Pair, customer: str, lines: str
) -> None:
    taken = int(run(short, customer, lines))

    assert taken == used(short, customer)


def test_what_a_killed_process_held_counts_as_used(short: Pair, customer: str) -> None:
    lines = """
client, taken = blocking()
print(taken, client._by_name[sys.argv[2], "many", ""].held)
sys.stdout.flush()
os._exit(0)
"""
    taken, held = map(int, run(short, customer, lines).split())

    assert held > 0
    with Client(short.second._address, timeout=TIMEOUT_S) as client:
        entitlement = eventually(
            lambda: client.entitlement(customer, "many"), lambda found: found.leased == 0
        )
    assert taken + held == entitlement.used


def test_a_forked_child_spends_nothing_of_its_parent(short: Pair, customer: str) -> None:
    lines = """
client, taken = blocking()
held = client._by_name[sys.argv[2], "many", ""].held
child = os.fork()
if child == 0:
    os._exit(len(client._by_name))
_, status = os.waitpid(child, 0)
assert held > 0 and os.waitstatus_to_exitcode(status) == 0, (held, status)
while not isinstance(client.consume(sys.argv[2], "many"), LocalDecision):
    taken += 1
print(taken + 1)
"""
    taken = int(run(short, customer, lines))

    assert taken == used(short, customer)
