"""Customers without a record that a worker had to look up, until they are written to the store."""

from quotad.store.seen import SeenStore

NOTED_MAX = 10_000
"""Most customers noted between two flushes; those left out come when they are looked up again."""


class Seen:
    """Collects them; shared by the decision threads of a worker."""

    def __init__(self, store: SeenStore) -> None:
        self._store = store
        self._noted: dict[str, int] = {}
        """By customer, the epoch that it was at."""

    def note(self, customer_id: str, epoch: int) -> None:
        """Remember a customer and its epoch until the next flush."""
        if len(self._noted) < NOTED_MAX:
            self._noted[customer_id] = epoch

    def flush(self, now_ms: int) -> None:
        """Write what was noted to the store.

        Raises:
            StoreUnavailable: it refused or timed out; what was noted is lost.
        """
        noted, self._noted = self._noted, {}
        if noted:
            # A copy: a decision thread that had just looked may still be adding one.
            self._store.note(dict(noted), now_ms)
