"""What a store was first used with, checked at every start."""

from quotad.errors import ConfigError
from quotad.store.connection import Store
from quotad.store.damage import report_damage
from quotad.store.keys import KeySpace
from quotad.store.refusals import WrongType

LAYOUT = 1
"""Grows when keys or values change so that older servers could not read them."""


def check_layout(store: Store, keys: KeySpace, agreed: bool = False) -> None:
    """Fix layout and number of shards at the first start; compare with them at every other.

    Args:
        store: which.
        keys: with the prefix and the number of shards of the settings.
        agreed: this process has found them right before. A key of another type is damage then, and
            written again; at a start it may be that of another program.

    Raises:
        StoreError: the key that holds them is none of quotad's.
        ConfigError: the store holds another layout, or customers spread over other shards, or it
            is of another kind than its URL says.
        StoreUnavailable: the store refused or timed out.
    """
    if not agreed:
        store.check_kind()
    try:
        layout, shards = _fixed(store, keys)
    except WrongType:
        if not agreed:
            raise
        report_damage(keys.meta, "it was no hash, and is written again")
        store.execute("DEL", keys.meta)
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
    commands = [
        ("HSETNX", keys.meta, "layout", LAYOUT),
        ("HSETNX", keys.meta, "shards", keys.shards),
        ("HMGET", keys.meta, "layout", "shards"),
    ]
    found = store.execute_many(commands, atomic=True)[-1]
    layout, shards = (raw.decode(errors="replace") for raw in found)
    return layout, shards
