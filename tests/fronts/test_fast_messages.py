"""However the bytes of a request are cut, the fast front reads the same message, or refuses it."""

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.fronts import kinds
from tests.fronts.serving import METHODS, Serving, serving
from tests.rawhttp2 import DATA, END_HEADERS, END_STREAM, HEADERS, Connection, headers
from tests.running import eventually

pytestmark = pytest.mark.skipif(
    not kinds.is_installed("fast"), reason="the fast front is not installed (make front)"
)

BODIES = st.one_of(
    st.binary(max_size=40).map(lambda body: struct.pack(">BI", 0, len(body)) + body),
    st.binary(max_size=12),  # nearly never a message
    st.binary(max_size=40).map(lambda body: struct.pack(">BI", 0, len(body) + 1) + body),
    st.binary(max_size=40).map(lambda body: struct.pack(">BI", 0, max(0, len(body) - 1)) + body),
    st.binary(max_size=40).map(lambda body: struct.pack(">BI", 1, len(body)) + body),
)


def message_in(body: bytes) -> bytes | None:
    """The one message that a body is; None: it is none."""
    if len(body) < 5 or body[0] or int.from_bytes(body[1:5]) != len(body) - 5:
        return None
    return body[5:]


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with serving("fast") as made:
        made.decide(lambda call: call.request)
        yield made


@settings(max_examples=60)
@given(
    calls=st.lists(
        st.tuples(BODIES, st.lists(st.integers(0, 45), max_size=4)), min_size=1, max_size=6
    )
)
def test_a_request_is_one_whole_message_however_it_is_cut(
    served: Serving, calls: list[tuple[bytes, list[int]]]
) -> None:
    streams = range(1, 2 * len(calls), 2)
    with Connection(served.front.address) as raw:
        for stream, (body, cuts) in zip(streams, calls, strict=True):
            raw.send_frames(raw.frame(HEADERS, END_HEADERS, stream, headers(METHODS[0])))
            ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
            for start, end in zip([0, *ends], ends, strict=False):
                last = END_STREAM if end == len(body) else 0
                raw.send_frames(raw.frame(DATA, last, stream, body[start:end]))
        # Twice for an answer: its head and its trailers.
        wanted = sum(1 if message_in(body) is None else 2 for body, _ in calls)
        eventually(
            lambda: raw.read() and sum(kind == HEADERS for kind, _, _ in raw.frames),
            lambda count: count == wanted,
        )

    answers = {stream: payload for kind, stream, payload in raw.frames if kind == DATA}
    expected = {
        stream: struct.pack(">BI", 0, len(message)) + message
        for stream, (body, _) in zip(streams, calls, strict=True)
        if (message := message_in(body)) is not None
    }
    assert expected == answers
