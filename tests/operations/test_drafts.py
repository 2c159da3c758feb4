"""Drafts: kept on the server, never overwritten, brought together with what others publish."""

from typing import Any

import pytest

from quotad.catalog import ApplyTo, Source, parse
from quotad.catalog.prepare import Request
from quotad.clock import SyncedClock
from quotad.errors import Busy, CatalogError, Conflict, InvalidRequest, PermissionDenied
from quotad.operations.catalog_process import CatalogProcess
from quotad.operations.catalogs import CatalogOperations, Publication
from quotad.operations.drafts import CatalogDraft, DraftOperations, DraftPublisher, Plea
from quotad.operations.plan_files import FILES_BYTES_MAX
from quotad.operations.publish import Terms
from quotad.store import Catalogs, KeySpace, Store, drafts
from quotad.store.drafts import DraftStore

TEXT = """version: 1
# What can be limited.
features:
  calls: {type: metered}
plans:
  free:
    name: Free
    entitlements:
      calls: {limit: 10, per: day}   # generous
"""


ANNA, BEN = DraftPublisher("anna", "anna"), DraftPublisher("ben", "Ben")


class Desk:
    """People at one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self.published = Catalogs(store, keys, SyncedClock())
        self.catalogs = CatalogOperations(self.published, CatalogProcess(60_000, 1024))
        self.store = DraftStore(store, keys)
        self.drafts = self.owned("both")

    def owned(self, owner: str) -> DraftOperations:
        return DraftOperations(self.store, self.catalogs, SyncedClock(), owner)  # type: ignore[arg-type]

    def publish(self, text: str, by: str = "ops") -> None:
        self.catalogs.publish(Request(files=files(text)), Terms(by))

    def edited(self, owner: str, old: str, new: str) -> CatalogDraft:
        draft = self.drafts.open(owner)
        text = draft.files[0].text
        assert old in text
        return self.drafts.save(draft, files(text.replace(old, new)))


def files(text: str) -> tuple[Source, ...]:
    return (Source("plans.yaml", text),)


@pytest.fixture
def desk(store: Store, keys: KeySpace) -> Desk:
    made = Desk(store, keys)
    made.publish(TEXT)
    return made


def test_a_draft_begins_with_the_text_as_it_was_published_and_comes_back(desk: Desk) -> None:
    begun = desk.drafts.open("anna")
    assert (1, files(TEXT), 0, False) == (
        begun.base_version,
        begun.files,
        begun.revision,
        begun.changed,
    )

    saved = desk.edited("anna", "limit: 10", "limit: 20")
    again = desk.owned("both").open("anna")

    assert again == saved
    assert again.changed
    assert list(desk.drafts.owners()) == ["anna"]
    assert desk.drafts.open("ben").files == files(TEXT)


def test_two_windows_do_not_overwrite_each_other(desk: Desk) -> None:
    one = desk.drafts.open("anna")
    desk.edited("anna", "limit: 10", "limit: 20")

    with pytest.raises(Conflict, match="another window"):
        desk.drafts.save(one, files(TEXT.replace("10", "30")))
    second = desk.drafts.open("anna")
    desk.drafts.discard(second)
    with pytest.raises(Conflict):
        desk.drafts.save(second, files(TEXT))
    assert desk.edited("anna", "limit: 10", "limit: 40").revision > second.revision


def test_a_draft_is_published_with_a_comment_and_is_gone(desk: Desk) -> None:
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    state = desk.drafts.state(draft)
    assert not state.outdated
    assert state.prepared is not None
    assert [each.after for each in state.prepared.changes] == ["20"]

    done = desk.drafts.publish(draft, ANNA, None, "Twice as much for spring")

    record = desk.catalogs.get(None).record
    assert (2, "anna", "anna", "Twice as much for spring") == (
        done.version.record.version,
        record.published_by,
        record.actor,
        record.comment,
    )
    assert desk.drafts.open("anna").files == files(TEXT.replace("limit: 10", "limit: 20"))
    assert not desk.drafts.owners()


def test_what_is_saved_while_a_draft_is_published_or_discarded_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    publish = desk.catalogs.publish

    def slowly(*args: Any) -> Publication:
        desk.edited("anna", "limit: 20", "limit: 30")
        return publish(*args)

    monkeypatch.setattr(desk.catalogs, "publish", slowly)
    desk.drafts.publish(draft, ANNA, None, "")
    with pytest.raises(Conflict, match="another window"):
        desk.drafts.discard(draft)

    assert files(TEXT.replace("limit: 10", "limit: 30")) == desk.drafts.open("anna").files
    assert ["anna"] == list(desk.drafts.owners())


def test_problems_of_a_draft_have_their_lines_and_it_is_not_published(desk: Desk) -> None:
    draft = desk.edited("anna", "per: day", "per: dya")
    (problem,) = desk.drafts.state(draft).problems

    assert ("plans.yaml", 9) == (problem.file, problem.line)
    with pytest.raises(CatalogError):
        desk.drafts.publish(draft, ANNA, None, "")
    assert desk.drafts.open("anna") == draft


def test_a_publish_meanwhile_is_not_overwritten_and_both_edits_come_together(desk: Desk) -> None:
    draft = desk.edited("anna", "name: Free", "name: Free forever")
    desk.publish(TEXT.replace("limit: 10", "limit: 15"))

    assert desk.drafts.state(draft).outdated
    with pytest.raises(Conflict, match="version 2 is in force"):
        desk.drafts.publish(draft, ANNA, None, "")
    new, clashes = desk.drafts.brought_up(draft, ())
    assert not clashes
    desk.drafts.publish(desk.drafts.save(new, new.files), ANNA, None, "")

    (file,) = desk.drafts.open("ben").files
    assert file.text == TEXT.replace("limit: 10", "limit: 15").replace("Free\n", "Free forever\n")


def test_a_value_that_both_changed_is_chosen(desk: Desk) -> None:
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    desk.publish(TEXT.replace("limit: 10", "limit: 15"))

    theirs, clashes = desk.drafts.brought_up(draft, ())
    mine, _ = desk.drafts.brought_up(draft, [clashes[0].path])

    assert [(each.base, each.mine, each.theirs) for each in clashes] == [("10", "20", "15")]
    assert "limit: 15" in theirs.files[0].text
    assert "limit: 20" in mine.files[0].text


def test_a_change_for_new_subscriptions_makes_a_revision(desk: Desk) -> None:
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    state = desk.drafts.state(draft, ApplyTo.NEW)

    assert state.prepared is not None
    assert "plans.free.revision" in [each.path for each in state.prepared.changes]


def test_a_version_without_files_is_written_from_its_content(desk: Desk) -> None:
    catalog = parse(files(TEXT.replace("10", "11")))
    desk.published.publish(catalog.document, catalog.digest)

    (file,) = desk.drafts.open("anna").files

    assert file.name == "catalog.yaml"
    assert parse([file]) == catalog


def test_who_owns_the_catalog_decides_who_publishes(desk: Desk) -> None:
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    assert desk.owned("auto").may_publish()
    assert not desk.drafts.from_files()
    desk.publish(TEXT.replace("limit: 10", "limit: 11"), by="quotad dev")
    assert (True, True) == (desk.owned("auto").may_publish(), desk.drafts.from_files())
    with pytest.raises(InvalidRequest, match="catalog_owner"):
        desk.owned("files").publish(draft, ANNA, None, "")

    desk.publish(TEXT.replace("limit: 10", "limit: 12"), by="sidecar on host-1")

    assert not desk.owned("auto").may_publish()
    assert desk.owned("both").may_publish()


def test_with_four_eyes_another_person_publishes_what_one_has_edited_and_asked_for(
    desk: Desk,
) -> None:
    desk.drafts = DraftOperations(desk.store, desk.catalogs, SyncedClock(), "both", four_eyes=True)
    draft = desk.edited("anna", "limit: 10", "limit: 20")
    for by in (ANNA, BEN):
        with pytest.raises(PermissionDenied, match="four_eyes"):
            desk.drafts.publish(draft, by, None, "")
    assert [] == desk.drafts.pleas("ben")

    asked = desk.drafts.plead(draft, Plea("anna", "for spring"))
    assert ([asked], []) == (desk.drafts.pleas("ben"), desk.drafts.pleas("anna"))
    with pytest.raises(PermissionDenied, match="another person"):
        desk.drafts.publish(asked, ANNA, None, "")

    # Whatever is saved takes it back.
    again = desk.edited("anna", "limit: 20", "limit: 30")
    assert ([], None) == (desk.drafts.pleas("ben"), again.plea)
    with pytest.raises(Conflict):
        desk.drafts.publish(asked, BEN, None, "")
    asked = desk.drafts.plead(again, Plea("anna", "for spring"))
    record = desk.drafts.publish(asked, BEN, None, "for spring").version.record
    assert ("anna", "Ben", "for spring") == (record.published_by, record.actor, record.comment)
    assert not desk.drafts.owners()


def test_drafts_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = desk.drafts.open("anna")
    with pytest.raises(InvalidRequest, match="larger than"):
        desk.drafts.save(draft, files("#" * (FILES_BYTES_MAX + 1)))

    monkeypatch.setattr(drafts, "DRAFTS_MAX", 1)
    saved = desk.edited("anna", "limit: 10", "limit: 20")
    with pytest.raises(Busy, match="there are 1 drafts"):
        desk.edited("ben", "limit: 10", "limit: 20")
    with pytest.raises(InvalidRequest, match="comment"):
        desk.drafts.publish(saved, ANNA, None, "x" * 2000)
    assert desk.drafts.save(saved, files(TEXT)).revision > saved.revision
