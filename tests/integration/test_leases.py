"""Leases: lent quota is counted at once, never lent twice, and used unless it is returned."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from quotad.customers.subscriptions import Provision, provision
from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.engine import Engine
from quotad.engine.leases import SHARE
from quotad.engine.reservations import GRACE_MS
from quotad.errors import IdempotencyMismatch, InvalidRequest, NotFound, NotOpen
from quotad.lending import Leased, Renewal
from quotad.records import CustomerRecord
from tests.deciding import Bench, at
from tests.running import CALL_S

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  several: {type: metered}
  lifetime: {type: metered}
  counted: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  shadow: {type: metered}
  opening: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      tokens: {limit: 1000, per: day}
      several: {limits: [{limit: 400, per: day}, {limit: 500, per: month}]}
      lifetime: {limit: 1000}
      counted: unlimited
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      shadow: {limit: 10, per: month, enforce: shadow}
      opening: {limit: 10, per: 5 hours, anchor: first_use}
      images: unlimited
      budget: {limit: 30, per: month}
      sso: true
"""
TTL_MS = 5_000


class Lending(Bench):
    """An engine that lends, with short words for it."""

    def acquire(
        self, lease_id: str = "l1", wanted: int = 50, feature_id: str = "tokens", **fields: str
    ) -> Leased:
        request = ConsumeRequest("acme", feature_id, wanted, **fields)  # type: ignore[arg-type]
        return self.engine.leases.acquire(request, lease_id, TTL_MS)

    def renew(self, sequence: int, spent: int, wanted: int, lease_id: str = "l1") -> Leased:
        renewal = Renewal(sequence, spent, wanted)
        return self.engine.leases.renew("acme", lease_id, renewal, TTL_MS)

    def release(self, spent: int, lease_id: str = "l1") -> int:
        return self.engine.leases.release("acme", lease_id, spent)

    def used(self, feature_id: str = "tokens") -> list[int]:
        return self.usage(feature_id)

    def take(self, quantity: int, feature_id: str = "tokens") -> Decision:
        return self.consume("acme", feature_id, quantity)


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Lending]:
    made = Lending(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def test_what_is_lent_is_used_until_it_is_returned(bench: Lending) -> None:
    leased = bench.acquire(wanted=50)

    assert (50, 50, 950) == (leased.granted, leased.decision.used, leased.decision.remaining)
    assert (bench.clock.now + TTL_MS, TTL_MS, False) == (
        leased.ends_ms,
        leased.term_ms,
        leased.last,
    )
    assert [50] == bench.used()
    assert 20 == bench.release(30)
    assert [30] == bench.used()


def test_a_renewal_reports_refills_and_returns(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.clock.now += 1_000

    refilled = bench.renew(1, spent=40, wanted=50)

    assert (90, 40, TTL_MS) == (refilled.granted, refilled.decision.granted, refilled.term_ms)
    assert [90] == bench.used()
    returned = bench.renew(2, spent=45, wanted=5)
    assert (50, -40) == (returned.granted, returned.decision.granted)
    assert [50] == bench.used()
    assert 3 == bench.release(47)
    assert [47] == bench.used()


@pytest.mark.parametrize(
    ("feature_id", "wanted", "granted", "counted"),
    [
        ("tokens", 500, 100, [100]),
        ("several", 500, 40, [40, 40]),
        ("lifetime", 500, 100, [100]),
        ("counted", 500, 500, [500]),
    ],
)
def test_a_lease_holds_at_most_its_share_of_what_remains(
    bench: Lending, feature_id: str, wanted: int, granted: int, counted: list[int]
) -> None:
    assert granted == bench.acquire("l1", wanted, feature_id).granted
    assert counted == bench.used(feature_id)
    bench.release(3)
    assert [3] * len(counted) == bench.used(feature_id)


def test_nothing_is_lent_when_less_remains_than_can_be_shared(bench: Lending) -> None:
    bench.take(1000 - SHARE + 1)

    leased = bench.acquire()

    assert (0, 0, True, SHARE - 1) == (
        leased.granted,
        leased.ends_ms,
        leased.decision.allowed,
        leased.decision.remaining,
    )
    bench.take(SHARE - 1)
    assert (0, Reason.LIMIT_EXCEEDED) == ((full := bench.acquire()).granted, full.decision.reason)
    with pytest.raises(NotFound, match="lease_id: 'l1' is not known"):
        bench.release(0)


def test_holders_never_strand_the_rest_of_a_limit(bench: Lending) -> None:
    lent = [bench.acquire(f"l{place}", 1000).granted for place in range(100)]

    assert sorted(lent, reverse=True) == lent
    assert 1000 - SHARE < sum(lent) + SHARE <= 1000 + SHARE
    assert bench.take(1000 - sum(lent)).allowed
    assert 1000 == bench.used()[0]


@pytest.mark.parametrize(("holders", "tranche"), [(1, 1000), (2, 1000), (10, 1000), (10, 20)])
def test_holders_strand_no_more_than_is_stated(bench: Lending, holders: int, tranche: int) -> None:
    for place in range(holders):
        bench.acquire(f"l{place}", tranche)

    _, answer = bench.engine.entitlement("acme", "tokens")
    assert answer.leased <= holders * tranche
    assert answer.leased <= round(1000 * (1 - 0.9**holders), 6)
    assert bench.take(answer.remaining).allowed
    bench.clock.now += TTL_MS + GRACE_MS  # all of them were killed
    _, answer = bench.engine.entitlement("acme", "tokens")
    assert (1000, 0) == (answer.used, answer.remaining)


@pytest.mark.parametrize(
    ("feature_id", "why"),
    [
        ("seats", "is a gauge"),
        ("soft", "has a soft limit"),
        ("shadow", "has a limit in shadow"),
        ("opening", "has a limit whose period begins at first use"),
        ("images", "is paid for by a credit pool"),
        ("sso", "is not metered"),
    ],
)
def test_what_is_no_hard_limit_is_refused_in_words(
    bench: Lending, feature_id: str, why: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^feature_id: '{feature_id}' {why}, and only hard"):
        bench.acquire("l1", 1, feature_id)


def test_what_is_denied_is_an_answer(bench: Lending) -> None:
    assert Reason.FEATURE_NOT_FOUND == bench.acquire("l1", 1, "nope").decision.reason
    bench.archive("acme")
    assert Reason.CUSTOMER_ARCHIVED == bench.acquire("l1", 1).decision.reason


def test_a_repeated_acquire_is_the_same_lease(bench: Lending) -> None:
    first = bench.acquire(wanted=50)
    bench.clock.now += 100
    again = bench.acquire(wanted=50)

    assert (first.granted, first.ends_ms, True) == (
        again.granted,
        again.ends_ms,
        again.decision.replayed,
    )
    assert TTL_MS - 100 == again.term_ms
    assert [50] == bench.used()
    with pytest.raises(IdempotencyMismatch, match="lease_id: 'l1' was used before"):
        bench.acquire(wanted=51)
    with pytest.raises(IdempotencyMismatch):
        bench.acquire(wanted=50, resource_id="w")
    bench.renew(1, 0, 50)
    with pytest.raises(NotOpen, match="was renewed since"):
        bench.acquire(wanted=50)
    bench.release(0)
    with pytest.raises(NotOpen, match="was released before"):
        bench.acquire(wanted=50)
    assert [0] == bench.used()


def test_a_repeated_acquire_finds_its_lease_also_when_nothing_is_left_to_share(
    bench: Lending,
) -> None:
    bench.acquire(wanted=50)
    bench.take(950)

    assert 50 == bench.acquire(wanted=50).granted


def test_a_repeated_renewal_counts_once(bench: Lending) -> None:
    bench.acquire(wanted=50)
    first = bench.renew(1, spent=30, wanted=50)
    again = bench.renew(1, spent=30, wanted=50)

    assert (80, 80, True) == (first.granted, again.granted, again.decision.replayed)
    assert [80] == bench.used()
    with pytest.raises(IdempotencyMismatch, match="sequence: 1 of 'l1' was used before"):
        bench.renew(1, spent=31, wanted=50)
    bench.renew(2, spent=30, wanted=50)
    with pytest.raises(InvalidRequest, match="sequence: 1 was overtaken by 2 of 'l1'"):
        bench.renew(1, spent=30, wanted=50)
    assert [80] == bench.used()


def test_a_repeated_release_counts_once(bench: Lending) -> None:
    bench.acquire(wanted=50)

    assert [20, 20] == [bench.release(30), bench.release(30)]
    assert [30] == bench.used()
    with pytest.raises(NotOpen, match="was released before"):
        bench.release(31)
    with pytest.raises(NotOpen):
        bench.renew(1, 30, 50)
    assert [30] == bench.used()


def test_numbers_that_do_not_fit_are_refused(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.renew(1, spent=30, wanted=20)

    with pytest.raises(InvalidRequest, match="spent: 29 is not between 30, reported before, and 5"):
        bench.renew(2, spent=29, wanted=50)
    with pytest.raises(InvalidRequest, match="spent: 51 is not between 30"):
        bench.release(51)
    assert [50] == bench.used()


def test_a_lease_of_another_customer_is_not_found(bench: Lending) -> None:
    bench.acquire()

    with pytest.raises(NotFound):
        bench.engine.leases.release("globex", "l1", 0)
    with pytest.raises(NotFound):
        bench.engine.leases.renew("globex", "l1", Renewal(1, 0, 1), TTL_MS)


def test_what_a_crashed_holder_did_not_return_counts_as_used(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.clock.now += TTL_MS

    with pytest.raises(NotOpen, match="has ended; what it held and was not returned counts"):
        bench.renew(1, 0, 50)
    bench.clock.now += GRACE_MS
    with pytest.raises(NotOpen):
        bench.release(0)
    assert not bench.take(951).allowed  # which takes ended ones off the list
    assert bench.take(950).allowed
    assert [1000] == bench.used()
    with pytest.raises(NotFound):
        bench.release(0)


def test_a_holder_that_comes_right_after_the_end_returns_the_rest(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.clock.now += TTL_MS + GRACE_MS - 1

    assert 20 == bench.release(30)
    assert [30] == bench.used()


def test_a_lease_ends_with_its_period(bench: Lending) -> None:
    bench.clock.now = at("2031-01-15 23:59:58")
    leased = bench.acquire(wanted=50)

    assert (at("2031-01-16"), 2_000, True) == (leased.ends_ms, leased.term_ms, leased.last)
    bench.clock.now = at("2031-01-16") + 100
    assert 20 == bench.release(30)
    assert [0] == bench.used()
    bench.clock.now = at("2031-01-15 23:59:59")
    assert [30] == bench.used()


def test_a_lowered_plan_is_not_renewed(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.publish_elsewhere(CATALOG.replace("limit: 1000, per: day", "limit: 40, per: day"))

    answer = bench.renew(1, spent=20, wanted=50)

    assert (50, 0) == (answer.granted, answer.ends_ms)
    assert (False, 40) == (answer.decision.allowed, answer.decision.limit)
    assert 25 == bench.release(25)
    assert [25] == bench.used()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("      tokens: {limit: 1000, per: day}\n", ""),
        ("limit: 1000, per: day", "limit: 1000, per: month"),
        ("limit: 1000, per: day", "limit: 1000, per: day, soft: true"),
    ],
)
def test_a_plan_that_counts_otherwise_is_not_renewed(bench: Lending, old: str, new: str) -> None:
    bench.acquire(wanted=50)
    bench.publish_elsewhere(CATALOG.replace(old, new))

    assert 0 == bench.renew(1, spent=20, wanted=50).ends_ms
    assert 30 == bench.release(20)


def test_an_archived_customer_is_not_renewed(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.archive("acme")

    answer = bench.renew(1, spent=20, wanted=50)

    assert (0, Reason.CUSTOMER_ARCHIVED) == (answer.ends_ms, answer.decision.reason)
    assert 30 == bench.release(20)


def test_a_lease_of_all_that_remains_is_renewed(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.take(950)

    renewed = bench.renew(1, spent=20, wanted=50)

    assert (50, TTL_MS) == (renewed.granted, renewed.term_ms)
    assert [1000] == bench.used()


def test_a_resource_leases_from_its_own_counters(bench: Lending) -> None:
    wanted = Provision("free", resource_id="w")

    def subscribe(before: CustomerRecord | None) -> CustomerRecord:
        catalog, now_ms = bench.snapshots.current(), bench.clock.now
        return provision(before or CustomerRecord("acme"), wanted, catalog, now_ms)

    bench.provision("acme", "free")
    bench.customers.update("acme", subscribe)
    bench.acquire(wanted=50, resource_id="w")
    bench.renew(1, spent=50, wanted=50)

    assert [0] == bench.used()
    assert 50 == bench.release(50)


def test_holders_at_once_are_lent_what_there_is_and_no_more(bench: Lending) -> None:
    engines = [Engine(bench.shared, bench.store.connect()) for _ in range(8)]
    acquired = Barrier(8, timeout=CALL_S)  # one that comes late finds all of it lent

    def hold(place: int) -> int:
        leases, name = engines[place].leases, f"l{place}"
        spent = leases.acquire(ConsumeRequest("acme", "tokens", 30), name, TTL_MS).granted
        acquired.wait()
        for sequence in range(1, 60):
            renewed = leases.renew("acme", name, Renewal(sequence, spent, 30), TTL_MS)
            spent = renewed.granted
        return spent

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(hold, range(8)))
    for engine in engines:
        engine.close()

    assert [sum(spent)] == bench.used()
    assert 1000 - SHARE < sum(spent) <= 1000


def test_leases_that_ended_make_way_for_new_ones(bench: Lending) -> None:
    bench.acquire("l1")
    bench.clock.now += TTL_MS + GRACE_MS
    bench.acquire("l2")

    keys = bench.keys.customer("acme")
    assert [b"\x04l2"] == bench.store.execute("HKEYS", keys.holds)
    with pytest.raises(NotFound):
        bench.release(0, "l1")


def test_what_is_leased_is_shown_apart_from_what_is_used(bench: Lending) -> None:
    bench.take(5)
    bench.acquire(wanted=50)
    bench.renew(1, spent=20, wanted=50)

    _, answer = bench.engine.entitlement("acme", "tokens")
    granted = bench.engine.entitlements("acme")

    assert (25, 0, 50, 925) == (answer.used, answer.reserved, answer.leased, answer.remaining)
    assert (25, 50) == ((told := granted.decisions["tokens"]).used, told.leased)
    bench.release(30)
    _, answer = bench.engine.entitlement("acme", "tokens")
    assert (35, 0, 965) == (answer.used, answer.leased, answer.remaining)


def test_what_has_ended_of_reservations_can_be_lent(bench: Lending) -> None:
    held = ConsumeRequest("acme", "tokens", 900)
    assert bench.engine.reservations.reserve(held, "r1", 1_000).decision.allowed
    bench.clock.now += 1_000 + GRACE_MS

    assert 100 == bench.acquire(wanted=100).granted
    assert [100] == bench.used()


def test_a_lease_that_ended_is_shown_as_used(bench: Lending) -> None:
    bench.acquire(wanted=50)
    bench.clock.now += TTL_MS + GRACE_MS

    _, answer = bench.engine.entitlement("acme", "tokens")

    assert (50, 0, 950) == (answer.used, answer.leased, answer.remaining)
