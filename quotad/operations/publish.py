"""The compare-and-set loop of every publish: of files, of an earlier version, by a sidecar."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from quotad.catalog import Source
from quotad.errors import Conflict, RecordLost
from quotad.history import LOCAL
from quotad.operations.plan_files import keep
from quotad.records import CatalogRecord
from quotad.store.catalogs import Published

TRIES_MAX = 10
"""Tries of a publish that others come before; each of them has published something."""


class CatalogStore(Protocol):
    """What publishing needs of `quotad.store.catalogs.Catalogs`."""

    def version(self) -> int:
        """The version in force; 0 when none was ever published."""
        ...

    def current(self) -> CatalogRecord | None:
        """The catalog in force."""
        ...

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
        """Put a catalog in force."""
        ...

    def mend(self) -> bool:
        """Put the version on the head in force where it is not; returns whether it was not."""
        ...

    def keep_files(self, source_digest: str, data: bytes) -> None:
        """Keep the files that a catalog was published from."""
        ...


class Content(Protocol):
    """What can be published."""

    @property
    def document(self) -> bytes:
        """Canonical JSON of a valid catalog."""
        ...

    @property
    def digest(self) -> str:
        """Of the document."""
        ...

    @property
    def source_digest(self) -> str:
        """Of the files, whatever was carried into the document."""
        ...


C = TypeVar("C", bound=Content)


class Terms(msgspec.Struct, frozen=True):
    """How something is published."""

    published_by: str = ""
    """For the history: as the publisher calls itself."""
    expected_version: int | None = None
    """The version that must be in force, unless it has the content already; None: any."""
    only_new: bool = False
    """Leave alone what was published from the same files before."""
    actor: str = LOCAL
    """Whose doing it is."""
    comment: str = ""
    """Why, for the history."""
    files: tuple[Source, ...] = ()
    """What the content was read from; kept for editing."""
    call: str = "PublishCatalog"
    """The operation, for the ledger."""


class Done(msgspec.Struct, Generic[C], frozen=True):
    """What a publish did."""

    published: Published
    before: CatalogRecord | None
    """What was in force until then; None: nothing, or its record is lost."""
    content: C
    """What was published over it."""


def publish(
    catalogs: CatalogStore, work_out: Callable[[CatalogRecord | None], C | None], terms: Terms
) -> Done[C] | None:
    """Publish over the catalog in force; worked out again when another publish came before.

    Args:
        catalogs: where to.
        work_out: what to publish over a record: what earlier subscriptions keep, and what has
            changed, follow from it. None: nothing now.
        terms: of the publish.

    Returns:
        What was done; None: there was nothing to publish now.

    Raises:
        Conflict: not the expected version is in force, or others came before again and again.
        StoreUnavailable: the store refused or timed out; publishing again is safe.
    """
    expected = terms.expected_version
    tries = 0
    while True:
        before, in_force = _in_force(catalogs)
        content = work_out(before)
        if content is None:
            return None
        unchanged = before is not None and before.digest == content.digest
        if in_force is not None and expected not in (None, in_force) and not unchanged:
            raise Conflict(
                f"catalog version {in_force} is in force, not {expected};"
                " look at it and publish again"
            )
        try:
            published = catalogs.publish(
                content.document,
                content.digest,
                source_digest=content.source_digest,
                published_by=terms.published_by,
                actor=terms.actor,
                comment=terms.comment,
                expected_version=expected if in_force is None else in_force,
                only_new=terms.only_new,
                anew=in_force is None,
                call=terms.call,
            )
        except Conflict:
            tries += 1
            if tries == TRIES_MAX:
                raise
        else:
            keep(catalogs, content.source_digest, terms.files)
            return Done(published, before, content)


def _in_force(catalogs: CatalogStore) -> tuple[CatalogRecord | None, int | None]:
    """The catalog in force and its version, 0 for none; None: its record is lost."""
    try:
        record = catalogs.current()
    except RecordLost:
        # A store that evicts keys. Publishing is what puts that right.
        return None, None
    return record, record.version if record else 0
