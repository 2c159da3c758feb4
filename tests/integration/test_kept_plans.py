"""What is planned once and used for further calls holds no longer than it may."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Mode, Reason
from tests.deciding import Bench, at, bench

CATALOG = """
version: 1
features: {calls: {type: metered}, words: {type: metered}, files: {type: metered}}
plans:
  pro:
    entitlements:
      calls: {limit: 100, per: month}
      words: {limit: 10, per: day}
      files: {limit: 3}
  team: {entitlements: {calls: {limit: 200, per: month}}}
"""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        for name in ("acme", "umbrella"):
            made.provision(name, "pro", "2031-01-01 00:00")
        yield made


def ask(feature_id: str, *quantities: int, customer_id: str = "acme") -> list[ConsumeRequest]:
    return [ConsumeRequest(customer_id, feature_id, quantity) for quantity in quantities]


def told(engine: Bench, requests: list[ConsumeRequest]) -> list[tuple[bool, int, int, int]]:
    """Whether each is allowed, what it took, used and remaining afterwards."""
    answers = engine.decide(*requests)
    return [(one.allowed, one.granted, one.used, one.remaining) for one in answers]


def test_several_quantities_features_and_customers_of_a_batch_are_told_apart(
    engine: Bench,
) -> None:
    batch = [
        *ask("calls", 1, 40, 1),
        *ask("words", 4, 4, 4),
        *ask("calls", 7, customer_id="umbrella"),
        *ask("files", 1, 3),
    ]
    first, second = told(engine, batch), told(engine, batch)

    assert [
        (True, 1, 1, 99),
        (True, 40, 41, 59),
        (True, 1, 42, 58),
        (True, 4, 4, 6),
        (True, 4, 8, 2),
        (False, 0, 8, 2),
        (True, 7, 7, 93),
        (True, 1, 1, 2),
        (False, 0, 1, 2),
    ] == first
    assert [
        (True, 1, 43, 57),
        (True, 40, 83, 17),
        (True, 1, 84, 16),
        (False, 0, 8, 2),
        (False, 0, 8, 2),
        (False, 0, 8, 2),
        (True, 7, 14, 86),
        (True, 1, 2, 1),
        (False, 0, 2, 1),
    ] == second


def test_a_plan_is_made_anew_in_the_next_period(engine: Bench) -> None:
    batch = ask("words", 1, 1, 1, 1, 1) + ask("calls", 1)
    told(engine, batch)

    engine.clock.now = at("2031-01-16 00:00")
    assert [(True, 1, i, 10 - i) for i in range(1, 6)] == told(engine, batch)[:5]

    engine.clock.now = at("2031-01-15 23:59")
    assert [(True, 1, i, 10 - i) for i in range(6, 11)] == told(engine, batch)[:5]


def test_a_plan_ends_with_the_subscription_and_the_catalog_it_was_made_of(engine: Bench) -> None:
    batch = ask("calls", 1, 1, 1, 1)
    told(engine, batch)

    engine.provision("acme", "team")
    assert [(True, 1, i, 200 - i) for i in range(5, 9)] == told(engine, batch)

    engine.publish_elsewhere(CATALOG.replace("200", "10"))
    assert [
        (True, 1, 9, 1),
        (True, 1, 10, 0),
        (False, 0, 10, 0),
        (False, 0, 10, 0),
    ] == told(engine, batch)

    engine.archive("acme")
    assert [Reason.CUSTOMER_ARCHIVED] * 4 == [one.reason for one in engine.decide(*batch)]


def test_a_request_for_more_than_a_quantity_takes_no_plan_that_is_kept(engine: Bench) -> None:
    told(engine, ask("words", 1, 1, 1, 1))
    [every, checked, keyed, again, best, explained] = engine.decide(
        ConsumeRequest("acme", "words", every_limit=True),
        ConsumeRequest("acme", "words", mode=int(Mode.CHECK_ONLY)),
        ConsumeRequest("acme", "words", idempotency_key="k"),
        ConsumeRequest("acme", "words", idempotency_key="k"),
        ConsumeRequest("acme", "words", 9, int(Mode.BEST_EFFORT)),
        ConsumeRequest("acme", "words", explain=True),
    )

    assert ("day", 5) == (every.limits[0].per, every.limits[0].used)
    assert (0, 5) == (checked.granted, checked.used)
    assert ((False, 6), (True, 6)) == ((keyed.replayed, keyed.used), (again.replayed, again.used))
    assert (4, 10) == (best.granted, best.used)
    assert explained.explanation is not None
    assert not explained.allowed
