"""Catalogs: publish, compare, look at the history, go back."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quotad.catalog import ApplyTo, Source
from quotad.catalog.bounds import BYTES_MAX
from quotad.catalog.prepare import Prepared, Request
from quotad.http.answers import moment
from quotad.http.fields import PageSize
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.operations.catalogs import Publication, Version
from quotad.operations.publish import Terms
from quotad.store.publishing import Outcome
from quotad.tokens.roles import Right

CATALOG_BODY_BYTES_MAX = 2 * BYTES_MAX
"""A catalog as a text in JSON is longer than it is."""

VersionNumber = Annotated[int, Meta(ge=0, le=2**62)]


class FileOfCatalog(RequestFields, frozen=True, kw_only=True):
    """One plan file, as read."""

    content: str
    name: str = "catalog.yaml"
    """Its ending decides the format: .yaml, .yml, .json or .toml."""


class CompareCatalog(RequestFields, frozen=True, kw_only=True):
    """A catalog, and what to compare it with."""

    files: Annotated[tuple[FileOfCatalog, ...], Meta(min_length=1)]
    """Together the new catalog."""
    version: VersionNumber | None = None
    """Absent: the one in force."""
    apply_to: Literal["ALL", "NEW"] | None = None
    """As it would be given to publish."""


class PublishCatalog(RequestFields, frozen=True, kw_only=True):
    """A catalog to be put in force."""

    files: Annotated[tuple[FileOfCatalog, ...], Meta(min_length=1)]
    """Together the new catalog."""
    expected_version: VersionNumber | None = None
    """Publish only while this version is in force; absent: whatever is."""
    published_by: str = ""
    """For the history."""
    apply_to: Literal["ALL", "NEW"] | None = None
    """Whom the changes are for; absent: as each plan states."""
    comment: str = ""
    """Why, for the history; at most 1,024 bytes."""


class GetCatalog(RequestFields, frozen=True, kw_only=True):
    """Which version."""

    version: VersionNumber | None = None
    """Absent: the one in force."""


class ListVersions(RequestFields, frozen=True, kw_only=True):
    """How many versions."""

    page_size: PageSize = 0


class RollbackCatalog(RequestFields, frozen=True, kw_only=True):
    """Which version to publish again."""

    version: VersionNumber
    published_by: str = ""
    comment: str = ""
    """Why, for the history; at most 1,024 bytes."""


class VersionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A published version."""

    version: int
    digest: str
    """SHA-256 of the content, hexadecimal."""
    published_at: datetime | None
    published_by: str
    """As the publisher calls itself."""
    actor: str
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    in_force: bool
    comment: str
    """Why, as the publisher wrote it."""


class ChangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a catalog."""

    path: str
    """`plans.pro.entitlements.api-calls.limits[0].limit`"""
    before: msgspec.Raw | None
    """null: added."""
    after: msgspec.Raw | None
    """null: removed."""


class PublicationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish did."""

    outcome: Literal["PUBLISHED", "UNCHANGED"]
    version: VersionAnswer
    """In force now."""
    changes: tuple[ChangeAnswer, ...]
    """The first of them."""
    changes_count: int
    """All of them."""


class ComparisonAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing would change."""

    version: VersionAnswer | None
    """Compared with; null: no catalog was published yet."""
    changes: tuple[ChangeAnswer, ...]
    changes_count: int


class CatalogAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its content."""

    version: VersionAnswer
    document: msgspec.Raw


class VersionsFound(msgspec.Struct, frozen=True, kw_only=True):
    """The history."""

    versions: tuple[VersionAnswer, ...]
    """Newest first, without their content."""


@in_thread
def publish(call: HttpCall, wanted: PublishCatalog) -> HttpAnswer:
    """Validate everything, then publish."""
    new = Request(files=_files(wanted.files), apply_to=_apply_to(wanted.apply_to))
    by, expected = wanted.published_by, wanted.expected_version
    terms = Terms(by, expected, actor=call.actor, comment=wanted.comment)
    return HttpAnswer(_publication(call.context.parts.catalogs.publish(new, terms)))


