"""How long the batches of a decision thread take, by phase; and what else its engine counts.

On the way of every batch: of eight batches one is timed, so that a lone call pays little for it.
"""

from bisect import bisect_left
from time import perf_counter_ns

from quotad.errors import (
    AnswerLost,
    BudgetSpent,
    Damaged,
    NotReady,
    StoreError,
    StoreUnavailable,
)
from quotad.metrics import Histogram

PHASES = ("plan", "store", "fold", "encode", "queue")

US = 1_000
MS = 1_000_000
PHASE_BOUNDS_NS = (
    *(n * US for n in (5, 10, 20, 50, 100, 200, 500)),
    *(n * MS for n in (1, 2, 5, 10, 20, 50, 100, 250, 1000)),
)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

KINDS = (
    ("not_ready", NotReady),
    ("answer_lost", AnswerLost),
    ("unavailable", StoreUnavailable),
    ("damaged", Damaged),
    ("other", StoreError),
)
"""Of failures of the store, the most special first."""

EVERY = 8
"""Of so many batches one is timed."""

IDLE_NS = 50 * US
"""A decision thread that has had nothing to do for this long was waiting for calls."""


class BatchTimes:
    """What one decision thread counts of its batches."""

    __slots__ = (
        "_asked_ns",
        "_begun_ns",
        "_ended_ns",
        "_planned_ns",
        "_store_ns",
        "_turn",
        "batches",
        "customers_read",
        "decided_ns",
        "errors",
        "phases",
        "stale_rounds",
        "timed",
    )

    def __init__(self) -> None:
        self._turn = 0
        self.timed = False
        """Whether this batch is; the methods below are called for one that is only."""
        self._begun_ns = self._asked_ns = self._store_ns = 0
        self._planned_ns = 0
        self._ended_ns = 0
        """When the batch before was done, if it was timed; else 0."""
        self.decided_ns = 0
        """When a batch that is timed was decided whose answers are not written yet; else 0."""
        self.phases = [Histogram(PHASE_BOUNDS_NS) for _ in PHASES]
        self.batches = Histogram(BATCH_BOUNDS)
        self.stale_rounds = 0
        """Rounds that were planned again, because catalog or customer had changed."""
        self.customers_read = 0
        """Customers that were not in memory."""
        self.errors = [0] * len(KINDS)

    def begin(self, size: int) -> None:
        """Begin a batch of so many requests."""
        self.batches.row[bisect_left(BATCH_BOUNDS, size)] += 1  # `observe`, without the call
        self.batches.row[-1] += size
        self._turn += 1
        if self._ended_ns:
            self._note_wait()
        if self._turn == EVERY:
            self._turn = self._store_ns = 0
            self.timed = True
            self._begun_ns = perf_counter_ns()

    def _note_wait(self) -> None:
        """Observe how long the first call of a batch has waited at most: since the batch before,
        which was timed, had been taken."""
        now_ns = perf_counter_ns()
        waited = now_ns - self._begun_ns if now_ns - self._ended_ns < IDLE_NS else 0
        self.phases[4].observe(waited)
        self._ended_ns = 0

    def ask(self) -> None:
        """The store is asked."""
        self._asked_ns = now_ns = perf_counter_ns()
        if not self._store_ns:
            self._planned_ns = now_ns - self._begun_ns

    def answered(self) -> None:
        """The store has answered, or has not in time."""
        self._store_ns += perf_counter_ns() - self._asked_ns

    def decided(self) -> None:
        """Everything is decided; what was not planned in the first round counts as folding."""
        self.timed = False
        self.decided_ns = self._ended_ns = now_ns = perf_counter_ns()
        if self._store_ns:
            plan, store, fold, *_ = self.phases
            store.observe(self._store_ns)
            plan.observe(self._planned_ns)
            fold.observe(now_ns - self._begun_ns - self._planned_ns - self._store_ns)

    def encoded(self) -> None:
        """The answers are written."""
        self._ended_ns = now_ns = perf_counter_ns()
        self.phases[3].observe(now_ns - self.decided_ns)
        self.decided_ns = 0

    def fail(self, error: StoreError) -> None:
        """Count a failure of the store by its kind; of a batch's own time it is none."""
        if not isinstance(error, BudgetSpent):
            kind = next(i for i, (_, each) in enumerate(KINDS) if isinstance(error, each))
            self.errors[kind] += 1
