"""G1 where clocks differ: a server that is behind its store by far notices, and follows it."""

import pytest

from quotad.clock import SyncedClock
from quotad.decision import ConsumeRequest, Decision
from quotad.engine import Engine, EngineSettings, Shared
from quotad.store import Store
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from tests.deciding import bench
from tests.raw import raw

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
            HoldsSeen(made.store, made.keys),
        )
        engine = Engine(shared, made.store.connect())
        try:
            answers = [engine.decide([ConsumeRequest("acme", "calls")])[0] for _ in range(12)]
        finally:
            engine.close()

        allowed = [isinstance(each, Decision) and each.allowed for each in answers]
        assert [True] * 10 + [False] * 2 == allowed
        assert int(raw(made.store).time()[0]) * 1000 - clock.now_ms() < 60_000


def test_a_step_of_the_stores_clock_is_logged_and_reported_once(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(store_url, timeout_ms=10_000)
    clock = SyncedClock()
    health = Health(store, clock, clock_step_ms=5_000)
    try:
        assert health.probe()
        assert health.probe()
        assert "" == health.clock_warning
        for back_s, way in ((40 * 86_400, "3,456,000.0 s forward"), (-60, "60.0 s back")):
            assert clock._ahead_ns is not None
            clock._ahead_ns -= back_s * 10**9  # as if the store's clock had been so far behind
            caplog.clear()

            for _ in range(3):
                assert health.probe()

            assert [health.clock_warning] == caplog.messages
            assert f"the store's clock stepped {way}, to 20" in health.clock_warning
    finally:
        store.close()
