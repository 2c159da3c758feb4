"""What lua/settle_journal.lua promises, through its binding: each entry once, in its period."""

import time
from itertools import pairwise
from typing import Any

import pytest

from quotad.journal import JournalCounter, JournalEntry
from quotad.store import KeySpace, Store
from quotad.store.journals import JournalOutcome, JournalScript, StoreIdentity
from quotad.store.keys import usage_suffix
from tests.raw import raw

COUNTED, BEFORE, REPLAYED = JournalOutcome.COUNTED, JournalOutcome.BEFORE, JournalOutcome.REPLAYED
LATE, GONE, DAMAGED = JournalOutcome.LATE, JournalOutcome.GONE, JournalOutcome.DAMAGED
NOW_MS = time.time_ns() // 1_000_000
NEXT_MONTH = NOW_MS + 30 * 86_400_000
FINGERPRINT = "f" * 16


class Settled:
    """The counters of one customer."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self.store, self.keys = store, keys
        self.client = raw(store)
        self.customer = keys.customer("acme")
        self.script = JournalScript(store, keys)

    def name(self, period: str = "now", feature_id: str = "calls") -> str:
        return self.customer.usage + usage_suffix(feature_id, period)

    def used(self, period: str = "now", feature_id: str = "calls") -> Any:
        return self.client.get(self.name(period, feature_id))

    def settle(self, *entries: JournalEntry, journal: str = "j") -> list[JournalOutcome]:
        return [JournalOutcome(each) for each in self.script.settle(journal, entries)]


def entry(
    sequence: int,
    amount: int = 1,
    *,
    period: str = "now",
    feature_id: str = "calls",
    expires_ms: int = NEXT_MONTH,
    epoch: int = 0,
    key: str = "",
    print_: str = FINGERPRINT,
) -> JournalEntry:
    counters = (JournalCounter(usage_suffix(feature_id, period), amount, expires_ms),)
    once = (key, print_, b"memo", 60_000) if key else ("", "", b"", 0)
    return JournalEntry(sequence, NOW_MS, "acme", epoch, counters, (), *once)


@pytest.fixture
def settled(store: Store, keys: KeySpace) -> Settled:
    return Settled(store, keys)


def test_an_entry_is_counted_once_however_the_calls_are_cut_and_repeated(settled: Settled) -> None:
    entries = [entry(i, 10**i) for i in range(1, 6)]
    cuts = [0, 2, 2, 3, 5]
    for start, end in pairwise(cuts):
        for first in range(start + 1):  # again from anywhere before
            if first < end:
                outcomes = settled.settle(*entries[first:end])
                fresh = len(entries[first:end]) - sum(each is BEFORE for each in outcomes)
                assert {BEFORE, COUNTED} >= {*outcomes}
                assert fresh in (0, end - start)

    assert b"111110" == settled.used()
    assert [BEFORE] * 5 == settled.settle(*entries)
    # Another journal has sequences of its own.
    assert [COUNTED] == settled.settle(entry(1), journal="k")
    assert b"111111" == settled.used()


def test_it_adds_to_what_is_there_and_leaves_when_it_expires(settled: Settled) -> None:
    settled.client.set(settled.name(), "5", pxat=NEXT_MONTH + 7)

    settled.settle(entry(1, 3), entry(2, 4, period="new"))

    assert (b"8", b"4") == (settled.used(), settled.used("new"))
    assert NEXT_MONTH + 7 == settled.client.pexpiretime(settled.name())
    assert NEXT_MONTH == settled.client.pexpiretime(settled.name("new"))


def test_counters_without_a_period_stay_or_expire_after_their_latest_use(settled: Settled) -> None:
    settled.settle(entry(1, expires_ms=0), entry(2, period="idle", expires_ms=-60_000))
    settled.settle(entry(3, expires_ms=0), entry(4, period="idle", expires_ms=-60_000))

    assert (b"2", b"2") == (settled.used(), settled.used("idle"))
    assert -1 == settled.client.pttl(settled.name())
    assert 0 < settled.client.pttl(settled.name("idle")) <= 60_000


def test_what_is_given_back_goes_down_to_nothing(settled: Settled) -> None:
    assert [COUNTED] * 3 == settled.settle(entry(1, 5), entry(2, -2), entry(3, -7))

    assert settled.used() is None


def test_a_period_whose_counter_is_not_kept_is_late_and_nothing_is_made(settled: Settled) -> None:
    both = entry(1).counters + entry(1, period="old", expires_ms=NOW_MS - 1).counters
    mixed = JournalEntry(2, NOW_MS, "acme", 0, both, ())

    assert [LATE, COUNTED] == settled.settle(entry(1, period="old", expires_ms=NOW_MS - 1), mixed)
    assert (None, b"1") == (settled.used("old"), settled.used())


def test_what_was_taken_under_its_key_is_not_counted_again(settled: Settled) -> None:
    assert [COUNTED, REPLAYED] == settled.settle(entry(1, key="k"), entry(2, key="k"))
    assert [REPLAYED] == settled.settle(entry(1, key="k"), journal="other")
    assert b"1" == settled.used()
    name = settled.customer.decision + "k"
    assert (FINGERPRINT + "10|memo").encode() == settled.client.get(name)
    assert 0 < settled.client.pttl(name) <= 60_000

    # A key of something else is left as it is, and what was let through is counted.
    assert [COUNTED] == settled.settle(entry(2, key="k", print_="g" * 16), journal="other")
    assert b"2" == settled.used()
    assert (FINGERPRINT + "10|memo").encode() == settled.client.get(name)


def test_a_customer_that_was_erased_meanwhile_gets_no_counter(settled: Settled) -> None:
    settled.client.set(settled.customer.epoch, "9")
    assert [GONE] == settled.settle(entry(1, epoch=5))
    assert settled.used() is None

    # One that was written, or made, meanwhile does.
    settled.client.set(settled.customer.record, "record")
    assert [COUNTED, COUNTED] == settled.settle(entry(2, epoch=5), entry(3))


def test_damage_costs_the_entry_that_is_about_it(settled: Settled) -> None:
    settled.client.set(settled.name("odd"), "text")
    settled.client.lpush(settled.name("list"), "1")

    assert [DAMAGED, DAMAGED, COUNTED] == settled.settle(
        entry(1, period="odd"), entry(2, period="list"), entry(3)
    )
    assert (b"text", b"1") == (settled.used("odd"), settled.used())


def test_entries_of_several_counters_count_in_all_of_them(settled: Settled) -> None:
    counters = entry(1, 2).counters + entry(1, 3, feature_id="mails").counters

    settled.settle(JournalEntry(1, NOW_MS, "acme", 0, counters, (), "k", FINGERPRINT, b"m", 1000))

    assert (b"2", b"3") == (settled.used(), settled.used(feature_id="mails"))
    assert (FINGERPRINT + "10,0|m").encode() == settled.client.get(settled.customer.decision + "k")


def test_a_store_keeps_its_name_and_gets_it_back_when_it_was_emptied(
    store: Store, keys: KeySpace
) -> None:
    identity, other = StoreIdentity(store, keys), StoreIdentity(store, keys)
    name = identity.look()

    assert 16 == len(name)
    assert [name, name] == [other.look(), identity.look()]
    raw(store).delete(keys.meta)
    assert [name, name] == [identity.look(), StoreIdentity(store, keys).look()]
