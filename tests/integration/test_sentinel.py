"""Behind Sentinels: the primary is found, left when it is replaced, and no answer goes with it."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import grpc
import pytest

from quotad.errors import ConfigError, StoreUnavailable
from quotad.store import KeySpace, Store, check_layout
from quotad.v1 import admin_pb2
from tests.integration.sentinels import KEEPS, SERVICE, Watched, watched
from tests.rights import AT_SENTINELS, BEHIND_SENTINELS, rights, rules_of
from tests.running import CALL_S, Running, eventually, running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 1000000}}}}
"""


@pytest.fixture(scope="module")
def group() -> Iterator[Watched]:
    with watched(**KEEPS) as made:
        yield made


class Ledger:
    """One unit after the other, and what came of each."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.counts: Counter[str] = Counter()

    def ask(self) -> bool:
        """Ask for one unit; returns whether there was an answer."""
        try:
            assert self.server.consume("acme", "calls").allowed
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.counts["unknown"] += 1
            return False
        self.counts["allowed"] += 1
        return True

    def check(self) -> None:
        """Hold the answers against the counter."""
        (used,) = self.server.counters("acme").values()
        allowed, unknown = self.counts["allowed"], self.counts["unknown"]
        assert allowed <= used <= allowed + unknown


def test_a_killed_primary_is_left_for_the_new_one(prefix: str) -> None:
    with watched() as group, running(group.url, prefix, store_timeout_ms=1000) as server:
        server.publish_and_wait(CATALOG)
        request = admin_pb2.GetStatusRequest()
        told = server.admin.GetStatus(request, timeout=CALL_S)
        assert 1 == sum("min-replicas-to-write" in each for each in told.store_warnings)
        ledger = Ledger(server)
        assert ledger.ask()
        assert b":1" in group.servers[0].ask("WAIT 1 5000")

        group.servers[0].process.kill()
        eventually(ledger.ask, lambda answered: not answered)
        eventually(ledger.ask, bool)

        server.store.look_up()
        ledger.check()


def test_a_store_with_those_settings_is_not_warned_of(group: Watched, prefix: str) -> None:
    with running(group.url, prefix) as server:
        server.wait_for_store()
        told = server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)

        assert not [each for each in told.store_warnings if "replica" in each]


def test_users_with_the_rights_of_the_docs_are_enough(group: Watched, prefix: str) -> None:
    for each in group.servers:
        rules = rights(f"{prefix}:", BEHIND_SENTINELS)
        assert b"+OK" in each.ask(f"ACL SETUSER quotad on >s3cret {rules}")
    for sentinel in group.sentinels:
        words = rules_of(AT_SENTINELS).split()
        sentinel.execute_command("ACL", "SETUSER", "watcher", "on", ">w4tch", *words)
    hosts = group.url.partition("://")[2]
    query = "sentinel_username=watcher&sentinel_password=w4tch"
    url = f"redis+sentinel://quotad:s3cret@{hosts}?{query}"
    with running(url, prefix) as server:
        server.publish_and_wait(CATALOG)
        assert server.consume("acme", "calls").allowed
    with (
        closing(Store(url.replace("w4tch", "wrong"), timeout_ms=5000)) as store,
        pytest.raises(StoreUnavailable, match="invalid username-password pair"),
    ):
        store.check_kind()


def test_what_is_no_sentinel_or_knows_no_such_service_is_refused(
    group: Watched, prefix: str
) -> None:
    (primary,) = group.primary()
    sentinel = group.sentinels[0].connection_pool.connection_kwargs["port"]
    for url, why in (
        (f"redis+sentinel://127.0.0.1:{sentinel}/other", "knows no 'other'"),
        (f"redis+sentinel://127.0.0.1:{primary}/{SERVICE}", "is no Sentinel; write redis://"),
        (f"redis://127.0.0.1:{sentinel}", "is a Sentinel; write redis"),
    ):
        store = Store(url, timeout_ms=5000)
        with pytest.raises(ConfigError, match=why):
            check_layout(store, KeySpace(prefix, shards=4))
        store.close()


def test_a_replica_is_not_used_although_a_sentinel_names_it(
    group: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(group.url, timeout_ms=5000)
    (replica,) = set(group.ports) - group.primary()
    address = store._router.nodes[0].address.at("127.0.0.1", replica)
    endpoint = store._router.nodes[0].endpoint
    monkeypatch.setattr(endpoint, "_locate", lambda: address)

    with pytest.raises(Exception, match="it is no primary any more"):
        store.execute("GET", "x")
    store.close()


def test_a_primary_that_has_lost_its_replica_takes_nothing_until_it_is_back(
    group: Watched, prefix: str
) -> None:
    with running(group.url, prefix) as server:
        server.publish_and_wait(CATALOG)
        ledger = Ledger(server)
        assert ledger.ask()
        replica = group.servers[1].process.pid
        os.kill(replica, signal.SIGSTOP)
        try:
            eventually(ledger.ask, lambda answered: not answered)  # NOREPLICAS
        finally:
            os.kill(replica, signal.SIGCONT)
        eventually(ledger.ask, bool)

        server.store.look_up()
        (used,) = server.counters("acme").values()
        assert used == ledger.counts["allowed"]


def test_a_switch_under_load_loses_no_answer(group: Watched, prefix: str) -> None:
    # The last one: it takes Sentinels seconds to have a replica there again.
    before = group.primary()
    with running(group.url, prefix, store_timeout_ms=1000) as server:
        server.publish_and_wait(CATALOG)
        ledger, switched = Ledger(server), threading.Event()

        def load() -> None:
            while not switched.is_set():
                ledger.ask()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            eventually(lambda: ledger.counts["allowed"], lambda count: count > 20)
            group.sentinels[0].execute_command("SENTINEL", "FAILOVER", SERVICE, "COORDINATED")
            eventually(group.primary, lambda found: len(found) == 1 and found != before)
        finally:
            switched.set()
            thread.join()

        eventually(ledger.ask, bool)
        # Not at once: a Sentinel that heard late may have been asked in between.
        endpoint = server.server._parts.store._router.nodes[0].endpoint
        eventually(lambda: {endpoint.address.port} == group.primary(), bool)
        server.store.look_up()
        ledger.check()
