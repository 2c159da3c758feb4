"""Whether more goes into the ledger than is kept."""

from quotad.engine import Snapshots
from quotad.ledger import LedgerKept
from quotad.plural import plural
from quotad.store.ledger import LedgerStreams


class LedgerBound:
    """Whether the ledger drops records before their time, as more come than are kept.

    Args:
        streams: of the store.
        kept: how much is kept.
        snapshots: whose features may be in the ledger.
    """

    def __init__(self, streams: LedgerStreams, kept: LedgerKept, snapshots: Snapshots) -> None:
        self._streams = streams
        self._kept = kept
        self._snapshots = snapshots
        self.full = 0
        """Shards that do, at the last look."""

    def look(self) -> None:
        """Look at the streams, where a feature is in the ledger.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        snapshot = self._snapshots.peek
        noted = snapshot is not None and any(map(snapshot.noting, snapshot.features))
        self.full = self._streams.full(self._kept) if noted else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know."""
        if not self.full:
            return ()
        return (
            f"the ledger is full in {plural(self.full, 'shard')}: the oldest records are dropped"
            " before ledger_kept_ms; raise ledger_records_max, or read it sooner",
        )
