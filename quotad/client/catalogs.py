"""What the admin service says of catalogs, read once from its answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from quotad.client.calls import checked
from quotad.client.messages import number, time, word
from quotad.v1 import admin_pb2 as pb

ApplyTo = Literal["all", "new"]
"""Whom the changes of a publish are for: everybody on a plan, or new subscriptions only."""


class CatalogFile(msgspec.Struct, frozen=True):
    """One plan file, as read; the ending of its name tells the format."""

    name: str
    content: str


class CatalogVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of the catalog."""

    version: int
    digest: str
    """SHA-256 of the content, hexadecimal."""
    published_at: datetime | None
    """UTC."""
    published_by: str
    in_force: bool


class CatalogChange(msgspec.Struct, frozen=True):
    """One difference between two catalogs."""

    path: str
    before: str
    """JSON; empty: added."""
    after: str
    """JSON; empty: removed."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish or a rollback did."""

    outcome: str
    """`PUBLISHED`, or `UNCHANGED` when the content was in force already."""
    version: CatalogVersion
    """In force now."""
    changes: tuple[CatalogChange, ...]


class CatalogDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What would change if a catalog were published."""

    version: CatalogVersion
    """Compared with."""
    changes: tuple[CatalogChange, ...]


class CatalogDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One version with its content."""

    version: CatalogVersion
    document: Any
    """Parsed JSON."""


def files(files: Sequence[CatalogFile]) -> list[pb.CatalogFile]:
    """Plan files for a request."""
    return [checked(pb.CatalogFile, name=file.name, content=file.content) for file in files]


def apply_to(word: ApplyTo | None) -> int | None:
    """Whom a publish is for, for a request.

    Raises:
        QuotaInvalid: there is no such word.
    """
    return None if word is None else number(pb.ApplyTo, "apply_to", word, ("all", "new"))


def publication(answer: pb.PublishCatalogResponse) -> Publication:
    """Read what a publish did."""
    return Publication(
        outcome=word(pb.PublishCatalogResponse.Outcome, answer.outcome, "OUTCOME_"),
        version=version(answer.version),
        changes=changes(answer.changes),
    )


def version(message: pb.CatalogVersion) -> CatalogVersion:
    """Read one version."""
    return CatalogVersion(
        version=message.version,
        digest=message.digest,
        published_at=time(message, "published_at"),
        published_by=message.published_by,
        in_force=message.in_force,
    )


def changes(messages: Sequence[pb.CatalogChange]) -> tuple[CatalogChange, ...]:
    """Read differences."""
    return tuple(CatalogChange(each.path, each.before, each.after) for each in messages)
