"""Published catalogs: the one in force, the history, and publishing as compare-and-set."""

from collections.abc import Iterator
from enum import Enum

import msgspec

from quotad.clock import Clock
from quotad.errors import Conflict, NotFound, RecordLost
from quotad.model import CatalogRecord
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace, catalog_tag

HISTORY_MAX = 1000
"""Versions that are kept; older ones are dropped, one with each publish."""

HISTORY_READ = 20
"""Versions read at once: a document may have megabytes."""

_CONFLICT = -1
_TRIES_MAX = 10

_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(CatalogRecord).decode


def _decode(raw: bytes) -> CatalogRecord:
    try:
        return _read(raw)
    except msgspec.MsgspecError as error:
        raise RecordLost(f"a record of a catalog version cannot be read: {error}") from error


class Outcome(Enum):
    """What a publish did."""

    PUBLISHED = 1
    UNCHANGED = 2
    """The content was already in force."""
    IN_HISTORY = 3
    """It was published from these files once, and the caller asked not to go back to them."""


class Published(msgspec.Struct, frozen=True):
    """The result of a publish."""

    outcome: Outcome
    version: int
    """In force after the call."""
    known_version: int
    """The newest version from the same files."""


class Catalogs:
    """The catalogs of one store."""

    def __init__(self, store: Store, keys: KeySpace, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._script = scripts.load("publish_catalog")

    def publish(
        self,
        document: bytes,
        digest: str,
        *,
        source_digest: str = "",
        published_by: str = "",
        expected_version: int | None = None,
        only_new: bool = False,
        anew: bool = False,
    ) -> Published:
        """Put a catalog in force in all shards, then tell the servers.

        Args:
            document: canonical JSON of a valid catalog.
            digest: of the document; publishing what is in force is a no-op.
            source_digest: of the files that the document comes from, whatever was carried into
                it; empty: the digest.
            published_by: for the history.
            expected_version: the version that must be in force; None: whichever is.
            only_new: leave alone what was published from the same files before.
            anew: also when it is in force or was published before: the record in force is lost.

        Raises:
            Conflict: another version than expected is in force.
            StoreUnavailable: the store refused or timed out; publishing again is safe.
        """
        for _ in range(_TRIES_MAX):
            in_force = self.version() if expected_version is None else expected_version
            record = CatalogRecord(
                in_force + 1, digest, document, self._clock.now_ms(), published_by
            )
            args = self._publish_args(record, source_digest or digest, only_new and not anew, anew)
            code, version, known = self._store.run(self._script, self._publish_keys(in_force), args)
            if code != _CONFLICT:
                outcome = Outcome(code)
                if outcome is Outcome.PUBLISHED:
                    self._announce(version)
                return Published(outcome, version, known)
            if expected_version is not None:
                break
        raise Conflict(
            f"catalog version {version} is in force, not {in_force}; look at it and publish again"
        )

    def _publish_keys(self, in_force: int) -> list[str]:
        keys = self._keys
        new, dropped = in_force + 1, in_force + 1 - HISTORY_MAX
        records = [keys.catalog_record(new), keys.versions, keys.catalog_record(dropped)]
        return [keys.head, *records, *keys.shard_catalogs]

    @staticmethod
    def _publish_args(
        record: CatalogRecord, source_digest: str, only_new: bool, anew: bool
    ) -> list[str | int | bytes]:
        return [
            record.version - 1,
            record.digest,
            source_digest,
            _encode(record),
            int(only_new),
            catalog_tag(record.version, record.digest),
            HISTORY_MAX,
            int(anew),
        ]

    def _announce(self, version: int) -> None:
        # Only spares the next call a look-up: without the notice, the script refuses the old
        # version and the server fetches the new one then.
        with self._store.errors():
            self._store.client.publish(self._keys.notices, str(version))

    def head(self) -> tuple[int, str]:
        """Version and digest in force; 0 and nothing when none was ever published."""
        with self._store.errors():
            version, digest = self._store.client.hmget(self._keys.head, "version", "digest")
        return int(version or 0), (digest or b"").decode()

    def version(self) -> int:
        """The version in force; 0 when none was ever published."""
        return self.head()[0]

    def current(self) -> CatalogRecord | None:
        """The catalog in force.

        Raises:
            RecordLost: its record is missing or damaged.
        """
        version = self.version()
        if not version:
            return None
        try:
            return self.get(version)
        except NotFound:
            raise RecordLost(
                f"the record of catalog version {version} is missing; publish the catalog again"
            ) from None

    def get(self, version: int) -> CatalogRecord:
        """One published version.

        Raises:
            NotFound: never published, or dropped from the history.
            RecordLost: the record is damaged.
        """
        with self._store.errors():
            raw = self._store.client.get(self._keys.catalog_record(version))
        if raw is None:
            raise NotFound(f"version: catalog version {version} is not in the history")
        return _decode(raw)

    def history(self, count: int) -> list[CatalogRecord]:
        """The newest versions, newest first, without their documents."""
        newest = self.version()
        names = [self._keys.catalog_record(v) for v in range(newest, max(newest - count, 0), -1)]
        records: list[CatalogRecord] = []
        for start in range(0, len(names), HISTORY_READ):
            with self._store.errors():
                found = self._store.client.mget(names[start : start + HISTORY_READ])
            for raw in found:
                if raw is not None:
                    records.append(msgspec.structs.replace(_decode(raw), document=b""))
        return records

    def notices(self, poll_s: float = 1.0) -> Iterator[int | None]:
        """Versions as they are published, by anybody; None every `poll_s` without one.

        Raises:
            StoreUnavailable: the connection was lost; notices may have been missed.
        """
        with self._store.errors(), self._store.client.pubsub() as channel:
            channel.subscribe(self._keys.notices)
            while True:
                message = channel.get_message(timeout=poll_s)
                if message is None:
                    yield None
                elif message["type"] == "message":
                    said: bytes = message["data"]
                    yield int(said) if said.isdigit() else None  # anybody may say anything
