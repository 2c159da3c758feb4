"""Two server processes, one of each front, on one store."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quotad.store import KeySpace, Store
from quotad.valkey_cluster import PrivateCluster
from tests.integration.processes import ServerProcess, serve
from tests.running import read_counters

ON_A_CLUSTER = {
    "test_no_overshoot",
    "test_idempotency",
    "test_consume_all",
    "test_reservations",
    "test_leases",
    "test_slots",
    "test_credits",
    "test_insights",
    "test_refund",
    "test_set_usage",
    "test_publish_in_two_steps",
    "test_lost_keys",
    "test_change_feed",
    "test_old_layout",
    "test_ledger",
    "test_usage_audit",
    "test_usage_rebuild",
    "test_resharding",
}
"""Modules whose tests run on one server and on a cluster of three."""

ON_ONE_SERVER = {
    # Releases that knew no cluster.
    "test_a_publish_in_one_step_by_an_earlier_release_comes_before_the_candidate",
    "test_a_publish_of_an_earlier_release_is_in_force_at_the_next_call",
    # Slow, and not about where keys are.
    "test_a_call_to_another_server_is_decided_as_soon_as_the_first_publish_has_returned",
    "test_a_lost_record_comes_back_from_a_live_server_for_one_that_starts",
}
"""Tests of these modules that do not."""

ON_A_CLUSTER_ONLY = {
    "test_archive_on_a_cluster",
    "test_publish_shard_by_shard",
    "test_frozen_node",
    "test_resharding_killed",
    "test_webhooks_on_a_cluster",
}
"""Modules about what one server has not."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in ON_A_CLUSTER_ONLY and "store_url" in metafunc.fixturenames:
        metafunc.parametrize("store_url", ["cluster"], indirect=True, scope="session")
    runs = module in ON_A_CLUSTER and metafunc.function.__name__ not in ON_ONE_SERVER
    if runs and "store_url" in metafunc.fixturenames:
        metafunc.parametrize("store_url", ["single", "cluster"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the Valkey of the test run, or of a cluster."""
    if getattr(request, "param", "single") == "single":
        yield request.getfixturevalue("single_url")
        return
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "node", 3) as cluster,
    ):
        yield cluster.url


class Pair:
    """Two servers that share a store, and a look into that store."""

    def __init__(self, first: ServerProcess, second: ServerProcess, store: Store, prefix: str):
        self.first, self.second = first, second
        self.store = store
        self.keys = KeySpace(prefix, shards=8)

    def publish(self, text: str) -> Any:
        """Publish, and wait until both are ready."""
        published = self.first.publish(text)
        self.first.wait_ready()
        self.second.wait_ready()
        return published

    def counters(self, customer_id: str) -> dict[str, int]:
        """Every usage key of a customer, by feature and period."""
        return read_counters(self.store, self.keys, customer_id)


@pytest.fixture(scope="module")
def pair(store_url: str) -> Iterator[Pair]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    store = Store(store_url, timeout_ms=10_000)
    with (
        serve(store_url, prefix, "native") as first,
        serve(store_url, prefix, "grpcio") as second,
    ):
        yield Pair(first, second, store, prefix)
    store.close()


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"
