"""G8: a batch's time for the store runs only while the store is asked."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quotad.catalog import Source, parse
from quotad.decision import ConsumeRequest, Decision
from quotad.errors import BudgetSpent
from tests.deciding import Bench, bench

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 10}}}}
"""
LONG_S = 60.0
"""Longer than the time for the store."""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield made


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], None]:
    """Makes a method take a long time, without waiting for it."""
    passed_s = 0.0
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed_s)

    def make_slow(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def slowly(*args: Any) -> Any:
            nonlocal passed_s
            passed_s += LONG_S
            return original(*args)

        monkeypatch.setattr(owner, name, slowly)

    return make_slow


def test_planning_takes_nothing_of_the_time_for_the_store(
    engine: Bench, slow: Callable[[Any, str], None]
) -> None:
    slow(engine.views, "put")

    assert engine.consume("acme", "calls").allowed
    assert engine.health.up


def test_loading_a_catalog_takes_nothing_of_the_time_for_the_store(
    engine: Bench, slow: Callable[[Any, str], None]
) -> None:
    engine.consume("acme", "calls")
    slow(engine.snapshots, "refresh")
    other = parse([Source("plans.yaml", CATALOG.replace("10", "20"))])
    engine.catalogs.publish(other.document, other.digest)  # by another server

    assert 20 == engine.consume("acme", "calls").limit
    assert engine.health.up


def test_a_batch_without_time_left_fails_by_itself_and_the_store_stays_in_use(
    engine: Bench, slow: Callable[[Any, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.consume("acme", "calls")
    engine.provision("acme", "free")  # so that there is a second question
    slow(engine.engine._settler._counters, "settle")

    (answer,) = engine.engine.decide([ConsumeRequest("acme", "calls")])

    assert isinstance(answer, BudgetSpent)
    assert engine.health.up
    monkeypatch.undo()
    (again,) = engine.engine.decide([ConsumeRequest("acme", "calls")])
    assert isinstance(again, Decision)
