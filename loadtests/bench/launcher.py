"""Starts `quotad` with eyes in it, so that production code needs none.

    python -m loadtests.bench.launcher TRACE_FILE serve ...
    python -m loadtests.bench.launcher TRACE_FILE WORKER ...

The first has quotad start its workers by the second, which is where the eyes are.

Names the decision threads, so that their CPU time can be told from the front's. TRACE_FILE other
than `-`: measures each call from `recv_batch` to the end of `answer`, each round trip to the store
and each pause of the garbage collector; SIGUSR1 writes what there was since the last time.
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bench import proc
from loadtests.bench.h2gen import percentiles
from quotad.cli import main as quotad_main
from quotad.fronts.interface import Answer, Call
from quotad.fronts.native import NativeFront
from quotad.server import watched, worker
from quotad.server.decider import Decider
from quotad.server.server import Server
from quotad.store.link import NodeLink

NOTHING = "-"
WORKER = "worker"


class Traced(msgspec.Struct, frozen=True):
    """What a server has seen of itself; milliseconds."""

    calls: int = 0
    call_ms: dict[str, float] = {}
    """From `recv_batch` to the end of `answer`."""
    store_ms: dict[str, float] = {}
    """Round trips to the store, the script included."""
    batch: dict[str, float] = {}
    """Mean and largest number of calls that were taken together."""
    gc_ms: dict[str, float] = {}
    """Longest pause, by generation."""


class Trace:
    """Collects; written by all threads (appending is atomic), read by a signal handler."""

    def __init__(self) -> None:
        self._taken: dict[int, float] = {}
        self._clear()
        self._gc_started = 0.0

    def _clear(self) -> None:
        self._calls: list[float] = []
        self._trips: list[float] = []
        self._batches: list[int] = []
        self._pauses: dict[str, float] = {}

    def take(self) -> Traced:
        """What there was since the last time."""
        calls, trips, batches, pauses = self._calls, self._trips, self._batches, self._pauses
        self._clear()
        sizes = {}
        if batches:
            sizes = {"mean": round(sum(batches) / len(batches), 2), "max": float(max(batches))}
        return Traced(len(calls), percentiles(calls), percentiles(trips), sizes, pauses)

    def watch_front(self) -> None:
        """Wrap the native front's methods."""
        taken, clock = self._taken, time.perf_counter
        recv_batch, answer = NativeFront.recv_batch, NativeFront.answer

        def traced_recv(front: NativeFront, calls_max: int) -> list[Call] | None:
            calls = recv_batch(front, calls_max)
            now = clock()
            if calls:
                self._batches.append(len(calls))
                for call in calls:
                    taken[call.call_id] = now
            return calls

        def traced_answer(front: NativeFront, answers: Sequence[Answer]) -> None:
            answer(front, answers)
            now = clock()
            for call_id, given in answers:
                taken_s = taken.pop(call_id, now)
                if isinstance(given, bytes):
                    self._calls.append(now - taken_s)

        patched: Any = NativeFront
        patched.recv_batch, patched.answer = traced_recv, traced_answer

    def watch_store(self) -> None:
        """Wrap the commands of the decision threads."""
        execute, clock = NodeLink.exchange, time.perf_counter

        def traced_execute(
            link: NodeLink, command: tuple[Any, ...], deadline: float, *more: Any
        ) -> Any:
            started = clock()
            answer = execute(link, command, deadline, *more)
            if not more:  # else it is not hot
                self._trips.append(clock() - started)
            return answer

        patched: Any = NodeLink
        patched.exchange = traced_execute

    def watch_gc(self) -> None:
        """Have the garbage collector tell when it starts and stops."""

        def note(phase: str, info: dict[str, int]) -> None:
            if phase == "start":
                self._gc_started = time.perf_counter()
                return
            paused_ms = (time.perf_counter() - self._gc_started) * 1000
            name = f"generation {info['generation']}"
            self._pauses[name] = round(max(paused_ms, self._pauses.get(name, 0.0)), 3)

        gc.callbacks.append(note)


def name_deciders() -> None:
    """Let the kernel know what the decision threads are."""
    run = Decider.run

    def named_run(decider: Decider) -> None:
        proc.name_thread(threading.get_native_id(), decider.name)
        run(decider)

    patched: Any = Decider
    patched.run = named_run


def watch(path: Path) -> None:
    """Trace this process; SIGUSR1 writes what there was since the last time."""
    trace = Trace()
    trace.watch_front()
    trace.watch_store()
    trace.watch_gc()

    def write(*_: object) -> None:
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(trace.take()))
        os.replace(part, path)

    signal.signal(signal.SIGUSR1, write)


def main() -> None:
    """Start quotad's own command line, or a worker for it."""
    where = sys.argv.pop(1)
    if sys.argv[1] != WORKER:
        start = [sys.executable, "-m", "loadtests.bench.launcher", where, WORKER]
        watched.COMMANDS["grpc"] = start
        quotad_main()
        return
    name_deciders()
    if where != NOTHING:
        watch(Path(where))
    sys.exit(worker.main(Server, *map(int, sys.argv[2:])))


if __name__ == "__main__":
    main()
