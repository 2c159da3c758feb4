"""Batches in flight, acknowledged in the order of the file, also when something goes wrong."""

import threading
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from quotad.client import QuotaUnavailable
from quotad.client.transfer import ImportOutcome, ImportProblem
from quotad.transfer import importer
from quotad.transfer.importer import Ending, Importer, ImportOptions, Listener, Rejection
from quotad.transfer.lines import Form, Line, numbered_rows
from quotad.transfer.state import Position

BATCH = 4


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", BATCH)


class FakeTransfer:
    """Refuses customers called bad, and fails from a batch on."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.batches: list[list[str]] = []
        self.dry_runs: set[bool] = set()
        self._lock = threading.Lock()

    def import_rows(self, rows: Sequence[bytes], *, dry_run: bool = False) -> ImportOutcome:
        ids = ["bad" if row == b"{" else msgspec.json.decode(row)["customer_id"] for row in rows]
        with self._lock:
            self.dry_runs.add(dry_run)
            if self.fails_at is not None and f"c{self.fails_at}" in ids:
                raise QuotaUnavailable("gone", code="UNAVAILABLE")
            self.batches.append(ids)
        problems = [
            ImportProblem(i, f"{each} is bad") for i, each in enumerate(ids) if "bad" in each
        ]
        return ImportOutcome(len(rows) - len(problems), 0, tuple(problems))

    @property
    def ids(self) -> set[str]:
        return {each for batch in self.batches for each in batch}


class Heard:
    """What the listener was told."""

    def __init__(self) -> None:
        self.rejected: list[tuple[int, str]] = []
        self.reached: list[Position] = []

    def reject(self, rejection: Rejection) -> None:
        self.rejected.append((rejection.line, rejection.problem))

    @property
    def listener(self) -> Listener:
        return Listener(self.reject, self.reached.append)


def row(customer_id: str) -> bytes:
    return msgspec.json.encode({"customer_id": customer_id})


def lines(count: int, *bad: int) -> Iterator[Line]:
    ids = [f"bad{n}" if n in bad else f"c{n}" for n in range(1, count + 1)]
    return numbered_rows(map(row, ids), Form.JSONL)


def run(
    transfer: FakeTransfer, rows: Iterator[Line], heard: Heard, plan: ImportOptions | None = None
) -> Ending:
    plan = plan or ImportOptions()
    return Importer(transfer, plan, heard.listener).run(rows)  # type: ignore[arg-type]


def test_every_line_is_sent_once_and_acknowledged_in_order() -> None:
    transfer, heard = FakeTransfer(), Heard()

    ending = run(transfer, lines(18), heard)

    assert [4, 8, 12, 16, 18] == [position.lines for position in heard.reached]
    assert {f"c{n}" for n in range(1, 19)} == transfer.ids
    assert (Position(18, written=18), "") == (ending.position, ending.stopped)


def test_bad_lines_are_reported_by_number_from_either_side() -> None:
    transfer, heard = FakeTransfer(), Heard()
    rows = [row("bad1"), None, row("c3"), b"", row("bad5"), b"{", row("c3"), row("c8")]

    ending = run(transfer, numbered_rows(rows, Form.JSONL), heard)

    assert [
        (1, "bad1 is bad"),
        (2, "is longer than 1,048,576 bytes"),
        (5, "bad5 is bad"),
        (6, "bad is bad"),
        (7, "customer_id: 'c3' is in line 3 already; a row is all of one"),
    ] == heard.rejected
    assert Position(8, written=2, rejected=5) == ending.position


def test_a_batch_of_bad_lines_alone_is_not_sent() -> None:
    transfer, heard = FakeTransfer(), Heard()

    ending = run(transfer, numbered_rows([None] * 5, Form.JSONL), heard)

    assert ([], Position(5, rejected=5)) == (transfer.batches, ending.position)


def test_a_batch_ends_before_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH_BYTES", 3 * len(row("c1")))
    transfer = FakeTransfer()

    run(transfer, lines(8), Heard(), ImportOptions(concurrency=1))

    assert [["c1", "c2", "c3"], ["c4", "c5", "c6"], ["c7", "c8"]] == transfer.batches


def test_behind_a_failure_nothing_is_acknowledged() -> None:
    transfer, heard = FakeTransfer(fails_at=10), Heard()

    ending = run(transfer, lines(40), heard)

    assert [4, 8] == [position.lines for position in heard.reached]
    assert (Position(8, written=8), "gone") == (ending.position, ending.stopped)
    assert ending.error is not None


def test_an_interrupt_ends_the_reading_and_acknowledges_what_is_in_flight() -> None:
    def interrupted() -> Iterator[Line]:
        for line in lines(100):
            if line.number == 11:
                raise KeyboardInterrupt
            yield line

    transfer, heard = FakeTransfer(), Heard()

    ending = run(transfer, interrupted(), heard)

    assert (Position(8, written=8), "interrupted") == (ending.position, ending.stopped)
    assert {f"c{n}" for n in range(1, 9)} == transfer.ids


def test_an_interrupt_while_a_batch_is_counted_counts_it_once() -> None:
    transfer, heard = FakeTransfer(), Heard()

    def interrupt(position: Position) -> None:
        heard.reached.append(position)
        if len(heard.reached) == 1:
            raise KeyboardInterrupt

    listener = Listener(heard.reject, interrupt)
    importer = Importer(transfer, ImportOptions(), listener)  # type: ignore[arg-type]
    ending = importer.run(lines(100, 2))

    assert [(2, "bad2 is bad")] == heard.rejected
    assert len(transfer.ids) == ending.position.lines == ending.position.written + 1
    assert "interrupted" == ending.stopped


def test_going_on_leaves_out_what_is_done_and_goes_on_counting() -> None:
    transfer, heard = FakeTransfer(), Heard()
    done = Position(6, written=5, rejected=1)
    again = [*lines(10, 9), Line(11, row("c3"), row("c3"))]

    ending = run(transfer, iter(again), heard, ImportOptions(after=done))

    assert [["c7", "c8", "bad9", "c10"]] == transfer.batches
    assert [9, 11] == [line for line, _ in heard.rejected]
    assert Position(11, written=8, rejected=3) == ending.position


def test_a_dry_run_marks_it_with_every_batch() -> None:
    transfer = FakeTransfer()

    run(transfer, lines(9), Heard(), ImportOptions(dry_run=True))

    assert {True} == transfer.dry_runs


def test_an_empty_file_is_done_at_once() -> None:
    ending = run(FakeTransfer(), lines(0), Heard())

    assert (Position(), "") == (ending.position, ending.stopped)
