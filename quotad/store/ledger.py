"""The streams of the ledger: one per shard, a record per call of a script, read back here."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from quotad.store.connection import Store
from quotad.store.events import EventId, read_id
from quotad.store.keys import KeySpace


class LedgerRecord(NamedTuple):
    """A record as it is stored."""

    shard: int
    position: EventId
    charges: bytes
    """What the server has described of them."""
    became: bytes
    """What the script has returned of them."""

    @property
    def id(self) -> str:
        """Stable, and of this record alone."""
        return f"{self.shard}-{self.position.ms}-{self.position.number}"

    @property
    def at_ms(self) -> int:
        """When it was written, by the store's clock (Unix ms)."""
        return self.position.ms


class LedgerStreams:
    """The streams of one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    def read(self, shard: int, after: EventId | None = None, most: int = 100) -> list[LedgerRecord]:
        """Records of a shard, the oldest first.

        Args:
            shard: which.
            after: without those up to this one; None: from the oldest on.
            most: of them.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        start = "-" if after is None else f"({after.ms}-{after.number}"
        words = ("XRANGE", self._keys.shard_ledgers[shard], start, "+", "COUNT", most)
        (found,) = self._store.execute_many([words], or_none=True)
        return [_record(shard, each) for each in found or ()]


def _record(shard: int, raw: Sequence[Any]) -> LedgerRecord:
    fields = raw[1]
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    return LedgerRecord(
        shard, read_id(raw[0]), named.get(b"charges", b""), named.get(b"became", b"")
    )
