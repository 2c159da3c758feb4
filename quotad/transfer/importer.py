"""Sends a file's rows in batches, several in flight, and acknowledges them in the file's order.

A batch may be sent again, by the client's retries or by resuming after an interruption: a row is
all of a customer, so writing it twice changes nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from quotad.client import QuotaError
from quotad.client.transfer import ImportOutcome, Transfer
from quotad.transfer.lines import Line
from quotad.transfer.state import Position

BATCH = 500
"""Rows per call: large enough that the cost of a call is shared by many, small enough that
decisions of the same server are not held up behind it."""

BATCH_BYTES = 1024 * 1024
"""A call ends here as well; the server takes 4 MiB, and one line may be as long as this."""


class Rejection(msgspec.Struct, frozen=True):
    """A line that was not imported."""

    line: int
    problem: str
    text: bytes
    """As it stands in the file."""

    def as_json(self) -> bytes:
        """On one line, for a file of them."""
        text = self.text.decode(errors="replace")
        return msgspec.json.encode({"line": self.line, "problem": self.problem, "text": text})


class ImportOptions(msgspec.Struct, frozen=True):
    """How to go about it."""

    dry_run: bool = False
    concurrency: int = 2
    """Batches in flight."""
    after: Position = Position()
    """Where an import stopped before; its lines are read and left out."""


class Listener(msgspec.Struct, frozen=True):
    """Called with the progress in the importing thread, after every batch, in the file's order."""

    rejected: Callable[[Rejection], None]
    reached: Callable[[Position], None]


class Ending(msgspec.Struct, frozen=True):
    """How it ended."""

    position: Position
    seconds: float
    stopped: str = ""
    """`interrupted`, or what the last call failed with; empty: done."""
    error: QuotaError | None = None


_Sent = tuple[list[Line], Future[ImportOutcome]]


class _Customer(msgspec.Struct):
    customer_id: str = ""


_customer_of = msgspec.json.Decoder(_Customer).decode


class Importer:
    """One import.

    Args:
        transfer: where to.
        plan: how.
        listener: called with the progress.
    """

    def __init__(self, transfer: Transfer, plan: ImportOptions, listener: Listener) -> None:
        self._transfer = transfer
        self._plan = plan
        self._listener = listener
        self._position = plan.after
        self._known: dict[int, int] = {}
        """Line by hash of the customer id: a million of them take 130 MB."""

    def run(self, lines: Iterable[Line]) -> Ending:
        """Import every line that is not done yet.

        An interrupt (Ctrl-C) ends the reading; what is in flight is still acknowledged. A second
        one leaves that to the next time.

        Args:
            lines: of the file, from its first on.
        """
        started = time.perf_counter()
        in_flight: deque[_Sent] = deque()
        error: BaseException | None = None
        with ThreadPoolExecutor(self._plan.concurrency) as threads:
            try:
                for batch in self._batches(iter(lines)):
                    in_flight.append((batch, threads.submit(self._send, batch)))
                    if len(in_flight) >= self._plan.concurrency:
                        self._acknowledge(in_flight)
                while in_flight:
                    self._acknowledge(in_flight)
            except KeyboardInterrupt as caught:
                error = self._drain(in_flight) or caught
            except QuotaError as caught:
                # Nothing behind it is acknowledged: going on starts there, and does it again.
                error = caught
        seconds = time.perf_counter() - started
        if isinstance(error, QuotaError):
            return Ending(self._position, seconds, error.message, error)
        return Ending(self._position, seconds, "interrupted" if error is not None else "")

    def _drain(self, in_flight: "deque[_Sent]") -> QuotaError | None:
        try:
            while in_flight:
                self._acknowledge(in_flight)
        except KeyboardInterrupt:
            pass
        except QuotaError as error:
            return error
        return None

    def _batches(self, lines: Iterator[Line]) -> Iterator[list[Line]]:
        batch: list[Line] = []
        size = 0
        for line in lines:
            checked = self._unless_known(line)
            if line.number <= self._plan.after.lines:
                continue
            if batch and (len(batch) >= BATCH or size + len(line.row) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(checked)
            size += len(line.row)
        if batch:
            yield batch

    def _unless_known(self, line: Line) -> Line:
        """The line, or what is wrong with it when its customer was in the file before.

        Two rows of one customer would be written in any order, and one of them is a mistake.
        """
        try:
            customer_id = _customer_of(line.row).customer_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return line  # the server answers what is wrong with it
        first = self._known.setdefault(hash(customer_id), line.number)
        if first == line.number or not customer_id:
            return line
        problem = f"customer_id: {customer_id!r} is in line {first:,} already; a row is all of one"
        return Line(line.number, line.data, b"", problem)

    def _send(self, batch: list[Line]) -> ImportOutcome:
        rows = [line.row for line in batch if not line.problem]
        if not rows:
            return ImportOutcome(0, 0, ())
        return self._transfer.import_rows(rows, dry_run=self._plan.dry_run)

    def _acknowledge(self, in_flight: "deque[_Sent]") -> None:
        """Wait for the first batch in flight, and count it.

        An interrupt in here leaves it in flight, to be counted again: a bad line may be listed
        twice, and none is lost.
        """
        batch, future = in_flight[0]
        outcome = future.result()
        rejections = list(_rejections(batch, outcome))
        for rejection in rejections:
            self._listener.rejected(rejection)
        before = self._position
        self._position = Position(
            batch[-1].number,
            before.written + outcome.written,
            before.unchanged + outcome.unchanged,
            before.rejected + len(rejections),
        )
        in_flight.popleft()
        self._listener.reached(self._position)


def _rejections(batch: list[Line], outcome: ImportOutcome) -> Iterator[Rejection]:
    """What was not imported, refused here or by the server, in the order of the lines."""
    problems = {problem.row: problem.message for problem in outcome.problems}
    row = 0
    for line in batch:
        problem = line.problem
        if not problem:
            problem = problems.get(row, "")
            row += 1
        if problem:
            yield Rejection(line.number, problem, line.data)
