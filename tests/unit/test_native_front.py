"""What the native front makes of the events of the library below it, which are scripted here."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pygrpc_native import EVENT_CALL, EVENT_CANCEL

from quotad.errors import NotFound
from quotad.fronts import native
from quotad.fronts.interface import MESSAGE_BYTES_MAX, FrontSettings
from quotad.fronts.native import NativeFront

Event = tuple[int, int, int, bytes | None, object]


class Scripted:
    """Hands out batches of events as they were written down; notes how it was asked."""

    def __init__(self, *batches: Sequence[Event] | None) -> None:
        self._batches = list(batches)
        self.asked: list[tuple[int, int | None]] = []
        self.failed: list[tuple[int, int]] = []
        self.done: list[str] = []

    def recv_batch(self, events_max: int, timeout_ms: int | None = None) -> list[Event] | None:
        self.asked.append((events_max, timeout_ms))
        batch = self._batches.pop(0)
        return None if batch is None else list(batch)

    def stop(self) -> None:
        self.done.append("stopped what is behind")

    def close(self) -> None:
        self.done.append("closed")

    def respond(self, call_id: int, payload: bytes) -> bool:
        return False

    def fail(self, call_id: int, code: int, message: str, trailing_metadata: Any = None) -> bool:
        self.failed.append((call_id, code))
        return True


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NativeFront:
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(tmp_path))
    monkeypatch.setattr(native, "NativeGrpcFront", lambda *_, **__: None)
    monkeypatch.setattr(native, "GrpcioServer", lambda *_: None)
    return NativeFront(FrontSettings("127.0.0.1:0", (), lambda _: None, ()))


def call(call_id: int, payload: bytes = b"x") -> Event:
    return (EVENT_CALL, call_id, 0, payload, "peer")


def cancel(call_id: int) -> Event:
    return (EVENT_CANCEL, call_id, 0, None, None)


def script(front: NativeFront, *batches: Sequence[Event] | None) -> Scripted:
    made = Scripted(*batches)
    vars(front)["_front"] = made
    return made


def ids(front: NativeFront, calls_max: int = 10) -> list[int] | None:
    calls = front.recv_batch(calls_max)
    return None if calls is None else [call.call_id for call in calls]


def test_a_batch_takes_along_what_came_while_its_thread_woke_up(front: NativeFront) -> None:
    below = script(front, [call(1), call(2)], [call(3)], [call(4)], [call(5), call(6)])

    assert [1, 2, 3] == ids(front)
    assert (8, 0) == below.asked[1], "it must not wait for more"
    assert [4, 5, 6] == ids(front), "calls come in bursts"


def test_lone_calls_are_not_looked_after(front: NativeFront) -> None:
    """Each look that finds nothing yields the CPU, to whoever is busy on it."""
    below = script(front, [call(1)], [call(2), call(3)], [], [call(4)], [], [call(5)])

    assert [1] == ids(front)
    assert [2, 3] == ids(front)
    assert [4] == ids(front), "a burst has ended, which takes one look to see"
    assert [5] == ids(front)
    assert 6 == len(below.asked)


def test_a_full_batch_is_not_looked_after(front: NativeFront) -> None:
    below = script(front, [call(1), call(2)])

    assert [1, 2] == ids(front, 2)
    assert 1 == len(below.asked)


def test_a_batch_is_decided_although_the_front_was_closed_meanwhile(front: NativeFront) -> None:
    script(front, [call(1)], None, None)

    assert [1] == ids(front)
    assert ids(front) is None


def test_a_call_that_was_cancelled_is_left_out(front: NativeFront) -> None:
    script(front, [call(1), call(2)], [cancel(1)], [], [cancel(7)], [call(8)])

    assert [2] == ids(front)
    assert [8] == ids(front)


def test_a_request_that_is_too_large_is_refused(front: NativeFront) -> None:
    below = script(front, [call(1, b"x" * (MESSAGE_BYTES_MAX + 1)), call(2)], [])

    assert [2] == ids(front)
    assert [(1, 8)] == below.failed  # RESOURCE_EXHAUSTED


def test_a_stop_lets_answers_leave_before_it_closes(
    front: NativeFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing throws away what was given and is not on its way yet."""
    below = script(front)
    monkeypatch.setitem(vars(front), "_behind", below)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    monkeypatch.setattr(time, "sleep", lambda s: below.done.append(f"waited {s:.1f} s"))
    front.answer([(1, NotFound("none"))])

    front.stop()

    assert ["stopped what is behind", "waited 0.3 s", "closed"] == below.done
