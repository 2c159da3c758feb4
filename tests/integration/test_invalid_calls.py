"""A call that can never work is refused by what is in force, not by what a server remembers."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.errors import InvalidRequest, QuotadError
from tests.deciding import Bench, bench

CATALOG = """
version: 1
features:
  calls: {type: metered}
  region: {type: config}
plans:
  free: {entitlements: {calls: {limit: 3}, region: eu}}
  bare: {}
"""
BACK = ConsumeRequest("acme", "calls", -1)
CHOSEN = ConsumeRequest("acme", "region", requested_values=("eu",))


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        made.provision("acme", "free")
        yield made


def answer(engine: Bench, request: ConsumeRequest) -> Decision | QuotadError:
    (found,) = engine.engine.decide([request])
    return found


def test_what_is_not_granted_any_more_is_denied_and_not_refused(engine: Bench) -> None:
    before = answer(engine, BACK)
    engine.provision("acme", "bare")

    after = answer(engine, BACK)

    assert isinstance(before, InvalidRequest)
    assert isinstance(after, Decision)
    assert Reason.NOT_ENTITLED == after.reason


def test_a_feature_that_has_just_got_values_may_be_asked_for_one(engine: Bench) -> None:
    before = answer(engine, CHOSEN)
    engine.publish_elsewhere(CATALOG.replace("type: config", "type: config, values: [eu, us]"))

    after = answer(engine, CHOSEN)

    assert isinstance(before, InvalidRequest)
    assert isinstance(after, Decision)
    assert (True, ("eu",)) == (after.allowed, after.values)


def test_a_refused_call_leaves_no_trace_under_its_key(engine: Bench) -> None:
    refused = answer(engine, ConsumeRequest("acme", "calls", -1, idempotency_key="k"))

    counted = answer(engine, ConsumeRequest("acme", "calls", 2, idempotency_key="k"))

    assert isinstance(refused, InvalidRequest)
    assert isinstance(counted, Decision)
    assert (2, False) == (counted.used, counted.replayed)
