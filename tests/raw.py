"""The server of a store, as a client of redis-py: tests look at keys with it, and damage them."""

from functools import lru_cache
from typing import Any

import redis

from quotad.store import Store


def raw(store: Store) -> Any:
    """A client of the server that a store has, for what quotad itself never does."""
    address = store._router.nodes[0]._address
    return _client(address.path, address.host, address.port, *address.credentials())


@lru_cache(maxsize=16)
def _client(path: str, host: str, port: int, user: str, password: str) -> Any:
    return redis.Redis(
        unix_socket_path=path or None,
        host=host,
        port=port,
        username=user or None,
        password=password or None,
        protocol=2,
        socket_timeout=10.0,
    )
