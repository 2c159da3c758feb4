"""The server of a store, as a client of redis-py: tests look at keys with it, and damage them."""

from functools import lru_cache
from typing import Any

import redis

from quotad.store import Store

BEHIND: dict[str, str] = {}
"""URLs that lead to the server without what is in front of it, by the address of the store."""


def raw(store: Store) -> Any:
    """A client of the server that a store has, for what quotad itself never does."""
    address = store._router.nodes[0]._address
    behind = BEHIND.get(str(address))
    return _client(behind) if behind else _client(str(address), *address.credentials())


@lru_cache(maxsize=16)
def _client(url: str, user: str = "", password: str = "") -> Any:
    return redis.Redis.from_url(
        url, username=user or None, password=password or None, protocol=2, socket_timeout=10.0
    )
