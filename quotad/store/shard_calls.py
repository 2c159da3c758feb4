"""Script calls of kept charges shard by shard, as a cluster takes them: words that the calls of a
batch have in common are packed once for it, the others were before.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from quotad.store.charges import (
    CONSUME,
    Charge,
    ChargeQuantity,
    CounterSet,
    PutsInLedger,
    Settlement,
)
from quotad.store.packed import PackedCall, packed

_STARTS_MAX = 8_192
"""One for each shard and number of charges."""
_RUNS_MAX = 1_024


_limits = attrgetter("counters")
_quantities = attrgetter("quantity")
_names = attrgetter("names")
_epochs = attrgetter("epoch_word")


class ShardCalls:
    """The script calls of one batch.

    Args:
        head: tag of the catalog, and `not_after_ms`; as of `ChargeScript.settle`.
        charges: of the batch.
        notes: as of `ChargeScript.settle`.
    """

    def __init__(
        self, head: tuple[str, int], charges: Sequence[Charge], notes: PutsInLedger | None
    ) -> None:
        self._head = head
        self._limits = [*map(_limits, charges)]
        self._quantities = [*map(_quantities, charges)]
        self._names = [*map(_names, charges)]
        self._epochs = [*map(_epochs, charges)]
        self._notes = notes
        counters, quantity, size = self._limits[0], self._quantities[0], len(charges)
        self._alike = (
            all(self._names)
            and not (notes is not None and counters.noting)
            and self._limits.count(counters) == size == self._quantities.count(quantity)
        )
        """Whether all of them are kept, to the same limits, of the same quantity and not noted."""

    def spell(self, places: Mapping[str, Sequence[int]], keys_max: int) -> list[PackedCall | None]:
        """The words of the call of each shard; None: its charges are not kept, or not alike.

        Args:
            places: of charges, by their shard's first key.
            keys_max: most keys of a call.
        """
        names, epochs, alike = self._names, self._epochs, self._alike
        calls: list[PackedCall | None] = []
        terms_of: dict[int, tuple[bytes, int]] = {}  # by the `id` of a limit
        for catalog, at in places.items():
            first, size = at[0], len(at)
            counters, quantity = self._limits[first], self._quantities[first]
            keys = (1 + counters.words[0]) * size  # of the charges
            if keys >= keys_max or not (alike or self._are_alike(at)):
                calls.append(None)
                continue
            known = terms_of.get(id(counters))
            if known is None:
                known = terms_of[id(counters)] = self._terms(counters)
            terms, count = known
            start, run = _start(1 + keys, catalog), _run(size, quantity)
            if size == 1:
                data = b"".join((start, names[first], terms, run, epochs[first]))
            else:
                own = [names[place] for place in at]
                data = b"".join((start, *own, terms, run, *[epochs[place] for place in at]))
            if quantity != 1:
                count += 1 if isinstance(quantity, int) else len(quantity)
            calls.append(PackedCall(catalog, count + 3 + keys + size, data))
        return calls

    def _are_alike(self, at: Sequence[int]) -> bool:
        """Whether charges of one shard are what `_alike` says of all."""
        counters, quantity = self._limits[at[0]], self._quantities[at[0]]
        if counters.noting and self._notes is not None:
            return False
        for place in at:
            same = self._limits[place] is counters and self._quantities[place] == quantity
            if not same or not self._names[place]:
                return False
        return True

    def _terms(self, counters: CounterSet) -> tuple[bytes, int]:
        """The words between the keys and the run of charges, and how many they are."""
        words = *self._head, 1, CONSUME, *counters.words
        return packed(*words), len(words)


def read_pairs(reply: Any, places: Sequence[int], settled: list[Settlement]) -> bool:
    """As `counters.read_reply`, with less work, where each of some charges of one plain limit was
    allowed or denied: whatever else becomes of one is answered in one word, so these are pairs.

    Args:
        reply: as it came, or why there is none.
        places: of the charges.
        settled: all settlements, of which theirs are replaced.

    Returns:
        Whether it was so; else nothing was read.
    """
    size = len(places)
    if not isinstance(reply, list) or len(reply) != 2 * size:
        return False
    statuses = reply[::2]
    if statuses.count(1) + statuses.count(0) != size:
        return False
    for place, status, used in zip(places, statuses, reply[1::2], strict=True):
        settled[place] = Settlement(status, (used,))
    return True


@lru_cache(_RUNS_MAX)
def _run(charges: int, quantity: ChargeQuantity) -> bytes:
    if isinstance(quantity, int):
        return packed(f"1 {charges} 1") if quantity == 1 else packed(f"1 {charges}", quantity)
    return packed(f"1 {charges} each", *quantity)


@lru_cache(_STARTS_MAX)
def _start(count: int, catalog: str) -> bytes:
    return packed(count, catalog)
