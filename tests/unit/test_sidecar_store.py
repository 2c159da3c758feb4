"""The sidecar's loop, step by step: the store, its history and other sidecars."""

import itertools
import logging

import pytest

import quotad.catalog.revisions
from quotad.catalog import Catalog
from quotad.errors import Conflict, InvalidRequest, RecordLost, StoreUnavailable
from quotad.records import CatalogRecord
from quotad.store.catalogs import Published
from tests.unit.sidecar_fakes import (
    BROKEN,
    FakeCatalogs,
    FakeSource,
    Make,
    Seconds,
    digest_of,
    maker,
    plan,
)


@pytest.fixture
def catalogs() -> FakeCatalogs:
    return FakeCatalogs()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def make(catalogs: FakeCatalogs, seconds: Seconds, caplog: pytest.LogCaptureFixture) -> Make:
    caplog.set_level(logging.INFO, logger="quotad.sidecar")
    return maker(catalogs, seconds)


def test_a_restart_with_old_content_does_not_roll_the_catalog_back(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    catalogs.put(plan(100))
    catalogs.put(plan(200))
    sidecar = make(FakeSource(plan(100)))
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert sidecar.state.ready
    assert 2 == sidecar.state.version
    [line] = caplog.messages
    assert "catalog version 1" in line
    assert "`quotad catalog publish`" in line


def test_a_restart_with_old_content_publishes_it_on_request(
    make: Make, catalogs: FakeCatalogs
) -> None:
    catalogs.put(plan(100))
    catalogs.put(plan(200))
    make(FakeSource(plan(100)), publish_at_start=True).step()

    assert digest_of(plan(100)) == catalogs.digests[-1]
    assert 3 == len(catalogs.records)


def test_a_restart_with_new_content_publishes_it(make: Make, catalogs: FakeCatalogs) -> None:
    catalogs.put(plan(100))
    make(FakeSource(plan(200))).step()

    assert digest_of(plan(200)) == catalogs.digests[-1]


def test_content_that_is_bad_at_start_and_then_old_does_not_roll_the_catalog_back(
    make: Make, catalogs: FakeCatalogs
) -> None:
    catalogs.put(plan(100))
    catalogs.put(plan(200))
    source = FakeSource(BROKEN)
    sidecar = make(source)
    sidecar.step()
    source.give(plan(100))
    sidecar.step()

    assert 2 == len(catalogs.records)


def test_a_rollback_by_hand_stands_until_the_files_change(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200):
        source.give(plan(limit))
        sidecar.step()
    catalogs.put(plan(100))
    for _ in range(10):
        seconds.now += 60
        sidecar.step()
    source.give("# only a comment\n" + plan(200))
    sidecar.step()

    assert 3 == len(catalogs.records)
    assert 3 == sidecar.state.version

    source.give(plan(300))
    sidecar.step()

    assert [digest_of(plan(300))] == catalogs.digests[3:]


def test_two_sidecars_with_the_same_content_make_one_version(
    make: Make, catalogs: FakeCatalogs
) -> None:
    sources = [FakeSource(plan(100)), FakeSource(plan(100))]
    sidecars = [make(source) for source in sources]
    for sidecar in sidecars:
        sidecar.step()
    for source, sidecar in zip(sources, sidecars, strict=True):
        source.give(plan(200))
        sidecar.step()

    assert 2 == len(catalogs.records)
    assert [2, 2] == [sidecar.state.version for sidecar in sidecars]


def test_a_sidecar_that_is_overtaken_with_the_same_content_is_content(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    catalogs.in_between = lambda: catalogs.put(plan(100))
    sidecar = make(FakeSource(plan(100)))
    sidecar.step()

    assert 1 == len(catalogs.records)
    assert sidecar.state.ready
    assert ["catalog version 1 is in force and has this content"] == caplog.messages


def test_a_sidecar_that_is_overtaken_with_other_content_looks_again_and_publishes(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    catalogs.in_between = lambda: catalogs.put(plan(50))
    make(FakeSource(plan(100))).step()

    assert [digest_of(plan(50)), digest_of(plan(100))] == catalogs.digests
    assert "50 -> 100" in caplog.messages[-1]


def test_a_sidecar_that_is_overtaken_for_ever_tries_later(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar = make(FakeSource(plan(100)))

    def lose(*args: object, **kwargs: object) -> Published:
        raise Conflict("catalog version 7 is in force, not 6")

    with monkeypatch.context() as patch:
        patch.setattr(catalogs, "publish", lose)
        sidecar.step()

        assert ("catalog version 7 is in force, not 6",) == sidecar.state.problems

    seconds.now += 2
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert not sidecar.state.problems


def test_a_store_that_is_down_is_retried_with_back_off_until_it_is_back(
    make: Make,
    catalogs: FakeCatalogs,
    seconds: Seconds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalogs.error = StoreUnavailable("the store at redis://db is not available")
    sidecar = make(FakeSource(plan(100)))
    tried_at = []
    for _ in range(100):
        calls = catalogs.calls
        sidecar.step()
        if catalogs.calls > calls:
            tried_at.append(round(seconds.now - 1000, 1))
        seconds.now += 0.1

    assert [0.0, 0.1, 0.3, 0.7, 1.5] == tried_at[:5]
    assert max(b - a for a, b in itertools.pairwise(tried_at)) <= 2.11
    assert ("the store at redis://db is not available",) == sidecar.state.problems
    assert not sidecar.state.ready

    catalogs.error = None
    seconds.now += 2
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert not sidecar.state.problems
    assert [
        "no store, trying again: the store at redis://db is not available",
        "the store is back",
        "published catalog version 1",
    ] == caplog.messages


def test_of_several_edits_during_an_outage_the_last_one_is_published(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()
    catalogs.error = StoreUnavailable("gone")
    for limit in (200, 300):
        source.give(plan(limit))
        sidecar.step()
    source.give(BROKEN)
    sidecar.step()
    catalogs.error = None
    seconds.now += 2
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(300))] == catalogs.digests


def test_a_publish_whose_answer_was_lost_makes_one_version(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar = make(FakeSource(plan(100)))
    publish = catalogs.publish

    def lose_the_answer(document: bytes, digest: str, **options: object) -> Published:
        monkeypatch.undo()
        publish(document, digest)
        raise StoreUnavailable("did not answer in time")

    monkeypatch.setattr(catalogs, "publish", lose_the_answer)
    sidecar.step()
    seconds.now += 2
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert sidecar.state.ready


def test_content_that_the_store_refuses_is_not_tried_again(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    catalogs.error = InvalidRequest("document: too large")
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()

    assert ("document: too large",) == sidecar.state.problems

    calls = catalogs.calls
    seconds.now += 60
    sidecar.step()

    assert calls == catalogs.calls

    catalogs.error = None
    source.give(plan(200))
    sidecar.step()

    assert [digest_of(plan(200))] == catalogs.digests
    assert not sidecar.state.problems


def test_a_store_that_was_emptied_gets_the_catalog_again(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    sidecar = make(FakeSource(plan(100)))
    sidecar.step()
    catalogs.records.clear()
    seconds.now += 10
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests


def test_a_store_that_fell_back_to_an_older_copy_gets_the_lost_catalog_again(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()
    source.give(plan(200))
    sidecar.step()
    catalogs.records.pop()
    seconds.now += 10
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests


def test_a_record_that_the_store_lost_is_published_again(
    make: Make, catalogs: FakeCatalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogs.put(plan(100))

    def lost() -> CatalogRecord | None:
        raise RecordLost("the record of catalog version 1 is missing")

    monkeypatch.setattr(catalogs, "current", lost)
    make(FakeSource(plan(200))).step()

    assert [digest_of(plan(200))] == catalogs.digests[1:]


def test_a_catalog_in_force_that_cannot_be_read_is_replaced_all_the_same(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    catalogs.records.append(CatalogRecord(1, "other", b"{}[", 0))
    make(FakeSource(plan(100))).step()

    assert ["other", digest_of(plan(100))] == catalogs.digests
    assert [
        "published catalog version 2 over version 1, which cannot be read: no revision was kept"
    ] == caplog.messages


def test_an_outage_is_noticed_also_when_there_is_nothing_to_publish(
    make: Make, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    sidecar = make(FakeSource(plan(100)))
    sidecar.step()
    catalogs.error = StoreUnavailable("gone")
    seconds.now += 10
    sidecar.step()

    assert ("gone",) == sidecar.state.problems

    catalogs.error = None
    seconds.now += 2
    sidecar.step()

    assert not sidecar.state.problems
    assert 1 == len(catalogs.records)


def to_new(limit: int) -> str:
    return plan(limit).replace("  pro:\n", "  pro:\n    apply_to: new\n")


def revisions(catalogs: FakeCatalogs) -> tuple[int, list[int]]:
    """Of the plan in force, and its earlier ones."""
    catalog = Catalog.from_document(catalogs.records[-1].document)
    pro = catalog.definitions.plans["pro"]
    return pro.revision, list(pro.earlier)


def test_edits_of_a_plan_for_new_subscriptions_make_revisions(
    make: Make, catalogs: FakeCatalogs
) -> None:
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200, 300):
        source.give(to_new(limit))
        sidecar.step()

    assert (3, [1, 2]) == revisions(catalogs)


def test_files_that_are_in_force_are_not_published_again_when_there_are_revisions(
    make: Make, catalogs: FakeCatalogs
) -> None:
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200):
        source.give(to_new(limit))
        sidecar.step()
    for publish_at_start in (False, True):
        make(FakeSource(to_new(200)), publish_at_start=publish_at_start).step()

    assert 2 == len(catalogs.records)


def test_a_restart_with_old_files_does_not_roll_back_revisions(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200, 300):
        source.give(to_new(limit))
        sidecar.step()
    caplog.clear()
    make(FakeSource(to_new(200))).step()

    assert 3 == len(catalogs.records)
    [line] = caplog.messages
    assert "catalog version 2, and version 3 was published after it" in line


def test_a_sidecar_that_is_overtaken_carries_from_what_is_in_force_by_then(
    make: Make, catalogs: FakeCatalogs
) -> None:
    source = FakeSource(to_new(100))
    sidecar = make(source)
    sidecar.step()
    catalogs.in_between = lambda: catalogs.put(plan(150))
    source.give(to_new(200))
    sidecar.step()
    earlier = Catalog.from_document(catalogs.records[-1].document).definitions.plans["pro"].earlier

    assert 3 == len(catalogs.records)
    assert [150] == [was.entitlements["api-calls"].limits[0].limit for was in earlier.values()]


def test_more_revisions_than_are_kept_are_one_problem_and_not_tried_again(
    make: Make, catalogs: FakeCatalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotad.catalog.revisions, "EARLIER_MAX", 1)
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200, 300):
        source.give(to_new(limit))
        sidecar.step()

    assert 2 == len(catalogs.records)
    assert "plans.pro: 2 earlier revisions, at most 1 are kept" == sidecar.state.problems[0]
