"""Sorted sets in which servers keep notes by time: bounded, the latest stay.

One that is of another type is as good as lost: it reads as empty, and the next note replaces it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from quotad.store.connection import Store
from quotad.store.damage import report_damage


def put(store: Store, notes: Mapping[str, Sequence[Any]], most: int, kept_ms: int = 0) -> None:
    """Add to lists, by key: a time and a member in turn. A member keeps its latest time.

    Args:
        store: where they are.
        notes: what to add.
        most: members that a list keeps.
        kept_ms: how long a list stays after its latest note; 0: for ever.

    Raises:
        StoreUnavailable: the store refused or timed out; some may have been added.
    """
    commands: list[tuple[Any, ...]] = []
    for key, members in notes.items():
        commands += (
            ("ZADD", key, "GT", *members),
            ("ZREMRANGEBYRANK", key, 0, -most - 1),
            ("PEXPIRE", key, kept_ms) if kept_ms else ("PERSIST", key),
        )
    added = store.execute_many(commands, or_none=True)[::3]
    damaged = [key for key, answer in zip(notes, added, strict=True) if answer is None]
    if damaged:
        for key in damaged:
            report_damage(key, "it is of another type; it is written again")
        store.unlink(damaged)
        put(store, {key: notes[key] for key in damaged}, most, kept_ms)


def latest(store: Store, keys: Sequence[str], most: int) -> list[list[bytes]]:
    """The members of each list, the latest first.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    commands = [("ZREVRANGE", key, 0, most - 1) for key in keys]
    return [members or [] for members in store.execute_many(commands, or_none=True)]
