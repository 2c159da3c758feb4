"""The compare-and-set loop that every publish goes through."""

import pytest

from quotad.catalog import Catalog, Source, parse
from quotad.errors import Conflict, RecordLost
from quotad.operations.publish import TRIES_MAX, Done, Terms, publish
from quotad.records import CatalogRecord
from quotad.store import Outcome
from tests.unit.sidecar_fakes import FakeCatalogs, digest_of, plan


@pytest.fixture
def catalogs() -> FakeCatalogs:
    return FakeCatalogs()


class Work:
    """Works out one catalog, and remembers over which versions."""

    def __init__(self, limit: int) -> None:
        self.over: list[int] = []
        self.catalog = parse([Source("plans.yaml", plan(limit))])

    def __call__(self, before: CatalogRecord | None) -> Catalog | None:
        self.over.append(0 if before is None else before.version)
        return self.catalog


def test_the_first_catalog_is_published_over_nothing(catalogs: FakeCatalogs) -> None:
    done = publish(catalogs, Work(100), Terms("me"))

    assert isinstance(done, Done)
    assert (Outcome.PUBLISHED, 1, None) == (
        done.published.outcome,
        done.published.version,
        done.before,
    )
    assert ["me"] == [record.published_by for record in catalogs.records]


def test_content_is_worked_out_again_over_what_came_before_it(catalogs: FakeCatalogs) -> None:
    catalogs.put(plan(1))
    catalogs.in_between = lambda: catalogs.put(plan(2))
    work = Work(100)

    done = publish(catalogs, work, Terms())

    assert done is not None
    assert done.before == catalogs.records[1]
    assert [1, 2] == work.over
    assert digest_of(plan(100)) == catalogs.digests[2]


def test_a_publish_that_always_comes_second_ends_as_a_conflict(
    catalogs: FakeCatalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise Conflict("catalog version 7 is in force, not 6")

    monkeypatch.setattr(catalogs, "publish", lose)
    work = Work(100)

    with pytest.raises(Conflict, match="catalog version 7 is in force, not 6"):
        publish(catalogs, work, Terms())

    assert TRIES_MAX == len(work.over)


def test_over_another_version_than_expected_nothing_is_published(catalogs: FakeCatalogs) -> None:
    for limit in (1, 2):
        catalogs.put(plan(limit))

    with pytest.raises(Conflict, match="catalog version 2 is in force, not 1; look at it and"):
        publish(catalogs, Work(100), Terms(expected_version=1))

    assert 2 == len(catalogs.records)


def test_content_in_force_is_unchanged_whatever_version_was_expected(
    catalogs: FakeCatalogs,
) -> None:
    for limit in (1, 2):
        catalogs.put(plan(limit))

    done = publish(catalogs, Work(2), Terms(expected_version=1))

    assert done is not None
    assert Outcome.UNCHANGED is done.published.outcome


def test_content_published_before_is_left_alone_on_request(catalogs: FakeCatalogs) -> None:
    for limit in (1, 2):
        catalogs.put(plan(limit))

    done = publish(catalogs, Work(1), Terms(only_new=True))

    assert done is not None
    assert (Outcome.IN_HISTORY, 1) == (done.published.outcome, done.published.known_version)


def test_a_lost_record_is_published_over(
    catalogs: FakeCatalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogs.put(plan(100))

    def lost() -> None:
        raise RecordLost("the record of catalog version 1 is missing")

    monkeypatch.setattr(catalogs, "current", lost)

    done = publish(catalogs, Work(100), Terms())

    assert done is not None
    assert (Outcome.PUBLISHED, None) == (done.published.outcome, done.before)


def test_without_anything_to_publish_now_the_store_is_left_alone(catalogs: FakeCatalogs) -> None:
    assert publish(catalogs, lambda before: None, Terms()) is None
    assert [] == catalogs.records
