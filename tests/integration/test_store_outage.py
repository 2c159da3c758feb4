"""G8: without its store a server says so at once, and works again by itself when it is back."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.server.server import Server
from quotad.store import KeySpace, Store
from quotad.store.link import NodeLink
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.running import CALL_S, FRONTS, Refusal, Running, eventually, refusal, running

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  export: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 1000}
      export: true
"""
SETTINGS: dict[str, Any] = {"store_timeout_ms": 250}


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        yield made


def allowed(server: Running, feature: str = "calls") -> Any:
    """Ask until it is allowed."""

    def ask() -> Any:
        try:
            return server.consume("acme", feature)
        except grpc.RpcError as error:
            return Refusal(error)

    return eventually(ask, lambda answer: getattr(answer, "allowed", False))


def not_ready_reason(server: Running) -> str:
    status = server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
    return str(status.not_ready_reason)


def assert_unavailable(server: Running) -> None:
    """Every kind of call ends by itself, long before its deadline, as UNAVAILABLE."""
    one = pb.GetEntitlementRequest(customer_id="acme", feature_id="calls")
    every = pb.GetEntitlementsRequest(customer_id="acme")
    request = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
    for call in (
        lambda: server.consume("acme", "calls"),
        lambda: server.consume("acme", "export"),
        lambda: server.consume("somebody new", "calls"),
        lambda: server.batch(request, request),
        lambda: server.quota.GetEntitlement(one, timeout=CALL_S),
        lambda: server.quota.GetEntitlements(every, timeout=CALL_S),
        lambda: server.provision("acme", "free"),
        lambda: server.publish(CATALOG),
        lambda: server.admin.ListCustomers(admin_pb2.ListCustomersRequest(), timeout=CALL_S),
    ):
        failed = refusal(call)
        assert grpc.StatusCode.UNAVAILABLE == failed.code, failed
        assert failed.reason in ("STORE_UNAVAILABLE", "NOT_READY")
        assert failed.message in (
            "the store is not available",
            "the store did not answer in time",
            "the store was not reached yet",
        ), failed


@pytest.mark.parametrize("front", FRONTS)
def test_a_server_waits_for_its_store_and_is_ready_when_it_appears(
    store: OwnStore, front: str
) -> None:
    with running(store.url, "q", front, **SETTINGS) as server:
        server.wait_ready(False)
        assert_unavailable(server)
        eventually(lambda: not_ready_reason(server), lambda why: "unix://" in why)

        store.start()
        server.wait_for_store()
        server.publish_and_wait(CATALOG)

        assert 1 == server.consume("acme", "calls").used


