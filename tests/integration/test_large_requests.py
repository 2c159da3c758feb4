"""Requests that inflate, and calls beyond what a connection may have open."""

import struct
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.processes import children_of
from tests.rawhttp2 import (
    CHECK_AND_CONSUME,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    REFUSED_STREAM,
    RST_STREAM,
    Connection,
    headers,
)
from tests.running import CALL_S, FRONTS, refusal, running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 1000000}}}}
"""

GET_STATUS = "/quotad.v1.AdminService/GetStatus"

MB = 1024 * 1024
INFLATED_MB = 60


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


def most_memory_mb(pid: int) -> int:
    """The most that a process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@pytest.mark.parametrize("front", FRONTS)
def test_requests_that_inflate_to_more_than_a_message_may_have_are_refused(
    store: OwnStore, front: str
) -> None:
    with serve(store.url, "q", front) as server:
        server.publish(CATALOG)
        server.wait_ready()
        [worker] = children_of(server.process.pid)

        def growth_mb(path: str, code: grpc.StatusCode) -> int:
            before = most_memory_mb(worker.number)
            failed = refusal(lambda: _send_compressed(server, path))
            assert code == failed.code
            return most_memory_mb(worker.number) - before

        too_large = grpc.StatusCode.RESOURCE_EXHAUSTED
        assert growth_mb(GET_STATUS, too_large) < INFLATED_MB / 2
        # The fast front takes no compressed requests of hot methods. What the native front decides
        # itself is only measured once it is inflated.
        code = grpc.StatusCode.UNIMPLEMENTED if front == "fast" else too_large
        grown_mb = growth_mb(CHECK_AND_CONSUME, code)
        assert (front != "native") == (grown_mb < INFLATED_MB / 2)
        assert server.consume("acme", "calls").allowed


def _send_compressed(server: ServerProcess, path: str) -> bytes:
    call = server.channel.unary_unary(path)
    body = bytes(INFLATED_MB * MB)
    answer: bytes = call(body, timeout=CALL_S, compression=grpc.Compression.Gzip)
    return answer


@pytest.mark.parametrize("front", FRONTS)
def test_calls_beyond_those_that_a_connection_may_have_open_are_refused_and_no_others(
    store: OwnStore, front: str
) -> None:
    body = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls").SerializeToString()
    message = struct.pack(">BI", 0, len(body)) + body
    with running(store.url, "q", front, max_concurrent_streams=5) as server:
        server.publish_and_wait(CATALOG)
        with Connection(server.server.address) as greedy:
            while not greedy.settings_kept:
                assert greedy.read()
            greedy.send_frames(
                *(
                    greedy.frame(HEADERS, END_HEADERS, stream, headers())
                    for stream in range(1, 41, 2)
                )
            )
            refused = {stream: struct.pack(">I", REFUSED_STREAM) for stream in range(11, 41, 2)}
            while greedy.of(RST_STREAM) != refused:
                assert greedy.read()

            greedy.send_frames(
                *(greedy.frame(DATA, END_STREAM, stream, message) for stream in range(1, 11, 2))
            )

            while len(greedy.of(DATA)) < 5:
                assert greedy.read()
            assert refused == greedy.of(RST_STREAM)
        assert {"calls:life": 5} == server.counters("acme")
