"""Drafts: what a person makes of the catalog before it is published, kept on the server."""

import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from quotad.catalog import ApplyTo, Source
from quotad.catalog.editing.merging import Clash, merge
from quotad.catalog.editing.placed import Placed, placed
from quotad.catalog.prepare import Prepared, Request
from quotad.catalog.rendering import render_files
from quotad.clock import Clock
from quotad.errors import CatalogError, Conflict, InvalidRequest, NotFound, PermissionDenied
from quotad.history import check_comment
from quotad.operations.catalogs import CatalogOperations, Publication, Version
from quotad.operations.plan_files import FILES_BYTES_MAX, fits
from quotad.operations.publish import Terms
from quotad.recent import Recent
from quotad.records import CatalogRecord
from quotad.store.drafts import DraftStore

LATELY = 20
"""Versions in which files that publish the catalog are looked for."""

_SIDECAR, _DEV = "sidecar", "quotad dev"
"""What those that watch files are called in the history; one tries things out with the second."""

CHECKED_MAX = 16
"""Checked drafts that are kept in memory."""

CatalogOwner = Literal["auto", "files", "dashboard", "both"]

_Checked = tuple[tuple[Placed, ...], Prepared | None]
"""The problems of a draft, and what publishing it would do."""

_NO_FILES = (Source("catalog.yaml", "version: 1\nfeatures: {}\nplans: {}\n"),)


class Plea(msgspec.Struct, frozen=True):
    """What is asked of another person, where whoever edits may not publish."""

    author: str
    """Name of whoever asks."""
    comment: str
    """For the history."""
    apply_to: ApplyTo | None = None
    """Whom the changed plans are for."""


class CatalogDraft(msgspec.Struct, frozen=True):
    """What one person makes of the catalog."""

    owner: str
    base_version: int
    """What it was begun from; 0: no catalog was published."""
    base: tuple[Source, ...]
    """The files of then."""
    files: tuple[Source, ...]
    """As they are in the draft."""
    saved_ms: int = 0
    revision: int = 0
    """Of the save; 0: it was not saved yet."""
    plea: Plea | None = None
    """Asks another person to publish it, until it is saved again."""

    @property
    def changed(self) -> bool:
        """Whether it differs from what it was begun from."""
        return self.files != self.base


class DraftRefused(InvalidRequest):
    """An edit of a draft that would bring problems into it that it does not have."""

    def __init__(self, problems: Sequence[Placed]) -> None:
        self.problems = tuple(problems)
        """Those that it would bring."""
        lines = (f"{each.path}: {each.text}" if each.path else each.text for each in problems)
        super().__init__("\n".join(lines))


class DraftPublisher(msgspec.Struct, frozen=True):
    """Who publishes."""

    person: str
    """As `CatalogDraft.owner`."""
    name: str


class DraftState(msgspec.Struct, frozen=True):
    """A draft, and what it stands beside."""

    draft: CatalogDraft
    in_force: Version | None
    problems: tuple[Placed, ...] = ()
    """What keeps it from being published."""
    prepared: Prepared | None = None
    """What publishing it would do; None: it has problems."""

    @property
    def outdated(self) -> bool:
        """Whether something was published since it was begun."""
        version = 0 if self.in_force is None else self.in_force.record.version
        return version != self.draft.base_version


