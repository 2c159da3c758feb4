"""The server of a store, as a client of redis-py: tests look at keys with it, and damage them."""

from typing import Any

import redis

from quotad.store import Store


def raw(store: Store) -> Any:
    """A client that shares the connections of the store."""
    return redis.Redis(connection_pool=store._router.nodes[0]._pool)
