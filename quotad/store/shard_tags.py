"""The tags by which each shard of a cluster knows the catalog in force.

On one server a script moves all of them together with the head. On a cluster they are moved one by
one once the head has been, only forward, by the publisher and by whoever finds one left behind.
"""

from collections.abc import Sequence

import msgspec

from quotad.errors import ShardMoved, StoreUnavailable
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.events import kept
from quotad.store.keys import KeySpace, catalog_tag
from quotad.store.moves import Moves
from quotad.store.refusals import MOVING

_MOVED = -2


class Advanced(msgspec.Struct, frozen=True):
    """What has become of the tags of all shards."""

    lost: list[str]
    """Keys that were written and had none."""
    behind: list[str]
    """Keys that were written and had an older one, as in the middle of a publish."""
    newer: bool
    """Whether a shard has a newer version."""


NONE = Advanced([], [], newer=False)


class ShardTags:
    """The tags of one store; does nothing where scripts write them together with the head."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._script = scripts.load("advance_catalog")
        self._note = scripts.load("note_change")
        self._moves = Moves(store, keys)

    def advance(self, version: int, digest: str) -> Advanced:
        """Put the version on the head in force in all shards that have an older one.

        Raises:
            StoreUnavailable: a server refused or timed out; the shards of the others have it.
        """
        if self._store.whole:
            return NONE
        try:
            names, codes = self._moves.again(
                lambda: self._advance((catalog_tag(version, digest), version))
            )
        except StoreUnavailable as error:
            text = (
                f"incomplete: catalog version {version} is published, and not in force for all"
                " customers yet, which servers bring about by themselves"
            )
            incomplete = StoreUnavailable(f"{text}: {error}", f"{text}: {error.for_caller}")
            incomplete.partial = error.partial
            raise incomplete from error
        lost, behind = ([names[i] for i, code in enumerate(codes) if code == c] for c in (1, 2))
        if lost or behind:  # it was told when it came on the head, and is again now that it holds
            note = (*kept(), "catalog", version)
            self._store.run(self._note, [self._keys.catalog_events], note)
        return Advanced(lost, behind, newer=-1 in codes)

    def _advance(self, words: tuple[str, int]) -> tuple[Sequence[str], list[int]]:
        """The keys of the tags of all shards, and what has become of each.

        Raises:
            ShardMoved: some have moved since this process has looked.
        """
        names = self._keys.catalogs_in_force
        codes: list[int] = self._store.run_many(self._script, [([name], words) for name in names])
        if _MOVED in codes:
            raise ShardMoved(MOVING)
        return names, codes
