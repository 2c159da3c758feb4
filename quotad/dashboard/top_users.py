"""Who uses most of a feature, of all customers with a record."""

import heapq
from concurrent.futures import Executor
from threading import Lock

from quotad.clock import Clock
from quotad.dashboard.kept import Kept, KeptValue
from quotad.operations.usage import PeriodUsage, UsageOperations

MOST = 50
"""Customers that are listed."""

PAGE = 500
"""Customers read at once."""


class TopUsers:
    """Counts them beside pages, a feature at a time, once somebody asks; for all threads.

    Args:
        usage: what is read.
        threads: in which that is done.
        clock: of the store.
    """

    def __init__(self, usage: UsageOperations, threads: Executor, clock: Clock) -> None:
        self._usage = usage
        self._threads = threads
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[str, Kept[list[PeriodUsage]]] = {}

    def of(self, feature_id: str) -> KeptValue[list[PeriodUsage]] | None:
        """Return the latest; None: they are still being counted for the first time.

        Args:
            feature_id: a metered feature of the catalog.

        Raises:
            QuotadError: as of reading usage.
        """
        with self._lock:
            kept = self._kept.get(feature_id)
            if kept is None:

                def make() -> list[PeriodUsage]:
                    return self._count(feature_id)

                kept = self._kept[feature_id] = Kept(make, self._threads, self._clock)
        return kept.get()

    def _count(self, feature_id: str) -> list[PeriodUsage]:
        """By the window in which a customer, or a resource of it, has used most."""
        first: list[PeriodUsage] = []
        token = ""
        while True:
            page = self._usage.page(feature_id, "", token, PAGE)
            most: dict[tuple[str, str], PeriodUsage] = {}
            for each in page.usage:
                who = (each.customer_id, each.resource_id)
                if each.used > 0 and (who not in most or each.used > most[who].used):
                    most[who] = each
            first = heapq.nlargest(MOST, [*first, *most.values()], key=lambda each: each.used)
            token = page.next_token
            if not token:
                return first
