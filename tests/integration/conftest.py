"""Two server processes, one of each front, on one store."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.store import KeySpace, Store
from tests.integration.processes import ServerProcess, serve
from tests.running import read_counters


class Pair:
    """Two servers that share a store, and a look into that store."""

    def __init__(self, first: ServerProcess, second: ServerProcess, store: Store, prefix: str):
        self.first, self.second = first, second
        self.store = store
        self.keys = KeySpace(prefix, shards=8)

    def publish(self, text: str) -> Any:
        """Publish, and wait until both are ready."""
        published = self.first.publish(text)
        self.first.wait_ready()
        self.second.wait_ready()
        return published

    def counters(self, customer_id: str) -> dict[str, int]:
        """Every usage key of a customer, by feature and period."""
        return read_counters(self.store, self.keys, customer_id)


@pytest.fixture(scope="module")
def pair(store_url: str) -> Iterator[Pair]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    store = Store(store_url, timeout_ms=10_000)
    with (
        serve(store_url, prefix, "native") as first,
        serve(store_url, prefix, "grpcio") as second,
    ):
        yield Pair(first, second, store, prefix)
    store.close()


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"
