"""What a server lets through while its store is gone, and that it is counted once afterwards."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import grpc
import pytest

from quotad.config import Config
from quotad.store import KeySpace, Store
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from quotad.valkey_cluster import free_ports
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.running import (
    CALL_S,
    Caller,
    Refusal,
    eventually,
    read_counters,
    refusal,
    running,
)

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


def answer(server: Caller, feature: str, is_fallback: bool, **fields: Any) -> Any:
    """Ask until the answer comes from where it should: the first call that finds the store gone,
    or back, may be UNAVAILABLE."""

    def ask() -> Any:
        try:
            return server.consume("acme", feature, **fields)
        except grpc.RpcError as error:
            return Refusal(error)

    return eventually(ask, lambda found: getattr(found, "is_fallback", None) is is_fallback)


def fallback(server: Caller, feature: str = "calls", **fields: Any) -> Any:
    return answer(server, feature, True, **fields)


def status_of(server: Caller) -> str:
    """What an operator is told of the store."""
    found = server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
    return "\n".join(found.store_warnings)


def config(store: OwnStore, **settings: Any) -> Config:
    return Config(
        redis_url=store.url, prefix="q", front="native", listen="127.0.0.1:0", shards=8, **settings
    )


def by_feature(found: dict[str, int]) -> dict[str, int]:
    return {name.split(":")[0]: value for name, value in found.items()}


def test_what_is_let_through_is_counted_once_when_the_store_is_back(
    store: OwnStore, tmp_path: Path
) -> None:
    with running(store.url, "q", "native", journal=str(tmp_path / "j"), **SETTINGS) as server:
        server.publish_and_wait(CATALOG)
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
        eventually(lambda: list((tmp_path / "j").glob("*.journal")), lambda found: not found)
        assert 11 == answer(server, "calls", False, mode=pb.MODE_CHECK_ONLY).used


def test_a_server_that_is_killed_leaves_its_journal_to_the_next(
    store: OwnStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
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

    caplog.set_level(logging.INFO, "quotad.journal")
    with running(store.url, "q", "native", **settings) as server:
        eventually(lambda: caplog.text, lambda text: "a process that has ended: 1 call" in text)
        store.start(appendonly="yes")
        server.wait_ready()
        eventually(lambda: by_feature(counters(store)), lambda found: found == {"mails": 6})
        eventually(lambda: list((tmp_path / "j").glob("*.journal")), lambda found: not found)


def get(url: str, body: str = "") -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer over HTTP."""
    data = body.encode() if body else None
    try:
        with urlopen(Request(url, data, {"content-type": "application/json"})) as found:
            return found.status, dict(found.headers), found.read().decode()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()
    except URLError:  # it does not listen yet
        return 0, {}, ""


def test_a_server_of_several_workers_stays_ready_says_why_and_divides_the_share(
    store: OwnStore, tmp_path: Path
) -> None:
    http, ops = (f"127.0.0.1:{port}" for port in free_ports(2))
    settings = SETTINGS | {"workers": 2, "http": http, "ops": ops, "journal": str(tmp_path / "j")}
    with serve(store.url, "q", "grpcio", **settings) as server:
        server.publish(CATALOG)
        server.wait_ready()
        body = '{"customer_id": "acme", "feature_id": "seats"}'
        # Of a feature that takes nothing of a share while the store is slow.
        warm = body.replace("seats", "strict")
        eventually(
            lambda: get(f"http://{http}/v1/consume", warm), lambda found: "ratelimit" in found[1]
        )
        store.kill()

        # 50 % of 10, divided by two workers of gRPC and one of HTTP, rounded down.
        assert 1 == fallback(server, "seats").limit
        _, headers, text = eventually(
            lambda: get(f"http://{http}/v1/consume", body), lambda found: found[0] == 200
        )
        answer = json.loads(text)
        assert (True, True, 1) == (answer["allowed"], answer["is_fallback"], answer["limit"])
        assert "ratelimit" not in headers
        _, headers, text = get(f"http://{http}/v1/consume", body)
        assert ("1", False) == (headers["retry-after"], json.loads(text)["allowed"])
        strict = get(f"http://{http}/v1/consume", warm)
        assert (503, "1") == (strict[0], strict[1]["retry-after"])

        eventually(
            lambda: get(f"http://{ops}/readyz"),
            lambda found: (
                found[0] == 200
                and "store: the store at" in found[2]
                and "by on_store_failure, and others UNAVAILABLE" in found[2]
            ),
        )
        assert "calls on 'calls', 'mails', 'seats', 'export' are answered" in status_of(server)
        lines = {
            'quotad_fallback_calls_total{edge="http",outcome="allowed"} 1',
            'quotad_journal_unsettled_entries{edge="grpc"} 1',
        }
        eventually(
            lambda: get(f"http://{ops}/metrics")[2], lambda text: lines <= set(text.split("\n"))
        )
        store.start(appendonly="yes")
        eventually(
            lambda: by_feature(counters(store)), lambda found: found == {"seats": 2, "strict": 1}
        )
        eventually(
            lambda: get(f"http://{ops}/metrics")[2],
            lambda text: 'quotad_journal_settled_total{edge="http",outcome="counted"} 1' in text,
        )


def test_a_server_without_a_journal_says_that_policies_are_as_good_as_deny(
    store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    with running(store.url, "q", "native", **SETTINGS) as server:
        server.publish_and_wait(CATALOG)

        told = "on_store_failure of 'calls', 'mails', 'seats', 'export' is as good as deny: this"
        assert told in status_of(server)
        assert told in caplog.text
        store.kill()
        assert "UNAVAILABLE" == refusal(lambda: server.consume("acme", "calls")).code.name
        server.wait_ready(False)
