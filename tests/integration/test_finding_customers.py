"""Customers are found through an index that stays right, whoever writes what at the same time."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Event

import pytest

from quotad.errors import ConfigError, InvalidRequest
from quotad.operations.finding import is_wanted
from quotad.records import CustomerRecord, Subscription
from quotad.store import CustomerIndex, Customers, KeySpace, Store, Wanted, check_layout
from quotad.store.facets import facets
from quotad.store.records import encode_customer
from tests.raw import raw
from tests.running import eventually, running

NOW = 1_800_000_000_000
PLANS = ("free", "pro", "pro-plus")
NAMES = ("", "Acme Corp", "ACME  acme", "Ünïon Straße", "Straßen & Co", "corp")
SEARCHES = [
    Wanted(id_prefix, name, plan_id, archived)
    for id_prefix, name, plan_id, archived in product(
        ("", "c1", "ü:{"), ("", "corp", "acme", "strasse"), ("", "pro", "gone"), (None, True, False)
    )
    if (id_prefix, name, plan_id, archived) != ("", "", "", None)
] + [
    Wanted(id_prefix, plan_id=plan_id, archived=archived, in_trial=True)
    for id_prefix, plan_id, archived in product(("", "c1"), ("", "pro"), (None, False))
]


class Found:
    """Customers of a store of their own, and a search through them."""

    def __init__(self, url: str, prefix: str) -> None:
        self.store = Store(url, timeout_ms=10_000)
        self.keys = KeySpace(prefix, shards=3)
        self.customers = Customers(self.store, self.keys)
        self.index = CustomerIndex(self.store, self.keys, self.customers)

    def refresh(self) -> None:
        for shard in self.index.due(NOW):
            self.index.refresh(shard, NOW, lambda: False)

    def search(self, wanted: Wanted, size: int = 1000) -> list[str]:
        """The ids that all pages of a search have."""
        ids: list[str] = []
        token = ""
        while True:
            page = self.index.search(
                wanted, lambda record: is_wanted(record, wanted, NOW), token, size
            )
            assert len(page.customers) <= size
            ids += [each.record.customer_id for each in page.customers if each.record]
            token = page.next_token
            if not token:
                return ids

    def scan(self, wanted: Wanted) -> list[str]:
        """The same by reading every customer."""
        everybody = self.customers.list_page("", 10_000).customers
        return [
            each.record.customer_id
            for each in everybody
            if each.record and is_wanted(each.record, wanted, NOW)
        ]

    def members(self) -> set[bytes]:
        """Everything in the index."""
        return {
            member
            for key in self.keys.shard_indexes
            for member in raw(self.store).zrange(key, 0, -1)
            if member not in (b"\0", b"\0\0")  # which state what of the shard is in it
        }

    def right_members(self) -> set[bytes]:
        """Everything that should be in it."""
        everybody = self.customers.list_page("", 10_000).customers
        return {member for each in everybody for member in facets(each.record)}

    def write_as_before(self, record: CustomerRecord) -> None:
        """Write a record as a server without an index does."""
        keys = self.keys.customer(record.customer_id)
        client = raw(self.store)
        client.set(keys.record, encode_customer(record))
        client.zadd(keys.customers, {record.customer_id: 0})
        client.incr(keys.epoch)


@pytest.fixture
def found(store_url: str, prefix: str) -> Iterator[Found]:
    made = Found(store_url, prefix)
    yield made
    made.store.close()


def drawn(draw: random.Random) -> CustomerRecord:
    """A customer that others may write as well."""
    number = draw.randrange(40)
    customer_id = f"c{number}" if number < 30 else f"ü:{{{number}"
    phases = tuple(
        Subscription(
            draw.choice(PLANS),
            NOW + draw.choice((-1, 1)),
            resource_id=resource,
            trial=draw.random() < 0.3,
        )
        for resource in draw.sample(("", "w", "x"), draw.randrange(3))
    )
    return CustomerRecord(
        customer_id, phases, archived=draw.random() < 0.3, created_ms=1, name=draw.choice(NAMES)
    )


def to(record: CustomerRecord) -> Callable[[CustomerRecord | None], CustomerRecord]:
    return lambda _: record


def assert_every_search_finds_what_a_scan_does(found: Found) -> None:
    for number, wanted in enumerate(SEARCHES):
        pages = found.search(wanted, size=1 + number % 7)

        assert sorted(found.scan(wanted)) == sorted(pages), wanted
        assert len(pages) == len(set(pages)), wanted


def test_after_many_concurrent_writes_every_search_finds_what_a_scan_does(found: Found) -> None:
    found.refresh()
    done = Event()

    def write(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(120):
            record = drawn(draw)
            if draw.random() < 0.3:
                others = {each.customer_id: each for each in (drawn(draw) for _ in range(5))}
                found.customers.write_many([(name, to(one)) for name, one in others.items()])
            else:
                found.customers.update(record.customer_id, to(record))

    def search() -> None:
        while not done.is_set():
            for wanted in (Wanted(plan_id="pro"), Wanted(name="acme"), Wanted(in_trial=True)):
                pages = found.search(wanted, size=3)
                assert len(pages) <= 200

    with ThreadPoolExecutor(5) as pool:
        searching = pool.submit(search)
        try:
            for writing in [pool.submit(write, seed) for seed in range(4)]:
                writing.result()
        finally:
            done.set()
        searching.result()

    assert found.right_members() == found.members()
    assert_every_search_finds_what_a_scan_does(found)


def test_a_store_without_an_index_is_searched_at_once_and_indexed_once(found: Found) -> None:
    draw = random.Random(1)
    for _ in range(60):
        found.write_as_before(drawn(draw))

    assert set() == found.members()
    assert_every_search_finds_what_a_scan_does(found)  # by reading every customer
    assert [0, 1, 2] == found.index.due(NOW)
    found.refresh()
    assert [] == found.index.due(NOW)
    assert found.right_members() == found.members()
    assert_every_search_finds_what_a_scan_does(found)


def test_an_index_that_was_lost_is_not_searched_until_it_is_whole_again(found: Found) -> None:
    for i in range(30):
        found.customers.update(f"c{i}", to(CustomerRecord(f"c{i}", archived=True)))
    found.refresh()
    assert [] == found.index.due(NOW)
    shard = found.keys.shard("c0")

    raw(found.store).delete(found.keys.shard_indexes[shard])
    assert_every_search_finds_what_a_scan_does(found)
    found.customers.update("c0", to(CustomerRecord("c0")))  # begins it again
    assert_every_search_finds_what_a_scan_does(found)

    assert [shard] == found.index.due(NOW)
    found.refresh()
    assert found.right_members() == found.members()


def test_what_servers_without_an_index_write_meanwhile_is_mended_later(found: Found) -> None:
    draw = random.Random(2)
    for _ in range(60):
        record = drawn(draw)
        found.customers.update(record.customer_id, to(record))
    found.refresh()
    for _ in range(40):
        found.write_as_before(drawn(draw))
    assert found.right_members() != found.members()
    for wanted in SEARCHES:  # what is found is right, though some may be missing
        assert set(found.search(wanted)) <= set(found.scan(wanted))

    later = NOW + 3_600_000
    assert [0, 1, 2] == found.index.due(later)
    for shard in range(3):
        found.index.refresh(shard, later, lambda: False)

    assert found.right_members() == found.members()
    assert_every_search_finds_what_a_scan_does(found)


def test_indexing_beside_writes_spoils_none_of_them(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = CustomerRecord("acme", (Subscription("free", 1),), name="Old")
    found.write_as_before(record)
    others = Customers(found.store, found.keys)
    reading = found.customers.try_many

    def overtaken(ids: list[str]) -> object:
        read = reading(ids)
        new = CustomerRecord("acme", (Subscription("pro", 1),), name="New")
        others.update("acme", to(new))
        return read

    monkeypatch.setattr(found.customers, "try_many", overtaken)
    shard = found.keys.shard("acme")
    found.index._mend(shard, [b"acme"])
    monkeypatch.undo()

    assert found.right_members() == found.members()


def test_a_shard_that_another_server_indexes_is_left_to_it(found: Found) -> None:
    raw(found.store).set(found.keys.indexing(1), b"1", px=60_000)

    found.refresh()

    assert [1] == found.index.due(NOW)


def test_the_token_of_another_search_is_refused(found: Found) -> None:
    for number in range(9):
        record = CustomerRecord(f"c{number}", (Subscription("pro", 1),))
        found.customers.update(record.customer_id, to(record))
    found.refresh()

    def page(wanted: Wanted, token: str) -> str:
        return found.index.search(wanted, lambda _: True, token, 2).next_token

    token = page(Wanted(plan_id="pro"), "")
    assert page(Wanted(plan_id="pro"), token)
    for wanted, wrong in [
        (Wanted(plan_id="free"), token),
        (Wanted(plan_id="pro"), "17:i:"),
        (Wanted(plan_id="pro"), "x" + token),
        (Wanted(plan_id="pro"), token + "x"),
    ]:
        with pytest.raises(InvalidRequest, match=r"^page_token: .* for the same search$"):
            page(wanted, wrong)


def test_a_record_that_cannot_be_read_keeps_nothing_else_out_of_the_index(found: Found) -> None:
    for name in ("a", "b", "c"):
        found.write_as_before(CustomerRecord(name, (Subscription("pro", 1),)))
    raw(found.store).set(found.keys.customer("b").record, b"\xc1")

    found.refresh()

    assert {b"p\0pro\0a", b"p\0pro\0c"} == found.members()


def test_a_server_indexes_the_store_that_it_finds(found: Found, store_url: str) -> None:
    draw = random.Random(3)
    for _ in range(30):
        found.write_as_before(drawn(draw))
    prefix = found.keys.prefix

    with running(store_url, prefix, shards=3) as quotad:
        quotad.publish_and_wait("version: 1\nfeatures: {}\nplans: {}\n")
        marks = found.keys.shard_indexed
        eventually(lambda: raw(found.store).exists(*marks), lambda count: count == 3)

    assert found.right_members() == found.members()


def test_a_server_with_other_shards_indexes_nothing(found: Found, store_url: str) -> None:
    check_layout(found.store, found.keys)
    found.write_as_before(CustomerRecord("acme", (Subscription("pro", 1),)))

    with running(store_url, found.keys.prefix, shards=5) as quotad, pytest.raises(ConfigError):
        quotad.server.wait()

    names = set(raw(found.store).scan_iter(f"{found.keys.prefix}:*", count=1000))
    assert set() == {name for name in names if b":index" in name}
