"""A key space of one's own on the real server, and charges that are short to write."""

import time
from collections.abc import Iterator

import pytest

from quotad.store import Charge, Counters, KeySpace, Settlement, Store
from quotad.store.counters import CONSUME

TAG = "1.abc"
FAR_MS = 4_000_000_000_000


class Scripted:
    """One customer on a real server, with the catalog tag `TAG` in force."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store = store
        self.space = KeySpace(prefix, shards=4)
        self.keys = self.space.customer("acme")
        self.counters = Counters(store.connect())
        store.client.set(self.keys.catalog, TAG)

    def charge(self, quantity: int, *caps: int, verb: str = CONSUME, epoch: int = 0) -> Charge:
        """A charge on the counters a, b, c, ... with these caps."""
        suffixes = tuple(f":{'abcdefgh'[i]}" for i in range(len(caps)))
        words = tuple(word for cap in caps for word in (cap, FAR_MS))
        return Charge(self.keys, epoch, quantity, verb, suffixes, words)

    def settle(self, *charges: Charge, tag: str = TAG) -> list[Settlement]:
        """Settle, where the store is expected to answer."""
        settled, error = self.counters.settle(tag, charges, time.monotonic() + 5)
        assert error is None
        assert len(settled) == len(charges)
        return settled

    def used(self) -> dict[str, int]:
        """Every counter of the customer, by its ending."""
        names = self.store.client.keys(f"{self.space.prefix}:*:u:*")
        return {
            name.decode().rpartition(":")[2]: int(self.store.client.get(name)) for name in names
        }


@pytest.fixture
def scripted(store_url: str, prefix: str) -> Iterator[Scripted]:
    store = Store(store_url, timeout_ms=5000)
    made = Scripted(store, prefix)
    yield made
    made.counters.close()
    store.close()
