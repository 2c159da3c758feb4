"""Counters compared with the ledger, while decisions go on, and after some were lost."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Mode
from quotad.engine import Engine
from quotad.held import Setting
from quotad.operations import tallies, usage_audit
from quotad.operations.ledger import LedgerOperations
from quotad.operations.usage_audit import AuditedCounter, Doubt, UsageAudit, UsageAudits
from quotad.store.ledger import LedgerStreams
from quotad.store.usage import UsageStore
from tests.deciding import Bench, bench
from tests.raw import raw
from tests.running import eventually

CATALOG = """
version: 1
default_plan: free
features:
  calls:   {type: metered, ledger: true}
  builds:  {type: metered, ledger: all}
  seats:   {type: metered, kind: gauge, ledger: true}
  budget:  {type: metered, decimals: 2, ledger: true}
  images:  {type: metered, credit: {pool: budget, cost: 0.25}, ledger: true}
  wallet:  {type: metered}
  songs:   {type: metered, credit: {pool: wallet, cost: 1}, ledger: true}
  quiet:   {type: metered}
  burst:   {type: metered, ledger: true}
plans:
  free:
    entitlements:
      calls: {limit: 1000000, per: month}
      builds:
        limits: [{limit: 500, per: day}, {limit: 900, per: month}]
      seats: {limit: 30}
      budget: {limit: 100000, per: month}
      images: true
      wallet: {limit: 100000, per: month}
      songs: true
      quiet: {limit: 100, per: day}
      burst: {limit: 50, per: 5 hours, anchor: first_use}
"""


BATCHES_MAX = 100
"""That a thread decides: what was noted is read again by every audit."""


class Audited:
    """An engine, and the audit of what it counts."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        ledger = LedgerOperations(LedgerStreams(made.store, made.keys))
        counters = UsageStore(made.store, made.keys)
        self.audits = UsageAudits(
            ledger, counters, made.customers, made.catalogs, made.snapshots, made.clock
        )
        self.publish = made.publish

    def take(self, customer_id: str, feature_id: str, quantity: int = 1, mode: int = 1) -> None:
        self.made.decide(ConsumeRequest(customer_id, feature_id, quantity, mode))

    def take_of_all(self, customer_id: str) -> None:
        """Count with every verb there is."""
        made = self.made
        for feature_id in ("calls", "builds", "seats", "images", "burst"):
            self.take(customer_id, feature_id, 20)
        self.take(customer_id, "builds", 600, int(Mode.BEST_EFFORT))
        self.take(customer_id, "calls", 7, int(Mode.ADJUST_ONLY))
        self.take(customer_id, "calls", -3, int(Mode.REFUND))
        self.take(customer_id, "seats", -5)
        items = tuple(ConsumeRequest(customer_id, each, 2) for each in ("calls", "images"))
        made.engine.decide([ConsumeAllRequest(customer_id, "", 0, items=items)])
        made.engine.reservations.reserve(ConsumeRequest(customer_id, "calls", 9), "h", 60_000)
        lease = made.engine.leases.acquire(ConsumeRequest(customer_id, "calls", 30), "l", 60_000)
        assert lease.decision.granted
        made.engine.set_usage(Setting(customer_id, "seats", 11))

    def audit(self, customer_id: str = "", feature_id: str = "") -> UsageAudit:
        return self.audits.audit(customer_id, feature_id)

    def keys_of(self, customer_id: str, feature_id: str = "*") -> list[str]:
        pattern = f"{self.made.keys.prefix}:*:u:{customer_id}:*:{feature_id}:*"
        return [name.decode() for name in raw(self.made.store).keys(pattern)]


def short(found: list[AuditedCounter]) -> list[tuple[str, str, int, int]]:
    return sorted(
        (each.name.customer_id, each.name.feature_id, each.counted, each.by_ledger)
        for each in found
    )


@pytest.fixture
def audited(store_url: str, prefix: str) -> Iterator[Audited]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield Audited(made)


def test_what_every_verb_has_counted_agrees_with_the_ledger(audited: Audited) -> None:
    for customer_id in ("acme", "globex"):
        audited.take_of_all(customer_id)

    found = audited.audit()

    assert [] == found.counters
    assert 2 * len(audited.keys_of("acme")) == found.agreed
    assert len(audited.keys_of("acme")) == audited.audit("acme").agreed
    assert 2 == audited.audit("acme", "builds").agreed


