import pytest

from quotad.clock import SyncedClock
from quotad.errors import Conflict, NotFound
from quotad.store import Catalogs, KeySpace, Outcome, Published, Store, publishing
from tests.raw import raw


@pytest.fixture
def published(store: Store, keys: KeySpace) -> Catalogs:
    return Catalogs(store, keys, SyncedClock())


def test_versions_only_grow_and_every_shard_has_the_newest(published: Catalogs) -> None:
    first = published.publish(b"{}", "d1", published_by="me")
    second = published.publish(b"{1}", "d2")

    assert Published(Outcome.PUBLISHED, 1, 1) == first
    assert Published(Outcome.PUBLISHED, 2, 2) == second
    keys, client = published._keys, raw(published._store)
    assert [b"2.d2"] * 4 == client.mget(keys.shard_catalogs)
    assert [2, 1] == [record.version for record in published.history(10)]
    assert "me" == published.get(1).published_by


def test_publishing_what_is_in_force_changes_nothing(published: Catalogs) -> None:
    published.publish(b"{}", "d1")

    assert Published(Outcome.UNCHANGED, 1, 1) == published.publish(b"{}", "d1")
    assert 1 == published.version()


def test_publishing_what_is_in_force_mends_a_shard_that_has_lost_it(
    published: Catalogs,
) -> None:
    keys, client = published._keys, raw(published._store)
    published.publish(b"{}", "d" * 64)
    before = client.mget(keys.shard_catalogs)
    client.delete(keys.shard_catalogs[2])

    assert Outcome.UNCHANGED is published.publish(b"{}", "d" * 64).outcome

    assert before == client.mget(keys.shard_catalogs)


def test_another_version_than_expected_is_a_conflict(published: Catalogs) -> None:
    published.publish(b"{}", "d1")

    with pytest.raises(Conflict, match="catalog version 1 is in force, not 0"):
        published.publish(b"{1}", "d2", expected_version=0)
    assert 1 == published.version()


def test_old_content_comes_back_as_a_new_version_unless_only_new_is_wanted(
    published: Catalogs,
) -> None:
    published.publish(b"{}", "d1")
    published.publish(b"{1}", "d2")

    refused = published.publish(b"{}", "d1", only_new=True)
    assert Published(Outcome.IN_HISTORY, 2, 1) == refused
    assert Published(Outcome.PUBLISHED, 3, 3) == published.publish(b"{}", "d1")


def test_the_history_knows_files_whatever_was_carried_into_the_document(
    published: Catalogs,
) -> None:
    published.publish(b"{}", "files1")
    published.publish(b"{files2 + what was}", "d2", source_digest="files2")
    published.publish(b"{files3 + what was}", "d3", source_digest="files3")

    known = published.publish(b"{files2 + more}", "d4", source_digest="files2", only_new=True)
    assert Published(Outcome.IN_HISTORY, 3, 2) == known
    same = published.publish(b"{files3 + what was}", "d3", source_digest="files3", only_new=True)
    assert Published(Outcome.UNCHANGED, 3, 3) == same
    carried = published.publish(b"{files3 + other}", "d5", source_digest="files3")
    assert Published(Outcome.PUBLISHED, 4, 4) == carried


def test_the_history_is_bounded(published: Catalogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "HISTORY_MAX", 3)
    for i in range(5):
        published.publish(b"{%d}" % i, f"d{i}")

    assert [5, 4, 3] == [record.version for record in published.history(10)]
    assert 3 == raw(published._store).zcard(published._keys.versions)
    with pytest.raises(NotFound, match="version 2 is not in the history"):
        published.get(2)


def test_nothing_published_is_no_catalog(published: Catalogs) -> None:
    assert published.current() is None
    assert [] == published.history(10)
