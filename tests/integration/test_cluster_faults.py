"""What a cluster does to its clients, on real nodes: who sees it, and that no count is wrong.

Every test keeps the answers of its calls, and holds them against the counters at the end.
"""

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from quotad.server.instruments import instruments
from quotad.store.slow_nodes import SLOW_S
from quotad.valkey_cluster import ClusterNode, PrivateCluster, free_ports
from tests.integration.stage import (
    CATALOG,
    PREFIX,
    SETTINGS,
    SHARDS,
    TIMEOUT_MS,
    Stage,
    add_replica,
    stage,
)
from tests.proxy import Proxy
from tests.raw import raw
from tests.running import eventually, running


@pytest.fixture(scope="module")
def shared() -> Iterator[Stage]:
    """For what leaves the cluster as it was."""
    with stage() as made:
        yield made


@pytest.fixture
def plain(shared: Stage) -> Stage:
    """With customers of its own."""
    fresh = Stage(shared.cluster, shared.server)
    start = f"{os.urandom(4).hex()}-"
    keys = shared.server.keys
    fresh.names = {keys.shard(name): name for name in (f"{start}{i}" for i in range(300))}
    return fresh


def counted(on: Stage, node: ClusterNode) -> dict[str, dict[str, int]]:
    """What the server has counted of a node, by metric and label."""
    row = on.server.server.report().nodes[f"redis://127.0.0.1:{node.port}"]
    return instruments().named_node(row)


def test_customers_of_a_killed_node_go_on_with_its_replica(tmp_path: Path) -> None:
    with stage(replica=True) as on:
        mine, others = on.of(0), on.of(1, 2)
        assert set() == on.batch(mine + others)
        lost = on.cluster.nodes[0]
        assert ":1" in lost.command("WAIT 1 5000")  # what is acknowledged is kept
        lost.process.kill()

        failed = on.batch(mine + others)
        while failed:
            assert set(mine) >= failed  # the others' are answered all the time
            failed = on.batch(mine + others)

        assert {3} == {on.owner(shard) for shard, name in on.names.items() if name in mine}
        on.check()


def test_a_frozen_node_fails_its_customers_only_and_takes_nothing_later(plain: Stage) -> None:
    on = plain
    mine, others = on.of(1), on.of(0, 2)
    assert set() == on.batch(mine + others)
    frozen = on.cluster.nodes[1].process.pid
    os.kill(frozen, signal.SIGSTOP)
    try:
        for _ in range(5):
            assert set(mine) == on.batch(mine + others)
    finally:
        os.kill(frozen, signal.SIGCONT)
    eventually(lambda: on.batch(mine + others), lambda failed: not failed)

    on.check(exact=True)


def setslot(on: Stage, slot: int, source: ClusterNode, target: ClusterNode) -> None:
    """Begin to move a slot key by key, as redis-cli does."""
    target.command(f"CLUSTER SETSLOT {slot} IMPORTING {source.name}")
    source.command(f"CLUSTER SETSLOT {slot} MIGRATING {target.name}")


def migrate(on: Stage, source: ClusterNode, target: ClusterNode, keys: list[bytes]) -> None:
    password = source.password
    words = b" ".join(keys).decode()
    told = source.command(f'MIGRATE 127.0.0.1 {target.port} "" 0 5000 AUTH {password} KEYS {words}')
    assert "+OK" in told, told


def test_a_slot_that_moves_key_by_key_is_followed(plain: Stage) -> None:
    on = plain
    shard = next(shard for shard in on.names if on.owner(shard) == 0)
    names = [
        n
        for n in (f"{on.names[shard]}-{i:03}" for i in range(400))
        if on.server.keys.shard(n) == shard
    ]
    moved, waits, new = names[:3]
    for name in (moved, waits):
        on.server.provision(name, "free")
    assert set() == on.batch([moved, waits])
    source, target = on.cluster.nodes[0], on.cluster.nodes[2]
    slot = on.slot(shard)
    keys = raw(on.server.store).keys(f"{on.server.keys.of_shard(shard)}*")

    setslot(on, slot, source, target)
    assert set() == on.batch([moved, waits])  # all of their keys are where they were
    assert {new} == on.batch([moved, waits, new])  # TRYAGAIN: one of its keys was never written
    migrate(on, source, target, [k for k in keys if moved.encode() in k or b"catalog" in k])
    assert set() == on.batch([moved])  # ASK
    assert {waits} == on.batch([waits])  # TRYAGAIN: its keys are in two places
    migrate(
        on, source, target, [k for k in keys if moved.encode() not in k and b"catalog" not in k]
    )
    for node in (target, source, on.cluster.nodes[1]):
        node.command(f"CLUSTER SETSLOT {slot} NODE {target.name}")

    eventually(lambda: on.batch([moved, waits, new]), lambda failed: not failed)
    assert 2 == on.owner(shard)
    errors = counted(on, source)["quotad_store_node_errors_total"]
    assert errors["ask"]
    assert errors["tryagain"]
    on.names = {0: moved, 1: waits, 2: new}
    on.check(exact=True)


