"""What is published and what it changes, worked out from texts alone: files and documents.

Everything that a publish, a rollback or a comparison costs before the store is asked stands here,
as one function of one value to another, so that a separate process can do it.
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog.catalog import Catalog, parse
from quotad.catalog.diff import CatalogChange, diff
from quotad.catalog.revisions import ApplyTo, carry, restore
from quotad.catalog.sources import Source
from quotad.errors import CatalogError

CHANGES_BYTES_MAX = 2 * 1024 * 1024
"""Most bytes of changes that are listed: an answer has to fit into one message."""

_CHANGE_BYTES = 16
"""Of one change in a message, on top of its texts."""


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be published, and over what."""

    files: tuple[Source, ...] = ()
    """Together the new catalog, unless something is restored."""
    restored: bytes | None = None
    """The document of an earlier version, to be published again."""
    in_force: bytes | None = None
    """The document of the catalog in force; None: there is none."""
    apply_to: ApplyTo | None = None
    """Which customers get changed plans; None: as each plan states."""

    @property
    def size(self) -> int:
        """Bytes and characters in all."""
        documents = len(self.in_force or b"") + len(self.restored or b"")
        return documents + sum(len(file.text) for file in self.files)


class Prepared(msgspec.Struct, frozen=True):
    """A catalog that may be published."""

    document: bytes
    digest: str
    """Of the document."""
    source_digest: str
    """Of the files, whatever was carried into the document."""
    changes: tuple[CatalogChange, ...]
    """The first of them."""
    changes_count: int
    """All of them."""
    over_unreadable: bool
    """Whether the document in force cannot be read, so that nothing was carried over."""


def prepare(request: Request) -> Prepared:
    """Return the catalog to publish, and what it changes of the one in force.

    Raises:
        CatalogError: the files make no valid catalog, or it must not replace the one in force.
    """
    before = _read(request.in_force)
    if request.restored is None:
        new = carry(before, parse(request.files), request.apply_to)
    else:
        new = restore(before, Catalog.from_document(request.restored))
    changes = diff(before, new)
    return Prepared(
        document=new.document,
        digest=new.digest,
        source_digest=new.source_digest,
        changes=_first(changes),
        changes_count=len(changes),
        over_unreadable=request.in_force is not None and before is None,
    )


def _read(document: bytes | None) -> Catalog | None:
    try:
        return None if document is None else Catalog.from_document(document)
    except CatalogError:
        return None


def _first(changes: Sequence[CatalogChange]) -> tuple[CatalogChange, ...]:
    size = 0
    for index, change in enumerate(changes):
        texts = (change.path, change.before, change.after)
        size += _CHANGE_BYTES + sum(len(text.encode()) for text in texts)
        if size > CHANGES_BYTES_MAX:
            return tuple(changes[:index])
    return tuple(changes)