def test_counters_that_were_lost_or_changed_are_reported_with_the_difference(
    audited: Audited,
) -> None:
    for customer_id in ("acme", "globex", "initech"):
        audited.take(customer_id, "calls", 40)
        audited.take(customer_id, "builds", 5)
        audited.take(customer_id, "burst", 8)
    store = raw(audited.made.store)
    store.delete(*audited.keys_of("acme", "calls"))
    store.delete(*audited.keys_of("acme", "burst"))
    (globex,) = audited.keys_of("globex", "calls")
    store.incrby(globex, 2)
    audited.take("acme", "calls", 3)

    found = audited.audit()

    assert [
        ("acme", "burst", 0, 8),
        ("acme", "calls", 3, 43),
        ("globex", "calls", 42, 40),
    ] == short(found.drifted)
    assert found.counters == found.drifted
    assert 9 == found.agreed
    assert [("acme", "calls", 3, 43)] == short(audited.audit("acme", "calls").drifted)
    (calls,) = audited.audit("acme", "calls").drifted
    assert (-40, "month") == (calls.difference, calls.per)


def test_what_was_lent_and_lost_is_known_from_leases_alone(audited: Audited) -> None:
    leases = audited.made.engine.leases
    leases.acquire(ConsumeRequest("acme", "calls", 30), "l", 60_000)
    raw(audited.made.store).delete(*audited.keys_of("acme"))
    leases.acquire(ConsumeRequest("acme", "calls", 4), "m", 60_000)

    assert [("acme", "calls", 4, 34)] == short(audited.audit().drifted)


def test_what_was_set_after_a_loss_is_what_a_counter_should_have(audited: Audited) -> None:
    audited.take("acme", "calls", 40)
    raw(audited.made.store).delete(*audited.keys_of("acme"))
    audited.take("acme", "calls", 1)
    audited.made.engine.set_usage(Setting("acme", "calls", 38))
    audited.take("acme", "calls", 2)

    assert [] == audited.audit().counters
    assert 1 == audited.audit().agreed


def test_what_the_ledger_cannot_know_is_no_drift(audited: Audited) -> None:
    store = raw(audited.made.store)
    audited.take("acme", "quiet", 5)
    audited.take("acme", "songs", 5)
    audited.take("damaged", "calls", 5)
    store.set(*audited.keys_of("damaged"), "?")
    audited.publish(
        CATALOG.replace("quiet:   {type: metered}", "quiet: {type: metered, ledger: true}")
    )
    audited.take("later", "quiet", 2)
    store.delete(*audited.keys_of("acme", "wallet"))

    found = audited.audit()

    assert [
        ("acme", "quiet", Doubt.NOTHING_NOTED),
        ("acme", "wallet", Doubt.NOT_LEDGERED),
        ("damaged", "calls", Doubt.DAMAGED),
    ] == sorted(
        (each.name.customer_id, each.name.feature_id, each.doubt) for each in found.counters
    )
    audited.take("acme", "quiet", 3)  # from here on it is known what it had
    assert not [each for each in audited.audit().counters if each.name.feature_id == "quiet"]


@contextmanager
def deciding(made: Bench, customers: list[str], sets: bool = True) -> Iterator[list[int]]:
    """Threads that count without a pause, for customers in common, a batch at a time."""
    ended = threading.Event()
    batches = [0, 0]

    def work(place: int) -> None:
        with closing(Engine(made.shared, made.store.connect())) as engine:
            while not ended.is_set() and batches[place] < BATCHES_MAX:
                order = customers[place:] + customers[:place]  # so that records go everywhere
                engine.decide(
                    [ConsumeRequest(each, "calls", place + 1) for each in order]
                    + [ConsumeRequest(each, "images", 1) for each in order[:2]]
                )
                batches[place] += 1
                if sets and place == 0 and batches[0] % 5 == 0:
                    engine.set_usage(Setting(order[0], "calls", 10))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(batches))]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        yield batches


def test_decisions_meanwhile_are_no_drift(audited: Audited) -> None:
    customers = [f"c{number}" for number in range(8)]
    with deciding(audited.made, customers) as batches:
        for number in range(8):
            found = audited.audit() if number % 2 else audited.audit(customers[0])
            assert [] == found.counters
        eventually(lambda: min(batches), lambda least: least > 5, timeout_s=60)

    assert 11 == audited.audit().agreed
    assert [] == audited.audit().counters


def test_more_counters_than_memory_is_for_are_compared_in_turns(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = [f"c{number}" for number in range(40)]
    for each in customers:
        audited.take(each, "calls", 2)
        audited.take(each, "builds", 1)
    for each in customers[::2]:
        raw(audited.made.store).delete(*audited.keys_of(each, "calls"))
    monkeypatch.setattr(tallies, "COUNTERS_MAX", 30)
    monkeypatch.setattr(usage_audit, "CUSTOMERS_AT_ONCE", 3)
    monkeypatch.setattr(usage_audit, "ROWS_MAX", 4)

    pages = [audited.audits.audit()]
    while pages[-1].next_token:
        pages.append(audited.audits.audit(token=pages[-1].next_token))

    found = [each.name.customer_id for page in pages for each in page.drifted]
    assert sorted(customers[::2]) == sorted(found)
    assert 2 * 40 + 20 == sum(page.agreed for page in pages)
    assert len(pages) > 4
