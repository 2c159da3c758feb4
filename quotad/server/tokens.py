"""Tokens made and ended on the store itself, which works before any server has one."""

from collections.abc import Iterator
from contextlib import contextmanager

from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.operations.tokens import TokenOperations
from quotad.server.ledger_parts import ledger_kept
from quotad.store import KeySpace, Store, check_layout
from quotad.store.tokens import TokenStore

__all__ = ["TokenOperations", "token_operations"]


@contextmanager
def token_operations(config: Config) -> Iterator[TokenOperations]:
    """Have the operations on the store of the settings.

    Raises:
        ConfigError: the store is laid out in another way.
        StoreUnavailable: it is not there.
    """
    store = Store(config.redis_url, max(config.store_timeout_ms, 5_000))
    try:
        keys = KeySpace(config.prefix, config.shards)
        check_layout(store, keys)
        tokens = TokenStore(store, keys, ledger_kept(config))
        yield TokenOperations(tokens, SyncedClock(), on_store=True)
    finally:
        store.close()
