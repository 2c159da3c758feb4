"""The calls of the admin service that are about catalogs."""

from quotad.catalog import ApplyTo, Source
from quotad.catalog.prepare import Prepared, Request
from quotad.errors import InvalidRequest
from quotad.operations.catalogs import Publication, Version
from quotad.operations.parts import AdminParts
from quotad.operations.publish import Terms
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.catalog_parts import mapped_parts
from quotad.service.encode import timestamp
from quotad.store.publishing import Outcome
from quotad.v1 import admin_pb2 as pb

_APPLY_TO = {
    pb.APPLY_TO_UNSPECIFIED: None,
    pb.APPLY_TO_ALL: ApplyTo.ALL,
    pb.APPLY_TO_NEW: ApplyTo.NEW,
}


class CatalogCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def PublishCatalog(
        self, request: pb.PublishCatalogRequest, actor: str
    ) -> pb.PublishCatalogResponse:
        """Validate everything, then publish."""
        return self._publish_files(request, actor)

    @mapped_parts
    def PublishCatalogParts(
        self, request: pb.PublishCatalogRequest, actor: str
    ) -> pb.PublishCatalogResponse:
        """The same, once all parts have arrived."""
        return self._publish_files(request, actor)

    def _publish_files(
        self, request: pb.PublishCatalogRequest, actor: str
    ) -> pb.PublishCatalogResponse:
        new = Request(files=_files(request), apply_to=_apply_to(request))
        expected = request.expected_version if request.HasField("expected_version") else None
        by, comment = request.published_by, request.comment
        terms = Terms(by, expected, actor=actor, comment=comment)
        return _publication(self._parts.catalogs.publish(new, terms))

    @mapped
    def GetCatalog(self, request: pb.GetCatalogRequest) -> pb.GetCatalogResponse:
        """One version, or the one in force."""
        found = self._parts.catalogs.get(request.version if request.HasField("version") else None)
        return pb.GetCatalogResponse(
            version=version_message(found), document=found.record.document.decode()
        )

    @mapped
    def ListCatalogVersions(
        self, request: pb.ListCatalogVersionsRequest
    ) -> pb.ListCatalogVersionsResponse:
        """The newest versions, newest first."""
        newest = self._parts.catalogs.newest(request.page_size)
        return pb.ListCatalogVersionsResponse(versions=map(version_message, newest))

    @mapped_write
    def RollbackCatalog(
        self, request: pb.RollbackCatalogRequest, actor: str
    ) -> pb.PublishCatalogResponse:
        """Publish an earlier content again, with the revisions that it had."""
        roll_back = self._parts.catalogs.roll_back
        by, comment = request.published_by, request.comment
        return _publication(roll_back(request.version, by, actor, comment))

    @mapped
    def DiffCatalog(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        """What publishing would change."""
        return self._diff_files(request)

    @mapped_parts
    def DiffCatalogParts(self, request: pb.DiffCatalogRequest, _: str) -> pb.DiffCatalogResponse:
        """The same, once all parts have arrived."""
        return self._diff_files(request)

    def _diff_files(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        new = Request(files=_files(request), apply_to=_apply_to(request))
        version = request.version if request.HasField("version") else None
        found = self._parts.catalogs.compare(new, version)
        return pb.DiffCatalogResponse(
            version=None if found.version is None else version_message(found.version),
            changes=_changes(found.prepared),
            changes_count=found.prepared.changes_count,
        )


def version_message(version: Version) -> pb.CatalogVersion:
    """Encode what is known of a version."""
    record = version.record
    return pb.CatalogVersion(
        version=record.version,
        digest=record.digest,
        published_at=timestamp(record.published_ms),
        published_by=record.published_by,
        in_force=version.in_force,
        actor=record.actor,
        comment=record.comment,
    )


def _publication(done: Publication) -> pb.PublishCatalogResponse:
    outcome = pb.PublishCatalogResponse.OUTCOME_UNCHANGED
    if done.outcome is Outcome.PUBLISHED:
        outcome = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
    return pb.PublishCatalogResponse(
        outcome=outcome,
        version=version_message(done.version),
        changes=_changes(done.prepared),
        changes_count=done.prepared.changes_count,
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


def _apply_to(request: pb.PublishCatalogRequest | pb.DiffCatalogRequest) -> ApplyTo | None:
    if request.apply_to not in _APPLY_TO:
        raise InvalidRequest(f"apply_to: {request.apply_to} is none of APPLY_TO_ALL, APPLY_TO_NEW")
    return _APPLY_TO[request.apply_to]


def _changes(prepared: Prepared) -> list[pb.CatalogChange]:
    return [pb.CatalogChange(path=c.path, before=c.before, after=c.after) for c in prepared.changes]
