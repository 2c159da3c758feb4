"""What a cluster does to its clients, on real nodes: who sees it, and that no count is wrong.

Every test keeps the answers of its calls, and holds them against the counters at the end.
"""

import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from quotad.store.hash_slots import slot_of
from quotad.v1 import quota_pb2 as pb
from quotad.valkey_cluster import ClusterNode, PrivateCluster, free_ports
from tests.raw import raw
from tests.running import Running, eventually, running

SHARDS = 16
TIMEOUT_MS = 2_000
"""Long enough for what a busy machine does while a call is tried again."""

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 40}}}}
"""


class Stage:
    """A server on a cluster of three and a replica of the first."""

    def __init__(self, cluster: PrivateCluster, server: Running) -> None:
        self.cluster = cluster
        self.server = server
        self.names = {server.keys.shard(name): name for name in map("c{}".format, range(300))}
        """A customer of each shard."""
        self.allowed: Counter[str] = Counter()
        """What each was allowed, by all answers."""
        self.unknown: Counter[str] = Counter()
        """Of how many calls there is no answer."""

    def slot(self, shard: int) -> int:
        return slot_of(self.server.keys.shard_catalogs[shard])

    def owner(self, shard: int) -> int:
        """The number of the node that has a shard."""
        self.server.store.look_up()
        port = self.server.store._router.node(self.server.keys.shard_catalogs[shard]).address.port
        return [node.port for node in self.cluster.nodes].index(port)

    def of(self, *numbers: int) -> list[str]:
        """The customers of nodes."""
        return [name for shard, name in self.names.items() if self.owner(shard) in numbers]

    def batch(self, names: list[str]) -> set[str]:
        """Ask for one unit each in one batch; returns who got no answer."""
        requests = [pb.CheckAndConsumeRequest(customer_id=n, feature_id="calls") for n in names]
        try:
            results = self.server.batch(*requests).results
        except grpc.RpcError as error:  # none of them was answered
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.unknown.update(names)
            return set(names)
        failed = set()
        for name, result in zip(names, results, strict=True):
            if result.HasField("error"):
                assert "UNAVAILABLE" == grpc_status(result.error.code), result.error
                failed.add(name)
                self.unknown[name] += 1
            else:
                self.allowed[name] += result.response.allowed
        return failed

    def check(self, exact: bool = False) -> None:
        """Hold the answers against the counters."""
        for shard, name in self.names.items():
            used = sum(self.server.counters(name).values())
            most = self.allowed[name] + (0 if exact else self.unknown[name])
            assert self.allowed[name] <= used <= min(most, 40), (shard, name)


def grpc_status(code: int) -> str:
    return str(next(each.name for each in grpc.StatusCode if each.value[0] == code))


@contextmanager
def stage(replica: bool = False) -> Iterator[Stage]:
    settings = {"cluster-node-timeout": "700", "repl-diskless-sync-delay": "0"}
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "n", 3, **settings) as cluster,
    ):
        if replica:
            add_replica(cluster)
        config: dict[str, Any] = {"store_timeout_ms": TIMEOUT_MS, "shards": SHARDS}
        with running(cluster.url, "q", **config) as server:
            server.publish_and_wait(CATALOG)
            yield Stage(cluster, server)


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


def add_replica(cluster: PrivateCluster) -> None:
    first, second = free_ports(2)
    node = cluster.start_node((first, second))
    node.wait_until_it_answers()
    node.meet(cluster.nodes[0])
    name = cluster.nodes[0].name
    eventually(lambda: node.command(f"CLUSTER REPLICATE {name}"), lambda told: "+OK" in told)
    eventually(lambda: node.command("INFO replication"), lambda told: "link_status:up" in told)
    eventually(lambda: cluster.nodes[0].command("CLUSTER NODES"), lambda t: "slave" in t)


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
    on.names = {0: moved, 1: waits, 2: new}
    on.check(exact=True)


def test_slots_that_move_in_one_step_fail_nothing(plain: Stage) -> None:
    on = plain
    shard = next(shard for shard in on.names if on.owner(shard) == 0)
    source, target = on.cluster.nodes[0], on.cluster.nodes[1]
    stop = threading.Event()
    failed: set[str] = set()

    def load() -> None:
        while not stop.is_set():
            failed.update(on.batch(list(on.names.values())))

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(load)
        slot = on.slot(shard)
        try:
            move = f"CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target.name}"
            assert "+OK" in source.command(move)
            eventually(lambda: on.owner(shard), lambda number: number == 1)
        finally:
            stop.set()
        done.result()

    assert set() == failed
    on.check(exact=True)


def test_a_call_waits_for_a_slot_that_no_node_has_for_a_moment(plain: Stage) -> None:
    on = plain
    # Not of the last node: it may have the slot that calls were just waiting for in vain, and such
    # a slot is not waited for within the next second.
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
    node.command(f"CLUSTER ADDSLOTS {slot}")
    eventually(lambda: on.batch([name, *others]), lambda failed: not failed)
    on.check(exact=True)


def rejected(node: ClusterNode) -> int:
    line = next(
        (each for each in node.command("INFO commandstats").split() if "_evalsha:" in each), ""
    )
    return int(line.rpartition("rejected_calls=")[2].split(",")[0] or 0) if line else 0