class DraftOperations:
    """Opens, saves and publishes drafts; for all threads.

    Args:
        store: where they are kept.
        catalogs: what they are made from, and become.
        clock: the time that they are saved at.
        catalog_owner: who publishes: the setting.
        four_eyes: whether another person publishes than who edits: the setting.
    """

    def __init__(
        self,
        store: DraftStore,
        catalogs: CatalogOperations,
        clock: Clock,
        catalog_owner: CatalogOwner,
        four_eyes: bool = False,
    ) -> None:
        self._store = store
        self._catalogs = catalogs
        self._clock = clock
        self._owner = catalog_owner
        self.four_eyes = four_eyes
        self._checked: Recent[tuple[object, ...], _Checked] = Recent(CHECKED_MAX)
        """What files of drafts come to; each page asks for it, and a large one takes a second."""

    def open(self, owner: str, begun_from: int | None = None) -> CatalogDraft:
        """Return the draft of a person, or one that has changed nothing yet.

        Args:
            owner: whose.
            begun_from: the version that a new one is begun from; None: the one in force.

        Raises:
            NotFound: that version is not in the history any more.
            StoreUnavailable: the store refused or timed out.
        """
        stored = self._store.get(owner)
        if stored is not None:
            try:
                draft = msgspec.msgpack.decode(stored.data, type=CatalogDraft)
                return msgspec.structs.replace(draft, revision=stored.revision)
            except msgspec.MsgspecError:
                self._store.remove(owner, stored.revision)
        record = self._catalogs.get(begun_from).record if begun_from else self._in_force()
        files = self.files_of(record)
        return CatalogDraft(owner, 0 if record is None else record.version, files, files)

    def warm(self, state: DraftState) -> None:
        """Make ready for the check that follows a save of a draft."""
        document = None if state.in_force is None else state.in_force.record.document
        self._catalogs.warm(Request(files=state.draft.files, in_force=document))

    def owners(self) -> dict[str, int]:
        """Who has a draft, and when it was saved last (Unix ms)."""
        return self._store.owners()

    def save(self, draft: CatalogDraft, files: Sequence[Source]) -> CatalogDraft:
        """Save new files over the revision of a draft; returns it as it is now.

        Raises:
            Conflict: it was saved or discarded elsewhere meanwhile.
            Busy: too many people have a draft.
            InvalidRequest: it is too large.
        """
        if not fits(files):
            raise InvalidRequest(f"draft: is larger than {FILES_BYTES_MAX:,} bytes")
        return self._save(msgspec.structs.replace(draft, files=tuple(files), plea=None))

    def save_sound(self, draft: CatalogDraft, files: Sequence[Source]) -> CatalogDraft:
        """Save new files over the revision of a draft, unless that brings problems into it.

        Raises:
            Busy: too many people have a draft, or other catalogs are being read.
            Conflict: it was saved or discarded elsewhere meanwhile.
            DraftRefused: with the problems that the draft as it was saved does not have.
            InvalidRequest: it is too large.
        """
        new = msgspec.structs.replace(draft, files=tuple(files))
        if problems := self.state(new).problems:
            known = {(each.path, each.text) for each in self.state(draft).problems}
            brought = [each for each in problems if (each.path, each.text) not in known]
            if brought:
                raise DraftRefused(brought)
        return self.save(draft, files)

    def plead(self, draft: CatalogDraft, plea: Plea | None) -> CatalogDraft:
        """Ask another person to publish a draft; None: ask no more.

        Raises:
            Conflict: it was saved or discarded elsewhere meanwhile.
            InvalidRequest: the comment is too long.
        """
        if plea is not None:
            check_comment(plea.comment)
        return self._save(msgspec.structs.replace(draft, plea=plea))

    def pleas(self, person: str) -> list[CatalogDraft]:
        """Return drafts that somebody else is asked to publish, as a person may."""
        if not self.four_eyes:
            return []
        drafts = [self.open(owner) for owner in self._store.asked() if owner != person]
        return [each for each in drafts if each.plea is not None]

    def _save(self, draft: CatalogDraft) -> CatalogDraft:
        kept = msgspec.structs.replace(draft, saved_ms=self._clock.now_ms(), revision=0)
        data, asked = msgspec.msgpack.encode(kept), draft.plea is not None
        revision = self._store.save(draft.owner, draft.revision, data, asked)
        return msgspec.structs.replace(kept, revision=revision)

    def discard(self, draft: CatalogDraft) -> None:
        """Remove a draft.

        Raises:
            Conflict: it was saved elsewhere meanwhile.
        """
        self._store.remove(draft.owner, draft.revision)

    def state(self, draft: CatalogDraft, apply_to: ApplyTo | None = None) -> DraftState:
        """Check a draft, and compare it with the catalog in force.

        Raises:
            Busy: other catalogs are being read.
        """
        version = self._version()
        if version is not None and not draft.changed and apply_to is None:
            record = version.record
            if record.version == draft.base_version:
                nothing = Prepared(record.document, record.digest, "", (), 0, False)
                return DraftState(draft, version, prepared=nothing)
        digest = "" if version is None else version.record.digest
        key = (_digest(draft.files), digest, apply_to)
        checked = self._checked.get(key)
        if checked is None:
            checked = self._check(draft, apply_to)
            self._checked.put(key, checked)
        return DraftState(draft, version, *checked)

    def _check(self, draft: CatalogDraft, apply_to: ApplyTo | None) -> _Checked:
        try:
            found = self._catalogs.compare(Request(files=draft.files, apply_to=apply_to), None)
        except CatalogError as error:
            return tuple(placed(error.problems, draft.files)), None
        return (), found.prepared

    def brought_up(
        self, draft: CatalogDraft, keep_mine: Collection[str]
    ) -> tuple[CatalogDraft, tuple[Clash, ...]]:
        """Bring a draft and a newer publish together, without saving it.

        Args:
            draft: that was begun from an earlier version.
            keep_mine: paths of values that both changed where the draft's stands.

        Raises:
            CatalogError: the draft cannot be read.
            InvalidRequest: its changes cannot be put into the newer files.
        """
        record = self._in_force()
        theirs = self.files_of(record)
        merged = merge(draft.base, draft.files, theirs, keep_mine)
        version = 0 if record is None else record.version
        new = msgspec.structs.replace(draft, base_version=version, base=theirs, files=merged.files)
        return new, merged.clashes

    def publish(
        self, draft: CatalogDraft, by: DraftPublisher, apply_to: ApplyTo | None, comment: str
    ) -> Publication:
        """Publish a saved draft over the version that it was begun from, and remove it.

        What is saved while it is published stays, as a draft.

        Args:
            draft: as it was saved.
            by: whose doing it is.
            apply_to: whom changed plans are for.
            comment: why, for the history.

        Raises:
            CatalogError: it is not valid.
            Conflict: another version is in force, or the draft was changed elsewhere.
            InvalidRequest: the comment is too long, or the files own the catalog.
            PermissionDenied: another person must publish it, or was not asked to.
        """
        author = by.name
        if self.four_eyes or by.person != draft.owner:
            if by.person == draft.owner:
                raise PermissionDenied("four_eyes: another person publishes what you have edited")
            if draft.plea is None:
                raise PermissionDenied("four_eyes: nobody was asked to publish this draft")
            author = draft.plea.author
        self.check_may_publish()
        stored = self._store.get(draft.owner)
        if stored is None or stored.revision != draft.revision:
            raise Conflict("the draft was changed in another window; load the page again")
        terms = Terms(
            author, draft.base_version, actor=by.name, comment=comment, call="PublishDraft"
        )
        done = self._catalogs.publish(Request(files=draft.files, apply_to=apply_to), terms)
        with suppress(Conflict):
            self._store.remove(draft.owner, draft.revision)
        return done

    def may_publish(self) -> bool:
        """Whether the catalog may be published from here: `catalog_owner`."""
        if self._owner == "auto":
            return not self._lately_by(_SIDECAR)
        return self._owner != "files"

    def check_may_publish(self) -> None:
        """Raise InvalidRequest where files own the catalog."""
        if not self.may_publish():
            raise InvalidRequest(
                "catalog_owner: the catalog is published from files; change it there"
            )

    def from_files(self) -> bool:
        """Whether a change of watched files would replace what is published from here."""
        return self._owner != "dashboard" and self._lately_by(_SIDECAR, _DEV)

    def latest_of_files(self) -> Version | None:
        """The latest of these versions that watched files have made; None: none lately."""
        newest = self._catalogs.newest(LATELY)
        return next(
            (each for each in newest if each.record.published_by.startswith((_SIDECAR, _DEV))), None
        )

    def _lately_by(self, *names: str) -> bool:
        newest = self._catalogs.newest(LATELY)
        return any(each.record.published_by.startswith(names) for each in newest)

    def files_of(self, record: CatalogRecord | None) -> tuple[Source, ...]:
        """The files of a version: as they were published, else written from its content."""
        return _NO_FILES if record is None else files_of(self._catalogs, record)

    def _in_force(self) -> CatalogRecord | None:
        version = self._version()
        return None if version is None else version.record

    def _version(self) -> Version | None:
        try:
            return self._catalogs.get(None)
        except NotFound:
            return None


def _digest(files: Sequence[Source]) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(files)).digest()


def files_of(catalogs: CatalogOperations, record: CatalogRecord) -> tuple[Source, ...]:
    """The files of a version: as they were published, else written from its content."""
    return catalogs.files(record) or render_files(record)
