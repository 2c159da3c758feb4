"""G9: nothing that is remembered of customers keeps a catalog in memory that is not in force."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deciding import Bench, bench

CATALOG = """
version: 1
default_plan: free
features:
  calls: {{type: metered}}
  beta: {{type: boolean}}
plans:
  free:
    entitlements:
      calls: {{limit: {limit}, per: month}}
      beta: {{rollout: {{percent: 50}}}}
"""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        yield made


def in_memory(catalogs: list[weakref.ref[Any]]) -> int:
    gc.collect()
    return sum(catalog() is not None for catalog in catalogs)


def test_idle_customers_keep_no_catalog_of_their_day(engine: Bench) -> None:
    catalogs: list[weakref.ref[Any]] = []
    for number in range(5):
        engine.publish(CATALOG.format(limit=number + 1))
        catalogs.append(weakref.ref(engine.snapshots.current()))
        for customer in range(3):
            assert engine.consume(f"c-{number}-{customer}", "calls").allowed
            engine.check(f"c-{number}-{customer}", "beta")

    assert 1 == in_memory(catalogs)
    assert 3 == len(engine.views)


def test_a_batch_that_was_under_way_leaves_no_view_of_the_catalog_before(engine: Bench) -> None:
    engine.publish(CATALOG.format(limit=1))
    before = engine.snapshots.current()
    engine.publish(CATALOG.format(limit=2))
    (stored,) = engine.customers.get_many(["late"])

    view = engine.views.put("late", stored, before, engine.clock.now)

    assert view.snapshot is before
    assert 0 == len(engine.views)
