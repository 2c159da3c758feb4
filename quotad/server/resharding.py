"""Moving the shards of a store, beside the servers that use it."""

from collections.abc import Iterator
from contextlib import contextmanager

from quotad.config import Config
from quotad.store import KeySpace, Store, check_layout
from quotad.store.resharding import MovedShard, Resharder, Resharding

__all__ = ["MovedShard", "Resharder", "Resharding", "resharder"]

TIMEOUT_MS = 5_000
"""Longest time of a command, of which some copy a thousand keys."""


@contextmanager
def resharder(config: Config) -> Iterator[Resharder]:
    """Have what moves the shards of the store of the settings.

    Raises:
        ConfigError: the store is laid out in another way.
        StoreUnavailable: it is not there.
    """
    store = Store(config.redis_url, max(config.store_timeout_ms, TIMEOUT_MS))
    try:
        keys = KeySpace(config.prefix)
        check_layout(store, keys)
        yield Resharder(store, keys)
    finally:
        store.close()
