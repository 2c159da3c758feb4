"""A file that says which customer is on which plan: JSON lines.

{"customer_id": "acme", "plan": "pro", "start": "2026-01-31T09:00:00Z"}
"""

from pathlib import Path
from typing import Any

import msgspec

from quotad.errors import QuotadError
from quotad.model import CustomerRecord, Subscription
from quotad.replay.access_log import LineError, parse_json
from quotad.replay.files import open_log
from quotad.simulate.roster import CALENDAR_MS
from quotad.simulate.times import parse_time

PROBLEMS_SHOWN = 10

KEYS = ("customer_id", "plan", "start")


class CustomersError(QuotadError):
    """A file of customers that cannot be used, with what is wrong with its lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One line each, with file and line."""


def read_customers(path: Path) -> dict[str, CustomerRecord]:
    """Read a file of customers; it is held in memory.

    Raises:
        CustomersError: with every line that cannot be used, the first few in words.
        OSError: the file cannot be opened.
    """
    records: dict[str, CustomerRecord] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    bad = 0
    with open_log(path) as file:
        for number, line in enumerate(file.lines(), 1):
            try:
                record = _record(line)
                first = lines.setdefault(record.customer_id, number) if record else number
                if first != number and record:
                    raise LineError(f"{record.customer_id!r} is on line {first:,} already")
            except LineError as error:
                bad += 1
                if len(problems) < PROBLEMS_SHOWN:
                    problems.append(f"{path}: line {number:,}: {error}")
            else:
                if record:
                    records[record.customer_id] = record
        if file.damage:
            bad += 1
            problems.append(f"{path}: damaged: {file.damage}")
    if bad > len(problems):
        problems.append(f"{path}: {bad - len(problems):,} more lines cannot be used")
    if bad:
        raise CustomersError(problems)
    return records


def _record(line: bytes | None) -> CustomerRecord | None:
    """The customer of one line; None: an empty line."""
    if line is None:
        raise LineError("too long")
    if not line.strip():
        return None
    row = parse_json(line)
    unknown = [key for key in row if key not in KEYS]
    if unknown:
        raise LineError(f"unknown key {unknown[0]!r}; these exist: {', '.join(KEYS)}")
    customer_id, plan_id = _text(row.get("customer_id"), KEYS[0]), _text(row.get("plan"), KEYS[1])
    start = row.get("start")
    if start is None:
        subscription = Subscription(plan_id, start_ms=0, anchor_ms=CALENDAR_MS)
    else:
        subscription = Subscription(plan_id, start_ms=parse_time(str(start)))
    return CustomerRecord(customer_id, (subscription,))


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise LineError(f"{key} is {msgspec.json.encode(value).decode()[:40]}, not an id")
    return value
