"""One simulation from start to end: read, put in order, decide, count, report."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from quotad.decision import Decision
from quotad.errors import InvalidRequest, QuotadError
from quotad.plural import plural
from quotad.replay.access_log import LineError
from quotad.replay.ledger_lines import left_out_note
from quotad.replay.sender import Progress
from quotad.simulate import report
from quotad.simulate.catalog_run import STORE_TIMEOUT_MS, CatalogRun, LogClock, Purge
from quotad.simulate.grain import grain_ms
from quotad.simulate.lines import WINDOW, LoggedCall, Reader, in_order
from quotad.simulate.private import private_store
from quotad.simulate.report import CatalogName, Simulation
from quotad.simulate.roster import Roster
from quotad.simulate.scene import Scene, TriedCatalog
from quotad.simulate.tally import Tally
from quotad.store import Store

BATCH = 500
"""Calls decided together: where lines are dense, the cost of a script call is shared by many."""

PURGE_EVERY = 200
"""Batches between two looks at the size of the store."""

Decided = Decision | QuotadError


def simulate(
    lines: Iterable[bytes | None],
    reader: Reader,
    scene: Scene,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Simulation:
    """Run a log through one or two catalogs, each on separate counters.

    An interrupt (Ctrl-C) ends the reading; what was decided by then is reported.

    Args:
        lines: of the log, without their ends; None stands for one that is too long.
        reader: what the lines become.
        scene: what they are run on.
        on_progress: called after every batch.

    Raises:
        LineError: no line could be used, and this is what is wrong with the first.
        ConfigError: the private store did not start.
        StoreError: the private store failed, as when this machine has no memory left.
    """
    with private_store() as url, _runs(url, scene) as running:
        run = _Run(reader, running, on_progress)
        started = time.perf_counter()
        run.decide_all(in_order(reader.calls(lines), WINDOW))
        seconds = time.perf_counter() - started
    return run.simulation(scene, seconds)


class _Running(msgspec.Struct, frozen=True):
    """What the log runs through."""

    clock: LogClock
    runs: list[CatalogRun]
    """The new catalog, and the old one if there is one."""
    purge: Purge
    grain_ms: int


@contextmanager
def _runs(url: str, scene: Scene) -> Iterator[_Running]:
    store = Store(url, STORE_TIMEOUT_MS)
    clock = LogClock()
    runs = [
        CatalogRun(store, prefix, each.catalog, Roster(each.listed, scene.plan_id), clock)
        for prefix, each in zip(("new", "old"), scene.candidates, strict=False)
    ]
    grain = grain_ms(
        (run.snapshot for run in runs),
        (record for each in scene.candidates for record in each.listed.values()),
    )
    try:
        yield _Running(clock, runs, Purge(store), grain)
    finally:
        for run in runs:
            run.close()
        store.close()


class _Run:
    def __init__(
        self, reader: Reader, running: _Running, on_progress: Callable[[Progress], None]
    ) -> None:
        self._reader = reader
        self._running = running
        self._clock = running.clock
        self._runs = running.runs
        self._on_progress = on_progress
        self._tally = Tally(*(run.costs for run in running.runs))
        self._stopped = ""
        self._batches = 0

    def decide_all(self, calls: Iterator[LoggedCall]) -> None:
        """Decide and count until the log ends."""
        try:
            for batch in self._in_batches(calls):
                self._decide(batch)
        except KeyboardInterrupt:
            self._stopped = "interrupted"
        self._tally.close()

    def simulation(self, scene: Scene, seconds: float) -> Simulation:
        """What was found, unless all lines were wrong."""
        reader, tally = self._reader, self._tally
        problem = reader.first_problem
        if not tally.decided and problem is not None and not self._stopped:
            raise problem
        compared = scene.old is not None
        run = self._runs[0]
        top = report.most_denied(tally, compared).top()
        plan_ids = {
            each.customer_id: run.plan_id(each.customer_id, self._clock.at_ms) for each in top
        }
        some = tally.first_ms is not None
        return Simulation(
            catalog=_name(scene.new),
            against=_name(scene.old) if scene.old is not None else None,
            lines=reader.lines,
            decided=tally.decided,
            skipped=reader.skipped,
            skipped_lines=reader.skipped_lines,
            late=tally.late,
            first=report.moment(tally.first_ms) if tally.first_ms is not None else None,
            last=report.moment(tally.last_ms) if some else None,
            total=report.total_row(tally, compared),
            plans=report.plan_rows(tally, compared),
            features=report.feature_rows(tally, compared, run.decimals),
            cells=report.cell_rows(tally, compared, run.decimals),
            step_seconds=tally.timeline.step_ms // 1000,
            timeline=report.stretches(tally.timeline.all(), compared),
            reasons=report.reasons(tally.reasons),
            reasons_before=report.reasons(tally.reasons_before) if compared else None,
            customers=report.customers(tally, compared),
            top_denied=report.top_customers(tally, plan_ids, compared),
            notes=self._notes(scene),
            seconds=round(seconds, 3),
            lines_per_second=round(reader.lines / seconds) if seconds > 0 else 0,
            stopped=self._stopped,
        )

    def _in_batches(self, calls: Iterator[LoggedCall]) -> Iterator[list[LoggedCall]]:
        """Calls in the order of their times, as many together as are decided alike."""
        clock, grain = self._clock, self._running.grain_ms
        first = self._runs[0]
        batch: list[LoggedCall] = []
        until_ms = 0
        for call in calls:
            if call.at_ms < clock.at_ms:
                # Its periods may have ended, and time never goes back: counters would come back.
                self._tally.late += 1
                call.at_ms = clock.at_ms
            news = call.plan_id and first.is_news(call)
            if batch and (call.at_ms >= until_ms or len(batch) >= BATCH or news):
                yield batch
                batch = []
            if not batch:
                clock.at_ms = call.at_ms
                until_ms = call.at_ms - call.at_ms % grain + grain
            if news:
                for run in self._runs:
                    run.learn(call)
            batch.append(call)
        if batch:
            yield batch

    def _decide(self, batch: list[LoggedCall]) -> None:
        answers = [run.decide(batch) for run in self._runs]
        run, tally = self._runs[0], self._tally
        before: list[Decided] | list[None] = answers[1] if len(answers) > 1 else [None] * len(batch)
        for call, new, old in zip(batch, answers[0], before, strict=True):
            if isinstance(new, Decision) and not isinstance(old, QuotadError):
                plan_id = run.plan_id(call.request.customer_id, call.at_ms)
                tally.add(call.at_ms, plan_id, call.request, new, old)
            else:
                error = new if isinstance(new, QuotadError) else old
                assert isinstance(error, InvalidRequest), error
                self._reader.skip(call.line, LineError(str(error)))
        self._batches += 1
        if self._batches % PURGE_EVERY == 0:
            self._running.purge.run(self._clock.at_ms)
        self._on_progress(Progress(self._reader.lines, tally.decided, tally.denials))

    def _notes(self, scene: Scene) -> list[str]:
        """What is odd about the catalogs and the log together."""
        notes: list[str] = []
        named = {row.plan_id or "" for row in report.plan_rows(self._tally, compared=False)}
        for run, each in zip(self._runs, scene.candidates, strict=True):
            missing = sorted(named - set(run.snapshot.plans) - report.NOT_PLANS)
            if missing:
                plans = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
                notes.append(
                    f"{each.path} has no plan {plans}: its customers are denied everything"
                )
        if self._tally.late:
            late, is_, was = plural(self._tally.late, "line"), "are", "were"
            if self._tally.late == 1:
                is_, was = "is", "was"
            notes.append(
                f"{late} {is_} more than {WINDOW:,} lines out of order and {was} decided at the"
                " time of the line before; sort the log by time"
            )
        left_out = left_out_note(self._reader.left_out)
        return [*notes, left_out] if left_out else notes


def _name(candidate: TriedCatalog) -> CatalogName:
    catalog = candidate.catalog
    return CatalogName(candidate.path, catalog.digest, catalog.definitions.default_plan)