@contextmanager
def load(on: Stage) -> Iterator[set[str]]:
    """Call for all customers again and again; yields who got no answer."""
    stop, failed = threading.Event(), set[str]()

    def calls() -> None:
        while not stop.is_set():
            failed.update(on.batch(list(on.names.values())))

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(calls)
        try:
            yield failed
        finally:
            stop.set()
        done.result()


def move(slots: list[int], source: ClusterNode, target: ClusterNode) -> None:
    """Move slots in one step."""
    ranges = " ".join(f"{slot} {slot}" for slot in slots)
    told = source.command(f"CLUSTER MIGRATESLOTS SLOTSRANGE {ranges} NODE {target.name}")
    assert "+OK" in told, told


def test_slots_that_move_in_one_step_fail_nothing(plain: Stage) -> None:
    on = plain
    shard = next(shard for shard in on.names if on.owner(shard) == 0)
    slot = on.slot(shard)
    with load(on) as failed:
        move([slot], on.cluster.nodes[0], on.cluster.nodes[1])
        eventually(lambda: on.owner(shard), lambda number: number == 1)

    assert set() == failed, on.errors
    on.check(exact=True)


def test_a_node_that_is_added_and_emptied_again_fails_nothing(plain: Stage) -> None:
    on = plain
    shards = [shard for shard in on.names if on.owner(shard) == 2]
    slots = [on.slot(shard) for shard in shards]
    old, nodes = on.cluster.nodes[2], on.cluster.nodes[:3]
    first, second = free_ports(2)
    with load(on) as failed:
        new = on.cluster.start_node((first, second))
        new.wait_until_it_answers()
        new.meet(on.cluster.nodes[0])
        eventually(lambda: [new.name in each.command("CLUSTER NODES") for each in nodes], all)
        for source, target, number in ((old, new, 3), (new, old, 2)):
            move(slots, source, target)
            eventually(lambda: {on.owner(each) for each in shards}, partial(eq, {number}))
        for each in nodes:
            assert "+OK" in each.command(f"CLUSTER FORGET {new.name}")
        new.stop()
        before = on.batches
        eventually(lambda: on.batches, lambda count: count > before + 10)

    assert set() == failed, on.errors
    on.check(exact=True)


def test_a_call_waits_for_a_slot_that_no_node_has_for_a_moment(plain: Stage) -> None:
    on = plain
    shard = next(shard for shard in on.names if on.owner(shard) == 1)
    name, slot, node = on.names[shard], on.slot(shard), on.cluster.nodes[1]
    others = [each for each in on.names.values() if each != name]
    assert set() == on.batch([name, *others])

    refused = rejected(node)
    node.command(f"CLUSTER DELSLOTS {slot}")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(on.batch, [name, *others])
        eventually(lambda: rejected(node), lambda count: count > refused)
        node.command(f"CLUSTER ADDSLOTS {slot}")
        assert set() == call.result()  # CLUSTERDOWN was not the last word

    node.command(f"CLUSTER DELSLOTS {slot}")
    assert {name} == on.batch([name, *others])
    eventually(lambda: on.warnings(), lambda told: "1 slot of the cluster without" in told)
    node.command(f"CLUSTER ADDSLOTS {slot}")
    eventually(lambda: on.batch([name, *others]), lambda failed: not failed)
    on.check(exact=True)


def rejected(node: ClusterNode) -> int:
    line = next(
        (each for each in node.command("INFO commandstats").split() if "_evalsha:" in each), ""
    )
    return int(line.rpartition("rejected_calls=")[2].split(",")[0] or 0) if line else 0


@pytest.fixture
def behind(plain: Stage) -> Iterator[tuple[Proxy, list[str]]]:
    """The way to the second node, for everyone, and the customers who are there."""
    node, customers = plain.cluster.nodes[1], plain.of(1)
    with Proxy(f"127.0.0.1:{node.port}") as proxy:
        announce(plain, node, int(proxy.address.rpartition(":")[2]))
        yield proxy, customers
        announce(plain, node, node.port)


def announce(on: Stage, node: ClusterNode, port: int) -> None:
    """Let clients find a node at a port."""
    assert "+OK" in node.command(f"CONFIG SET cluster-announce-port {port}")
    known = f"127.0.0.1:{port}@"
    eventually(
        lambda: [known in each.command("CLUSTER NODES") for each in on.cluster.nodes[:3]], all
    )
    servers = (on.server.store, on.server.server._parts.store)
    for store in servers:
        store.look_up()
        assert port in {each.address.port for each in store._router.nodes}


