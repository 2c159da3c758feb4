"""Catalogs as operators handle them: publish files, go back, compare, look at the history."""

import logging

import msgspec

from quotad.catalog import Source, read_record
from quotad.catalog.prepare import Prepared, Request
from quotad.errors import NotFound
from quotad.history import LOCAL, check_comment
from quotad.ids import check_id
from quotad.operations.catalog_process import CatalogProcess
from quotad.operations.pages import page_size
from quotad.operations.plan_files import unpack
from quotad.operations.publish import Terms, publish
from quotad.records import CatalogRecord
from quotad.store import Catalogs, Outcome

_log = logging.getLogger("quotad.operations")


class Version(msgspec.Struct, frozen=True):
    """A published version."""

    record: CatalogRecord
    in_force: bool


class Publication(msgspec.Struct, frozen=True):
    """What a publish did."""

    outcome: Outcome
    version: Version
    """In force after it."""
    prepared: Prepared
    """What was published, and what it changed."""


class Comparison(msgspec.Struct, frozen=True):
    """What publishing would change."""

    version: Version | None
    """What was compared with; None: no catalog was published yet."""
    prepared: Prepared


class CatalogOperations:
    """What is done with catalogs; for all threads.

    Args:
        store: where they are published.
        reader: works out what is published.
    """

    def __init__(self, store: Catalogs, reader: CatalogProcess) -> None:
        self._store = store
        self._reader = reader

    def publish(self, new: Request, terms: Terms) -> Publication:
        """Check files, and publish them over the catalog in force.

        Raises:
            CatalogError: they make no valid catalog, or it must not replace the one in force.
            Conflict: not the expected version is in force.
            InvalidRequest: the publisher's name or the comment is not fit for the history.
            StoreUnavailable: the store refused or timed out; publishing again is safe.
        """
        if terms.published_by:
            check_id(terms.published_by, "published_by")
        check_comment(terms.comment)
        terms = msgspec.structs.replace(terms, files=new.files)
        done = publish(self._store, lambda before: self._reader.prepare(_over(new, before)), terms)
        assert done is not None  # there is always something to publish
        published, before, prepared = done.published, done.before, done.content
        if (
            published.outcome is Outcome.PUBLISHED
            and before is not None
            and prepared.over_unreadable
        ):
            _log.warning(
                "catalog version %d cannot be read: version %d keeps no revision of it",
                before.version,
                published.version,
            )
        version = self._version(self._store.get(published.version))
        return Publication(published.outcome, version, prepared)

    def files(self, record: CatalogRecord) -> tuple[Source, ...]:
        """The files that a version was published from; none, where they are not kept."""
        catalog = read_record(record)
        return () if catalog is None else unpack(self._store.files(catalog.source_digest))

    def roll_back(
        self, version: int, published_by: str = "", actor: str = LOCAL, comment: str = ""
    ) -> Publication:
        """Publish an earlier content again, with the revisions that it had.

        Args:
            version: whose content.
            published_by: for the history; empty: the rollback itself is named there.
            actor: whose doing it is.
            comment: why, for the history.

        Raises:
            NotFound: there is no such version in the history.
        """
        record = self._store.get(version)
        by = published_by or f"rollback to version {version}"
        terms = Terms(by, actor=actor, comment=comment, call="RollbackCatalog")
        return self.publish(Request(restored=record.document), terms)

    def warm(self, new: Request) -> None:
        """Make ready for working out a catalog like this one."""
        self._reader.warm(new)

    def compare(self, new: Request, version: int | None) -> Comparison:
        """Work out what publishing would change of a version; None: of the one in force.

        Raises:
            CatalogError: the files make no valid catalog, or it must not replace that version.
            NotFound: there is no such version in the history.
        """
        record = self._record(version)
        prepared = self._reader.prepare(_over(new, record))
        return Comparison(None if record is None else self._version(record), prepared)

    def get(self, version: int | None) -> Version:
        """Return one version; None: the one in force.

        Raises:
            NotFound: there is no such version in the history, or none at all.
        """
        record = self._record(version)
        if record is None:
            raise NotFound("version: no catalog was published yet")
        return self._version(record)

    def newest(self, size: int, before: int | None = None) -> list[Version]:
        """Return the newest versions, newest first, without their documents.

        Args:
            size: how many.
            before: a version, for those before it; None: there is none.

        Raises:
            InvalidRequest: the size is out of range.
        """
        records = self._store.history(page_size(size), before)
        in_force = self._store.version()
        return [Version(record, record.version == in_force) for record in records]

    def _record(self, version: int | None) -> CatalogRecord | None:
        return self._store.current() if version is None else self._store.get(version)

    def _version(self, record: CatalogRecord) -> Version:
        return Version(record, record.version == self._store.version())


def _over(new: Request, record: CatalogRecord | None) -> Request:
    return msgspec.structs.replace(new, in_force=None if record is None else record.document)
