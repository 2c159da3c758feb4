"""What a store was first used with, checked at every start."""

from redis import ResponseError

from quotad.errors import ConfigError
from quotad.store.connection import Store
from quotad.store.damage import report_damage, wrong_type
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
        try:
            layout, shards = _fixed(store, keys)
        except ResponseError as error:
            if not wrong_type(error):
                raise
            # As good as lost, and a lost one is written anew, too.
            report_damage(keys.meta, "it was no hash, and is written again")
            store.client.delete(keys.meta)
            layout, shards = _fixed(store, keys)
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


def _fixed(store: Store, keys: KeySpace) -> tuple[str, str]:
    """Layout and number of shards of the store; from now on these, where there were none."""
    with store.client.pipeline(transaction=True) as pipeline:
        pipeline.hsetnx(keys.meta, "layout", str(LAYOUT))
        pipeline.hsetnx(keys.meta, "shards", str(keys.shards))
        pipeline.hmget(keys.meta, "layout", "shards")
        layout, shards = (raw.decode(errors="replace") for raw in pipeline.execute()[-1])
    return layout, shards
