import random
import tracemalloc

import msgspec
import pytest

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.decision import Reason
from quotad.engine import ViewCache
from quotad.entitlements import rollout
from quotad.records import CustomerRecord, StoredCustomer, Subscription
from quotad.store import KeySpace, Retention
from quotad.store.charges import MONTH_ENDS_MS

NOW = 1_800_000_000_000
DAY = 86_400_000
NOBODY = StoredCustomer(0, None)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    text = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  builds: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  billed:
    entitlements:
      calls: {limit: 5, per: month}
      builds: {limit: 5, per: month, anchor: subscription}
"""
    return compile_snapshot(parse([Source("plans.yaml", text)]), 3)


def cache_of(size: int) -> ViewCache:
    return ViewCache(KeySpace("q", shards=4), size)


def on(plan: str, *, epoch: int = 1, start_ms: int = NOW - DAY) -> StoredCustomer:
    return StoredCustomer(epoch, CustomerRecord("acme", (Subscription(plan, start_ms),)))


def test_what_was_put_is_found(snapshot: Snapshot) -> None:
    cache = cache_of(10)

    view = cache.put("acme", on("billed", epoch=4), snapshot, NOW)

    assert view is cache.get("acme", snapshot, NOW)
    assert cache.get("somebody else", snapshot, NOW) is None
    assert (4, "billed", snapshot) == (view.epoch, view.effective.plan_id, view.snapshot)
    assert KeySpace("q", shards=4).customer("acme") == view.keys


def test_a_dropped_customer_is_read_again(snapshot: Snapshot) -> None:
    cache = cache_of(2)
    for name in ("acme", "other"):
        cache.put(name, NOBODY, snapshot, NOW)
        cache.drop("acme")

    assert cache.get("acme", snapshot, NOW) is None
    assert cache.get("other", snapshot, NOW) is not None
    cache.drop("never there")


def test_a_view_is_not_used_for_a_time_before_it_was_made(snapshot: Snapshot) -> None:
    cache = cache_of(10)
    view = cache.put("acme", on("billed"), snapshot, NOW)

    assert cache.get("acme", snapshot, NOW - 1) is None
    assert view is cache.get("acme", snapshot, NOW)


def test_a_view_of_another_catalog_is_not_used(snapshot: Snapshot) -> None:
    cache = cache_of(10)
    cache.put("acme", NOBODY, snapshot, NOW)

    # Not even one that is equal: it was fetched again for a reason.
    assert cache.get("acme", msgspec.structs.replace(snapshot), NOW) is None


def test_a_view_ends_when_the_next_subscription_starts(snapshot: Snapshot) -> None:
    cache = cache_of(10)
    cache.put("acme", on("free", start_ms=NOW + DAY), snapshot, NOW)

    view = cache.get("acme", snapshot, NOW + DAY - 1)
    assert view is not None
    assert Reason.NO_ACTIVE_SUBSCRIPTION == view.effective.denied
    assert cache.get("acme", snapshot, NOW + DAY) is None


@pytest.mark.parametrize("size", [2, 3, 10, 101])
def test_it_never_holds_more_than_it_may(snapshot: Snapshot, size: int) -> None:
    cache = cache_of(size)
    rng = random.Random(size)

    for _ in range(1000):
        name = f"c{rng.randrange(3 * size)}"
        if cache.get(name, snapshot, NOW) is None:
            cache.put(name, NOBODY, snapshot, NOW)
        assert len(cache) <= size


def test_who_is_seen_again_stays_and_who_is_not_leaves(snapshot: Snapshot) -> None:
    cache = cache_of(10)
    cache.put("often", NOBODY, snapshot, NOW)
    cache.put("once", NOBODY, snapshot, NOW)

    for i in range(100):
        cache.put(f"c{i}", NOBODY, snapshot, NOW)
        assert cache.get("often", snapshot, NOW) is not None

    assert cache.get("once", snapshot, NOW) is None


def test_customers_of_a_plan_share_its_meters_unless_periods_are_their_own(
    snapshot: Snapshot,
) -> None:
    cache = cache_of(10)
    views = [cache.put(name, NOBODY, snapshot, NOW) for name in ("a", "b")]
    billed = [cache.put(name, on("billed"), snapshot, NOW) for name in ("c", "d")]

    meters = [view.meter("calls", Retention()) for view in (*views, *billed)]

    assert meters[0] is meters[1]
    assert meters[2] is not meters[3]
    assert views[0].meter("builds", Retention()) is None
    other = msgspec.structs.replace(snapshot)
    assert cache.put("a", NOBODY, other, NOW).meter("calls", Retention()) is not meters[0]


def test_a_meter_is_bound_again_in_each_period(snapshot: Snapshot) -> None:
    view = cache_of(10).put("acme", on("billed", start_ms=NOW), snapshot, NOW)
    meter = view.meter("builds", Retention())
    assert meter is not None

    first = meter.bind(NOW)
    assert first is meter.bound
    assert first.from_ms <= NOW < first.until_ms
    second = meter.bind(first.until_ms)

    assert first.until_ms == second.from_ms
    assert first.counters.suffixes != second.counters.suffixes
    expires_ms = first.until_ms + 60_000 + MONTH_ENDS_MS
    assert (1, 2, 5, expires_ms) == first.counters.words
    # Back, as a store whose clock was set back would tell.
    assert first == meter.bind(NOW)


def test_made_up_customers_take_no_memory_beyond_the_cache_whatever_rollouts_they_are_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollout, "ENTRIES_MAX", 1000)
    names = [f"f{number}" for number in range(12)]  # 4,096 tables
    entry = "{limit: 5, per: month, rollout: {percent: 50}}"
    text = "version: 1\ndefault_plan: free\nfeatures:\n"
    text += "".join(f"  {name}: {{type: metered}}\n" for name in names)
    text += "plans:\n  free:\n    entitlements:\n"
    text += "".join(f"      {name}: {entry}\n" for name in names)
    snapshot = compile_snapshot(parse([Source("plans.yaml", text)]), 3)
    cache = cache_of(100)

    def serve(first: int, count: int) -> int:
        for number in range(first, first + count):
            view = cache.put(f"made-up-{number}", NOBODY, snapshot, NOW)
            for name in names:
                view.meter(name, Retention())
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = (
            max(serve(first + step, 25) for step in range(0, 500, 25)) for first in (0, 3000)
        )
    finally:
        tracemalloc.stop()

    assert late < 1.5 * early
