"""Sorted sets in which servers keep notes by time: bounded, the latest stay.

One that is of another type is as good as lost: it reads as empty, and the next note replaces it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quotad.store.connection import Store
from quotad.store.damage import report_damage
from quotad.store.link import Command
from quotad.store.shard_commands import ShardCommands

_Notes = Mapping[str, Sequence[Any]]
"""A time and a member in turn, by key."""


def put(store: Store, notes: _Notes, most: int, kept_ms: int = 0) -> None:
    """Add to lists, by key: a time and a member in turn. A member keeps its latest time.

    Args:
        store: where they are.
        notes: what to add.
        most: members that a list keeps.
        kept_ms: how long a list stays after its latest note; 0: for ever.

    Raises:
        StoreUnavailable: the store refused or timed out; some may have been added.
    """
    added = store.execute_many(_commands(notes, most, kept_ms), or_none=True)[::3]
    damaged = _damaged(notes, added)
    if damaged:
        store.unlink(damaged)
        put(store, {key: notes[key] for key in damaged}, most, kept_ms)


def put_in_shards(
    shards: ShardCommands, notes: Callable[[], _Notes], most: int, kept_ms: int = 0
) -> None:
    """As `put`, to lists of shards.

    Args:
        shards: of the store.
        notes: what to add, by the keys as they are spelled now.
        most: as of `put`.
        kept_ms: as of `put`.

    Raises:
        StoreUnavailable: the store refused or timed out; some may have been added.
    """
    spelled: dict[str, Sequence[Any]] = {}

    def spell() -> list[Command]:
        spelled.clear()
        spelled.update(notes())
        return _commands(spelled, most, kept_ms)

    damaged = _damaged(spelled, shards.run(spell)[::3])
    if damaged:
        shards.run_here([("UNLINK", key) for key in damaged])
        again = {key: spelled[key] for key in damaged}
        shards.run_here(_commands(again, most, kept_ms))


def _commands(notes: _Notes, most: int, kept_ms: int) -> list[Command]:
    commands: list[Command] = []
    for key, members in notes.items():
        commands += (
            ("ZADD", key, "GT", *members),
            ("ZREMRANGEBYRANK", key, 0, -most - 1),
            ("PEXPIRE", key, kept_ms) if kept_ms else ("PERSIST", key),
        )
    return commands


def _damaged(notes: _Notes, added: Sequence[Any]) -> list[str]:
    damaged = [key for key, answer in zip(notes, added, strict=True) if answer is None]
    for key in damaged:
        report_damage(key, "it is of another type; it is written again")
    return damaged


def latest(store: Store, keys: Sequence[str], most: int) -> list[list[bytes]]:
    """The members of each list, the latest first.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    commands = [("ZREVRANGE", key, 0, most - 1) for key in keys]
    return [members or [] for members in store.execute_many(commands, or_none=True)]
