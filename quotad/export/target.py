"""What a target of exports is: it makes items of ledger entries, and sends one at a time."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from quotad.ledger import LedgerEntry
from quotad.outbox import OutboxItem


class Folding(Protocol):
    """What a target writes into while it takes entries: all of it is stored together with how far
    the ledger is read, or none of it.

    Notes are the target's own, by name: what it keeps from one call to the next, such as sums that
    go on.
    """

    @property
    def now_ms(self) -> int:
        """Unix time, by the store's clock."""
        ...

    @property
    def part(self) -> str:
        """Name of the part of the export that the entries are of."""
        ...

    def note(self, name: str) -> bytes | None:
        """A note; None: there is none."""
        ...

    def keep(self, name: str, value: bytes) -> None:
        """Write a note."""
        ...

    def drop(self, name: str) -> None:
        """Remove a note, if it is there."""
        ...

    def notes(self) -> Iterable[str]:
        """The names of all notes, in no order."""
        ...

    @property
    def memo(self) -> dict[str, int]:
        """What the target knows of the notes, as long as this process has the part; not stored."""
        ...

    def put(self, item: OutboxItem) -> None:
        """Have an item sent."""
        ...


MORE = "more"
"""In the memo, where a target sets it: how much it has left to `close`, which is called again."""


class ExportTarget(Protocol):
    """Where entries of the ledger go. Folding is called by one thread, sending by several."""

    @property
    def name(self) -> str:
        """Its records in the store are named by it; letters, digits and hyphens."""
        ...

    @property
    def senders(self) -> int:
        """How many items, of different queues, are sent at once."""
        ...

    def look(self) -> None:
        """Read what folding depends on; called before entries are read.

        Raises:
            StoreError: it cannot be read, so nothing is folded.
        """
        ...

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        """Take entries, each once, in the order of their streams; makes the same of the same.

        Those of a record that could not be read at its time come late.
        """
        ...

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """Make items of what nothing is added to any more; of much a part, see `MORE`: all that is
        made in one call is written by one script.

        Args:
            folding: where they go.
            read_until_ms: all entries before that were folded (Unix ms, by the store's clock).
        """
        ...

    def send(self, item: OutboxItem) -> None:
        """Send an item; again with the same id and body where it is not known if it has arrived.

        Raises:
            Later: not now.
            SetAside: not as it is.
            Partly: a step of it is done, and it is to be called again.
        """
        ...


def lost_beside(target: ExportTarget, folding: Folding, read_until_ms: int) -> str:
    """What a target may have lost that it reads beside the ledger, before more of it is read, where
    nothing was read for a while; empty: nothing.

    Args:
        target: which.
        folding: what it has kept.
        read_until_ms: when it was read last (Unix ms, by the store's clock); 0: never.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    look = getattr(target, "lost", None)
    return "" if look is None else str(look(folding, read_until_ms))


def takes_all(target: ExportTarget) -> bool:
    """Whether a target gets all that the ledger has, from its beginning on: also what admins write,
    which most have no use for."""
    return bool(getattr(target, "takes_all", False))
