"""A store of its own for each test: no server, no protobuf."""

from collections.abc import Iterator

import pytest

from quotad.store import KeySpace, Store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url, timeout_ms=10_000)
    yield made
    made.close()


@pytest.fixture
def keys(prefix: str) -> KeySpace:
    return KeySpace(prefix, shards=4)
