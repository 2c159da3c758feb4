"""Sends a log's requests as fast as they go: several batches in flight, each sent once.

A batch whose answer is lost may have been counted, and calls of a replay carry no idempotency
keys (one key per line would fill the store for nothing). So nothing is ever sent again: what has
no answer is reported as an error.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

import msgspec

from quotad.client import (
    Client,
    Consumption,
    Decision,
    QuotaDeadline,
    QuotaError,
    QuotaUnavailable,
)
from quotad.replay.access_log import LineError, NoRecordError
from quotad.replay.line_templates import LineTemplates
from quotad.replay.report import ReplayTally, Report

BATCH = 500
"""Requests per batch: large enough that the cost of a call is shared by many, small enough that
other callers of the same server are not held up behind it."""

FAILED_BATCHES_MAX = 10
"""Batches in a row without a single decision after which the rest of the log is left."""

Outcomes = list[tuple[Consumption, Decision | QuotaError]]


class Progress(msgspec.Struct, frozen=True):
    """How far a replay is."""

    lines: int
    decided: int
    denied: int


def replay(
    lines: Iterable[bytes | None],
    plan: LineTemplates,
    client: Client,
    *,
    concurrency: int = 4,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Send every line through the server and count the answers.

    An interrupt (Ctrl-C) ends the reading; what is in flight is still counted.

    Args:
        lines: of the log, without their ends; None stands for one that is too long.
        plan: what the lines become.
        client: made with `retries=0`.
        concurrency: batches in flight.
        on_progress: called after every batch, in this thread.

    Raises:
        QuotaError: not one call was decided, and this is why.
        LineError: no line could be sent, and this is what is wrong with the first.
    """
    sending = _Sending(plan, client, concurrency, on_progress)
    started = time.perf_counter()
    sending.run(iter(lines))
    return sending.report(time.perf_counter() - started)


class _Sending:
    def __init__(
        self,
        plan: LineTemplates,
        client: Client,
        concurrency: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._plan = plan
        self._client = client
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._tally = ReplayTally()
        self._tally.left_out = plan.left_out
        self._failed_batches = 0
        self._first_problem: LineError | None = None

    def run(self, lines: Iterator[bytes | None]) -> None:
        """Read, send and count until the log ends or no server answers."""
        requests = self._requests(lines)
        in_flight: set[Future[Outcomes]] = set()
        with ThreadPoolExecutor(self._concurrency) as threads:
            try:
                while True:
                    if len(in_flight) >= self._concurrency:
                        in_flight = self._count(in_flight)
                    batch = [] if self._tally.stopped else list(islice(requests, BATCH))
                    if not batch:
                        break
                    in_flight.add(threads.submit(self._send, batch))
            except KeyboardInterrupt:
                self._tally.stopped = "interrupted"
            while in_flight:
                in_flight = self._count(in_flight)

    def report(self, seconds: float) -> Report:
        """What was counted, unless that is only one error."""
        tally = self._tally
        if not tally.decided and tally.first_error is not None:
            raise tally.first_error
        if not tally.decided and self._first_problem is not None and not tally.stopped:
            raise self._first_problem
        return tally.report(seconds)

    def _requests(self, lines: Iterator[bytes | None]) -> Iterator[Consumption]:
        for line in lines:
            self._tally.lines += 1
            try:
                if line is None:
                    raise LineError("too long")
                request = self._plan.request(line)
            except NoRecordError:
                continue
            except LineError as error:
                self._first_problem = self._first_problem or error
                self._tally.skip(str(error))
            else:
                yield request

    def _send(self, batch: list[Consumption]) -> Outcomes:
        return list(zip(batch, self._client.consume_many(batch), strict=True))

    def _count(self, in_flight: set[Future[Outcomes]]) -> set[Future[Outcomes]]:
        """Count the batches that are answered; wait for one if none is."""
        answered, waiting = wait(in_flight, return_when=FIRST_COMPLETED)
        tally = self._tally
        for batch in answered:
            outcomes = batch.result()
            for request, outcome in outcomes:
                tally.add(request, outcome)
            if all(isinstance(each, QuotaUnavailable | QuotaDeadline) for _, each in outcomes):
                self._failed_batches += 1
            else:
                self._failed_batches = 0
        # A server that never answered is not there; one that did may only be restarting.
        patience = FAILED_BATCHES_MAX if tally.decided else 1
        if self._failed_batches >= patience and not tally.stopped:
            tally.stopped = f"no server answered the last {self._failed_batches} batches"
        self._on_progress(Progress(tally.lines, tally.decided, tally.denied))
        return waiting
