"""How a store was laid out at first, checked at every start; and where its shards are by now."""

from collections.abc import Sequence

from quotad.errors import ConfigError
from quotad.store.connection import Store
from quotad.store.damage import report_damage
from quotad.store.keys import KeySpace
from quotad.store.refusals import WrongType
from quotad.store.shard_map import EVEN, FIELDS, MOVING, NUMBERED, ShardMap, read_map

SHARDS_NUMBERED = 256
"""Shards of a store of an earlier release that was set up without another number."""


def check_layout(store: Store, keys: KeySpace, agreed: bool = False) -> None:
    """Fix layout and number of shards at the first start; compare with them at every other.

    Args:
        store: which.
        keys: with the prefix and the number of shards of the settings; takes over how the store
            was set up, and what has moved since.
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
        found = _fixed(store, keys, agreed)
    except WrongType:
        if not agreed:
            raise
        report_damage(keys.meta, "it was no hash, and is written again")
        store.execute("DEL", keys.meta)
        found = _fixed(store, keys, agreed)
    spread = _known(store, keys, found)
    chosen = keys.spread.former or keys.shards
    if keys.chosen and not {spread.shards, spread.former} & {keys.shards, chosen}:
        raise _other_shards(store, keys, found[1])
    if agreed and not _goes_on(keys.spread, spread):
        raise ConfigError(
            f"the store at {store.address} was set up anew under prefix {keys.prefix!r}, with"
            f" layout {spread.layout} and not {keys.layout}"
        )
    if agreed:
        spread = look_at_layout(store, keys)
    else:
        keys.follow(spread)
    keys.chosen = True  # from here on keys are spelled so


def look_at_layout(store: Store, keys: KeySpace) -> ShardMap:
    """Look where the shards are by now; the keys are spelled so from here on.

    Raises:
        StoreError: the store refused or timed out, or is laid out in another way than before.
    """
    with keys.following:  # what was read first is taken over first
        found = [_text(raw) for raw in store.execute("HMGET", keys.meta, *FIELDS)]
        spread = read_map(dict(zip(FIELDS, found, strict=True)))
        if spread is not None and spread != keys.spread and _goes_on(keys.spread, spread):
            keys.follow(spread)
        return keys.spread


def _goes_on(before: ShardMap, now: ShardMap) -> bool:
    """Whether a layout is that of before, or what has become of it."""
    if now.former:
        same = (before.shards, before.former) == (now.shards, now.former)
        first = before.layout == NUMBERED and before.shards == now.former
        return same or first
    return (before.shards, before.layout) == (now.shards, now.layout) or (
        # It was begun and given up before any shard has moved.
        before.moving and not before.moved and (now.shards, now.layout) == (before.former, NUMBERED)
    )


def _known(store: Store, keys: KeySpace, found: Sequence[str]) -> ShardMap:
    """The map that the fields of the store have.

    Raises:
        ConfigError: it is none that this release knows.
    """
    layout, shards, *_ = found
    if layout not in (str(NUMBERED), str(EVEN), str(MOVING)):
        raise ConfigError(
            f"the store at {store.address} holds layout {layout} under prefix"
            f" {keys.prefix!r}; this quotad reads layouts {NUMBERED} to {MOVING}"
        )
    spread = read_map(dict(zip(FIELDS, found, strict=True)))
    if spread is None:
        raise _other_shards(store, keys, shards)
    return spread


def _other_shards(store: Store, keys: KeySpace, shards: str) -> ConfigError:
    return ConfigError(
        f"shards: the store at {store.address} was set up with {shards} shards under"
        f" prefix {keys.prefix!r}, not {keys.shards}; set shards to {shards}"
    )


def _fixed(store: Store, keys: KeySpace, agreed: bool) -> list[str]:
    """The fields that lay out the store; from now on these, where there were none."""
    read = ("HMGET", keys.meta, *FIELDS)
    found = store.execute(*read)
    if None in found[:2]:
        fields = keys.spread.fields()
        if not agreed:
            numbered = KeySpace(keys.prefix, 1)
            numbered.lay_out(1, NUMBERED)
            (there,) = store.read(numbered.shard_catalogs)
            if there is not None:  # an earlier release has set it up, and what it wrote is lost
                shards = keys.shards if keys.chosen else SHARDS_NUMBERED
                fields = {"layout": NUMBERED, "shards": shards}
        commands = [("HSETNX", keys.meta, name, value) for name, value in fields.items()]
        found = store.execute_many([*commands, read], atomic=True)[-1]
    return [_text(raw) for raw in found]


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
