"""The streams of changes, read from a position that the reader keeps."""

from collections.abc import Mapping, Sequence

from quotad.store.connection import Store
from quotad.store.events import EventId, StreamEntry, read_entries, read_id
from quotad.store.keys import KeySpace

FIRST_SHARD = 0
"""Whoever reads its stream reads that of catalogs, too."""


class ChangeStreams:
    """The streams of one store. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    def of_shards(self, shards: Sequence[int]) -> list[str]:
        """The streams of some shards, by their places among all that there are."""
        named = self._keys.shard_events
        found = [named[shard] for shard in shards if shard < len(named)]
        return [*found, self._keys.catalog_events] if FIRST_SHARD in shards else found

    def oldest(self, streams: Sequence[str]) -> dict[str, EventId]:
        """Where the oldest entries of streams are; without empty streams."""
        commands = [("XRANGE", name, "-", "+", "COUNT", 1) for name in streams]
        found = self._store.execute_many(commands, or_none=True) if commands else []
        return {name: read_id(raw[0][0]) for name, raw in zip(streams, found, strict=True) if raw}

    def read(self, after: Mapping[str, EventId], most: int) -> list[StreamEntry]:
        """What came into streams after a position, by time within each.

        Args:
            after: by stream, what was read last.
            most: of each stream.
        """
        commands = [
            ("XRANGE", name, f"({at.ms}-{at.number}", "+", "COUNT", most)
            for name, at in after.items()
        ]
        found = self._store.execute_many(commands, or_none=True) if commands else []
        return [
            entry
            for name, raw in zip(after, found, strict=True)
            for entry in read_entries(name, raw)
        ]
