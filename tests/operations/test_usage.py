"""What customers have used, as an operation returns it."""

from collections.abc import Iterator

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.subscriptions import Change, Provision
from quotad.decision import ConsumeRequest
from quotad.errors import InvalidRequest, NotFound
from quotad.operations import usage as operation
from quotad.operations.customers import CustomerOperations
from quotad.operations.usage import PeriodUsage, UsageOperations
from quotad.store import usage_suffix
from quotad.store.usage import UsageStore
from tests.deciding import Bench, at, bench

PLANS = """
version: 1
default_plan: free
features:
  calls: {type: metered, usage_history: 13 months}
  mails: {type: metered, usage_history: 13 months, unit: mail}
  seats: {type: metered, kind: gauge}
  builds: {type: metered}
  chats: {type: metered}
  credits: {type: metered, decimals: 2}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limits: [{limit: 10, per: minute}, {limit: 100, per: month}]}
      mails: {limit: 50, per: month, timezone: Europe/Berlin}
      seats: {limit: 9}
      builds: {limit: 9}
      chats: {limit: 9, per: 5 hours, anchor: first_use}
      credits: {limit: 9, per: month}
  pro:
    usage_on_change: reset
    entitlements:
      calls: {limit: 1000, per: month}
  team:
    entitlements:
      calls: {limit: 1000, per: month, anchor: subscription}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        one.publish(PLANS)
        yield one


@pytest.fixture
def usage(made: Bench) -> UsageOperations:
    counters = UsageStore(made.store, made.keys)
    return UsageOperations(made.customers, counters, made.snapshots, made.clock, made.demand)


def told(found: list[PeriodUsage]) -> list[tuple[str, str, int]]:
    return [(one.feature.feature_id, one.per, one.used) for one in found]


def test_usage_is_that_of_the_periods_under_way(made: Bench, usage: UsageOperations) -> None:
    for feature_id, quantity in (("calls", 7), ("seats", 3), ("builds", 2), ("credits", 250)):
        made.consume("acme", feature_id, quantity)
    made.consume("acme", "chats", 4)

    found = usage.of_customer("acme").usage

    assert [
        ("calls", "", 0),
        ("calls", "minute", 7),
        ("calls", "month", 7),
        ("seats", "", 3),
        ("builds", "", 2),
        ("chats", "5 hours", 4),
        ("credits", "month", 250),
    ] == [("calls", "", 0), *told(found)]
    month, lifetime, opened = found[1], found[3], found[4]
    assert (at("2031-01-01 00:00"), at("2031-02-01 00:00")) == (month.start_ms, month.end_ms)
    assert (None, None) == (lifetime.start_ms, lifetime.end_ms)
    assert (None, at("2031-01-15 17:00")) == (opened.start_ms, opened.end_ms)


def test_a_window_that_has_closed_is_not_under_way(made: Bench, usage: UsageOperations) -> None:
    made.consume("acme", "chats", 4)
    made.clock.now = at("2031-01-15 17:00")

    assert [] == usage.of_customer("acme", "chats").usage


def test_usage_of_a_month_stays_to_be_read_for_its_history(
    made: Bench, usage: UsageOperations
) -> None:
    made.consume("acme", "calls", 7)
    key = made.keys.customer("acme").usage
    key += usage_suffix("calls", f"month.c.{at('2031-01-01 00:00') // 1000}")
    made.clock.now = at("2031-03-15 12:00")
    made.consume("acme", "calls", 2)

    history_ms = 13 * 31 * 86_400_000
    assert history_ms <= made.store.execute("PEXPIRETIME", key) - at("2031-02-01 00:00")
    assert [("calls", "month", 7)] == told(usage.of_customer("acme", month="2031-01").usage)
    assert [] == usage.of_customer("acme", month="2031-02").usage
    assert [("calls", "month", 2)] == told(usage.of_customer("acme", month="2031-03").usage)
    assert [] == usage.of_customer("acme", month="2031-04").usage


def test_a_month_is_one_on_the_clock_of_the_window(made: Bench, usage: UsageOperations) -> None:
    made.consume("acme", "mails", 5)

    (january,) = usage.of_customer("acme", "mails", "2031-01").usage

    assert at("2031-01-01 00:00", "Europe/Berlin") == january.start_ms
    assert "mail" == january.feature.unit
    assert [] == usage.of_customer("acme", "mails", "2030-12").usage


def test_a_period_of_a_subscription_is_of_the_month_that_it_starts_in(
    made: Bench, usage: UsageOperations
) -> None:
    made.provision("acme", "team", "2031-01-10 08:00")
    made.clock.now = at("2031-02-05 12:00")
    made.consume("acme", "calls", 3)

    (found,) = usage.of_customer("acme", "calls", "2031-01").usage

    assert (at("2031-01-10 08:00"), 3) == (found.start_ms, found.used)
    assert [] == usage.of_customer("acme", "calls", "2031-02").usage


def test_what_a_change_of_plan_has_reset_was_used_all_the_same(
    made: Bench, usage: UsageOperations
) -> None:
    customers = CustomerOperations(made.customers, made.snapshots, made.views, made.clock)
    customers.provision("acme", Provision("free"))
    made.consume("acme", "calls", 7)
    customers.change_subscription("acme", Change(plan_id="pro"))
    made.consume("acme", "calls", 5)

    assert 5 == made.check("acme", "calls").used
    assert [("calls", "month", 12)] == told(usage.of_customer("acme", month="2031-01").usage)


def test_resources_have_usage_of_their_own(made: Bench, usage: UsageOperations) -> None:
    customers = CustomerOperations(made.customers, made.snapshots, made.views, made.clock)
    customers.provision("acme", Provision("free"))
    customers.provision("acme", Provision("pro", resource_id="w1"))
    made.consume("acme", "calls", 7)
    made.decide(ConsumeRequest("acme", "calls", 2, resource_id="w1"))

    found = usage.of_customer("acme", "calls", "2031-01").usage

    assert [("", 7), ("w1", 2)] == [(one.resource_id, one.used) for one in found]


def test_a_window_that_only_an_override_has_is_found(made: Bench, usage: UsageOperations) -> None:
    customers = CustomerOperations(made.customers, made.snapshots, made.views, made.clock)
    customers.provision("acme", Provision("free"))
    customers.set_override("acme", NewEntitlement("calls", {"limit": 50, "per": "week"}))
    made.consume("acme", "calls", 3)

    assert [("calls", "week", 3)] == told(usage.of_customer("acme", "calls", "2031-01").usage)


def test_pages_go_through_every_customer_with_a_record(
    made: Bench, usage: UsageOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"c{number}" for number in range(9)]
    for name in names:
        made.provision(name, "free")
        made.consume(name, "calls")
    made.consume("unknown", "calls")
    found: list[str] = []
    token, pages = "", 0

    while pages == 0 or token:
        page = usage.page("calls", "2031-01", token, 5)
        found += [one.customer_id for one in page.usage]
        token, pages = page.next_token, pages + 1

    assert names == sorted(found)
    assert 2 <= pages


def test_a_page_ends_where_its_customers_have_many_counters(
    made: Bench, usage: UsageOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        made.provision(name, "free")
        made.consume(name, "calls")
    monkeypatch.setattr(operation, "PAGE_COUNTERS_MAX", 3)  # fewer than one of them has

    pages = [usage.page("calls")]
    while pages[-1].next_token:
        pages.append(usage.page("calls", token=pages[-1].next_token))

    shown = [{one.customer_id for one in page.usage} for page in pages if page.usage]
    assert [{"a"}, {"b"}, {"c"}] == sorted(shown, key=min)


def test_more_counters_of_a_customer_than_an_answer_holds_are_refused(
    made: Bench, usage: UsageOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.provision("acme", "free")
    monkeypatch.setattr(operation, "COUNTERS_MAX", 4)

    assert [] == usage.of_customer("acme", "calls").usage
    with pytest.raises(InvalidRequest, match="'acme' may have more than 4 counters of all"):
        usage.of_customer("acme")
    with pytest.raises(InvalidRequest, match="'acme' may have more than 4 counters of all"):
        usage.page()


@pytest.mark.parametrize("month", ["2031-13", "2031-1", "january", "1969-12", "9999-01", "0"])
def test_what_is_no_month_is_refused(usage: UsageOperations, month: str) -> None:
    with pytest.raises(InvalidRequest, match=f"month: '{month}' is not a month such as 2026-10"):
        usage.of_customer("acme", month=month)


@pytest.mark.parametrize("month", ["1970-01", "9998-12"])
def test_the_first_and_the_last_month_have_no_usage(usage: UsageOperations, month: str) -> None:
    assert [] == usage.of_customer("acme", month=month).usage


def test_a_feature_must_be_metered_and_be_there(usage: UsageOperations) -> None:
    with pytest.raises(InvalidRequest, match="'sso' is not metered"):
        usage.of_customer("acme", "sso")
    with pytest.raises(NotFound, match="did you mean 'calls'"):
        usage.page("cals")


def test_a_damaged_counter_is_left_out(made: Bench, usage: UsageOperations) -> None:
    made.consume("acme", "builds", 2)
    key = made.keys.customer("acme").usage + usage_suffix("builds", "life")
    made.store.execute("SET", key, "many")

    assert [] == usage.of_customer("acme", "builds").usage
