"""AdminService: catalogs and status here, customers next door. Not hot: plain servicer methods
in threads."""

import os
from contextlib import suppress
from typing import Any

from quotad import __version__
from quotad.catalog import Catalog, Source, diff, parse
from quotad.errors import CatalogError, InvalidRequest, NotFound
from quotad.model import CatalogRecord
from quotad.service.admin_parts import AdminParts, mapped, page_size
from quotad.service.customers import CustomerCalls
from quotad.service.decode import check_id
from quotad.service.encode import timestamp
from quotad.store import Outcome
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import admin_pb2_grpc

SERVICE = "quotad.v1.AdminService"


class AdminServicer(CustomerCalls, admin_pb2_grpc.AdminServiceServicer):
    """The servicer; one for all threads."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    @mapped
    def PublishCatalog(self, request: pb.PublishCatalogRequest) -> pb.PublishCatalogResponse:
        """Validate everything, then publish."""
        catalog = _parse_files(request.files)
        expected = request.expected_version if request.HasField("expected_version") else None
        return self._publish(catalog, request.published_by, expected)

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
        versions = [_catalog_version(r, r.version == in_force) for r in records]
        return pb.ListCatalogVersionsResponse(versions=versions)

    @mapped
    def RollbackCatalog(self, request: pb.RollbackCatalogRequest) -> pb.PublishCatalogResponse:
        """Publish an earlier content again."""
        record = self._parts.catalogs.get(request.version)
        by = request.published_by or f"rollback to version {request.version}"
        return self._publish(Catalog.from_document(record.document), by, None)

    @mapped
    def DiffCatalog(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        """What publishing would change."""
        catalog = _parse_files(request.files)
        record = self._record(request.version if request.HasField("version") else None)
        return pb.DiffCatalogResponse(
            version=None if record is None else self._version(record),
            changes=_changes(record, catalog),
        )

    @mapped
    def GetStatus(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """How this worker is; answers without the store."""
        parts = self._parts
        problem = parts.health.problem or parts.snapshots.problem
        published = parts.snapshots.published
        return pb.GetStatusResponse(
            server_version=__version__,
            ready=not problem,
            not_ready_reason=problem,
            catalog=None if published is None else _catalog_version(published, in_force=True),
            store=parts.store_address,
            store_up=parts.health.up,
            started_at=timestamp(parts.started_ms),
            pid=os.getpid(),
            front=parts.front,
            decisions=parts.decisions(),
            cached_customers=len(parts.views),
        )

    def _publish(
        self, catalog: Catalog, published_by: str, expected: int | None
    ) -> pb.PublishCatalogResponse:
        if published_by:
            check_id(published_by, "published_by")
        catalogs = self._parts.catalogs
        before = catalogs.current()
        published = catalogs.publish(
            catalog.document, catalog.digest, published_by=published_by, expected_version=expected
        )
        outcome = pb.PublishCatalogResponse.OUTCOME_UNCHANGED
        if published.outcome is Outcome.PUBLISHED:
            outcome = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
        return pb.PublishCatalogResponse(
            outcome=outcome,
            version=self._version(catalogs.get(published.version)),
            changes=_changes(before, catalog),
        )

    def _record(self, version: int | None) -> CatalogRecord | None:
        catalogs = self._parts.catalogs
        return catalogs.current() if version is None else catalogs.get(version)

    def _version(self, record: CatalogRecord) -> pb.CatalogVersion:
        in_force = record.version == self._parts.catalogs.version()
        return _catalog_version(record, in_force)


def _parse_files(files: Any) -> Catalog:
    if not files:
        raise InvalidRequest("files: missing; give at least one plan file")
    return parse([Source(file.name or "catalog.yaml", file.content) for file in files])


def _catalog_version(record: CatalogRecord, in_force: bool) -> pb.CatalogVersion:
    return pb.CatalogVersion(
        version=record.version,
        digest=record.digest,
        published_at=timestamp(record.published_ms),
        published_by=record.published_by,
        in_force=in_force,
    )


def _changes(record: CatalogRecord | None, catalog: Catalog) -> list[pb.CatalogChange]:
    before = None
    if record is not None:
        with suppress(CatalogError):  # of a newer quotad: everything in it counts as new
            before = Catalog.from_document(record.document)
    return [
        pb.CatalogChange(path=c.path, before=c.before, after=c.after) for c in diff(before, catalog)
    ]
