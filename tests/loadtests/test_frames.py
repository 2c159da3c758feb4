"""The bytes that the load generator writes."""

import pytest

from loadtests.bench import frames
from loadtests.bench.traffic import Source, Traffic, picks
from quotad.v1 import quota_pb2 as pb


@pytest.mark.parametrize(
    ("value", "bits", "expected"),
    [(10, 5, b"\x0a"), (1337, 5, b"\x1f\x9a\x0a"), (42, 8, b"\x2a"), (31, 5, b"\x1f\x00")],
)
def test_integers_are_those_of_the_rfc(value: int, bits: int, expected: bytes) -> None:
    """The examples of RFC 7541, appendix C.1, and the edge of a prefix."""
    assert expected == frames.integer(value, bits, 0)


def test_later_headers_point_to_what_the_first_ones_taught() -> None:
    """Path, authority, content-type and te were added in this order, so te is entry 62."""
    first, later = frames.header_blocks("/a/b", "c:1")

    assert first.startswith(b"\x83\x86\x44\x04/a/b\x41\x03c:1\x5f")
    assert bytes([0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]) == later


def test_headers_without_a_table_are_spelled_out_each_time() -> None:
    """Nothing is added to the table, so both blocks are the same."""
    first, later = frames.header_blocks("/a/b", "c:1", table=False)

    assert first == later
    assert b"/a/b" in later


def test_settings_come_back_as_they_were_written() -> None:
    """What SETTINGS says can be read again."""
    values = {frames.SETTINGS_ENABLE_PUSH: 0, frames.SETTINGS_INITIAL_WINDOW_SIZE: 2**31 - 1}

    assert values == frames.read_settings(frames.settings(values)[frames.HEADER_BYTES :])


def test_large_messages_are_cut_into_frames() -> None:
    """Only the last DATA frame ends the stream, and together they are the message."""
    message = bytes(range(256)) * 150
    data = b"\0\0\0\x07".join(frames.request_segments(b"block", message))

    kinds, body, at = [], b"", 0
    while at < len(data):
        head, flags, stream_id = frames.head_struct.unpack_from(data, at)
        end = at + frames.HEADER_BYTES + (head >> 8)
        kinds.append((head & 255, flags, stream_id))
        body += data[at + frames.HEADER_BYTES : end] if head & 255 == frames.DATA else b""
        at = end

    assert [
        (frames.HEADERS, frames.END_HEADERS, 7),
        (frames.DATA, 0, 7),
        (frames.DATA, 0, 7),
        (frames.DATA, frames.END_STREAM, 7),
    ] == kinds
    assert message == body


def test_idempotency_keys_are_a_field_of_the_request_and_never_repeat() -> None:
    """The key is appended to a request that was made before."""
    traffic = Traffic(customers=2, idempotent=True)
    source = Source(traffic, frames.header_blocks("/a/b", "c:1"), seed=7)
    requests = [pb.CheckAndConsumeRequest.FromString(next(source.calls)[-1][5:]) for _ in range(5)]

    assert {"customer-000000", "customer-000001"} == {r.customer_id for r in requests}
    assert len({r.idempotency_key for r in requests}) == 5
    assert {24} == {len(r.idempotency_key) for r in requests}


def test_customers_are_picked_as_asked() -> None:
    """Uniform: everybody once; hot: one; Zipf: the first about twice as often as the second."""
    uniform = picks(Traffic(customers=100), 1)
    zipf = picks(Traffic(customers=100, pick="zipf"), 1)

    assert list(range(100)) == sorted(uniform)
    assert uniform != sorted(uniform)
    assert [0] == picks(Traffic(pick="hot"), 1)
    assert 1.8 < zipf.count(0) / zipf.count(1) < 2.2
