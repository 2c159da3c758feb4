"""MODE_BEST_EFFORT: what there is room for is taken, if that is less, and no more than that."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.engine import Engine
from tests.deciding import Bench

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  several: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  open: {type: metered}
  first: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: day}
      several: {limits: [{limit: 40, per: day}, {limit: 50, per: month}]}
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      open: unlimited
      first: {limit: 50, per: 5 hours, anchor: first_use}
      images: {limit: 20, per: day}
      budget: {limit: 31, per: month}
      sso: true
"""


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Bench]:
    made = Bench(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def best(bench: Bench, feature_id: str, quantity: int, key: str = "") -> Decision:
    request = ConsumeRequest("acme", feature_id, quantity, Mode.BEST_EFFORT, key)
    (answer,) = bench.engine.decide([request])
    assert isinstance(answer, Decision)
    return answer


@pytest.mark.parametrize(
    ("feature_id", "before", "asked", "granted", "left"),
    [
        ("calls", 0, 60, 60, [60]),
        ("calls", 70, 60, 30, [100]),
        ("several", 35, 60, 5, [40, 40]),
        ("seats", 2, 5, 1, [3]),
        ("seats", 2, -5, -2, [0]),
        ("soft", 8, 60, 60, [68]),
        ("open", 8, 60, 60, [68]),
        ("first", 45, 60, 5, [50]),
        ("images", 3, 60, 7, [10, 30]),
        ("calls", 100, 0, 0, [100]),
    ],
)
def test_what_there_is_room_for_is_taken(
    bench: Bench, feature_id: str, before: int, asked: int, granted: int, left: list[int]
) -> None:
    bench.engine.decide([ConsumeRequest("acme", feature_id, before)])

    answer = best(bench, feature_id, asked)

    assert (True, granted) == (answer.allowed, answer.granted)
    assert left == bench.usage(feature_id)


def test_without_room_it_is_denied(bench: Bench) -> None:
    bench.engine.decide([ConsumeRequest("acme", "calls", 100)])
    bench.engine.decide([ConsumeRequest("acme", "images", 10)])

    full, poor = best(bench, "calls", 5), best(bench, "images", 1)

    assert (False, Reason.LIMIT_EXCEEDED, 0) == (full.allowed, full.reason, full.granted)
    assert (False, Reason.INSUFFICIENT_CREDITS, 0) == (poor.allowed, poor.reason, poor.granted)
    assert [100] == bench.usage("calls")


def test_what_no_counter_takes_part_in_is_as_without(bench: Bench) -> None:
    assert Reason.FEATURE_ENABLED == best(bench, "sso", 5).reason
    assert Reason.FEATURE_NOT_FOUND == best(bench, "nope", 5).reason


def test_a_key_takes_once_what_there_was_room_for(bench: Bench) -> None:
    bench.engine.decide([ConsumeRequest("acme", "calls", 70)])
    first = best(bench, "calls", 60, "job")
    again = best(bench, "calls", 60, "job")

    assert (30, False, 30, True) == (first.granted, first.replayed, again.granted, again.replayed)
    undone = bench.engine.undo(ConsumeRequest("acme", "calls", 0, Mode.REFUND), "job")
    assert isinstance(undone, Decision)
    assert -30 == undone.granted
    assert [70] == bench.usage("calls")


def test_charges_beside_it_are_as_they_were(bench: Bench) -> None:
    """Charges of one batch with the same terms and quantity are read once by the script."""
    answers = bench.engine.decide(
        [ConsumeRequest(who, "calls", 60, Mode.BEST_EFFORT) for who in ("a", "a", "b", "a", "b")]
    )

    assert [60, 40, 60, 0, 40] == [a.granted for a in answers if isinstance(a, Decision)]


def test_many_at_once_take_exactly_what_there_is(bench: Bench) -> None:
    engines = [Engine(bench.shared, bench.store.connect()) for _ in range(8)]

    def take(engine: Engine) -> int:
        granted = 0
        for _ in range(5):
            (answer,) = engine.decide([ConsumeRequest("acme", "calls", 7, Mode.BEST_EFFORT)])
            assert isinstance(answer, Decision)
            granted += answer.granted
        return granted

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, engines))
    for engine in engines:
        engine.close()

    assert 100 == sum(taken)
    assert [100] == bench.usage("calls")
