"""What a store was first used with, checked at every start."""

from quotad.errors import ConfigError
from quotad.store.connection import Store
from quotad.store.keys import KeySpace

LAYOUT = 1
"""Grows when keys or values change so that older servers could not read them."""


def check_layout(store: Store, keys: KeySpace) -> None:
    """Fix layout and number of shards at the first start; compare with them at every other.

    Raises:
        ConfigError: the store holds another layout, or customers spread over other shards.
        StoreUnavailable: the store refused or timed out.
    """
    with store.errors():
        pipeline = store.client.pipeline(transaction=True)
        pipeline.hsetnx(keys.meta, "layout", str(LAYOUT))
        pipeline.hsetnx(keys.meta, "shards", str(keys.shards))
        pipeline.hmget(keys.meta, "layout", "shards")
        layout, shards = (raw.decode(errors="replace") for raw in pipeline.execute()[-1])
    if layout != str(LAYOUT):
        raise ConfigError(
            f"the store at {store.address} holds layout {layout} under prefix"
            f" {keys.prefix!r}; this quotad reads layout {LAYOUT}"
        )
    if shards != str(keys.shards):
        raise ConfigError(
            f"shards: the store at {store.address} was set up with {shards} shards under"
            f" prefix {keys.prefix!r}, not {keys.shards}; set shards to {shards}"
        )
