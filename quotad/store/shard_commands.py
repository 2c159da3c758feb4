"""Commands on keys of a shard that have no script of their own, refused where it has moved."""

from collections.abc import Callable, Sequence
from typing import Any

from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.link import Command
from quotad.store.moves import Moves
from quotad.store.refusals import ErrorReply, WrongType, refused
from quotad.store.shard_map import tag_of_shard

Spell = Callable[[], Sequence[Command]]
"""Spells commands with the keys as they are by now."""


class ShardCommands:
    """Runs commands in the shards of one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._moves = Moves(store, keys)
        self._script = scripts.load("change_shard")

    def run(self, spell: Spell) -> list[Any]:
        """Run commands; those of one shard all or none, and again where it has moved meanwhile.

        Args:
            spell: they have their key as the second word. Where a shard has moved those that were
                run in others run again.

        Returns:
            An answer for each, in the order of the first time; None where its key holds something
            of another type.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have run.
        """
        return self._moves.again(lambda: self.run_here(spell()))

    def run_here(self, commands: Sequence[Command]) -> list[Any]:
        """As `run`, with keys that are spelled already.

        Raises:
            ShardMoved: a shard has moved, or is being moved; those of others may have run.
        """
        shards: dict[str, list[int]] = {}
        for place, (_, key, *_) in enumerate(commands):
            shards.setdefault(tag_of_shard(key), []).append(place)
        calls = []
        for tag, places in shards.items():
            names, words = spelled([commands[place] for place in places])
            calls.append(([*names, tag], words))
        answers: list[Any] = [None] * len(commands)
        replies = self._store.run_many(self._script, calls)
        for places, found in zip(shards.values(), replies, strict=True):
            for place, answer in zip(places, read_answers(found, self._store.address), strict=True):
                answers[place] = answer
        return answers


def spelled(commands: Sequence[Command]) -> tuple[list[str], list[Any]]:
    """Keys and arguments of commands for a script that runs them."""
    words: list[Any] = []
    for name, _, *rest in commands:
        words += (name, len(rest), *rest)
    return [key for _, key, *_ in commands], words


def read_answers(found: Sequence[Any], address: str) -> list[Any]:
    """The answers to commands that a script has run; None where a key is of another type.

    Raises:
        StoreError: one was refused for another reason.
    """
    answers: list[Any] = []
    for each in found:
        error = refused(each, address) if isinstance(each, ErrorReply) else None
        if error is not None and not isinstance(error, WrongType):
            raise error
        answers.append(None if error is not None else each)
    return answers
