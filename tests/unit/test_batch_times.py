"""How long calls wait for their batch, and the phases of it, by a clock of the test's own."""

import pytest

from quotad.engine import times
from quotad.engine.times import EVERY, IDLE_NS, PHASES, US, BatchTimes


class Run:
    """Batches of one decision thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000_000
        monkeypatch.setattr(times, "perf_counter_ns", lambda: self.now_ns)
        self.times = BatchTimes()

    def batch(self, took_ns: int, then_ns: int) -> None:
        """One that is planned, asks the store and is written, then a pause."""
        self.times.begin(1)
        if self.times.timed:
            self.times.ask()
            self.now_ns += took_ns
            self.times.answered()
            self.times.decided()
            self.times.encoded()
        self.now_ns += then_ns

    def observed(self, phase: str) -> tuple[int, int]:
        """How often, and how long in all (ns)."""
        row = self.times.phases[PHASES.index(phase)].row
        return sum(row[:-1]), row[-1]


@pytest.mark.parametrize(("pause_ns", "waited_ns"), [(IDLE_NS // 2, 825 * US), (IDLE_NS, 0)])
def test_calls_have_waited_for_the_batch_before_unless_the_thread_waited_for_them(
    monkeypatch: pytest.MonkeyPatch, pause_ns: int, waited_ns: int
) -> None:
    run = Run(monkeypatch)
    for _ in range(EVERY):
        run.batch(800 * US, pause_ns)
    assert (0, 0) == run.observed("queue")

    for _ in range(EVERY - 1):
        run.batch(800 * US, pause_ns)

    assert (1, waited_ns) == run.observed("queue")
    assert (1, 800 * US) == run.observed("store")
