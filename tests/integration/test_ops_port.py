"""The port for operators of a running server: whether it lives, is ready, and what it counted."""

import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from select import select
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from quotad.config import Config
from quotad.ops.listener import CONNECTIONS_MAX, HEAD_BYTES_MAX
from quotad.server.ops import readyz
from quotad.server.workers import Workers
from quotad.v1 import admin_pb2
from tests.exposed import samples
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.running import CALL_S, eventually

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}, exports: {type: boolean}}
plans: {free: {entitlements: {calls: {limit: 2}}}}
"""


class Ops:
    """A server with a port for operators."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        found = eventually(
            lambda: re.search(r"listening on (\S+) for operators", "".join(server.log)), bool
        )
        assert found is not None
        self.address = found[1]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=CALL_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self) -> dict[tuple[str, ...], float]:
        return samples(self.get("/metrics")[1])

    def metric(self, name: str, *labels: str) -> float:
        return self.metrics().get((name, *labels), 0)

    def raw(self, request: bytes) -> bytes:
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=CALL_S) as line:
            line.sendall(request)
            return b"".join(iter(lambda: line.recv(65_536), b""))


@pytest.fixture(scope="module")
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start(appendonly="yes")
        yield made


@pytest.fixture(scope="module")
def ops(store: OwnStore) -> Iterator[Ops]:
    with serve(
        store.url, "ops", "auto", ops="127.0.0.1:0", http="127.0.0.1:0", store_timeout_ms=1000
    ) as server:
        server.wait_for_store()
        made = Ops(server)
        assert made.get("/readyz")[0] == 503
        missing = "store: ok\ncatalog: no catalog was published yet"
        eventually(lambda: made.get("/readyz")[1], lambda text: missing in text)
        server.publish(CATALOG)
        eventually(lambda: made.get("/readyz"), lambda answer: answer[0] == 200)
        yield made


def test_a_server_lives_and_is_ready_part_by_part(ops: Ops) -> None:
    assert (200, "ok\n") == ops.get("/livez")
    wanted = (
        "ready\nstore: ok\ncatalog: ok\ngrpc workers: 1 of 1 ready\nhttp workers: 1 of 1 ready\n"
    )
    assert (200, wanted) == eventually(lambda: ops.get("/readyz"), lambda a: a == (200, wanted))


def test_decisions_are_counted_by_feature_reason_and_edge(ops: Ops) -> None:
    for feature_id in ("calls", "calls", "calls", "exports", "made-up", "made-up-too"):
        ops.server.consume("acme", feature_id)

    def decided(feature: str, reason: str) -> float:
        labels = ("edge=grpc", f"feature={feature}", f"reason={reason}")
        return ops.metric("quotad_decisions_total", *labels)

    eventually(lambda: decided("other", "FEATURE_NOT_FOUND"), lambda count: count == 2)
    assert 2 == decided("calls", "WITHIN_LIMIT")
    assert 1 == decided("calls", "LIMIT_EXCEEDED")
    assert 1 == decided("exports", "NOT_ENTITLED")
    assert not any("made-up" in "".join(name) for name in ops.metrics())


def test_batches_are_timed_by_phase_and_what_they_missed_is_counted(ops: Ops) -> None:
    for i in range(16):
        ops.server.consume(f"new-{i}", "calls")

    def timed(phase: str) -> float:
        return ops.metric("quotad_batch_seconds_count", "edge=grpc", f"phase={phase}")

    eventually(lambda: timed("encode"), lambda count: count >= 1)
    found = ops.metrics()
    assert timed("plan") >= timed("store") >= 1 <= timed("fold")
    assert 0 < found["quotad_batch_seconds_sum", "edge=grpc", "phase=store"] < CALL_S
    assert 8 <= found["quotad_batch_size_count", "edge=grpc"]
    assert 8 <= found["quotad_customers_read_total", "edge=grpc"]
    assert 0 == found["quotad_tokens_refused_total", "edge=grpc"]


def test_no_metric_names_a_customer(ops: Ops) -> None:
    ops.server.provision("somebody", "free")
    ops.server.consume("somebody", "calls")

    assert "somebody" not in ops.get("/metrics")[1]
    assert "acme" not in ops.get("/metrics")[1]


def test_the_catalog_and_the_workers_are_told(ops: Ops) -> None:
    found = eventually(ops.metrics, lambda m: m["quotad_catalog_version", "edge=grpc"] == 1)

    assert 1 == found["quotad_catalog_version", "edge=http"]
    assert 0 < found["quotad_catalog_published_timestamp_seconds", "edge=grpc"]
    for edge in ("grpc", "http"):
        assert 1 == found["quotad_workers", f"edge={edge}"]
        assert 1 == found["quotad_workers_ready", f"edge={edge}"]
        assert 0 == found["quotad_store_breaker_open_workers", f"edge={edge}"]
        assert 10_000_000 < found["quotad_worker_memory_bytes", f"edge={edge}"]


def test_what_a_killed_worker_has_counted_stays_and_its_end_is_counted(ops: Ops) -> None:
    ops.server.consume("acme", "exports")
    labels = ("edge=grpc", "feature=exports", "reason=NOT_ENTITLED")
    before = eventually(lambda: ops.metric("quotad_decisions_total", *labels), bool)
    restarts = ("quotad_worker_restarts_total", "edge=grpc", "why=failed")
    failed = ops.metric(*restarts)
    status = ops.server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)

    os.kill(status.pid, signal.SIGKILL)
    eventually(lambda: ops.metric(*restarts), lambda count: count == failed + 1)
    eventually(lambda: ops.get("/readyz"), lambda answer: answer[0] == 200)

    assert before <= ops.metric("quotad_decisions_total", *labels)
    assert 0 == ops.metric("quotad_worker_restarts_total", "edge=grpc", "why=planned")


