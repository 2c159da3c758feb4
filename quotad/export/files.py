"""The simplest target: entries as JSON lines in a directory, a file for each stretch of them.

A file is written as a whole, under a name that is made of what is in it, so writing it again
changes nothing.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quotad.export.outcomes import Later
from quotad.export.target import Folding
from quotad.files import whole_file
from quotad.ledger import LedgerEntry
from quotad.moments import written_time
from quotad.outbox import OutboxItem

ENTRIES_MAX = 500
"""Of one file."""


class FilesTarget:
    """Writes entries into a directory, a subdirectory for each day of UTC.

    Args:
        directory: which is there.
    """

    name = "files"
    senders = 1

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def look(self) -> None:
        """See `ExportTarget`."""

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        """See `ExportTarget`."""
        for at in range(0, len(entries), ENTRIES_MAX):
            some = entries[at : at + ENTRIES_MAX]
            day = (written_time(some[0].at_ms) or "")[:10]
            folding.put(
                OutboxItem(
                    id=f"{day}/{folding.part}-{some[0].id}",
                    queue="",
                    kind="lines",
                    body=b"".join(_line(entry) for entry in some),
                    made_ms=folding.now_ms,
                )
            )

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """See `ExportTarget`."""

    def send(self, item: OutboxItem) -> None:
        """See `ExportTarget`."""
        path = self._directory / f"{item.id}.jsonl"
        try:
            path.parent.mkdir(exist_ok=True)
            with whole_file(path) as stream:
                stream.write(item.body)
                stream.flush()
                os.fsync(stream.fileno())  # it is taken off the list in the store after that
        except OSError as error:
            raise Later(f"{path}: {error.strerror or error}", everything=True) from error


def _line(entry: LedgerEntry) -> bytes:
    written: dict[str, object] = {
        "id": entry.id,
        "at": written_time(entry.at_ms),
        "customer_id": entry.customer_id,
        "feature_id": entry.feature_id,
        "verb": entry.verb,
        "quantity": entry.quantity,
        "allowed": entry.allowed,
        "reason": entry.reason,
    }
    optional = {
        "resource_id": entry.resource_id,
        "idempotency_key": entry.key,
        "occurred_at": written_time(entry.occurred_ms or None),
        "late": entry.late,
        "actor": entry.actor,
        "edge": entry.edge,
    }
    written |= {name: value for name, value in optional.items() if value}
    return msgspec.json.encode(written) + b"\n"
