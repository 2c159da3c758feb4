"""How an engine comes from one catalog to the next: from memory, or by the thread that loads it."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.decision import ConsumeRequest
from quotad.engine import EngineSettings
from quotad.engine.watch import CatalogWatch
from quotad.errors import NotReady, StoreUnavailable
from quotad.store import Catalogs, Fleet, Published, publishing
from tests.deciding import Bench, bench
from tests.raw import raw
from tests.running import eventually


def plans(limit: int) -> str:
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: {limit}}}}}}}}}
"""


class Watched(Bench):
    """An engine whose catalogs are loaded by a thread, which is the test."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, prefix)
        self.fleet = Fleet(self.store, self.keys, "me")
        self.watch = CatalogWatch(self.catalogs, self.snapshots, self.fleet)
        self.due = threading.Event()
        self.snapshots.watched(self.due.set)
        self.pool = ThreadPoolExecutor(2)

    def close(self) -> None:
        self.pool.shutdown()
        super().close()

    def look(self) -> None:
        self.snapshots.look(self.watch.step)

    def publishing(self, document: bytes, digest: str) -> Future[Published]:
        """A publish that has prepared its candidate, and waits for this server."""
        self.fleet.beat()
        catalogs = Catalogs(self.store, self.keys, SyncedClock(), 20_000)
        future = self.pool.submit(catalogs.publish, document, digest)
        eventually(lambda: catalogs.look()[1], lambda candidate: candidate is not None)
        return future

    def publish_elsewhere_at_once(self, limit: int) -> None:
        """A publish that does not wait for this server."""
        self.fleet.leave()
        self.publish_elsewhere(plans(limit))

    def publish_prepared(self, limit: int) -> None:
        catalog = parse([Source("plans.yaml", plans(limit))])
        future = self.publishing(catalog.document, catalog.digest)
        self.look()
        future.result()


@pytest.fixture
def engine(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(publishing, "ALIVE_MS", 60_000)  # also on a busy machine
    made = Watched(store_url, prefix)
    yield made
    made.close()


@pytest.fixture
def unloadable(engine: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the catalog in force fails."""

    def fail() -> None:
        raise AssertionError("the catalog was loaded")

    monkeypatch.setattr(engine.catalogs, "current", fail)


@pytest.mark.usefixtures("unloadable")
def test_a_prepared_catalog_is_swapped_in_without_being_loaded(engine: Watched) -> None:
    for limit in (1, 2, 3):
        engine.publish_prepared(limit)

        assert limit == engine.consume("acme", "calls", 0).limit
        engine.look()
        assert engine.snapshots.prepared is None


@pytest.mark.usefixtures("unloadable")
def test_a_prepared_catalog_is_kept_where_the_store_fails_after_it_came_into_force(
    engine: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.publish_prepared(1)
    engine.consume("acme", "calls", 0)
    engine.publish_prepared(2)

    def fail() -> None:
        raise StoreUnavailable("the store did not answer in time")

    with monkeypatch.context() as failing:
        failing.setattr(engine.catalogs, "head", fail)
        with pytest.raises(StoreUnavailable):
            engine.look()

    assert 2 == engine.consume("acme", "calls", 0).limit


def test_no_decision_is_planned_on_a_prepared_catalog_that_is_not_in_force(
    engine: Watched,
) -> None:
    catalog = parse([Source("plans.yaml", plans(1))])
    future = engine.publishing(catalog.document, catalog.digest)
    engine.snapshots.look(lambda stale: None)
    candidate = engine.catalogs.look()[1]
    assert candidate is not None
    assert engine.snapshots.prepare(candidate)

    answer = engine.pool.submit(engine.engine.decide, [ConsumeRequest("acme", "calls")])
    engine.due.wait(20)
    engine.snapshots.look(lambda stale: None)

    (refused,) = answer.result()
    assert isinstance(refused, NotReady)
    assert "no catalog was published yet" in str(refused)
    assert engine.health.up
    engine.fleet.acknowledge(candidate)
    future.result()
    assert 1 == engine.consume("acme", "calls").limit


def test_a_late_server_loads_on_its_catalog_thread_while_the_call_waits(engine: Watched) -> None:
    engine.publish_prepared(1)
    engine.consume("acme", "calls", 0)
    engine.look()
    engine.publish_elsewhere_at_once(2)
    engine.due.clear()

    answer = engine.pool.submit(engine.consume, "acme", "calls", 0)
    assert engine.due.wait(20)
    engine.look()

    assert 2 == answer.result().limit


def test_a_call_that_cannot_wait_for_a_catalog_is_unavailable_and_the_store_stays_in_use(
    engine: Watched,
) -> None:
    engine.publish_prepared(1)
    engine.consume("acme", "calls", 0)
    engine.publish_elsewhere_at_once(2)
    engine.engine._settings = EngineSettings(store_timeout_ms=50)

    (answer,) = engine.engine.decide([ConsumeRequest("acme", "calls")])

    assert isinstance(answer, StoreUnavailable)
    assert "is in force, and not loaded yet" in str(answer)
    assert engine.health.up


def test_a_prepared_catalog_that_has_lapsed_is_let_go(engine: Watched) -> None:
    engine.publish_prepared(1)
    catalog = parse([Source("plans.yaml", plans(2))])
    future = engine.publishing(catalog.document, catalog.digest)
    candidate = engine.catalogs.look()[1]
    assert candidate is not None
    engine.snapshots.prepare(candidate)
    raw(engine.store).delete(engine.keys.prepared, engine.keys.candidate)

    engine.look()

    assert engine.snapshots.prepared is None
    engine.fleet.leave()
    assert 2 == future.result().version


def test_a_catalog_that_this_server_cannot_read_is_answered_so(
    engine: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    engine.publish_prepared(1)
    future = engine.publishing(b'{"version": 2}', "of a newer release")
    engine.look()

    assert 2 == future.result().version
    assert "server me cannot read it: catalog.json: version: " in caplog.text
    with pytest.raises(NotReady, match="catalog version 2 cannot be read by this server"):
        engine.look()
    with pytest.raises(NotReady):
        engine.look()
    assert 1 == caplog.text.count("catalog version 2 cannot be read by this server")


def test_a_lost_tag_is_written_again_while_the_call_waits(engine: Watched) -> None:
    engine.publish_prepared(1)
    engine.consume("acme", "calls", 0)
    engine.look()
    raw(engine.store).delete(*engine.keys.shard_catalogs)
    engine.due.clear()

    answer = engine.pool.submit(engine.consume, "acme", "calls", 0)
    assert engine.due.wait(20)
    engine.look()

    assert 1 == answer.result().limit


def test_a_thread_that_ends_leaves_loading_to_the_calls(store_url: str, prefix: str) -> None:
    with bench(store_url, prefix) as engine:
        engine.snapshots.watched(lambda: None)
        engine.publish(plans(1))
        engine.consume("acme", "calls", 0)
        engine.publish_elsewhere(plans(2))
        engine.snapshots.watched(None)

        assert 2 == engine.consume("acme", "calls", 0).limit
