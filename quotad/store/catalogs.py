"""Published catalogs: the one in force, the history, and what a publish under way has prepared."""

from collections.abc import Callable, Iterator

import msgspec

from quotad.clock import Clock
from quotad.errors import Conflict, NotFound, RecordLost
from quotad.ledger import LEDGER_KEPT, LedgerKept
from quotad.records import CatalogRecord
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.fleet import Candidate
from quotad.store.keys import KeySpace, catalog_tag
from quotad.store.mending import NO_HEAD, Head, Mender, read_head, report_mended
from quotad.store.publishing import WAIT_MS, Outcome, Published, Publisher, PublishRequest
from quotad.store.records import decode_catalog, encode_catalog

__all__ = ["Catalogs", "Outcome", "Published"]

HISTORY_READ = 20
"""Versions read at once: a document may have megabytes."""

FILES_MAX = 50
"""Versions whose files are kept, so that they can be edited as they were written."""

_TRIES_MAX = 10


class Catalogs:
    """The catalogs of one store.

    Args:
        store: where they are.
        keys: of the store.
        clock: the time that a version is published at.
        publish_wait_ms: longest time that a publish waits for servers to compile a catalog.
        ledger: how much of it the store keeps.
    """

    def __init__(
        self,
        store: Store,
        keys: KeySpace,
        clock: Clock,
        publish_wait_ms: int = WAIT_MS,
        ledger: LedgerKept = LEDGER_KEPT,
    ) -> None:
        self._store = store
        self._keys = keys
        self._publisher = Publisher(store, keys, clock, publish_wait_ms, ledger)
        self._mender = Mender(store, keys)
        self._keep_files = scripts.load("keep_files")

    def publish(
        self,
        document: bytes,
        digest: str,
        *,
        source_digest: str = "",
        published_by: str = "",
        actor: str = "",
        comment: str = "",
        expected_version: int | None = None,
        only_new: bool = False,
        anew: bool = False,
        call: str = "PublishCatalog",
    ) -> Published:
        """Put a catalog in force in all shards, once every live server has compiled it.

        Args:
            document: canonical JSON of a valid catalog.
            digest: of the document; publishing what is in force is a no-op.
            source_digest: of the files that the document comes from, whatever was carried into
                it; empty: the digest.
            published_by: for the history.
            actor: whose doing it is.
            comment: why, for the history.
            expected_version: the version that must be in force; None: whichever is.
            only_new: leave alone what was published from the same files before.
            anew: also when it is in force or was published before: the record in force is lost.
            call: the operation, for the ledger.

        Raises:
            Conflict: another version than expected is in force, or another publish is under way.
            StoreUnavailable: the store refused or timed out; publishing again is safe.
        """
        content = PublishRequest(
            document,
            digest,
            source_digest or digest,
            published_by,
            actor,
            comment,
            only_new,
            anew,
            call,
        )
        for _ in range(_TRIES_MAX):
            found = self.version()
            in_force = found if expected_version is None else expected_version
            done = self._publisher.publish(content, in_force)
            if isinstance(done, Published):
                return done
            if expected_version is not None:
                break
        raise Conflict(
            f"catalog version {done} is in force, not {in_force}; look at it and publish again"
        )

    def head(self) -> Head:
        """Version and digest in force; 0 and nothing when none was ever published."""
        return self.look()[0]

    def look(self) -> tuple[Head, Candidate | None]:
        """Version and digest in force, and what a publish under way has prepared."""
        found = self._look()
        if found[0] == NO_HEAD and self._mender.mend():
            found = self._look()
        return found

    def _look(self) -> tuple[Head, Candidate | None]:
        commands = [
            ("HMGET", self._keys.head, "version", "digest"),
            ("HMGET", self._keys.prepared, "version", "digest", "token"),
        ]
        head, prepared = self._store.execute_many(commands, or_none=True)
        candidate = None
        if prepared is not None and all(prepared) and prepared[0].isdigit():
            version, digest, token = (word.decode(errors="replace") for word in prepared)
            candidate = Candidate(int(version), digest, token)
        return read_head(head), candidate

    def mend(self) -> bool:
        """Write head and tags again where they were lost or damaged; returns whether they were.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return self._mender.mend()

    def keep(self, record: CatalogRecord, document: Callable[[], bytes]) -> None:
        """Write a record again that the store has lost, if its version is in force.

        Args:
            record: without its document.
            document: gives it.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        key = self._keys.catalog_record(record.version)
        if self._store.execute("EXISTS", key):
            return
        if catalog_tag(*self.head()) == catalog_tag(record.version, record.digest):
            whole = encode_catalog(msgspec.structs.replace(record, document=document()))
            if self._store.execute("SET", key, whole, "NX"):
                report_mended(record.version, [key])

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
        raw = self._store.execute("GET", self._keys.catalog_record(version))
        if raw is None:
            raise NotFound(f"version: catalog version {version} is not in the history")
        return decode_catalog(raw)

    def prepared(self, candidate: Candidate) -> CatalogRecord | None:
        """The record of a candidate; None: it has been activated or has lapsed."""
        raw = self._store.execute("GET", self._keys.candidate)
        if raw is None:
            return None
        record = decode_catalog(raw)
        same = (record.version, record.digest) == (candidate.version, candidate.digest)
        return record if same else None

    def history(self, count: int, before: int | None = None) -> list[CatalogRecord]:
        """The newest versions, newest first, without their documents; or those before one."""
        newest = self.version()
        if before is not None:
            newest = min(newest, before - 1)
        names = [self._keys.catalog_record(v) for v in range(newest, max(newest - count, 0), -1)]
        records: list[CatalogRecord] = []
        for start in range(0, len(names), HISTORY_READ):
            for raw in self._store.read(names[start : start + HISTORY_READ]):
                if raw is not None:
                    records.append(msgspec.structs.replace(decode_catalog(raw), document=b""))
        return records

    def keep_files(self, source_digest: str, data: bytes) -> None:
        """Keep the files that a catalog was published from, by the digest of what they mean.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names = list(self._keys.catalog_files)
        self._store.run(self._keep_files, names, [source_digest, data, FILES_MAX])

    def files(self, source_digest: str) -> bytes | None:
        """The files that a catalog was published from; None: they are not kept.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        command = ("HGET", self._keys.catalog_files[0], source_digest)
        found = self._store.execute_many([command], or_none=True)[0]
        return found if isinstance(found, bytes) else None

    def notices(self, poll_s: float = 1.0) -> Iterator[bool]:
        """Whether something was announced, by any server: a catalog, prepared or in force; False
        every `poll_s` without an announcement.

        Raises:
            StoreUnavailable: the connection was lost; notices may have been missed.
        """
        return self._store.listen(self._keys.notices, poll_s)
