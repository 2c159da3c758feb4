"""Answers of the admin service about catalogs, as values."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec

from quotad.client.building import checked
from quotad.client.messages import number, read, word
from quotad.v1 import admin_pb2 as pb

ApplyTo = Literal["all", "new"]
"""Which customers get the changes of a publish: all of a plan, or new subscriptions only."""


_Request = TypeVar("_Request", pb.PublishCatalogRequest, pb.DiffCatalogRequest)


class CatalogFile(msgspec.Struct, frozen=True):
    """One plan file, as read; the ending of its name decides the format."""

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
    """As the publisher calls itself."""
    in_force: bool
    actor: str = ""
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    comment: str = ""
    """Why, as the publisher wrote it."""


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
    """The first 2 MiB of them."""
    changes_count: int = 0
    """All of them."""


class CatalogDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What would change if a catalog were published."""

    version: CatalogVersion
    """Compared with."""
    changes: tuple[CatalogChange, ...]
    """The first 2 MiB of them."""
    changes_count: int = 0
    """All of them."""


class CatalogDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One version with its content."""

    version: CatalogVersion
    document: Any
    """Parsed JSON."""


def files(files: Sequence[CatalogFile]) -> list[pb.CatalogFile]:
    """Plan files for a request."""
    return [checked(pb.CatalogFile, name=file.name, content=file.content) for file in files]


PART_CHARACTERS = 512 * 1024
"""Of files in one part of a request, which is 2 MiB at most; a message may have 4."""

MESSAGE_BYTES = 3 * 1024 * 1024
"""Largest request that is sent as one message."""


def parts(request: _Request) -> list[_Request]:
    """Split a request that is too large for one message; one part: it is not."""
    if request.ByteSize() <= MESSAGE_BYTES:
        return [request]
    found = [type(request)()]
    found[0].CopyFrom(request)
    found[0].ClearField("files")
    left = PART_CHARACTERS
    for file in request.files:
        start, text = 0, file.content
        while start < len(text) or not start:
            if left <= 0:
                found.append(type(request)())
                left = PART_CHARACTERS
            piece = text[start : start + left]
            found[-1].files.add(name=file.name, content=piece, continued=start > 0)
            left -= max(1, len(piece))
            start += max(1, len(piece))
    return found


def apply_to(word: ApplyTo | None) -> int | None:
    """Which customers a publish is for, as a request has it.

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
        changes_count=max(answer.changes_count, len(answer.changes)),
    )


def version(message: pb.CatalogVersion) -> CatalogVersion:
    """Read one version."""
    return read(CatalogVersion, message)


def changes(messages: Sequence[pb.CatalogChange]) -> tuple[CatalogChange, ...]:
    """Read differences."""
    return tuple(read(CatalogChange, each) for each in messages)
