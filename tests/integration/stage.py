"""A server on a cluster of real nodes, and a ledger of what its calls were answered."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from quotad.store.hash_slots import slot_of
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from quotad.valkey_cluster import PrivateCluster, free_ports
from tests.running import CALL_S, Running, eventually, running

SHARDS = 16
TIMEOUT_MS = 2_000
"""Long enough for what a busy machine does while a call is tried again."""

PREFIX = "d"
"""Nothing that a server needs when it starts is on the second of three nodes."""

SETTINGS = {"cluster-node-timeout": "700", "repl-diskless-sync-delay": "0"}
"""Of every node."""

LIMIT = 200
"""Of each customer: reached by those who call all the time, not by those who do now and then."""

CATALOG = f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: {LIMIT}}}}}}}}}
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
        self.fallback: Counter[str] = Counter()
        """How many of these answers were without the store."""
        self.unknown: Counter[str] = Counter()
        """Of how many calls there is no answer."""
        self.errors: list[str] = []
        """What they were told instead."""
        self.batches = 0
        """How often they were asked for."""

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
        self.batches += 1
        failed = set()
        for name, result in zip(names, results, strict=True):
            if result.HasField("error"):
                assert "UNAVAILABLE" == grpc_status(result.error.code), result.error
                failed.add(name)
                self.errors.append(f"{name}: {result.error.message}")
                self.unknown[name] += 1
            else:
                self.allowed[name] += result.response.allowed
                self.fallback[name] += result.response.is_fallback
        return failed

    def warnings(self) -> str:
        """What the server's status says of the store."""
        status = self.server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
        return "\n".join(status.store_warnings)

    def check(self, exact: bool = False) -> None:
        """Hold the answers against the counters."""
        for shard, name in self.names.items():
            used = sum(self.server.counters(name).values())
            most = self.allowed[name] + (0 if exact else self.unknown[name])
            assert self.allowed[name] <= used <= min(most, LIMIT), (shard, name)


def grpc_status(code: int) -> str:
    return str(next(each.name for each in grpc.StatusCode if each.value[0] == code))


@contextmanager
def stage(replica: bool = False, catalog: str = CATALOG, **settings: Any) -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "n", 3, **SETTINGS) as cluster,
    ):
        if replica:
            add_replica(cluster)
        config: dict[str, Any] = {"store_timeout_ms": TIMEOUT_MS, "shards": SHARDS, **settings}
        with running(cluster.url, PREFIX, **config) as server:
            server.publish_and_wait(catalog)
            yield Stage(cluster, server)


def add_replica(cluster: PrivateCluster) -> None:
    first, second = free_ports(2)
    node = cluster.start_node((first, second))
    node.wait_until_it_answers()
    node.meet(cluster.nodes[0])
    name = cluster.nodes[0].name
    eventually(lambda: node.command(f"CLUSTER REPLICATE {name}"), lambda told: "+OK" in told)
    eventually(lambda: node.command("INFO replication"), lambda told: "link_status:up" in told)
    eventually(lambda: cluster.nodes[0].command("CLUSTER NODES"), lambda t: "slave" in t)
