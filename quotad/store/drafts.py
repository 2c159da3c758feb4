"""Drafts of the catalog, one of each person. What stands in them is not this room's."""

import msgspec

from quotad.errors import Busy, Conflict
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace

KEPT_MS = 90 * 86_400_000
"""How long a draft is kept after it was saved last."""

DRAFTS_MAX = 200
"""Most people who have a draft at once."""

_SAVED, _CONFLICT = 1, 2
_CHANGED = "the draft was changed in another window; load the page again"


class StoredDraft(msgspec.Struct, frozen=True):
    """A draft as it was saved."""

    revision: int
    """Grows with every save."""
    data: bytes


class DraftStore:
    """Keeps drafts and files; for all threads. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._save = scripts.load("save_draft")
        self._remove = scripts.load("remove_draft")

    def get(self, owner: str) -> StoredDraft | None:
        """The draft of a person; None: there is none."""
        command = ("HMGET", self._keys.draft(owner), "revision", "data")
        (found,) = self._store.execute_many([command], or_none=True)
        if found is None or None in found or not found[0].isdigit():
            return None
        return StoredDraft(int(found[0]), found[1])

    def save(self, owner: str, expected: int, data: bytes, asked: bool = False) -> int:
        """Save a draft over the revision that it was made from; returns the new one.

        Args:
            owner: whose.
            expected: what is replaced; 0: there is none.
            data: the draft.
            asked: whether another person is asked to publish it.

        Raises:
            Conflict: it was saved or discarded elsewhere meanwhile.
            Busy: too many people have a draft.
        """
        outcome, revision = self._store.run(
            self._save,
            [self._keys.draft(owner), self._keys.drafts],
            [owner, expected, data, KEPT_MS, DRAFTS_MAX, int(asked)],
        )
        if outcome == _SAVED:
            return int(revision)
        if outcome == _CONFLICT:
            raise Conflict(_CHANGED)
        raise Busy(f"there are {DRAFTS_MAX} drafts; publish or discard one of them first")

    def remove(self, owner: str, expected: int) -> None:
        """Remove the draft of a person, if there is one.

        Args:
            owner: whose.
            expected: the revision that is removed.

        Raises:
            Conflict: it was saved elsewhere meanwhile, and stays.
        """
        names = [self._keys.draft(owner), self._keys.drafts]
        if self._store.run(self._remove, names, [owner, expected]) == _CONFLICT:
            raise Conflict(_CHANGED)

    def asked(self) -> list[str]:
        """Who asks another person to publish their draft."""
        owners = list(self.owners())
        commands = [("HGET", self._keys.draft(owner), "asked") for owner in owners]
        found = self._store.execute_many(commands, or_none=True)
        return [owner for owner, asked in zip(owners, found, strict=True) if asked == b"1"]

    def owners(self) -> dict[str, int]:
        """Who has a draft, and when it was saved last (Unix ms); the latest first."""
        command = ("ZRANGE", self._keys.drafts, 0, -1, "REV", "WITHSCORES")
        (found,) = self._store.execute_many([command], or_none=True)
        pairs = zip((found or [])[::2], (found or [])[1::2], strict=True)
        return {name.decode(errors="replace"): int(float(at)) for name, at in pairs}
