"""What was asked for and had no room is counted beside usage, on a real store."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Mode
from quotad.engine import demand
from quotad.engine.insights import Insights, look_up
from quotad.engine.reservations import GRACE_MS
from quotad.operations.usage import UsageOperations
from quotad.store import usage_suffix
from quotad.store.erasures import Erasures
from quotad.store.keys import denied_key
from quotad.store.usage import UsageStore
from tests.deciding import Bench, at
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, usage_history: 13 months}
  mails: {type: metered}
  chats: {type: metered}
  images: {type: metered, credit: {pool: credits, cost: 10}}
  credits: {type: metered}
  tokens: {type: metered}
  builds: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: month}
      mails: {limits: [{limit: 10, per: minute}, {limit: 100, per: month}]}
      chats: {limit: 10, per: 5 hours, anchor: first_use}
      images: unlimited
      credits: {limit: 1000, per: month}
      tokens: {limit: 100, per: month, soft: true}
      builds: {limit: 5}
"""


class Asking(Bench):
    """Short words for what is asked for and what is shown of it."""

    def ask(self, quantity: int, feature_id: str = "calls", mode: int = Mode.NORMAL) -> bool:
        (answer,) = self.decide(ConsumeRequest("acme", feature_id, quantity, mode))
        return answer.allowed

    def shown(self, feature_id: str = "calls", month: str = "") -> list[tuple[str, int, int]]:
        """What is shown of usage: window, used, denied."""
        counters = UsageStore(self.store, self.keys)
        usage = UsageOperations(self.customers, counters, self.snapshots, self.clock, self.demand)
        found = usage.of_customer("acme", feature_id, month).usage
        return [(one.per, one.used, one.denied) for one in found]

    def insights(self, feature_id: str = "calls") -> Insights:
        self.demand.flush(self.clock.now)
        return look_up(self.engine, self.nearby, self.denied, feature_id, 10)

    def key(self, feature_id: str, period_id: str) -> str:
        return denied_key(self.keys.customer("acme").usage + usage_suffix(feature_id, period_id))


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Asking]:
    made = Asking(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def test_what_a_limit_had_no_room_for_is_counted_beside_its_usage(bench: Asking) -> None:
    assert bench.ask(80)
    assert not bench.ask(30)
    assert not bench.ask(400)

    assert [("month", 80, 430)] == bench.shown()


def test_what_is_allowed_looked_at_or_recorded_is_not_denied(bench: Asking) -> None:
    assert not bench.ask(500, mode=Mode.CHECK_ONLY)
    assert bench.ask(500, "tokens")
    assert bench.ask(500, mode=Mode.ADJUST_ONLY)

    assert [("month", 500, 0)] == bench.shown()
    assert [("month", 500, 0)] == bench.shown("tokens")


def test_of_what_is_taken_in_part_the_rest_is_denied(bench: Asking) -> None:
    assert bench.ask(130, mode=Mode.BEST_EFFORT)
    assert not bench.ask(7, mode=Mode.BEST_EFFORT)
    assert bench.ask(60, "images")
    assert bench.ask(50, "images", Mode.BEST_EFFORT)

    assert [("month", 100, 37)] == bench.shown()
    assert [("month", 1000, 100)] == bench.shown("credits")


def test_only_limits_that_had_no_room_are_asked_for_more(bench: Asking) -> None:
    assert bench.ask(9, "mails")
    assert not bench.ask(2, "mails")
    assert not bench.ask(99, "mails")

    assert [("minute", 9, 101), ("month", 9, 99)] == bench.shown("mails")


def test_what_a_pool_had_no_credits_for_is_denied_by_the_pool(bench: Asking) -> None:
    assert not bench.ask(101, "images")

    assert [] == bench.shown("images")
    assert [("month", 0, 1010)] == bench.shown("credits")


def test_of_several_features_only_those_without_room_are_denied(bench: Asking) -> None:
    items = (ConsumeRequest("acme", "calls", 101), ConsumeRequest("acme", "builds", 1))
    request = ConsumeAllRequest("acme", "", items=items)
    (answer,) = bench.decide(request)

    assert not answer.allowed
    assert [("month", 0, 101)] == bench.shown()
    assert [] == bench.shown("builds")


def test_what_is_asked_again_under_the_same_key_counts_once_per_period(bench: Asking) -> None:
    for _ in range(3):
        assert not bench.consume("acme", "calls", 101, "k1").allowed
    assert not bench.consume("acme", "calls", 102, "k2").allowed
    assert [("month", 0, 203)] == bench.shown()

    bench.clock.now = at("2031-02-01 12:00")
    assert not bench.consume("acme", "calls", 101, "k1").allowed

    assert [("month", 0, 101)] == bench.shown()


def test_what_is_allowed_once_a_reservation_has_ended_is_not_denied(bench: Asking) -> None:
    reservations = bench.engine.reservations
    for name in ("r1", "r2"):
        reservations.reserve(ConsumeRequest("acme", "calls", 90), name, 1_000)
        bench.clock.now += 1_000 + GRACE_MS
    assert bench.ask(90)
    assert [("month", 90, 0)] == bench.shown()

    reserved = reservations.reserve(ConsumeRequest("acme", "calls", 11), "r3", 1_000)

    assert not reserved.decision.allowed
    assert [("month", 90, 11)] == bench.shown()


def test_it_expires_with_its_counter_and_stays_for_its_history(bench: Asking) -> None:
    assert bench.ask(1)
    for feature_id, quantity in (("calls", 100), ("builds", 6)):
        assert not bench.ask(quantity, feature_id)
    bench.demand.flush(bench.clock.now)
    counter = bench.keys.customer("acme").usage
    counter += usage_suffix("calls", f"month.c.{at('2031-01-01 00:00') // 1000}")
    assert raw(bench.store).pexpiretime(counter) == raw(bench.store).pexpiretime(
        denied_key(counter)
    )
    assert -2 != raw(bench.store).pexpiretime(bench.key("builds", "life"))

    bench.clock.now = at("2031-03-01 12:00")

    assert [] == bench.shown()
    assert [("month", 1, 100)] == bench.shown(month="2031-01")


def test_of_a_window_that_opens_at_first_use_it_ends_with_the_window(bench: Asking) -> None:
    assert bench.ask(9, "chats")
    bench.clock.now += 3_600_000
    assert not bench.ask(2, "chats")
    assert [("5 hours", 9, 2)] == bench.shown("chats")

    (key,) = [name for name in raw(bench.store).scan_iter(f"{bench.keys.prefix}:*:d:*")]

    assert at("2031-01-15 17:00") == raw(bench.store).pexpiretime(key)


def test_more_is_denied_than_any_counter_can_hold(bench: Asking) -> None:
    for _ in range(3):
        for _ in range(5):
            assert not bench.ask(10**15)
        bench.demand.flush(bench.clock.now)

    assert [("month", 0, 9 * 10**15)] == bench.shown()


def test_who_asks_for_more_than_a_hard_limit_is_ranked_by_it(bench: Asking) -> None:
    bench.consume("full", "calls", 100)
    bench.consume("five-times", "calls", 100)
    bench.consume("five-times", "calls", 400)
    bench.consume("twice", "calls", 200)

    found = bench.insights()

    assert [("five-times", 100, 400, 500, 100), ("twice", 0, 200, 200, 0)] == [
        (one.customer.customer_id, one.status.used, one.denied, one.demand_percent, one.percent)
        for one in found.above
    ]
    assert [] == found.near


def test_a_resource_and_a_pool_are_ranked_by_what_they_were_denied(bench: Asking) -> None:
    bench.decide(ConsumeRequest("acme", "images", 200))

    (one,) = bench.insights("credits").above

    assert ("acme", 2000, 200) == (one.customer.customer_id, one.denied, one.demand_percent)
    assert [] == bench.insights("images").above


def test_an_erased_customer_leaves_nothing_denied(bench: Asking) -> None:
    bench.provision("acme", "free")
    bench.ask(101)
    bench.demand.flush(bench.clock.now)
    bench.ask(102)
    Erasures(bench.store, bench.keys, bench.customers, bench.nearby).erase("acme", ["calls"])

    bench.demand.flush(bench.store.time_ms())

    assert [] == list(raw(bench.store).scan_iter(f"{bench.keys.prefix}:*acme*:calls:*"))
    assert [] == bench.nearby.latest("calls")


def test_what_a_worker_notes_is_bounded(bench: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "COUNTERS_MAX", 2)
    for name in ("a", "b", "acme"):
        bench.consume(name, "calls", 101)
    bench.consume("a", "calls", 101)

    assert [] == bench.shown()
    bench.ask(101)
    assert [("month", 0, 101)] == bench.shown()


def test_a_key_of_another_content_counts_as_nothing_and_is_written_again(bench: Asking) -> None:
    bench.ask(101)
    bench.demand.flush(bench.clock.now)
    (key,) = [name for name in raw(bench.store).scan_iter(f"{bench.keys.prefix}:*:d:*")]
    for content in (b"x", b"-5", b"9" * 30):
        raw(bench.store).set(key, content)
        assert [] == bench.shown()
    raw(bench.store).delete(key)
    raw(bench.store).lpush(key, "a")
    assert [] == bench.shown()

    bench.ask(102)

    assert [("month", 0, 102)] == bench.shown()
