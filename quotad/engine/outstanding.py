"""How much of what a worker has lent or set aside has neither come back to it nor ended.

For operators only: nothing is decided by it. What is given out by one worker and comes back to
another counts as outstanding until it ends.
"""

import threading

OUTSTANDING_MAX = 100_000
"""Most that are known at a time; more are not counted."""

_SECOND_MS = 1_000


class Outstanding:
    """What is outstanding of one kind; any thread may note it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[tuple[str, str], int] = {}
        """By customer and id, the second of the end."""
        self._by_end: dict[int, set[tuple[str, str]]] = {}

    def note(self, customer_id: str, own_id: str, ends_ms: int) -> None:
        """Something was given out, or ends at another moment (Unix ms)."""
        name, end = (customer_id, own_id), ends_ms // _SECOND_MS
        with self._lock:
            if len(self._ends) >= OUTSTANDING_MAX and name not in self._ends:
                return
            self._take(name)
            self._ends[name] = end
            self._by_end.setdefault(end, set()).add(name)

    def drop(self, customer_id: str, own_id: str) -> None:
        """It has come back."""
        with self._lock:
            self._take((customer_id, own_id))

    def count(self, now_ms: int) -> int:
        """Return how many are outstanding at a moment (Unix ms)."""
        with self._lock:
            for end in [end for end in self._by_end if end < now_ms // _SECOND_MS]:
                for name in self._by_end.pop(end):
                    del self._ends[name]
            return len(self._ends)

    def _take(self, name: tuple[str, str]) -> None:
        end = self._ends.pop(name, None)
        if end is not None:
            names = self._by_end[end]
            names.discard(name)
            if not names:
                del self._by_end[end]
