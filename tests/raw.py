"""The server of a store, as a client of redis-py: tests look at keys with it, and damage them."""

from functools import lru_cache
from typing import Any

import redis

from quotad.store import Store
from quotad.store.address import StoreAddress

BEHIND: dict[str, str] = {}
"""URLs that lead to the server without what is in front of it and as a user who may do anything, by
the address of the store or of a node."""


def raw(store: Store) -> Any:
    """A client of the server that a store has, for what quotad itself never does."""
    address = store._router.nodes[0].endpoint.address
    behind = BEHIND.get(str(address))
    if not store.whole:
        password = StoreAddress(behind).credentials()[1] if behind else address.credentials()[1]
        return _cluster(address.host, address.port, password)
    return _client(behind) if behind else _client(str(address), *address.credentials())


@lru_cache(maxsize=16)
def _client(url: str, user: str = "", password: str = "") -> Any:
    return redis.Redis.from_url(
        url, username=user or None, password=password or None, protocol=2, socket_timeout=10.0
    )


class _Cluster(redis.RedisCluster):
    """One that reads, writes and deletes keys of several slots, one after the other."""

    def mget(self, names: Any, *more: Any) -> Any:
        return self.mget_nonatomic(names, *more)

    def mset(self, values: Any) -> Any:
        return self.mset_nonatomic(values)

    def keys(self, pattern: Any = "*", **_: Any) -> Any:
        return super().keys(pattern, target_nodes=redis.RedisCluster.PRIMARIES)


@lru_cache(maxsize=4)
def _cluster(host: str, port: int, password: str) -> Any:
    return _Cluster(host, port, password=password, protocol=2, socket_timeout=10.0)