@in_thread
def compare(call: HttpCall, wanted: CompareCatalog) -> HttpAnswer:
    """Work out what publishing would change."""
    new = Request(files=_files(wanted.files), apply_to=_apply_to(wanted.apply_to))
    found = call.context.parts.catalogs.compare(new, wanted.version)
    return HttpAnswer(
        ComparisonAnswer(
            version=None if found.version is None else version_answer(found.version),
            changes=_changes(found.prepared),
            changes_count=found.prepared.changes_count,
        )
    )


@in_thread
def get(call: HttpCall, wanted: GetCatalog) -> HttpAnswer:
    """Return one version, or the one in force."""
    found = call.context.parts.catalogs.get(wanted.version)
    document = msgspec.Raw(found.record.document)
    return HttpAnswer(CatalogAnswer(version=version_answer(found), document=document))


@in_thread
def versions(call: HttpCall, wanted: ListVersions) -> HttpAnswer:
    """Return the newest versions."""
    newest = call.context.parts.catalogs.newest(wanted.page_size)
    return HttpAnswer(VersionsFound(versions=tuple(map(version_answer, newest))))


@in_thread
def roll_back(call: HttpCall, wanted: RollbackCatalog) -> HttpAnswer:
    """Publish an earlier content again."""
    again = call.context.parts.catalogs.roll_back
    done = again(wanted.version, wanted.published_by, call.actor, wanted.comment)
    return HttpAnswer(_publication(done))


def version_answer(version: Version) -> VersionAnswer:
    """Return what is known of a version as it leaves."""
    record = version.record
    return VersionAnswer(
        version=record.version,
        digest=record.digest,
        published_at=moment(record.published_ms),
        published_by=record.published_by,
        actor=record.actor,
        in_force=version.in_force,
        comment=record.comment,
    )


def _publication(done: Publication) -> PublicationAnswer:
    return PublicationAnswer(
        outcome="PUBLISHED" if done.outcome is Outcome.PUBLISHED else "UNCHANGED",
        version=version_answer(done.version),
        changes=_changes(done.prepared),
        changes_count=done.prepared.changes_count,
    )


def _changes(prepared: Prepared) -> tuple[ChangeAnswer, ...]:
    return tuple(
        ChangeAnswer(path=each.path, before=_raw(each.before), after=_raw(each.after))
        for each in prepared.changes
    )


def _raw(text: str) -> msgspec.Raw | None:
    return msgspec.Raw(text.encode()) if text else None


def _files(files: tuple[FileOfCatalog, ...]) -> tuple[Source, ...]:
    return tuple(Source(each.name or "catalog.yaml", each.content) for each in files)


def _apply_to(word: str | None) -> ApplyTo | None:
    return None if word is None else ApplyTo[word]


OPERATIONS = (
    Operation(
        name="PublishCatalog",
        method="POST",
        path="/v1/catalog",
        right=Right.PUBLISH,
        wanted=PublishCatalog,
        given=PublicationAnswer,
        act=publish,
        bytes_max=CATALOG_BODY_BYTES_MAX,
        about="Validates and publishes a whole catalog as one version.",
    ),
    Operation(
        name="GetCatalog",
        method="GET",
        path="/v1/catalog",
        right=Right.READ,
        wanted=GetCatalog,
        given=CatalogAnswer,
        act=get,
        about="Returns one version with its content, or the one in force.",
    ),
    Operation(
        name="DiffCatalog",
        method="POST",
        path="/v1/catalog/diff",
        right=Right.READ,
        wanted=CompareCatalog,
        given=ComparisonAnswer,
        act=compare,
        bytes_max=CATALOG_BODY_BYTES_MAX,
        about="Returns what would change if the given catalog were published.",
    ),
    Operation(
        name="ListCatalogVersions",
        method="GET",
        path="/v1/catalog/versions",
        right=Right.READ,
        wanted=ListVersions,
        given=VersionsFound,
        act=versions,
        about="Returns the newest versions.",
    ),
    Operation(
        name="RollbackCatalog",
        method="POST",
        path="/v1/catalog/rollback",
        right=Right.PUBLISH,
        wanted=RollbackCatalog,
        given=PublicationAnswer,
        act=roll_back,
        about="Publishes the content of an earlier version as a new version.",
    ),
)
