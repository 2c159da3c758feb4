"""What a client may take of the fast front, each bound by what happens beyond it."""

import socket
import struct
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from quotad.errors import RETRY_AFTER_MS
from quotad.fronts import kinds
from quotad.fronts.interface import Bounds, TlsFiles
from quotad.fronts.status import PUSHBACK_KEY, RETRY_AFTER_KEY
from tests.fronts.serving import METHODS, Serving, serving
from tests.rawhttp2 import (
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    Connection,
    headers,
)
from tests.running import CALL_S, Refusal, eventually

pytestmark = pytest.mark.skipif(
    not kinds.is_installed("fast"), reason="the fast front is not installed (make front)"
)

CERT = str(Path(__file__).parents[1] / "fixtures" / "tls" / "localhost.pem")
CANCEL = struct.pack(">I", 8)
PING = 6


def bounded(**bounds: Any) -> Any:
    return serving("fast", bounds=Bounds(**bounds))


def message(body: bytes) -> bytes:
    return struct.pack(">BI", 0, len(body)) + body


def connect(served: Serving) -> socket.socket:
    host, _, port = served.front.address.rpartition(":")
    return socket.create_connection((host, int(port)), CALL_S)


def is_greeted(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1))
    except ConnectionError:
        return False


def refused(call: Any) -> str:
    assert grpc.StatusCode.OK != call.code()
    return repr(Refusal(call))


def test_connections_of_one_address_are_bounded() -> None:
    with bounded(max_connections_per_peer=2) as served, ExitStack() as stack:
        made = [stack.enter_context(closing(connect(served))) for _ in range(4)]
        assert [True, True, False, False] == [is_greeted(each) for each in made]
        assert 2 == served.front.counters()["connections_refused"]

        made[0].close()
        made[1].close()
        served.decide()

        assert b"0:x" == served.call().result()


def test_connections_are_bounded_in_all() -> None:
    with serving("fast", connections_max=3) as served, ExitStack() as stack:
        made = [stack.enter_context(closing(connect(served))) for _ in range(5)]

        assert [True, True, True, False, False] == [is_greeted(each) for each in made]


def test_a_call_with_too_many_headers_is_refused_and_none_beside_it() -> None:
    with bounded(max_header_bytes=2_000) as served, Connection(served.front.address) as raw:
        served.decide()
        many = {f"x-{i}": "x" * 100 for i in range(40)}
        raw.send_frames(
            raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, headers(METHODS[0], **many))
        )
        raw.send_frames(raw.frame(HEADERS, END_HEADERS, 3, headers(METHODS[0])))
        raw.send_frames(raw.frame(0, END_STREAM, 3, message(b"few")))

        assert message(b"0:few") == raw.wait_for(0)
        assert 1 == served.front.counters()["calls"]


def test_requests_that_one_connection_has_under_way_are_bounded() -> None:
    with bounded(max_held_mb=1) as served:
        first = served.call(bytes(150_000))
        [taken] = served.take(1)

        second = served.call(bytes(150_000))

        assert "RESOURCE_EXHAUSTED None: too many bytes of requests" in refused(second)
        trailers = dict(second.trailing_metadata())
        assert [str(RETRY_AFTER_MS)] * 2 == [trailers[RETRY_AFTER_KEY], trailers[PUSHBACK_KEY]]
        served.front.answer([(taken.call_id, b"done")])
        assert b"done" == first.result()
        served.decide()
        assert b"0:" + bytes(150_000) == served.call(bytes(150_000)).result()


def test_answers_that_are_not_read_are_bounded() -> None:
    with bounded(max_held_mb=1) as served, Connection(served.front.address) as raw:
        served.decide(lambda _: bytes(150_000))

        # Three answers are more than the window that this client never opens further.
        for stream in (1, 3, 5, 7):
            raw.send_frames(raw.frame(HEADERS, END_HEADERS, stream, headers(METHODS[0])))
            raw.send_frames(raw.frame(0, END_STREAM, stream, message(b"x")))
            answered = {stream}
            eventually(
                raw.read,
                lambda _, answered=answered: (  # type: ignore[misc]
                    answered <= {of for kind, of, _ in raw.frames if kind == HEADERS}
                ),
            )

        assert 0 < served.front.counters()["calls_refused"] < 4


def test_resets_of_a_connection_are_bounded_by_the_second() -> None:
    with bounded(max_resets_per_second=50) as served, Connection(served.front.address) as raw:
        served.decide()
        head = headers(METHODS[0])
        burst = [
            raw.frame(HEADERS, END_HEADERS, stream, head) + raw.frame(RST_STREAM, 0, stream, CANCEL)
            for stream in range(1, 801, 2)
        ]
        raw.send_frames(*burst)
        streams = iter(range(1001, 100_001, 2))

        def call() -> bool:
            """Whether a call on the same connection is answered, not refused."""
            stream = next(streams)
            raw.send_frames(raw.frame(HEADERS, END_HEADERS, stream, head))
            raw.send_frames(raw.frame(0, END_STREAM, stream, message(b"x")))
            eventually(
                raw.read, lambda _: any(stream == of for kind, of, _ in raw.frames if kind == 1)
            )
            return any(stream == of for kind, of, _ in raw.frames if kind == 0)

        eventually(call, bool)

        assert served.front.counters()["calls_refused"] > 0
        assert b"0:x" == served.call().result(), "another connection is none of its business"


@pytest.mark.parametrize("tls", [None, TlsFiles(CERT, CERT)], ids=["in the clear", "TLS"])
def test_a_client_that_does_not_greet_is_let_go(tls: TlsFiles | None) -> None:
    bounds = Bounds(client_timeout_ms=200)
    with serving("fast", bounds=bounds, tls=tls) as served, closing(connect(served)) as silent:
        while silent.recv(1000):
            pass


def test_a_request_that_does_not_arrive_whole_is_ended() -> None:
    with (
        bounded(client_timeout_ms=200) as served,
        Connection(served.front.address) as raw,
    ):
        raw.send_frames(raw.frame(HEADERS, END_HEADERS, 1, headers(METHODS[0])))
        raw.send_frames(raw.frame(0, 0, 1, message(b"half of it")[:7]))

        raw.wait_for(HEADERS)


def test_a_client_without_calls_is_asked_to_leave_and_let_go_if_it_does_not() -> None:
    with (
        bounded(idle_timeout_ms=100, client_timeout_ms=300) as served,
        Connection(served.front.address) as raw,
    ):
        raw.wait_for(GOAWAY)
        raw.wait_for_close()


def test_a_client_with_a_call_is_not_idle() -> None:
    with bounded(idle_timeout_ms=100, client_timeout_ms=100) as served:
        future = served.call()
        [call] = served.take(1)
        with Connection(served.front.address) as other:
            other.wait_for_close()  # as idle, and older than the call

        served.front.answer([(call.call_id, b"in its own time")])

        assert b"in its own time" == future.result()


def test_a_silent_client_is_pinged_and_let_go_if_it_does_not_answer() -> None:
    with (
        bounded(keepalive_ms=100, client_timeout_ms=300) as served,
        Connection(served.front.address) as raw,
    ):
        raw.wait_for(PING)
        raw.wait_for_close()


def test_an_old_connection_is_replaced_without_a_lost_call() -> None:
    with bounded(max_connection_age_ms=100) as served:
        served.decide()

        def call() -> int:
            assert b"0:x" == served.call().result()
            counters: dict[str, int] = served.front.counters()
            return counters["connections"]

        eventually(call, lambda connections: connections > 2)
