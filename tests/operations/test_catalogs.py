"""What operators do with catalogs, on a store without servers."""

import logging

import pytest

from quotad.catalog import Source
from quotad.catalog.prepare import Request
from quotad.clock import SyncedClock
from quotad.errors import CatalogError, Conflict, InvalidRequest, NotFound
from quotad.operations.catalog_process import CatalogProcess
from quotad.operations.catalogs import CatalogOperations, Version
from quotad.operations.publish import Terms
from quotad.store import Catalogs, KeySpace, Outcome, Store


@pytest.fixture
def published(store: Store, keys: KeySpace) -> Catalogs:
    return Catalogs(store, keys, SyncedClock())


@pytest.fixture
def catalogs(published: Catalogs) -> CatalogOperations:
    return CatalogOperations(published, CatalogProcess(60_000, 1024))


def plans(limit: int) -> Request:
    text = (
        "version: 1\nfeatures: {calls: {type: metered}}\n"
        f"plans: {{pro: {{entitlements: {{calls: {{limit: {limit}, per: month}}}}}}}}\n"
    )
    return Request(files=(Source("plans.yaml", text),))


def numbers(versions: list[Version]) -> list[tuple[int, bool, str]]:
    return [(v.record.version, v.in_force, v.record.published_by) for v in versions]


def test_a_catalog_is_published_changed_and_rolled_back(catalogs: CatalogOperations) -> None:
    catalogs.publish(plans(1), Terms("anna"))
    second = catalogs.publish(plans(2), Terms("ben"))

    assert (Outcome.PUBLISHED, True) == (second.outcome, second.version.in_force)
    assert ["1"] == [change.before for change in second.prepared.changes]

    back = catalogs.roll_back(1, "")

    assert ["2"] == [change.before for change in back.prepared.changes]
    assert catalogs.get(1).record.document == catalogs.get(None).record.document
    assert [
        (3, True, "rollback to version 1"),
        (2, False, "ben"),
        (1, False, "anna"),
    ] == numbers(catalogs.newest(0))
    assert 1 == len(catalogs.newest(1))


def test_what_is_in_force_already_makes_no_version(catalogs: CatalogOperations) -> None:
    catalogs.publish(plans(1), Terms())

    again = catalogs.publish(plans(1), Terms())

    assert (Outcome.UNCHANGED, 1) == (again.outcome, again.version.record.version)
    assert 0 == again.prepared.changes_count


def test_a_comparison_publishes_nothing(catalogs: CatalogOperations) -> None:
    first = catalogs.compare(plans(1), None)
    catalogs.publish(plans(1), Terms())
    catalogs.publish(plans(2), Terms())

    assert first.version is None
    assert first.prepared.changes_count > 0
    assert 0 == catalogs.compare(plans(2), None).prepared.changes_count
    assert 1 == catalogs.compare(plans(2), 1).prepared.changes_count
    assert 2 == len(catalogs.newest(0))


def test_a_refused_publish_leaves_the_one_in_force(catalogs: CatalogOperations) -> None:
    catalogs.publish(plans(1), Terms())

    with pytest.raises(CatalogError):
        catalogs.publish(Request(files=(Source("plans.yaml", "version: 9"),)), Terms())
    with pytest.raises(Conflict, match="catalog version 1 is in force, not 7"):
        catalogs.publish(plans(2), Terms(expected_version=7))
    with pytest.raises(InvalidRequest, match="published_by: "):
        catalogs.publish(plans(2), Terms("a\nb"))
    with pytest.raises(NotFound, match="catalog version 7 is not in the history"):
        catalogs.roll_back(7, "")

    assert [(1, True, "")] == numbers(catalogs.newest(0))


def test_there_is_nothing_to_get_before_the_first_publish(catalogs: CatalogOperations) -> None:
    assert [] == catalogs.newest(0)
    with pytest.raises(NotFound, match="no catalog was published yet"):
        catalogs.get(None)


def test_a_catalog_in_force_that_cannot_be_read_is_named_once_it_is_replaced(
    catalogs: CatalogOperations, published: Catalogs, caplog: pytest.LogCaptureFixture
) -> None:
    published.publish(b"{}[", "other")

    with caplog.at_level(logging.WARNING, "quotad.operations"):
        done = catalogs.publish(plans(1), Terms())

    assert done.prepared.over_unreadable
    assert [
        "catalog version 1 cannot be read: version 2 keeps no revision of it"
    ] == caplog.messages