@pytest.mark.parametrize("front", FRONTS)
def test_a_store_that_dies_is_reported_and_one_that_comes_back_is_used(
    store: OwnStore, front: str
) -> None:
    store.start(appendonly="yes", appendfsync="always")
    with running(store.url, "q", front, **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        assert 1 == server.consume("acme", "calls").used

        store.kill()
        assert_unavailable(server)
        server.wait_ready(False)

        store.start(appendonly="yes")
        server.wait_ready()
        # Nothing was taken while it was away, and what was taken before is remembered.
        assert 2 == allowed(server).used


@pytest.mark.parametrize("front", FRONTS)
def test_a_store_that_does_not_answer_hangs_no_call(store: OwnStore, front: str) -> None:
    store.start()
    with running(store.url, "q", front, **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")

        store.freeze()
        calls = [
            server.quota.CheckAndConsume.future(
                pb.CheckAndConsumeRequest(customer_id=f"c{i}", feature_id="calls"), timeout=CALL_S
            )
            for i in range(200)
        ]
        assert {grpc.StatusCode.UNAVAILABLE} == {call.code() for call in calls}
        server.wait_ready(False)
        assert_unavailable(server)

        store.thaw()
        server.wait_ready()
        assert allowed(server).used >= 2


def test_a_call_that_ran_out_of_time_can_be_repeated_under_its_key(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")
        store.freeze()
        failed = refusal(lambda: server.consume("acme", "calls", idempotency_key="k"))
        assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (failed.code.name, failed.reason)
        store.thaw()
        server.wait_ready()

        def ask() -> Any:
            try:
                return server.consume("acme", "calls", idempotency_key="k")
            except grpc.RpcError as error:
                return Refusal(error)

        eventually(ask, lambda answer: getattr(answer, "used", 0) == 2)
        assert {"calls:life": 2} == server.counters("acme")


def test_a_store_that_lost_everything_is_not_decided_on_from_memory(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", store_timeout_ms=5000) as server:
        server.publish_and_wait(CATALOG)
        server.provision("acme", "free")
        for feature in ("calls", "export"):
            assert server.consume("acme", feature).allowed
            store.client.flushall()
            failed = refusal(lambda f=feature: server.consume("acme", f))  # type: ignore[misc]
            assert "UNAVAILABLE NOT_READY: no catalog was published yet" in repr(failed)
            server.wait_ready(False)
            assert 1 == server.publish_and_wait(CATALOG).version.version
            server.provision("acme", "free")


@pytest.mark.parametrize("front", FRONTS)
def test_a_store_that_comes_back_empty_waits_for_a_catalog(store: OwnStore, front: str) -> None:
    store.start()
    with running(store.url, "q", front, **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        assert server.consume("acme", "calls").allowed
        store.kill()
        server.wait_ready(False)

        store.start()
        server.wait_for_store()
        assert "NOT_READY" == refusal(lambda: server.consume("acme", "calls")).reason
        server.publish_and_wait(CATALOG)

        assert 1 == allowed(server).used


@pytest.mark.parametrize("damage", [None, b"\xc1 not a record"])
def test_a_catalog_that_is_lost_or_damaged_is_waited_for(
    store: OwnStore, damage: bytes | None
) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
    name = KeySpace("q").catalog_record(1)
    if damage is None:
        store.client.delete(name)
    else:
        store.client.set(name, damage)

    with running(store.url, "q", **SETTINGS) as server:
        eventually(lambda: failure(server), lambda text: "catalog version" in text)
        assert 2 == server.publish(CATALOG).version.version  # the same again

        assert 1 == allowed(server).used
        store.client.client_kill_filter(_type="normal", skipme=True)
        assert 2 == allowed(server).used


def failure(server: Running) -> str:
    try:
        server.consume("acme", "calls")
    except grpc.RpcError as error:
        return repr(Refusal(error))
    return ""


def test_a_notice_that_is_none_is_no_matter(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        store.client.publish(KeySpace("q").notices, "hello")

        store.client.flushall()  # told only by the thread that has heard the notice

        server.wait_ready(False)


def test_a_customer_whose_record_is_lost_is_a_new_one(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        server.provision("acme", "free")
        assert server.consume("acme", "calls").allowed

        store.client.delete(KeySpace("q").customer("acme").record)
        store.client.delete(KeySpace("q").customer("other").record)

        assert allowed(server).allowed
        server.provision("acme", "free")
        assert allowed(server).allowed


def test_a_connection_that_the_store_has_closed_costs_no_call(
    store: OwnStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.start()
    monkeypatch.setattr(NodeLink, "idle_s", 0.0)
    made = Store(store.url, timeout_ms=5000)
    link = made.connect()
    try:
        assert [None] == link.read(["a"], time.monotonic() + 5)
        store.client.client_kill_filter(_type="normal", skipme=True)

        assert [None] == link.read(["a"], time.monotonic() + 5)
    finally:
        link.close()
        made.close()


def test_an_empty_store_is_marked_again_with_layout_and_shards(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        layout = store.client.hgetall("q:meta")
        assert {b"layout", b"shards"} == set(layout)
        store.kill()
        server.wait_ready(False)

        store.start()

        eventually(lambda: store.client.hgetall("q:meta"), lambda found: found == layout)


def test_flushed_scripts_go_unnoticed(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", store_timeout_ms=5000) as server:
        server.publish_and_wait(CATALOG)
        for used in range(1, 6):
            store.client.script_flush()
            assert used == server.consume("acme", "calls").used
        store.client.script_flush()
        assert 0 < server.provision("acme", "free").epoch
        store.client.script_flush()
        assert 2 == server.publish(CATALOG.replace("1000", "2000")).version.version


def fatal(config: Config) -> str:
    """What a server that cannot work with its store ends with."""
    server = Server(config)
    with server:
        assert server.interrupted(CALL_S)
        with pytest.raises(ConfigError) as error:
            server.wait()
    return str(error.value)


def test_a_store_set_up_otherwise_ends_the_server_with_a_clear_line(store: OwnStore) -> None:
    store.start()
    config = Config(redis_url=store.url, listen="127.0.0.1:0", prefix="q", shards=8)
    with running(store.url, "q", shards=16) as server:
        server.publish_and_wait(CATALOG)

    assert (
        f"shards: the store at {store.url} was set up with 16 shards under prefix 'q', not 8;"
        " set shards to 16" == fatal(config)
    )

    for layout in ("4", "one"):
        store.client.hset("q:meta", "layout", layout)
        assert (
            f"the store at {store.url} holds layout {layout} under prefix 'q';"
            " this quotad reads layouts 1 to 3" == fatal(config)
        )


def test_two_environments_share_a_store_by_their_prefix(store: OwnStore) -> None:
    store.start()
    with (
        running(store.url, "a", shards=4) as first,
        running(store.url, "b", shards=16) as second,
    ):
        first.publish_and_wait(CATALOG)
        second.publish_and_wait(CATALOG.replace("1000", "2000"))

        answers = [server.consume("acme", "calls") for server in (first, second, first)]

        assert [(1000, 1), (2000, 1), (1000, 2)] == [(a.limit, a.used) for a in answers]


def test_a_store_with_foreign_keys_is_reported_and_retried(store: OwnStore) -> None:
    store.start()
    store.client.set("q:meta", "not a hash")
    with running(store.url, "q", **SETTINGS) as server:
        why = eventually(lambda: not_ready_reason(server), lambda why: "WRONGTYPE" in why)
        assert why.startswith("the store at unix://")

        store.client.delete("q:meta")

        server.wait_for_store()


def test_a_replica_is_reported_and_used_when_it_becomes_the_primary(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        assert server.consume("acme", "calls").allowed
        # A replica of nobody: port 1 answers no one.
        store.client.execute_command("REPLICAOF", "127.0.0.1", "1")

        failed = refusal(lambda: server.consume("acme", "calls"))
        assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (failed.code.name, failed.reason)

        store.client.execute_command("REPLICAOF", "NO", "ONE")
        assert 2 == allowed(server).used


def test_a_server_that_starts_on_a_replica_waits_until_it_can_write(store: OwnStore) -> None:
    store.start()
    store.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with running(store.url, "q", **SETTINGS) as server:
        eventually(lambda: not_ready_reason(server), lambda why: "read only" in why)
        store.client.execute_command("REPLICAOF", "NO", "ONE")
        server.publish_and_wait(CATALOG)

        assert allowed(server).allowed


def test_a_full_store_refuses_and_recovers(store: OwnStore) -> None:
    store.start()
    with running(store.url, "q", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")
        store.client.config_set("maxmemory", "1mb")
        store.client.config_set("maxmemory-policy", "noeviction")

        failed = refusal(lambda: server.consume("acme", "calls"))
        assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (failed.code.name, failed.reason)

        store.client.config_set("maxmemory", "0")
        assert 2 == allowed(server).used


@pytest.mark.parametrize(
    ("user", "hint"),
    [(":wrong@", "invalid username-password pair"), ("", "Authentication required")],
    ids=["wrong", "missing"],
)
def test_a_wrong_password_is_reported_without_showing_it(
    store: OwnStore, user: str, hint: str
) -> None:
    store.start()
    store.client.config_set("requirepass", "sesame")
    url = store.url.replace("unix://", f"unix://{user}")
    with running(url, "q", **SETTINGS) as server:
        why = eventually(lambda: not_ready_reason(server), lambda why: hint in why)
        assert "wrong" not in why.replace("WRONGPASS", "")
        status = server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
        assert store.url == status.store

        store.client.execute_command("CONFIG", "SET", "requirepass", "wrong" if user else "")

        server.wait_for_store()
