"""How many decisions there were over time, by feature and reason, on all servers of a store."""

from threading import Lock

from quotad.clock import Clock
from quotad.decision import Reason
from quotad.errors import InvalidRequest
from quotad.metrics import FeatureRows, summed_rows
from quotad.store.decided import DAY_MS, KEPT_DAYS, DecidedCount, DecidedStore


class DecidedCounts:
    """What the decision threads of a worker have counted, brought to the store now and then."""

    def __init__(self, store: DecidedStore) -> None:
        self._store = store
        self._counted: list[FeatureRows] = []
        self._written: dict[str, list[int]] = {}
        self._writing = Lock()

    def include(self, counted: FeatureRows) -> None:
        """Bring the counts of one more thread."""
        self._counted.append(counted)

    def flush(self, now_ms: int) -> None:
        """Write what was counted since the last time.

        Raises:
            StoreUnavailable: the store refused or timed out; what was counted is lost, as it may
                have been written.
        """
        with self._writing:
            # Copies, as threads may add a feature meanwhile.
            now = summed_rows([dict(rows) for rows in self._counted])
            before, self._written = self._written, now
            new = [
                (feature_id, int(reason), more)
                for feature_id, row in now.items()
                for reason in Reason
                if (more := row[reason] - before.get(feature_id, _NONE)[reason])
            ]
            self._store.add(new, now_ms)


_NONE = [0] * (max(Reason) + 1)


class DecidedOperations:
    """Reads them; for all threads.

    Args:
        store: where they are.
        counts: of this worker, written before they are read.
        clock: of the store.
    """

    def __init__(self, store: DecidedStore, counts: DecidedCounts, clock: Clock) -> None:
        self._store = store
        self._counts = counts
        self._clock = clock

    def over_time(self, from_ms: int, until_ms: int = 0) -> list[DecidedCount]:
        """Return the decisions of all servers by quarter of an hour, feature and reason.

        Those of other servers are some seconds behind. Features beyond the first 200 of a server
        are `other`.

        Args:
            from_ms: Unix time; at most 35 days ago.
            until_ms: Unix time; 0: now.

        Raises:
            InvalidRequest: the span is too long, or none.
            StoreUnavailable: the store refused or timed out.
        """
        now_ms = self._clock.now_ms()
        until_ms = until_ms or now_ms + 1
        if not 0 < until_ms - from_ms <= KEPT_DAYS * DAY_MS:
            raise InvalidRequest(f"from: give a time before the end, at most {KEPT_DAYS} days")
        self._counts.flush(now_ms)
        return self._store.read(from_ms, until_ms)
