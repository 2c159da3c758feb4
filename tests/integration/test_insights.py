"""Who is near a limit or past it, on a real store."""

from collections.abc import Iterator

import pytest

from quotad.customers.subscriptions import Provision, provision
from quotad.decision import ConsumeRequest
from quotad.engine.insights import Insights, Notes, look_up
from quotad.experiments import place_of
from quotad.records import CustomerRecord
from quotad.store import nearby
from quotad.store.nearby import Nearby, NearbyStore
from tests.deciding import Bench, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  mails: {type: metered}
  credits: {type: metered}
  image: {type: metered, credit: {pool: credits, cost: 10}}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: month}
      tokens: {limit: 100, per: month, soft: true}
      mails:
        limits:
          - {limit: 1000, per: minute}
          - {limit: 100, per: month}
      credits: {limit: 10000, per: month}
      image: {limit: 1000, per: month}
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

    def use(self, customer_id: str, feature_id: str, quantity: int, resource_id: str = "") -> None:
        request = ConsumeRequest(customer_id, feature_id, quantity, resource_id=resource_id)
        (decision,) = self.bench.decide(request)
        self.notes.note(request, decision)

    def look(self, feature_id: str, size: int = 10) -> Insights:
        self.notes.flush(self.bench.clock.now)
        self.bench.demand.flush(self.bench.clock.now)
        return look_up(self.bench.engine, self.store, self.bench.denied, feature_id, size)


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


def test_who_cannot_be_worked_out_is_left_out_and_stays_on_the_list(watched: Watched) -> None:
    for name in ("a", "broken", "b"):
        watched.bench.provision(name, "free")
        watched.use(name, "calls", 90)
    assert ["a", "b", "broken"] == [one.customer.customer_id for one in watched.look("calls").near]
    bench = watched.bench
    raw(bench.store).set(bench.keys.customer("broken").record, b"\xc1 not a record")
    bench.views.drop("broken")

    assert ["a", "b"] == [one.customer.customer_id for one in watched.look("calls").near]

    assert 3 == len(watched.store.latest("calls"))


def test_the_number_of_those_returned_and_of_those_kept_is_bounded(
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


def names(found: Insights) -> list[str]:
    return [one.customer.customer_id for one in (*found.above, *found.near)]


def test_who_is_near_the_limit_of_a_pool_is_listed_by_the_pool(watched: Watched) -> None:
    watched.bench.provision("own", "pro")
    watched.bench.publish(CATALOG.replace("limit: 10000, per", "limit: 100000, per"))
    watched.use("own", "image", 850)
    watched.bench.publish(CATALOG)
    watched.use("pool", "image", 90)
    watched.use("pool", "credits", 8100)

    assert ["own"] == names(watched.look("image"))
    assert ["pool"] == [one for one in names(watched.look("credits")) if one == "pool"]


def test_a_resource_is_listed_beside_its_customer(watched: Watched) -> None:
    def change(before: CustomerRecord | None) -> CustomerRecord:
        record = before or CustomerRecord("acme")
        wanted = Provision("free", resource_id="w")
        return provision(record, wanted, watched.bench.snapshots.current(), watched.bench.clock.now)

    watched.bench.customers.update("acme", change)
    watched.use("acme", "calls", 85)
    watched.use("acme", "calls", 99, "w")

    found = watched.look("calls").near

    assert [("acme", "w", 99), ("acme", "", 85)] == [
        (one.customer.customer_id, one.customer.resource_id, one.percent) for one in found
    ]


def test_customers_are_compared_exactly_not_in_whole_percent(watched: Watched) -> None:
    watched.bench.publish(
        CATALOG.replace("tokens: {limit: 100, per", "tokens: {limit: 1000, per")
        .replace("calls: {limit: 1000, per", "calls: {limit: 100000, per")
        .replace("calls: {limit: 100, per", "calls: {limit: 1000, per")
    )
    watched.bench.provision("far", "pro")
    watched.use("far", "calls", 89_001)
    watched.use("near", "calls", 899)
    watched.use("over", "tokens", 1004)

    assert ["near", "far"] == names(watched.look("calls"))
    assert ["over"] == [one.customer.customer_id for one in watched.look("tokens").above]


def test_the_groups_of_an_experiment_are_counted_apart(watched: Watched) -> None:
    text = CATALOG + "experiments: {size: {of: free, share: 50, to: pro, new_customers: false}}\n"
    watched.bench.publish(text)
    inside = [n for n in range(40) if place_of("size", f"c{n}") < 5000]
    outside = next(n for n in range(40) if n not in inside)
    watched.use(f"c{outside}", "calls", 95)
    first = watched.look("calls").groups
    assert [("control", 0, 1), ("pro", 0, 0)] == [(g.variant, g.above, g.near) for g in first]
    for number in range(40):
        if number != outside:
            watched.use(f"c{number}", "calls", 95)
    for number in inside:
        watched.use(f"c{number}", "calls", 5000)

    found = watched.look("calls", size=1)

    assert [("size", "control", 0, 40 - len(inside)), ("size", "pro", len(inside), 0)] == [
        (each.experiment, each.variant, each.above, each.near) for each in found.groups
    ]
    assert [] == watched.look("tokens").groups
