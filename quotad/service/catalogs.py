"""The calls of the admin service that are about catalogs."""

import logging

import msgspec

from quotad.catalog import ApplyTo, Source
from quotad.catalog.prepare import Prepared, Request
from quotad.errors import Conflict, InvalidRequest, NotFound, RecordLost
from quotad.ids import check_id
from quotad.model import CatalogRecord
from quotad.service.admin_parts import AdminParts, mapped, page_size
from quotad.service.catalog_parts import mapped_parts
from quotad.service.encode import timestamp
from quotad.store import Outcome
from quotad.v1 import admin_pb2 as pb

TRIES_MAX = 10
"""Tries of a publish that others come before; each of them has published something."""

_APPLY_TO = {
    pb.APPLY_TO_UNSPECIFIED: None,
    pb.APPLY_TO_ALL: ApplyTo.ALL,
    pb.APPLY_TO_NEW: ApplyTo.NEW,
}

_log = logging.getLogger("quotad.service")


class CatalogCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def PublishCatalog(self, request: pb.PublishCatalogRequest) -> pb.PublishCatalogResponse:
        """Validate everything, then publish."""
        return self._publish_files(request)

    @mapped_parts
    def PublishCatalogParts(self, request: pb.PublishCatalogRequest) -> pb.PublishCatalogResponse:
        """The same, once all parts have arrived."""
        return self._publish_files(request)

    def _publish_files(self, request: pb.PublishCatalogRequest) -> pb.PublishCatalogResponse:
        new = Request(files=_files(request), apply_to=_apply_to(request))
        expected = request.expected_version if request.HasField("expected_version") else None
        return self._publish(new, request.published_by, expected)

    @mapped
    def GetCatalog(self, request: pb.GetCatalogRequest) -> pb.GetCatalogResponse:
        """One version, or the one in force."""
        record = self._record(request.version if request.HasField("version") else None)
        if record is None:
            raise NotFound("version: no catalog was published yet")
        return pb.GetCatalogResponse(
            version=self._version(record), document=record.document.decode()
        )

    @mapped
    def ListCatalogVersions(
        self, request: pb.ListCatalogVersionsRequest
    ) -> pb.ListCatalogVersionsResponse:
        """The newest versions, newest first."""
        records = self._parts.catalogs.history(page_size(request.page_size))
        in_force = self._parts.catalogs.version()
        versions = [catalog_version(r, r.version == in_force) for r in records]
        return pb.ListCatalogVersionsResponse(versions=versions)

    @mapped
    def RollbackCatalog(self, request: pb.RollbackCatalogRequest) -> pb.PublishCatalogResponse:
        """Publish an earlier content again, with the revisions that it had."""
        record = self._parts.catalogs.get(request.version)
        by = request.published_by or f"rollback to version {request.version}"
        return self._publish(Request(restored=record.document), by, None)

    @mapped
    def DiffCatalog(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        """What publishing would change."""
        return self._diff_files(request)

    @mapped_parts
    def DiffCatalogParts(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        """The same, once all parts have arrived."""
        return self._diff_files(request)

    def _diff_files(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        new = Request(files=_files(request), apply_to=_apply_to(request))
        record = self._record(request.version if request.HasField("version") else None)
        prepared = self._parts.reader.prepare(_over(new, record))
        return pb.DiffCatalogResponse(
            version=None if record is None else self._version(record),
            changes=_changes(prepared),
            changes_count=prepared.changes_count,
        )

    def _publish(
        self,
        new: Request,
        published_by: str,
        expected: int | None,
    ) -> pb.PublishCatalogResponse:
        """Publish over the catalog in force; worked out anew when another one came before.

        Raises:
            Conflict: not the expected version is in force.
        """
        if published_by:
            check_id(published_by, "published_by")
        catalogs = self._parts.catalogs
        for tries_left in reversed(range(TRIES_MAX)):
            record, in_force = self._in_force()
            catalog = self._parts.reader.prepare(_over(new, record))
            unchanged = record is not None and record.digest == catalog.digest
            if in_force is not None and expected not in (None, in_force) and not unchanged:
                raise Conflict(
                    f"catalog version {in_force} is in force, not {expected};"
                    " look at it and publish again"
                )
            try:
                published = catalogs.publish(
                    catalog.document,
                    catalog.digest,
                    source_digest=catalog.source_digest,
                    published_by=published_by,
                    expected_version=expected if in_force is None else in_force,
                    anew=in_force is None,
                )
            except Conflict:
                if not tries_left:
                    raise
                continue
            break
        outcome = pb.PublishCatalogResponse.OUTCOME_UNCHANGED
        if published.outcome is Outcome.PUBLISHED:
            outcome = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
            if record is not None and catalog.over_unreadable:
                _log.warning(
                    "catalog version %d cannot be read: version %d keeps no revision of it",
                    record.version,
                    published.version,
                )
        return pb.PublishCatalogResponse(
            outcome=outcome,
            version=self._version(catalogs.get(published.version)),
            changes=_changes(catalog),
            changes_count=catalog.changes_count,
        )

    def _in_force(self) -> tuple[CatalogRecord | None, int | None]:
        """The catalog in force and its version, 0 for none; None: its record is lost."""
        try:
            record = self._parts.catalogs.current()
        except RecordLost:
            # A store that evicts keys. Publishing is what puts that right.
            return None, None
        return record, record.version if record else 0

    def _record(self, version: int | None) -> CatalogRecord | None:
        catalogs = self._parts.catalogs
        return catalogs.current() if version is None else catalogs.get(version)

    def _version(self, record: CatalogRecord) -> pb.CatalogVersion:
        in_force = record.version == self._parts.catalogs.version()
        return catalog_version(record, in_force)


def catalog_version(record: CatalogRecord, in_force: bool) -> pb.CatalogVersion:
    """Encode what is known of a version."""
    return pb.CatalogVersion(
        version=record.version,
        digest=record.digest,
        published_at=timestamp(record.published_ms),
        published_by=record.published_by,
        in_force=in_force,
    )


def _files(request: pb.PublishCatalogRequest | pb.DiffCatalogRequest) -> tuple[Source, ...]:
    if not request.files:
        raise InvalidRequest("files: missing; give at least one plan file")
    texts: list[tuple[str, list[str]]] = []
    for index, file in enumerate(request.files):
        if not file.continued:
            texts.append((file.name or "catalog.yaml", [file.content]))
        elif texts:
            texts[-1][1].append(file.content)
        else:
            raise InvalidRequest(f"files[{index}].continued: there is no file before it")
    return tuple(Source(name, "".join(pieces)) for name, pieces in texts)


def _over(new: Request, record: CatalogRecord | None) -> Request:
    return msgspec.structs.replace(new, in_force=None if record is None else record.document)


def _apply_to(request: pb.PublishCatalogRequest | pb.DiffCatalogRequest) -> ApplyTo | None:
    if request.apply_to not in _APPLY_TO:
        raise InvalidRequest(f"apply_to: {request.apply_to} is none of APPLY_TO_ALL, APPLY_TO_NEW")
    return _APPLY_TO[request.apply_to]


def _changes(prepared: Prepared) -> list[pb.CatalogChange]:
    return [pb.CatalogChange(path=c.path, before=c.before, after=c.after) for c in prepared.changes]
