"""What a parent makes of its workers' signs of life; the workers are small scripts here."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts.interface import Answer, Call
from quotad.server import slot, watched
from quotad.server.decider import Decider
from quotad.server.slot import Slot, backoff_s
from quotad.server.watched import Watched
from tests.running import eventually

SETTINGS = Config(listen="127.0.0.1:1", worker_hang_ms=1000, store_timeout_ms=10)

LINE = """
import socket, sys, time
line = socket.socket(fileno=int(sys.argv[2]))
assert line.recv(1) == b"g"
"""
SILENT = LINE + "time.sleep(600)"
ONCE = LINE + "line.send(b'r'); time.sleep(600)"
BEATS = LINE + "while True: line.send(b'r'); time.sleep(0.02)"
STOPS = LINE + "line.send(b'rs'); time.sleep(600)"
REFUSES = LINE + "line.send(b'a!shards: no'); sys.exit(2)"
ENDS = LINE + "line.send(b'rs')"
DIES = LINE + "sys.exit(7)"
GROWS = LINE + "line.send(b'r'); kept = bytearray(200_000_000); time.sleep(600)"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watched, "time", made)
    monkeypatch.setattr(slot, "time", made)
    return made


def runs(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setitem(watched.COMMANDS, "grpc", [sys.executable, "-c", script])


@contextmanager
def worker(config: Config = SETTINGS) -> Iterator[Watched]:
    made = Watched(config)
    made.go()
    try:
        yield made
    finally:
        made.kill()
        made.close(10)


def looks(one: Watched, clock: Clock, seconds: int) -> list[str]:
    """What is found in so many looks, a second apart."""
    found = []
    for _ in range(seconds):
        clock.now += 1
        found.append(one.look())
    return [fault for fault in found if fault]


def test_a_worker_that_falls_silent_has_to_be_ended_and_only_once(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    runs(monkeypatch, ONCE)
    with worker() as one:
        eventually(lambda: one.look() or one.ready, bool)

        assert ["has made no progress for 2 s"] == looks(one, clock, 100)


def test_a_worker_that_beats_is_left_alone(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    runs(monkeypatch, BEATS)
    with worker() as one:
        for _ in range(5):
            clock.now += 1
            eventually(one._listener.heard, bool)
            assert "" == one.look()


def test_a_worker_may_take_a_minute_to_start(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    runs(monkeypatch, SILENT)
    with worker() as one:
        assert [] == looks(one, clock, 60)
        assert ["has made no progress for 61 s"] == looks(one, clock, 1)


def test_a_worker_that_drains_is_not_taken_for_a_hung_one(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    runs(monkeypatch, STOPS)
    with worker() as one:
        eventually(lambda: one.look() or one._listener.stopping, bool)

        assert [] == looks(one, clock, 1000)


def test_a_parent_that_was_stopped_itself_blames_no_worker(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    runs(monkeypatch, ONCE)
    with worker() as one:
        eventually(lambda: one.look() or one.ready, bool)
        clock.now += 3600

        assert "" == one.look()


def test_a_worker_that_takes_too_much_memory_has_to_be_ended(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    runs(monkeypatch, GROWS)
    with worker(Config(listen="127.0.0.1:1", worker_memory_max_mb=128)) as one:
        fault = eventually(one.look, bool)

    assert "more than the 128 of worker_memory_max_mb" in fault


def test_what_a_worker_refuses_is_what_the_parent_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, REFUSES)
    slot = Slot(SETTINGS)
    slot.start()
    slot.go()

    with pytest.raises(ConfigError, match=r"^shards: no$"):
        eventually(slot.tend, bool)


def test_a_module_of_the_working_directory_takes_the_place_of_no_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    slot = Slot(Config(redis_url="http://127.0.0.1"))
    slot.start()
    slot.go()

    with pytest.raises(ConfigError, match="redis_url"):
        eventually(slot.tend, bool)


def test_a_worker_that_dies_at_every_start_is_started_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    runs(monkeypatch, DIES)
    slot = Slot(SETTINGS)
    slot.start()
    slot.go()
    for _ in range(5):
        eventually(lambda: buried(slot), bool)
        clock.now += 60
        slot.tend()

    said = [record.getMessage() for record in caplog.records]
    assert ["ended with 7; starting another"] * 4 == [line.split(" ", 2)[2] for line in said[:4]]
    assert "the 5th in a row within 10 s of its start; starting another in 4 s" in said[4]
    assert [0, 0.5, 1, 2, 4, 8, 16, 30, 30] == [backoff_s(number) for number in range(1, 10)]
    if slot.worker is not None:
        slot.worker.close(10)


def test_a_worker_that_starts_again_on_purpose_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for script in (ENDS, LINE):  # the other ends as well, but has not said that it would
        runs(monkeypatch, script)
        slot = Slot(SETTINGS)
        slot.start()
        slot.go()
        eventually(partial(buried, slot), bool)

    assert [
        ("INFO", "has stopped; starting another"),
        ("ERROR", "ended with 0; starting another"),
    ] == [(each.levelname, each.getMessage().split(" ", 2)[2]) for each in caplog.records]


def buried(slot: Slot) -> bool:
    """Let a slot look after its worker; whether that one has ended."""
    slot.tend()
    return slot.worker is None


def test_a_decision_thread_progresses_while_it_waits_and_from_batch_to_batch() -> None:
    seen: list[bool] = []

    class Front:
        """Hands out batches."""

        def __init__(self) -> None:
            self.batches: list[list[Call] | None] = [[Call(1, 0, b"")], [Call(2, 0, b"")], None]

        def recv_batch(self, calls_max: int) -> list[Call] | None:
            seen.append(decider.has_progressed())
            return self.batches.pop(0)

        def answer(self, answers: Sequence[Answer]) -> None:
            raise AssertionError("there are none")

    class Service:
        """Looks at the thread that it is called by."""

        def answer(self, calls: Sequence[Call]) -> list[list[Answer]]:
            seen.extend([decider.has_progressed(), decider.has_progressed()])
            return []

        def close(self) -> None:
            pass

    decider = Decider(0, Service(), Front(), 10)
    decider.run()

    # Waiting; the first batch, and still the first batch; waiting; the second, and still it.
    assert [True, True, False, True, True, False, True] == seen
