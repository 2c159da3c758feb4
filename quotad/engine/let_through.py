"""What a worker has let through without the store, by counter, until the counter's period ends.

It is kept when the store is back: a store that is gone again and again must not have a share of a
limit given away each time.
"""

from collections.abc import Iterable, Sequence

COUNTERS_MAX = 200_000
"""Most counters; about 0.3 kB each. Of others nothing is let through that has a bound."""


class LetThrough:
    """Amounts by counter; of one thread at a time."""

    def __init__(self, counters_max: int = COUNTERS_MAX) -> None:
        self._counters_max = counters_max
        self._used: dict[str, tuple[int, int]] = {}
        """Amount, and when the counter expires (Unix time; 0 and below: it has no period)."""

    def __len__(self) -> int:
        return len(self._used)

    def of(self, name: str) -> int:
        """What was let through of a counter, by its key; below 0: more was given back."""
        found = self._used.get(name)
        return 0 if found is None else found[0]

    def has_room(self, names: Sequence[str], now_ms: int) -> bool:
        """Whether all of some counters can be kept count of."""
        new = sum(name not in self._used for name in names)
        if len(self._used) + new <= self._counters_max:
            return True
        if new:
            self._used = {
                name: kept for name, kept in self._used.items() if not 0 < kept[1] <= now_ms
            }
        return len(self._used) + new <= self._counters_max

    def add(self, name: str, amount: int, expires_ms: int) -> None:
        """Note what is let through; where there is no room for another counter, nothing."""
        found = self._used.get(name)
        if found is not None or len(self._used) < self._counters_max:
            before = 0 if found is None else found[0]
            self._used[name] = (before + amount, expires_ms)

    def take_back(self, taken: Iterable[tuple[str, int]]) -> None:
        """Undo `add`."""
        for name, amount in taken:
            found = self._used.get(name)
            if found is not None:
                self._used[name] = (found[0] - amount, found[1])
