"""What a store was first used with, checked at every start."""

import re

from quotad.errors import ConfigError
from quotad.store.connection import Store
from quotad.store.damage import report_damage
from quotad.store.keys import EVEN, NUMBERED, KeySpace
from quotad.store.refusals import WrongType

SHARDS_NUMBERED = 256
"""Shards of a store of an earlier release that was set up without another number."""


def check_layout(store: Store, keys: KeySpace, agreed: bool = False) -> None:
    """Fix layout and number of shards at the first start; compare with them at every other.

    Args:
        store: which.
        keys: with the prefix and the number of shards of the settings; takes over how the store
            was set up.
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
        layout, shards = _fixed(store, keys, agreed)
    except WrongType:
        if not agreed:
            raise
        report_damage(keys.meta, "it was no hash, and is written again")
        store.execute("DEL", keys.meta)
        layout, shards = _fixed(store, keys, agreed)
    if layout not in (str(NUMBERED), str(EVEN)):
        raise ConfigError(
            f"the store at {store.address} holds layout {layout} under prefix"
            f" {keys.prefix!r}; this quotad reads layouts {NUMBERED} and {EVEN}"
        )
    if shards != str(keys.shards) and (keys.chosen or not re.fullmatch("[1-9][0-9]{0,4}", shards)):
        raise ConfigError(
            f"shards: the store at {store.address} was set up with {shards} shards under"
            f" prefix {keys.prefix!r}, not {keys.shards}; set shards to {shards}"
        )
    if not agreed:
        keys.lay_out(int(shards), int(layout))
        keys.chosen = True  # from here on keys are spelled so
    elif layout != str(keys.layout):
        raise ConfigError(
            f"the store at {store.address} was set up anew under prefix {keys.prefix!r}, with"
            f" layout {layout} and not {keys.layout}"
        )


def _fixed(store: Store, keys: KeySpace, agreed: bool) -> tuple[str, str]:
    """Layout and number of shards of the store; from now on these, where there were none."""
    found = store.execute("HMGET", keys.meta, "layout", "shards")
    if None in found:
        layout, shards = keys.layout, keys.shards
        if not agreed:
            numbered = KeySpace(keys.prefix, 1)
            numbered.lay_out(1, NUMBERED)
            (there,) = store.read(numbered.shard_catalogs)
            if there is not None:  # an earlier release has set it up, and what it wrote is lost
                layout, shards = NUMBERED, keys.shards if keys.chosen else SHARDS_NUMBERED
        commands = [
            ("HSETNX", keys.meta, "layout", layout),
            ("HSETNX", keys.meta, "shards", shards),
            ("HMGET", keys.meta, "layout", "shards"),
        ]
        found = store.execute_many(commands, atomic=True)[-1]
    layout_found, shards_found = (raw.decode(errors="replace") for raw in found)
    return layout_found, shards_found
