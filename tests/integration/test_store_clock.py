"""G1 where clocks differ: a server that is behind its store by far notices, and follows it."""

import pytest

from quotad.clock import SyncedClock
from quotad.engine import Engine, EngineSettings, Shared
from quotad.model import ConsumeRequest, Decision
from quotad.store.health import Health
from tests.deciding import bench

CATALOG = """
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: 10, per: year{0}}}}}}}}}
"""
TWO_YEARS_NS = 2 * 366 * 86_400 * 10**9


@pytest.mark.parametrize("more", ["", ", anchor: subscription", ", anchor: first_use"])
def test_no_period_that_is_over_for_the_store_is_counted_in(
    store_url: str, prefix: str, more: str
) -> None:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG.format(more))
        clock = SyncedClock()
        health = Health(made.store, clock)
        assert health.probe()
        clock._offset_ns -= TWO_YEARS_NS  # as after a pause of the server
        shared = Shared(
            made.snapshots,
            made.views,
            made.customers,
            health,
            clock,
            EngineSettings(store_timeout_ms=10_000),
        )
        engine = Engine(shared, made.store.connect())
        try:
            answers = [engine.decide([ConsumeRequest("acme", "calls")])[0] for _ in range(12)]
        finally:
            engine.close()

        allowed = [isinstance(each, Decision) and each.allowed for each in answers]
        assert [True] * 10 + [False] * 2 == allowed
        assert int(made.store.client.time()[0]) * 1000 - clock.now_ms() < 60_000