@pytest.mark.parametrize("what", ["requests", "answers", "connections"])
def test_a_network_that_is_cut_fails_the_customers_behind_it_only(
    plain: Stage, behind: tuple[Proxy, list[str]], what: str
) -> None:
    on, (proxy, mine) = plain, behind
    everyone = list(on.names.values())
    assert set() == on.batch(everyone)
    cut = {
        "requests": proxy.holding(),
        "answers": proxy.holding(requests=False, answers=True),
        "connections": proxy.refusing(),
    }
    with cut[what]:
        for _ in range(3):
            assert set(mine) == on.batch(everyone)
    eventually(lambda: on.batch(everyone), lambda failed: not failed)

    on.check(exact=what != "answers")


def test_customers_of_a_slow_node_wait_for_it_and_no_others_do(
    plain: Stage, behind: tuple[Proxy, list[str]]
) -> None:
    on, (proxy, mine) = plain, behind
    others = [name for name in on.names.values() if name not in mine]
    assert set() == on.batch(mine + others)

    def slow() -> bool:
        keys = on.server.keys.shard_catalogs
        return bool(on.server.server._parts.store.slow_places(keys))

    with ThreadPoolExecutor(len(mine)) as pool:

        def wait_once() -> bool:
            with proxy.holding(requests=False, answers=True):
                asked = pool.submit(on.batch, mine)
                time.sleep(2 * SLOW_S)
            assert set() == asked.result()
            return slow()

        eventually(wait_once, bool)
        with proxy.holding(requests=False, answers=True):
            waiting = [pool.submit(on.batch, [name]) for name in mine]
            # More than there are decision threads: none of these waits for the node.
            answered = [on.batch(others) for _ in range(10)]
            assert not any(each.done() for each in waiting)
        assert [set()] * len(mine) == [each.result() for each in waiting]

    assert [set()] * 10 == answered
    eventually(lambda: (on.batch(mine), slow())[1], lambda still: not still)
    on.check(exact=True)


def test_a_node_that_refuses_the_password_fails_its_customers_only(
    plain: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    on, node = plain, plain.cluster.nodes[1]
    mine, everyone = set(on.of(1)), list(on.names.values())
    assert set() == on.batch(everyone)
    node.ask(f"AUTH {node.password}", "CONFIG SET requirepass another", "CLIENT KILL TYPE normal")
    try:
        for _ in range(3):
            assert mine == on.batch(everyone)
        eventually(lambda: "invalid username-password pair (redis_url)" in caplog.text, bool)
        assert f":{node.port} is not available: invalid username" in on.warnings()
        found = [counted(on, each) for each in on.cluster.nodes[:3]]
        assert [0, 1, 0] == [each["quotad_store_node_breaker_open_workers"][""] for each in found]
        assert sum(found[1]["quotad_store_node_errors_total"].values())
        assert found[0]["quotad_store_node_answer_seconds"]["sum"]
        with running(on.cluster.url, PREFIX, store_timeout_ms=TIMEOUT_MS, shards=SHARDS) as new:
            # A server that starts meanwhile is no worse off.
            new.wait_ready()
            assert mine == Stage(on.cluster, new).batch(everyone)
    finally:
        assert "+OK" in node.ask("AUTH another", f"CONFIG SET requirepass {node.password}").decode()
    eventually(lambda: on.batch(everyone), lambda failed: not failed)
    assert f":{node.port} " not in on.warnings()


def test_a_cluster_that_refuses_everything_for_one_slot_is_warned_of(plain: Stage) -> None:
    on = plain
    told = "cluster-require-full-coverage yes"
    assert told not in on.warnings()
    try:
        on.cluster.nodes[0].command("CONFIG SET cluster-require-full-coverage yes")
        eventually(on.warnings, lambda warnings: told in warnings)
    finally:
        on.cluster.nodes[0].command("CONFIG SET cluster-require-full-coverage no")
    eventually(on.warnings, lambda warnings: told not in warnings)


def test_a_name_that_leads_to_other_nodes_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All nodes that were known are gone, as after an upgrade of a managed service."""
    real, leads_to = socket.getaddrinfo, [0]

    def look_up(host: Any, port: Any, *args: Any, **named: Any) -> Any:
        if host == "nodes.test":
            return real("127.0.0.1", leads_to[0], *args, **named)
        return real(host, port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "n", 1, **SETTINGS) as cluster,
    ):
        add_replica(cluster)
        old, new = cluster.nodes
        leads_to[0] = old.port
        url = f"redis+cluster://:{old.password}@nodes.test:7000"
        with running(url, PREFIX, store_timeout_ms=TIMEOUT_MS, shards=SHARDS) as server:
            server.publish_and_wait(CATALOG)
            on = Stage(cluster, server)
            everyone = list(on.names.values())
            assert set() == on.batch(everyone)
            assert ":1" in old.command("WAIT 1 5000")
            old.process.kill()
            assert set(everyone) == on.batch(everyone)
            assert "+OK" in new.command("CLUSTER FAILOVER TAKEOVER")
            leads_to[0] = new.port

            eventually(lambda: on.batch(everyone), lambda failed: not failed)
            server.store.look_up()
            on.check()
