"""Erasing customers, as an edge asks for it."""

from collections.abc import Iterator

import pytest

from quotad.errors import InvalidRequest, StaleEpoch
from quotad.operations.erasing import ErasingOperations
from quotad.store.erasures import Erasures
from quotad.store.nearby import NearbyStore
from tests.deciding import Bench, bench

PLANS = """
version: 1
features: {calls: {type: metered}}
plans: {pro: {entitlements: {calls: {limit: 5, per: month}}}}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        yield one


@pytest.fixture
def erasing(made: Bench) -> ErasingOperations:
    nearby = NearbyStore(made.store, made.keys)
    store = Erasures(made.store, made.keys, made.customers, nearby)
    return ErasingOperations(store, made.snapshots, made.views)


def test_the_next_decision_knows_an_erasure(made: Bench, erasing: ErasingOperations) -> None:
    made.publish(PLANS)
    made.provision("acme", "pro")
    assert made.consume("acme", "calls").allowed

    erased = erasing.erase("acme", "support")

    assert (True, 1) == (erased.had_record, erased.counters)
    assert not made.consume("acme", "calls").allowed
    assert [("support", erased.proof)] == [(e.erased_by, e.proof) for e in erasing.newest()]


def test_without_a_catalog_and_a_record_there_is_a_proof_all_the_same(
    erasing: ErasingOperations,
) -> None:
    assert not erasing.erase("nobody").had_record
    assert 1 == len(erasing.newest(1))


def test_what_cannot_be_erased_is_refused(made: Bench, erasing: ErasingOperations) -> None:
    made.publish(PLANS)
    made.provision("acme", "pro")

    with pytest.raises(InvalidRequest, match="customer_id: missing"):
        erasing.erase("")
    with pytest.raises(InvalidRequest, match="erased_by: must be printable"):
        erasing.erase("acme", "a\n")
    with pytest.raises(InvalidRequest, match="if_epoch: -1 is no epoch"):
        erasing.erase("acme", if_epoch=-1)
    with pytest.raises(StaleEpoch):
        erasing.erase("acme", if_epoch=0)

    assert [] == erasing.newest()
    assert made.consume("acme", "calls").allowed
