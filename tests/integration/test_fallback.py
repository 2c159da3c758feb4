"""What a server lets through while its store is gone, and that it is counted once afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from quotad.config import Config
from quotad.store import KeySpace, Store
from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.running import Refusal, eventually, read_counters, refusal

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, on_store_failure: allow}
  mails: {type: metered, on_store_failure: {local: 10 %}}
  seats: {type: metered, kind: gauge, on_store_failure: {local: 50 %}}
  export: {type: boolean, on_store_failure: allow}
  strict: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: month}
      mails: {limit: 50, per: month}
      seats: {limit: 10}
      export: true
      strict: {limit: 100}
"""
SETTINGS: dict[str, Any] = {"store_timeout_ms": 250, "drain_timeout_ms": 500}


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start(appendonly="yes", appendfsync="always")
        yield made


def counters(store: OwnStore, customer_id: str = "acme") -> dict[str, int]:
    opened = Store(store.url, timeout_ms=10_000)
    keys = KeySpace("q", shards=8)
    try:
        return read_counters(opened, keys, customer_id)
    finally:
        opened.close()


def answer(server: ServerProcess, feature: str, is_fallback: bool, **fields: Any) -> Any:
    """Ask until the answer comes from where it should: the first call that finds the store gone,
    or back, may be UNAVAILABLE."""

    def ask() -> Any:
        try:
            return server.consume("acme", feature, **fields)
        except grpc.RpcError as error:
            return Refusal(error)

    return eventually(ask, lambda found: getattr(found, "is_fallback", None) is is_fallback)


def fallback(server: ServerProcess, feature: str = "calls", **fields: Any) -> Any:
    return answer(server, feature, True, **fields)


def config(store: OwnStore, **settings: Any) -> Config:
    return Config(
        redis_url=store.url, prefix="q", front="native", listen="127.0.0.1:0", shards=8, **settings
    )


def by_feature(found: dict[str, int]) -> dict[str, int]:
    return {name.split(":")[0]: value for name, value in found.items()}


def test_what_is_let_through_is_counted_once_when_the_store_is_back(
    store: OwnStore, tmp_path: Path
) -> None:
    with serve(store.url, "q", "native", journal=str(tmp_path / "j"), **SETTINGS) as server:
        server.publish(CATALOG)
        server.wait_ready()
        assert 1 == server.consume("acme", "calls").used
        store.kill()

        let_through = [fallback(server, quantity=2) for _ in range(5)]
        denied = refusal(lambda: server.consume("acme", "strict"))

        assert all(each.allowed for each in let_through)
        assert [2, 4, 6, 8, 10] == [each.used for each in let_through]
        assert server.consume("acme", "export").is_fallback
        assert "UNAVAILABLE" == denied.code.name
        store.start(appendonly="yes")
        eventually(lambda: by_feature(counters(store)), lambda found: found == {"calls": 11})
        eventually(lambda: list((tmp_path / "j").iterdir()), lambda found: not found)
        assert 11 == answer(server, "calls", False, mode=pb.MODE_CHECK_ONLY).used


def test_a_server_that_is_killed_leaves_its_journal_to_the_next(
    store: OwnStore, tmp_path: Path
) -> None:
    settings = SETTINGS | {"journal": str(tmp_path / "j")}
    killed = ServerProcess(config(store, **settings))
    killed.publish(CATALOG)
    killed.wait_ready()
    killed.consume("acme", "mails")
    store.kill()
    assert 5 == fallback(killed, "mails", quantity=5).used
    denied = killed.consume("acme", "mails")
    assert (False, pb.REASON_LIMIT_EXCEEDED, True) == (
        denied.allowed,
        denied.reason,
        denied.is_fallback,
    )
    killed.kill()

    with serve(store.url, "q", "native", **settings) as server:
        store.start(appendonly="yes")
        server.wait_ready()
        eventually(lambda: by_feature(counters(store)), lambda found: found == {"mails": 6})
        eventually(lambda: list((tmp_path / "j").iterdir()), lambda found: not found)
        assert any("left by a process that has ended: 1 call" in line for line in server.log)
