"""Head and tags of the catalog in force, written again when keys of the store were lost or damaged.

An eviction, a hasty flush, a restore in parts: what is left names the newest version that was in
force, and that is what comes back; never an older one.
"""

import logging
import re
from collections.abc import Sequence
from typing import Any

from quotad.errors import RecordLost
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.events import kept
from quotad.store.keys import DIGEST_IN_TAG, KeySpace, catalog_tag
from quotad.store.moves import Moves
from quotad.store.records import decode_catalog
from quotad.store.shard_tags import NONE, ShardTags

_log = logging.getLogger("quotad.store")

_TAG = re.compile(rb"(\d{1,15})\.([0-9a-f]{1,%d})(?:~\d{1,15})?" % DIGEST_IN_TAG)

Head = tuple[int, str]
"""Version and digest; 0 and nothing: none was ever published."""

NO_HEAD: Head = (0, "")


def read_head(found: list[bytes | None] | None) -> Head:
    """Version and digest as HMGET returns them; nothing where they make no sense."""
    if found is not None:
        version, digest = found
        if version and digest is not None and version.isdigit():
            return int(version), digest.decode(errors="replace")
    return NO_HEAD


def report_mended(version: int, names: list[str]) -> None:
    """Log which keys of the catalog in force were written again."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    _log.warning(
        "lost or damaged in the store, written again for catalog version %d: %s%s",
        version,
        ", ".join(names[:3]),
        more,
    )


class Mender:
    """Writes again what was lost of head and tags."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._script = scripts.load("restore_catalog")
        self._tags = ShardTags(store, keys)
        self._moves = Moves(store, keys)

    def mend(self) -> bool:
        """Compare the tags of all shards with the head, and correct what differs.

        Returns:
            Whether something was written.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return self._moves.again(self._mend if self._store.whole else self._mend_shards)

    def _mend(self) -> bool:
        self._moves.look_while_moving()
        keys, step = self._keys, self._moves.step
        shards = keys.catalogs_in_force
        commands = [*self._of_head(), ("MGET", *shards)]
        raw, newest, tags = self._store.execute_many(commands, atomic=True, or_none=True)
        head = read_head(raw)
        version, digest = self._newest(head, newest, tags)
        if version == 0 and raw is not None:
            return False
        tag = catalog_tag(version, digest) + step
        if head == (version, digest) and all(each == tag.encode() for each in tags):
            return False
        if not self._restore(raw, (version, digest), shards, step):
            return False  # another server was faster
        wrong = [] if head == (version, digest) else [keys.head]
        lost = [name for name, found in zip(shards, tags, strict=True) if found != tag.encode()]
        report_mended(version, [*wrong, *lost])
        return True

    def _mend_shards(self, tags: Sequence[bytes | None] = ()) -> bool:
        """As `mend`, on a cluster: the head, then shard by shard.

        Args:
            tags: of all shards, as they were read before the head; empty: they were not. A publish
                puts a version on the head before it is in force in any shard, so one that is newer
                than the head is what a failover has left of it.
        """
        keys = self._keys
        raw, newest = self._store.execute_many(self._of_head(), atomic=True, or_none=True)
        head = read_head(raw)
        version, digest = self._newest(head, newest, tags)
        if version == 0 and not tags:
            return self._mend_shards(self._store.read(keys.catalogs_in_force))
        if version == 0 and raw is not None:
            return False
        wrong = [] if head == (version, digest) else [keys.head]
        if wrong and not self._restore(raw, (version, digest), ()):
            return False  # another server was faster
        done = self._tags.advance(version, digest) if version else NONE
        if done.newer and not tags:
            return self._mend_shards(self._store.read(keys.catalogs_in_force))
        wrong += done.lost
        if done.behind:
            _log.info(
                "brought catalog version %d to %d shards, where a publish is under way or has"
                " stopped in between",
                version,
                len(done.behind),
            )
        if wrong:
            report_mended(version, wrong)
        return bool(wrong or done.behind)

    def _of_head(self) -> list[tuple[Any, ...]]:
        """The commands that read the head, and the newest of the history."""
        return [
            ("HMGET", self._keys.head, "version", "digest"),
            ("ZREVRANGE", self._keys.versions, 0, 0, "WITHSCORES"),
        ]

    def _restore(
        self, raw: list[bytes | None] | None, head: Head, shards: Sequence[str], step: str = ""
    ) -> bool:
        """Write the head, and tags with it, unless it has changed since it was read as `raw`."""
        seen = [(word or b"").decode(errors="replace") for word in raw or (b"", b"")]
        names = [self._keys.head, self._keys.catalog_events, *shards]
        words = [*seen, *head, catalog_tag(*head) + step, *kept(), step]
        return bool(self._store.run(self._script, names, words) >= 0)

    def _newest(self, head: Head, newest: list[bytes] | None, tags: Sequence[bytes | None]) -> Head:
        """The newest of head and history; where both are lost, the newest that a tag names."""
        version = int(newest[1]) if newest else 0
        named = {
            int(m[1]): m[2].decode() for each in set(tags) if (m := _TAG.fullmatch(each or b""))
        }
        latest = max(named, default=0)
        if not self._store.whole and latest > max(head[0], version):
            return latest, self._digest_of(latest) or named[latest]
        if head[0] >= version > 0 or (head[0] and not self._digest_of(version)):
            return head
        version = version or latest
        # A tag has only the start of the digest, which names the version just as well.
        return version, self._digest_of(version) or named.get(version, "")

    def _digest_of(self, version: int) -> str:
        """The digest in a version's record; empty: the record is lost."""
        if not version:
            return ""
        raw = self._store.execute("GET", self._keys.catalog_record(version))
        try:
            return "" if raw is None else decode_catalog(raw).digest
        except RecordLost:
            return ""
