"""One connection of the load generator against a peer that speaks raw frames."""

import pytest

from loadtests.bench import frames
from loadtests.bench.connection import read_batch
from loadtests.bench.traffic import Traffic
from quotad.v1 import quota_pb2 as pb
from tests.loadtests.conftest import OpenPeer

STREAMS = frames.SETTINGS_MAX_CONCURRENT_STREAMS
WINDOW = frames.SETTINGS_INITIAL_WINDOW_SIZE
TRAILERS = frames.END_STREAM | frames.END_HEADERS


def answer(stream_id: int, response: pb.CheckAndConsumeResponse) -> bytes:
    message = frames.grpc_message(response.SerializeToString())
    head = frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, b"h")
    data = frames.frame(frames.DATA, 0, stream_id, message)
    return head + data + frames.frame(frames.HEADERS, TRAILERS, stream_id, b"t")


def test_never_more_calls_in_flight_than_the_peer_takes(open_peer: OpenPeer) -> None:
    """MAX_CONCURRENT_STREAMS below our own number holds, and an ended call makes room."""
    peer = open_peer({STREAMS: 3})
    assert peer.connection.free() == 3

    peer.connection.start(3, at=0.0)
    assert peer.connection.free() == 0
    peer.connection.feed(answer(1, pb.CheckAndConsumeResponse(allowed=True)))

    assert peer.connection.free() == 1


def test_never_more_bytes_than_the_connection_has_room_for(open_peer: OpenPeer) -> None:
    """Bodies use up the connection's window; WINDOW_UPDATE of stream 0 gives it back."""
    peer = open_peer({}, Traffic(customers=1, batch=1000))
    size = peer.connection._source.bytes_max
    assert frames.WINDOW_DEFAULT // size == peer.connection.free()

    peer.connection.start(peer.connection.free(), at=0.0)
    assert peer.connection.free() == 0
    peer.connection.feed(frames.window_update(0, 3 * size))

    assert peer.connection.free() == 3


def test_a_call_that_the_peer_has_no_room_for_is_refused_at_once(open_peer: OpenPeer) -> None:
    """A stream window smaller than a request would stop the run for ever."""
    with pytest.raises(ValueError, match="make the batch smaller"):
        open_peer({WINDOW: 10})


def test_verdicts_errors_and_resets_are_counted_exactly(open_peer: OpenPeer) -> None:
    """Allowed and denied are answers; HEADERS only is an error; RST_STREAM is one too."""
    peer = open_peer({})
    peer.connection.start(4, at=0.0)
    data = answer(1, pb.CheckAndConsumeResponse(allowed=True, used=5))
    data += answer(3, pb.CheckAndConsumeResponse(reason=pb.REASON_LIMIT_EXCEEDED, used=8))
    data += frames.frame(frames.HEADERS, TRAILERS, 5, b"grpc-status: 14")
    data += frames.frame(frames.RST_STREAM, 0, 7, b"\0\0\0\x08")
    for byte in data:  # in the smallest pieces
        peer.connection.feed(bytes([byte]))

    tally = peer.tally
    assert (4, 2, 1, 1) == (tally.ended, tally.answers, tally.allowed, tally.denied)
    assert len(tally.latencies) == 4
    assert not peer.connection.pending


def test_an_answer_in_several_frames_is_counted_once(open_peer: OpenPeer) -> None:
    """A message may be cut anywhere, also inside its length; frames may be padded."""
    peer = open_peer({})
    peer.connection.start(1, at=0.0)
    message = frames.grpc_message(pb.CheckAndConsumeResponse(allowed=True).SerializeToString())
    padded = b"\x02" + message[6:] + b"\0\0"
    for flags, part in ((0, message[:3]), (0, message[3:6]), (frames.PADDED, padded)):
        peer.connection.feed(frames.frame(frames.DATA, flags, 1, part))
    peer.connection.feed(frames.frame(frames.HEADERS, TRAILERS, 1, b"t"))

    assert (1, 1) == (peer.tally.answers, peer.tally.allowed)


def test_settings_and_pings_are_acknowledged(open_peer: OpenPeer) -> None:
    """A peer that gets no answer would close the connection."""
    peer = open_peer({})
    assert peer.socket.recv(len(frames.PREFACE)) == frames.PREFACE
    assert frames.SETTINGS in [kind for kind, *_ in peer.sent()]
    peer.connection.feed(frames.frame(frames.PING, 0, 0, b"12345678"))
    peer.connection.flush()

    assert [(frames.PING, frames.ACK, 0, b"12345678")] == peer.sent()


def test_after_goaway_no_call_is_started(open_peer: OpenPeer) -> None:
    """Calls under way may still end."""
    peer = open_peer({})
    peer.connection.start(1, at=0.0)
    peer.connection.feed(frames.frame(frames.GOAWAY, 0, 0, bytes(8)))

    assert peer.connection.free() == 0


def test_batch_answers_are_counted_one_by_one() -> None:
    """Each result is allowed, denied or an error of its own, whatever its size."""
    allowed = pb.BatchResult(response=pb.CheckAndConsumeResponse(allowed=True, value="x" * 300))
    denied = pb.BatchResult(response=pb.CheckAndConsumeResponse(reason=pb.REASON_NOT_ENTITLED))
    empty = pb.BatchResult(response=pb.CheckAndConsumeResponse())
    failed = pb.BatchResult(error=pb.Error(code=14, message="gone"))
    batch = pb.BatchCheckAndConsumeResponse(results=[allowed, denied, empty, failed, allowed])

    assert (2, 2, 1) == read_batch(batch.SerializeToString())
