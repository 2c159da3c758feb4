"""The keys of shards that are moved next: those that are there, and those that change meanwhile."""

import logging
from collections.abc import Sequence
from types import TracebackType

from quotad.errors import StoreError
from quotad.store.changed_keys import ChangedKeys
from quotad.store.connection import Store
from quotad.store.damage import report_once
from quotad.store.keys import KeySpace
from quotad.store.shard_map import start_of_shard

_log = logging.getLogger("quotad.store")


class NotedKeys:
    """Keeps the names of the keys of some shards; of one thread.

    Args:
        store: where they are; of a cluster there is one shard.
        keys: of the store.
        shards: which.
    """

    def __init__(self, store: Store, keys: KeySpace, shards: Sequence[int]) -> None:
        self._store = store
        self._keys = keys
        self._shards = {keys.of_shard(shard): shard for shard in shards}
        self._changes: ChangedKeys | None = None
        self._names: dict[int, set[str]] = {}
        self._changed: dict[int, set[str]] = {shard: set() for shard in shards}
        self.works = True
        """Whether the store lets one notice what changes."""

    def __enter__(self) -> "NotedKeys":
        try:
            self._changes = ChangedKeys(self._store, list(self._shards))
        except StoreError as error:
            report_once(f"shards are closed for as long as all of them is copied: {error}")
            self.works = False
            return self
        self._names = self._scan()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._changes is not None:
            self._changes.close()

    def names(self, shard: int) -> set[str] | None:
        """Keys that were there when this was entered; None: it is not noticed what changes."""
        return self._names.get(shard, set()) if self._changes is not None else None

    def look(self, shard: int) -> set[str]:
        """Keys that are there now."""
        found: set[str] = set()
        for names in self._store.scan(self._keys.of_shard(shard)):
            found.update(name.decode() for name in names)
        return found

    def take(self, shard: int) -> set[str] | None:
        """Keys that were written or removed since this was entered or last taken; None: some may
        have been missed."""
        if self._changes is None:
            return None
        try:
            for name in self._changes.read():
                of = self._shards.get(start_of_shard(name))
                if of is not None:
                    self._changed[of].add(name)
        except StoreError as error:
            _log.warning("copying again: %s", error)
            self._changes.close()
            self._changes = None
            return None
        changed, self._changed[shard] = self._changed[shard], set()
        return changed

    def _scan(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {shard: set() for shard in self._shards.values()}
        starts = list(self._shards)
        for names in self._store.scan(starts[0] if len(starts) == 1 else _common(starts)):
            for raw in names:
                name = raw.decode()
                of = self._shards.get(start_of_shard(name)) if "}" in name else None
                if of is not None:
                    found[of].add(name)
        return found


def _common(starts: Sequence[str]) -> str:
    """What keys of several shards start with."""
    return starts[0][: starts[0].index("{") + 1]
