"""A file of customers and their plans: the rows that `quotad customers import` reads.

{"customer_id": "acme", "plan": "pro", "start": "2026-01-31T09:00:00Z"}
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot
from quotad.customers.drafts import carried_out
from quotad.customers.row_reader import RowReader
from quotad.errors import InvalidRequest, QuotadError
from quotad.plural import plural
from quotad.records import CALENDAR, CustomerRecord
from quotad.replay.files import open_log

PROBLEMS_SHOWN = 10

LINE_BYTES_MAX = 1024 * 1024
"""Longest row, as of an import."""

ALWAYS_MS = 0
"""When what has no start is taken to have started: before any log."""


class Lines(msgspec.Struct, frozen=True):
    """The lines of a file; read once, as a pipe can be, and used for every catalog."""

    path: Path
    lines: list[bytes | None]
    """None: too long."""


class CustomersError(QuotadError):
    """A file of customers that cannot be used, with what is wrong with its lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One line each, with file and line."""


def read_lines(path: Path) -> Lines:
    """Read a file of customers as JSON lines, also gzipped, into memory.

    Raises:
        CustomersError: it is damaged.
        OSError: the file cannot be opened.
    """
    with open_log(path) as file:
        lines = list(file.lines(LINE_BYTES_MAX))
        if file.damage:
            raise CustomersError([f"{path}: damaged: {file.damage}"])
    return Lines(path, lines)


def read_customers(
    lines: Lines, snapshot: Snapshot, others: Sequence[Snapshot] = ()
) -> dict[str, CustomerRecord]:
    """Make records of customers of the lines of a file.

    Args:
        lines: of the file.
        snapshot: the catalog that is tried; what a row names and it does not have has no effect,
            if one of the others has it.
        others: the catalogs that it is compared with.

    Raises:
        CustomersError: with every line that cannot be used, the first few in words.
    """
    path = lines.path
    rows = RowReader(snapshot, ALWAYS_MS, others)
    records: dict[str, CustomerRecord] = {}
    seen: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(lines.lines, 1):
        if line is not None and not line.strip():
            continue
        try:
            record = _record(line, rows, snapshot)
            first = seen.setdefault(record.customer_id, number)
            if first != number:
                raise InvalidRequest(f"{record.customer_id!r} is on line {first:,} already")
        except InvalidRequest as error:
            problems.append(f"{path}: line {number:,}: {error}")
        else:
            records[record.customer_id] = record
    if problems:
        shown = problems[:PROBLEMS_SHOWN]
        if len(problems) > len(shown):
            more = plural(len(problems) - len(shown), "more line")
            shown.append(f"{path}: {more} cannot be used")
        raise CustomersError(shown)
    return records


def _record(line: bytes | None, rows: RowReader, snapshot: Snapshot) -> CustomerRecord:
    if line is None:
        raise InvalidRequest("too long")
    record = carried_out(rows.read(line), None, snapshot, ALWAYS_MS)
    return replace(
        record,
        subscriptions=tuple(
            replace(phase, anchor_ms=CALENDAR)
            if phase.start_ms == ALWAYS_MS and phase.anchor_ms is None
            else phase
            for phase in record.subscriptions
        ),
    )
