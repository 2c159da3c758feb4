"""Reading the ledger: all shards as one list by time, page by page, with filters."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest
from quotad.errors import InvalidRequest
from quotad.ledger import EntryPage, LedgerKept, WantedEntries
from quotad.operations import ledger as operations
from quotad.operations.ledger import LedgerOperations
from quotad.operations.ledger_bound import LedgerBound
from quotad.store.erasures import Erasures
from quotad.store.keys import ledger_key
from quotad.store.ledger import LedgerStreams
from tests.deciding import Bench, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, ledger: all}
  mails: {type: metered, ledger: true}
plans:
  free:
    entitlements:
      calls: {limit: 2, per: month}
      mails: {limit: 1000, per: month}
"""


class Ledger:
    """An engine, and the ledger that it writes."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        self._operations = LedgerOperations(LedgerStreams(made.store, made.keys))

    def read(self, **wanted: object) -> EntryPage:
        return self._operations.read(WantedEntries(**wanted))  # type: ignore[arg-type]

    def take(self, *customers: str, feature_id: str = "mails") -> None:
        for each in customers:
            self.made.engine.decide([ConsumeRequest(each, feature_id)])

    def customers(self, **wanted: object) -> list[str]:
        return [entry.customer_id for entry in self.read(**wanted).entries]


@pytest.fixture
def ledger(store_url: str, prefix: str) -> Iterator[Ledger]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield Ledger(made)


CUSTOMERS = [f"c{number}" for number in range(12)]


def test_pages_of_all_shards_follow_each_other_by_time_in_either_order(ledger: Ledger) -> None:
    ledger.take(*CUSTOMERS)

    orders = []
    for newest_first in (False, True):
        found = []
        position, more = "", True
        while more:
            page = ledger.read(position=position, size=5, newest_first=newest_first)
            found += page.entries
            position, more = page.position, page.more
        assert sorted(CUSTOMERS) == sorted(entry.customer_id for entry in found)
        orders.append([(entry.at_ms, entry.id) for entry in found])
    assert orders[0] == orders[1][::-1]
    assert sorted(ms for ms, _ in orders[0]) == [ms for ms, _ in orders[0]]


def test_a_page_ends_where_much_was_read_for_it_and_reading_goes_on_behind(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take(*CUSTOMERS)
    ledger.take("a", feature_id="calls")

    for bound in ("RECORDS_MAX", "UNPACKED_MAX"):
        with monkeypatch.context() as bounded:
            bounded.setattr(operations, bound, 3)
            pages = [ledger.read(reason="WITHIN_LIMIT", feature_id="calls")]
            while pages[-1].more:
                position = pages[-1].position
                wanted = {"reason": "WITHIN_LIMIT", "feature_id": "calls"}
                pages.append(ledger.read(position=position, **wanted))
        assert ["a"] == [each.customer_id for page in pages for each in page.entries]
        assert (len(pages) > 1) == (bound == "RECORDS_MAX")


@pytest.mark.parametrize("newest_first", [False, True])
def test_one_customer_among_many_is_read_in_pages_without_missing_an_entry(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    monkeypatch.setattr(operations, "_READ_AT_ONCE", 4)
    monkeypatch.setattr(operations, "_REFILLED", 7)
    monkeypatch.setattr(operations, "RECORDS_MAX", 50)
    for number in range(30):
        ledger.take(*CUSTOMERS, "c")  # which others' ids begin with
        if number % 6 == 0:
            ledger.take("rare", *CUSTOMERS)

    for customer_id, wanted in (("rare", 5), ("c", 30)):
        order = {"customer_id": customer_id, "newest_first": newest_first}
        pages = [ledger.read(size=4, **order)]
        while pages[-1].more:
            pages.append(ledger.read(size=4, position=pages[-1].position, **order))
        found = [each for page in pages for each in page.entries]
        assert wanted == len({each.id for each in found}) == len(found)
        times = [(each.at_ms, each.id) for each in found]
        assert sorted(times, key=lambda each: each[0], reverse=newest_first) == times
        assert not [gap for page in pages for gap in page.gaps]
        assert len(pages) > 4


def test_a_position_goes_on_later_with_what_came_meanwhile(ledger: Ledger) -> None:
    ledger.take("a", "b")
    first = ledger.read()
    assert not first.more

    ledger.take("c", "d")
    second = ledger.read(position=first.position)

    assert ["c", "d"] == sorted(entry.customer_id for entry in second.entries)
    assert [] == second.gaps
    assert [] == ledger.read(position=second.position).entries


def test_from_now_on_there_is_only_what_comes_later(ledger: Ledger) -> None:
    ledger.take("a")

    now = ledger.read(from_now=True)
    ledger.take("b")

    assert [] == now.entries
    assert ["b"] == ledger.customers(position=now.position)


def test_entries_are_found_by_customer_feature_reason_and_time(ledger: Ledger) -> None:
    ledger.take("a", "b", "a", "a", feature_id="calls")
    ledger.take("a")
    entries = ledger.read().entries

    assert ["a", "a", "a", "a"] == ledger.customers(customer_id="a")
    assert ["a", "a", "a", "b"] == sorted(ledger.customers(feature_id="calls"))
    (denied,) = ledger.read(reason="LIMIT_EXCEEDED").entries
    assert ("a", False, 2, 2) == (denied.customer_id, denied.allowed, denied.used, denied.limit)
    assert [denied] == ledger.read(denied_only=True).entries
    third_ms = entries[2].at_ms
    for newest_first in (False, True):
        order = {"newest_first": newest_first}
        since = {entry.id for entry in ledger.read(since_ms=third_ms, **order).entries}
        until = {entry.id for entry in ledger.read(until_ms=third_ms, **order).entries}
        assert {entry.id for entry in entries if entry.at_ms >= third_ms} == since
        assert {entry.id for entry in entries if entry.at_ms < third_ms} == until


def test_customers_that_were_decided_together_are_each_found_and_masked(ledger: Ledger) -> None:
    made = ledger.made
    made.engine.decide([ConsumeRequest(each, "mails") for each in CUSTOMERS])

    for each in CUSTOMERS:
        page = ledger.read(customer_id=each)
        assert [each] == [entry.customer_id for entry in page.entries]
        newest = ledger.customers(customer_id=each, newest_first=True)
        assert [each] == newest
        assert not ledger.customers(customer_id=each, position=page.position)
    erasures = Erasures(made.store, made.keys, made.customers, made.nearby)
    names = {erasures.erase(each, ["mails"]).pseudonym for each in CUSTOMERS}
    assert names == set(ledger.customers())
    assert not any(ledger.customers(customer_id=each) for each in CUSTOMERS)


def test_nothing_is_found_until_the_beginning_of_all_times(ledger: Ledger) -> None:
    ledger.take("a")

    assert not ledger.customers(until_ms=0)
    assert not ledger.customers(until_ms=0, newest_first=True)


def test_what_was_dropped_before_it_was_read_is_a_gap(ledger: Ledger) -> None:
    ledger.take("a")
    first = ledger.read(customer_id="a")
    ledger.take("a", "a")

    stream = ledger_key(ledger.made.keys.customer("a"))
    raw(ledger.made.store).xtrim(stream, maxlen=1, approximate=False)
    page = ledger.read(customer_id="a", position=first.position)

    assert 1 == len(page.entries)
    (gap,) = page.gaps
    assert ("dropped", first.entries[0].at_ms) == (gap.why, gap.from_ms)
    assert gap.from_ms <= gap.until_ms <= page.entries[0].at_ms


@pytest.mark.parametrize("again", [False, True])
def test_what_was_dropped_of_a_shard_that_a_page_has_not_come_to_is_a_gap(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    ledger.take(*CUSTOMERS)
    every = ledger.read().entries
    shard_of = ledger.made.keys.shard
    last = next(
        each
        for each in reversed(every)
        if shard_of(each.customer_id) != shard_of(every[0].customer_id)
    )
    monkeypatch.setattr(operations, "RECORDS_MAX", 1)
    first = ledger.read()
    monkeypatch.undo()

    stream = ledger_key(ledger.made.keys.customer(last.customer_id))
    raw(ledger.made.store).xtrim(stream, maxlen=0, approximate=False)
    if again:
        ledger.take(last.customer_id)
    page = ledger.read(position=first.position)

    assert 1 == len(first.entries)
    (gap,) = page.gaps
    assert "dropped" == gap.why
    assert gap.from_ms <= last.at_ms
    assert not ledger.read(position=page.position).gaps


def test_a_record_that_cannot_be_read_is_a_gap_and_the_others_are_read(ledger: Ledger) -> None:
    ledger.take("a")
    stream = ledger_key(ledger.made.keys.customer("a"))
    raw(ledger.made.store).xadd(stream, {"charges": b"\x92\x09\x01", "became": "1"})
    ledger.take("a")

    page = ledger.read(customer_id="a")

    assert ["a", "a"] == [entry.customer_id for entry in page.entries]
    assert ["unreadable"] == [gap.why for gap in page.gaps]


def test_an_erased_customer_is_named_by_its_pseudonym_and_is_not_found_by_its_id(
    ledger: Ledger,
) -> None:
    made = ledger.made
    made.decide(ConsumeRequest("a", "mails", 3, idempotency_key="a@example", resource_id=""))
    ledger.take("b")
    erasures = Erasures(made.store, made.keys, made.customers, made.nearby)

    erased = erasures.erase("a", ["mails"])
    while made.store.time_ms() <= erased.erased_ms:  # in that millisecond it is taken for earlier
        pass
    ledger.take("a")

    assert [1] == [entry.quantity for entry in ledger.read(customer_id="a").entries]
    masked, *others = sorted(ledger.read().entries, key=lambda entry: -entry.quantity)
    assert (erased.pseudonym, "", "", 3) == (
        masked.customer_id,
        masked.key,
        masked.resource_id,
        masked.quantity,
    )
    assert not any((masked.counters, masked.came_to, masked.closes, masked.limits))
    assert ["a", "b"] == sorted(entry.customer_id for entry in others)


def test_a_ledger_that_drops_records_before_their_time_is_reported(ledger: Ledger) -> None:
    made = ledger.made
    bound = LedgerBound(LedgerStreams(made.store, made.keys), LedgerKept(4), made.snapshots)
    bound.look()
    assert (0, ()) == (bound.full, bound.warnings)

    ledger.take("a")
    bound.look()

    assert 1 == bound.full
    assert "the ledger is full in 1 shard: the oldest" in bound.warnings[0]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"size": 1001}, "page_size: 1001 is not between"),
        ({"customer_id": "x" * 300}, "customer_id: "),
        ({"reason": "LIMIT_EXEEDED"}, "reason: there is no 'LIMIT_EXEEDED'; did you mean 'LIMIT_"),
        ({"reason": "nonsense"}, "reason: there is no 'nonsense'; they are CUSTOMER_NOT_FOUND, "),
        ({"verb": "consumed"}, "verb: there is no 'consumed'; did you mean 'consume'?"),
        ({"verb": "nonsense"}, "verb: there is no 'nonsense'; they are consume, record, "),
        ({"position": "?"}, "position: is none that a page"),
        ({"position": "x" * 3000}, "position: is none that a page"),
        ({"position": "lATDoJA"}, "position: is none that a page"),
        ({"from_now": True, "newest_first": True}, "from_now: what comes later"),
    ],
)
def test_a_wrong_request_is_refused_by_its_field(
    ledger: Ledger, wanted: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        ledger.read(**wanted)


def test_a_position_of_the_other_order_is_refused(ledger: Ledger) -> None:
    position = ledger.read().position

    with pytest.raises(InvalidRequest, match="position: is of a page in the other order"):
        ledger.read(position=position, newest_first=True)
