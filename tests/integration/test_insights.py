"""Who is near a limit or past it, on a real store."""

from collections.abc import Iterator

import pytest

from quotad.engine.insights import Insights, Notes, is_near, look_up
from quotad.model import ConsumeRequest
from quotad.store import nearby
from quotad.store.nearby import Nearby, NearbyStore
from tests.deciding import Bench, bench

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  mails: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: month}
      tokens: {limit: 100, per: month, soft: true}
      mails:
        limits:
          - {limit: 1000, per: minute}
          - {limit: 100, per: month}
  pro:
    extends: free
    entitlements:
      calls: {limit: 1000, per: month}
"""


class Watched:
    """An engine whose decisions are noted."""

    def __init__(self, made: Bench) -> None:
        self.bench = made
        self.store = NearbyStore(made.store, made.keys)
        self.notes = Notes(self.store)
        made.publish(CATALOG)

    def use(self, customer_id: str, feature_id: str, quantity: int) -> None:
        request = ConsumeRequest(customer_id, feature_id, quantity)
        (decision,) = self.bench.decide(request)
        if is_near(decision):
            self.notes.note(request, decision)

    def look(self, feature_id: str, size: int = 10) -> Insights:
        self.notes.flush(self.bench.clock.now)
        return look_up(self.bench.engine, self.store, feature_id, size)


@pytest.fixture
def watched(store_url: str, prefix: str) -> Iterator[Watched]:
    with bench(store_url, prefix) as made:
        yield Watched(made)


def test_customers_are_listed_from_eighty_percent_on_the_nearest_first(watched: Watched) -> None:
    for customer, used in (("far", 79), ("near", 80), ("nearer", 99), ("full", 100)):
        watched.use(customer, "calls", used)

    found = watched.look("calls")

    assert [("full", 100), ("nearer", 99), ("near", 80)] == [
        (one.customer.customer_id, one.percent) for one in found.near
    ]
    assert [] == found.above


def test_customers_past_a_soft_limit_come_first_the_furthest_first(watched: Watched) -> None:
    for customer, used in (("little", 101), ("at", 100), ("much", 250)):
        watched.use(customer, "tokens", used)

    found = watched.look("tokens")

    assert [("much", 250), ("little", 101)] == [
        (one.customer.customer_id, one.percent) for one in found.above
    ]
    assert ["at"] == [one.customer.customer_id for one in found.near]


def test_a_smaller_plan_puts_a_customer_above_its_limit(watched: Watched) -> None:
    watched.bench.provision("acme", "pro")
    watched.use("acme", "calls", 900)
    watched.bench.provision("acme", "free")

    (one,) = watched.look("calls").above

    assert ("acme", 900, 100, "free") == (
        one.customer.customer_id,
        one.status.used,
        one.status.limit,
        one.plan_id,
    )


def test_of_several_limits_that_one_counts_of_which_most_is_used(watched: Watched) -> None:
    watched.use("acme", "mails", 90)

    (one,) = watched.look("mails").near

    assert ("month", 90) == (one.status.per, one.percent)


def test_who_has_room_again_leaves_the_list(watched: Watched) -> None:
    watched.use("acme", "calls", 90)
    assert watched.look("calls").near
    watched.bench.provision("acme", "pro")

    assert [] == watched.look("calls").near

    assert [] == watched.store.latest("calls")


def test_only_so_many_are_told_and_so_many_are_kept(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "NEARBY_MAX", 3)
    for number in range(5):
        watched.use(f"c{number}", "calls", 90 + number)
        watched.notes.flush(number)

    assert ["c4", "c3"] == [one.customer.customer_id for one in watched.look("calls", 2).near]
    assert ["c4", "c3", "c2"] == [one.customer_id for one in watched.store.latest("calls")]


@pytest.mark.parametrize("name", ["a:b", "a%3Ab", "{x}", "ä 漢"])
def test_any_id_comes_back_as_it_was(watched: Watched, name: str) -> None:
    found = Nearby(name, name, name)

    watched.store.note([found], 1)

    assert [found] == watched.store.latest(name)
