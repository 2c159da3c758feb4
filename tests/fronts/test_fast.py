"""What only the fast front does."""

import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import grpc
import pytest

from quotad.fronts import kinds
from quotad.fronts.interface import MESSAGE_BYTES_MAX
from tests.fronts.serving import BESIDE, METHODS, Serving, serving
from tests.rawhttp2 import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    Connection,
    headers,
)
from tests.running import CALL_S, eventually

pytestmark = pytest.mark.skipif(
    not kinds.is_installed("fast"), reason="the fast front is not installed (make front)"
)

CANCEL = struct.pack(">I", 8)


@pytest.fixture
def served() -> Iterator[Serving]:
    with serving("fast") as made:
        yield made


def counted(served: Serving, name: str) -> int:
    return served.front.counters()[name]


def message(body: bytes) -> bytes:
    return struct.pack(">BI", 0, len(body)) + body


def test_a_burst_of_calls_that_are_given_up_ends_no_other_call_of_its_connection(
    served: Serving,
) -> None:
    served.decide()
    head, frame = headers(METHODS[0]), Connection.frame
    with Connection(served.front.address) as raw:
        burst = [
            frame(HEADERS, END_HEADERS, stream, head) + frame(RST_STREAM, 0, stream, CANCEL)
            for stream in range(3, 10_003, 2)
        ]
        raw.send_frames(frame(HEADERS, END_HEADERS, 1, head), *burst)
        raw.send_frames(frame(0, END_STREAM, 1, message(b"patient")))
        assert message(b"0:patient") == raw.wait_for(0)

        raw.send_frames(frame(HEADERS, END_HEADERS, 10_003, head))
        raw.send_frames(frame(0, END_STREAM, 10_003, message(b"after it")))
        eventually(raw.read, lambda _: len([1 for kind, _, _ in raw.frames if kind == 0]) == 2)
        assert message(b"0:after it") == [data for kind, _, data in raw.frames if kind == 0][1]


def test_a_call_that_its_client_has_given_up_is_not_handed_out(served: Serving) -> None:
    given_up = served.call(b"given up")
    eventually(lambda: counted(served, "calls"), lambda count: count == 1)
    given_up.cancel()
    # The same connection: what it sends is looked at in order.
    kept = served.call(b"kept")
    eventually(lambda: counted(served, "calls"), lambda count: count == 2)

    [call] = served.take(1)
    served.front.answer([(call.call_id, b"done")])

    assert (b"kept", b"done") == (call.request, kept.result())
    eventually(lambda: counted(served, "calls_given_up"), lambda count: count == 1)
    assert 0 == counted(served, "calls_open")


def test_a_call_is_ended_at_its_deadline_also_for_a_client_that_does_not_end_it(
    served: Serving,
) -> None:
    head, frame = headers(METHODS[0], grpc_timeout="100m"), Connection.frame
    with Connection(served.front.address) as raw:
        raw.send_frames(frame(HEADERS, END_HEADERS, 1, head))
        raw.send_frames(frame(0, END_STREAM, 1, message(b"whole")))
        raw.send_frames(frame(HEADERS, END_HEADERS, 3, head))
        raw.send_frames(frame(0, 0, 3, message(b"half of it")[:7]))

        eventually(raw.read, lambda _: {1, 3} <= {s for kind, s, _ in raw.frames if kind == 1})

    served.decide()
    assert b"0:x" == served.call().result(), "late calls are not handed out"
    assert 1 == counted(served, "calls_refused")


@pytest.mark.parametrize(
    "damaged",
    [
        b"\xff" * 64,
        Connection.frame(0, END_STREAM, 0, b"data of no stream"),
        Connection.frame(HEADERS, END_HEADERS, 3, b"\xff\xff\xff\xff no header block"),
        Connection.frame(8, 0, 0, b"\0" * 4),
        b"\xff\xff\xff" + bytes([0, 0]) + struct.pack(">I", 3),
    ],
    ids=["noise", "no stream", "headers", "window of nothing", "too long"],
)
def test_a_damaged_frame_ends_its_connection_and_nothing_else(
    served: Serving, damaged: bytes
) -> None:
    beside = served.call(b"beside")
    with Connection(served.front.address) as raw:
        raw.send_message(headers(METHODS[0]), message(b"of the same connection"))
        calls = served.take(2)
        raw.send_frames(damaged)
        raw.wait_for_close()
        served.front.answer([(call.call_id, call.request) for call in calls])

        assert b"beside" == beside.result()
    served.decide()
    assert b"0:x" == served.call().result()
    eventually(lambda: counted(served, "connections_open"), lambda count: count == 1)


def test_a_message_that_is_too_large_is_refused_by_its_length(served: Serving) -> None:
    served.decide()
    frame = Connection.frame
    with Connection(served.front.address) as raw:
        raw.send_frames(frame(HEADERS, END_HEADERS, 1, headers(METHODS[0])))
        raw.send_frames(frame(0, 0, 1, struct.pack(">BI", 0, MESSAGE_BYTES_MAX + 1)))

        raw.wait_for(HEADERS)


def test_a_compressed_request_is_refused_without_a_look_into_it(served: Serving) -> None:
    served.decide()
    method = served.channel.unary_unary(METHODS[0])

    call = method.future(b"x" * 100, timeout=CALL_S, compression=grpc.Compression.Gzip)

    assert grpc.StatusCode.UNIMPLEMENTED == call.code()
    assert b"0:x" == served.call().result()


def test_clients_are_asked_to_go_elsewhere_when_a_drain_begins(served: Serving) -> None:
    with Connection(served.front.address) as raw:
        raw.send_message(headers(METHODS[0]), message(b"x"))
        [call] = served.take(1)

        served.drain()

        raw.wait_for(GOAWAY)
        served.front.answer([(call.call_id, b"in time")])
        assert message(b"in time") == raw.wait_for(0)


def test_a_connection_that_ends_takes_in_what_its_client_still_sends(served: Serving) -> None:
    """One that is closed on unread bytes is reset, and answers on their way are lost with it."""
    ping = Connection.frame(PING, 0, 0, b"8 bytes.")
    with Connection(served.front.address) as raw:
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        raw.send_frames(Connection.frame(PING, ACK, 0, raw.wait_for(PING)))
        raw.wait_for_close()
        raw.send_frames(ping)
        raw.send_frames(ping)  # fails where the first was answered by a reset
    stopping.join(CALL_S)
    assert not stopping.is_alive()


def test_calls_connections_and_bytes_are_counted(served: Serving) -> None:
    served.decide()
    futures = [served.call(bytes(1000)) for _ in range(10)]
    assert [1002] * 10 == [len(future.result()) for future in futures]
    assert b"beside:x" == served.call(path=BESIDE).result()

    assert (10, 1, 0, 1) == tuple(
        counted(served, name)
        for name in ("calls", "calls_passed_on", "calls_open", "connections_open")
    )
    assert counted(served, "bytes_in") > 10_000
    assert counted(served, "bytes_out") > 10_000


def test_a_bug_ends_the_process_with_one_line() -> None:
    code = "import quotad_front; quotad_front.fail_on_purpose()"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=CALL_S
    )

    assert -signal.SIGABRT == done.returncode
    [line] = done.stderr.splitlines()
    assert line.startswith("quotad-front: ")
    assert line.endswith("on purpose; this is a bug, and the process ends")
