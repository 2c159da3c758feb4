"""What pages about the catalog share: the visitor's draft, and what it comes to."""

from collections.abc import Sequence

import msgspec

from quotad.catalog import ApplyTo, Source
from quotad.catalog.editing.changes import Edit, PlanFiles
from quotad.dashboard.again import again_page
from quotad.dashboard.ask import Ask, PageAnswer, is_own_path
from quotad.dashboard.catalog_words import Compiled, compiled
from quotad.dashboard.change_words import change_count
from quotad.errors import Conflict, InvalidRequest, NotFound
from quotad.operations.drafts import CatalogDraft, DraftState

APPLY_TO = {"": None, "all": ApplyTo.ALL, "new": ApplyTo.NEW}


class Desk(msgspec.Struct, frozen=True):
    """The catalog in force, and the visitor's draft of it."""

    state: DraftState | None
    """None: the visitor may not publish, and has no draft."""
    in_force: Compiled | None
    after: Compiled | None
    """With the draft; without one, or while it has problems, what is in force."""

    @property
    def changed(self) -> bool:
        """Whether there is a draft that changes something."""
        return self.state is not None and self.state.draft.changed

    @property
    def change_count(self) -> int:
        """How many lines a review of the draft has."""
        prepared = None if self.state is None else self.state.prepared
        if prepared is None:
            return 0
        left_out = prepared.changes_count - len(prepared.changes)
        return change_count(prepared.changes) + left_out

    @property
    def draft(self) -> CatalogDraft:
        """The draft of whoever may have one."""
        assert self.state is not None, "the page asks for the right to publish"
        return self.state.draft


def desk(ask: Ask, apply_to: ApplyTo | None = None, owner: str = "") -> Desk:
    """Return what pages about the catalog are made of.

    Args:
        ask: by whom.
        apply_to: whom changed plans would be for.
        owner: of the draft that the visitor is asked to publish; empty: it is the visitor's.
    """
    parts = ask.context.parts
    try:
        in_force = compiled(parts.catalogs.get(None).record.document)
    except NotFound:
        in_force = None
    if not ask.visitor.may("publish"):
        return Desk(None, in_force, in_force)
    draft = parts.drafts.open(owner or ask.visitor.person)
    if owner and draft.plea is None:
        raise TakenBack
    state = parts.drafts.state(draft, apply_to)
    parts.drafts.warm(state)
    after = in_force
    if state.prepared is not None and (draft.changed or apply_to is not None):
        after = compiled(state.prepared.document)
    return Desk(state, in_force, after)


class TakenBack(NotFound):
    """A draft that the visitor is not asked to publish, or not any more."""

    def __init__(self) -> None:
        super().__init__(
            "This draft is not to be published: its author has taken it back, or saved more of it"
        )


class DraftChanged(Conflict):
    """A form that changes a part of the draft was made from an earlier save of it."""


def sent_draft(ask: Ask) -> CatalogDraft:
    """Return the draft that a form for a part of it was made from.

    Raises:
        DraftChanged: it was changed or discarded in another window.
    """
    try:
        return seen_draft(ask)
    except Conflict as error:
        raise DraftChanged(str(error)) from None


def seen_draft(ask: Ask, owner: str = "") -> CatalogDraft:
    """Return the draft exactly as the page of a form has shown it.

    Args:
        ask: with the form.
        owner: of a draft that the visitor is asked to publish; empty: it is the visitor's.

    Raises:
        Conflict: it was changed or discarded in another window.
        NotFound: the visitor is not asked to publish it any more.
    """
    revision, base = ask.form.get("revision", "0"), ask.form.get("base", "0")
    if not (revision.isdigit() and base.isdigit()):
        raise InvalidRequest("revision: is not a number")
    # What is new is begun from the version that the page showed, whatever is in force by now.
    draft = ask.context.parts.drafts.open(owner or ask.visitor.person, int(base))
    if owner and draft.plea is None:
        raise TakenBack
    if draft.revision != int(revision):
        raise Conflict("The draft was changed in another window; nothing of this page was saved")
    return draft


def changed_page(ask: Ask) -> PageAnswer:
    """Show what was typed into a form, to be sent once more over the draft as it is now."""
    draft = ask.context.parts.drafts.open(ask.visitor.person)
    now = {"revision": str(draft.revision), "base": str(draft.base_version)}
    typed = [(name, value) for name, value in ask.form.fields if name != "form_key"]
    fields = [(name, now.get(name, value)) for name, value in typed]
    why = "Your draft was changed in another window since this page was opened."
    return again_page(ask, 409, ask.path, fields, why)


def next_of(ask: Ask, path: str) -> str:
    """Where to go after saving: where the form says, else to a path."""
    wanted = ask.form.get("next")
    return wanted if is_own_path(wanted) else path


def save_edits(ask: Ask, edits: Sequence[Edit]) -> CatalogDraft:
    """Save small changes of a form into the visitor's draft.

    Raises:
        DraftRefused: they would bring problems into it; nothing is saved.
    """
    draft = sent_draft(ask)
    return save_files(ask, draft, PlanFiles(draft.files).changed(edits), sound=True)


def save_files(
    ask: Ask, draft: CatalogDraft, files: Sequence[Source], *, sound: bool = False
) -> CatalogDraft:
    """Save the files of the visitor's draft; one that changes nothing is removed.

    Args:
        ask: by whom.
        draft: as it was.
        files: as they are to be.
        sound: whether files that bring problems into the draft are refused.
    """
    drafts = ask.context.parts.drafts
    if tuple(files) == draft.base:
        drafts.discard(draft)
        return msgspec.structs.replace(draft, files=draft.base, revision=0)
    return drafts.save_sound(draft, files) if sound else drafts.save(draft, files)
