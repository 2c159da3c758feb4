"""The one bounded cache: what was used last is kept."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, in two generations instead of a list in order of use.

    A hit is one dictionary look-up and needs no lock. What was not looked up since the younger
    generation was started goes with the older one. A caller whose every nanosecond counts looks
    in `young` itself first.

    Args:
        size_max: most values kept; at least half of them before the first one goes.
    """

    def __init__(self, size_max: int) -> None:
        self._generation_max = max(size_max // 2, 1)
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def get(self, key: K) -> V | None:
        """Return the value of a key, which counts as its use; None: it is not kept."""
        value = self.young.get(key)
        if value is None:
            value = self.old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value, which is not None."""
        if len(self.young) >= self._generation_max:
            self.old, self.young = self.young, {}
        self.young[key] = value

    def drop(self, key: K) -> None:
        """Remove a key."""
        self.young.pop(key, None)
        self.old.pop(key, None)