def test_a_store_that_may_lose_what_is_counted_is_told_by_page_and_metric(
    store: OwnStore, ops: Ops
) -> None:
    unsafe = ("quotad_store_unsafe", "edge=grpc", "problem=no_fsync")
    assert 0 == ops.metric(*unsafe)
    assert 0 == ops.metric("quotad_store_unsafe", "edge=grpc", "problem=no_aof")

    store.client.config_set("appendfsync", "no")
    try:
        eventually(lambda: ops.metric(*unsafe), lambda workers: workers == 1)
        eventually(lambda: ops.get("/readyz")[1], lambda text: "warning: the store leaves" in text)
        assert 200 == ops.get("/readyz")[0]
    finally:
        store.client.config_set("appendfsync", "everysec")
    eventually(lambda: ops.get("/readyz")[1], lambda text: "warning" not in text)


def test_a_store_that_is_gone_is_named_and_the_port_answers(store: OwnStore, ops: Ops) -> None:
    store.stop()
    try:
        gone = eventually(lambda: ops.get("/readyz"), lambda answer: answer[0] == 503)[1]
        assert gone.startswith("not ready\nstore: the store at unix://")
        assert "grpc workers: 0 of 1 ready" in eventually(
            lambda: ops.get("/readyz")[1], lambda text: "grpc workers: 0 of 1" in text
        )
        assert 200 == ops.get("/livez")[0]
        name = ("quotad_store_breaker_open_workers", "edge=grpc")
        eventually(lambda: ops.metric(*name), lambda workers: workers == 1)
        with pytest.raises(grpc.RpcError):
            ops.server.consume("acme", "calls")
        refused = ("quotad_store_errors_total", "edge=grpc", "kind=not_ready")
        eventually(lambda: ops.metric(*refused), bool)
    finally:
        store.start(appendonly="yes")
    eventually(lambda: ops.get("/readyz"), lambda answer: answer[0] == 200)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez?probe=1 HTTP/1.1\r\nhost: x\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /livez HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"HEAD /livez HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /secret HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"POST /livez HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", b"HTTP/1.1 405 Method"),
        (b"\r\n\r\n", b"HTTP/1.1 405 Method"),
        (b"\xff\xfe nonsense\r\n\r\n", b"HTTP/1.1 405 Method"),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 3 * HEAD_BYTES_MAX, b"HTTP/1.1 431 Request Header"),
    ],
)
def test_whatever_is_asked_gets_one_answer_and_the_connection_ends(
    ops: Ops, request_: bytes, status: bytes
) -> None:
    answer = ops.raw(request_)

    assert answer.startswith(status), answer
    assert answer.endswith(b"\r\n\r\n") == request_.startswith(b"HEAD")


def test_connections_beyond_the_bound_are_closed_and_the_others_answered(ops: Ops) -> None:
    host, _, port = ops.address.rpartition(":")
    lines = [socket.create_connection((host, int(port))) for _ in range(CONNECTIONS_MAX + 8)]
    try:
        ended = eventually(lambda: select(lines, [], [], 0)[0], lambda found: len(found) >= 8)
        assert [b""] * 8 == [line.recv(1) for line in ended]
    finally:
        for line in lines:
            line.close()
    eventually(lambda: _alive(ops), bool)


def test_a_server_that_stops_is_not_ready_and_says_why() -> None:
    workers = Workers(Config())
    assert readyz(workers).text.startswith("not ready\nstore: not looked at yet\n")

    workers.interrupt()

    assert HTTPStatus.SERVICE_UNAVAILABLE == readyz(workers).status
    assert readyz(workers).text.startswith("stopping\n")


@pytest.mark.parametrize(
    ("ready", "status"),
    [
        ({"grpc", "http", "dashboard"}, HTTPStatus.OK),
        ({"grpc", "http"}, HTTPStatus.OK),  # a broken dashboard takes no calls away
        ({"grpc", "dashboard"}, HTTPStatus.SERVICE_UNAVAILABLE),
        ({"http", "dashboard"}, HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_a_server_is_ready_when_calls_are_answered_on_every_edge(
    ready: set[str], status: HTTPStatus
) -> None:
    workers = Workers(Config(http="127.0.0.1:1", dashboard="127.0.0.1:2"))
    for edge, slots in workers.slots.items():
        for slot in slots:
            worker: Any = SimpleNamespace(ready=edge in ready, report=None)
            slot.worker = worker

    page = readyz(workers)

    assert status == page.status
    assert f"dashboard workers: {int('dashboard' in ready)} of 1 ready" in page.text


def test_an_address_that_is_taken_is_one_line_and_the_end(store: OwnStore, ops: Ops) -> None:
    refused = re.escape(f"ops: cannot listen on {ops.address}")
    with (
        pytest.raises(AssertionError, match=refused),
        serve(store.url, "ops", "auto", ops=ops.address),
    ):
        pass


def _alive(ops: Ops) -> bool:
    try:
        return ops.get("/livez")[0] == 200
    except OSError:
        return False
