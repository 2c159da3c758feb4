"""What is kept beside customers, catalogs and counters; and commands over many shards at once."""

import time
from threading import Thread

import pytest

from quotad.clock import SyncedClock
from quotad.errors import ConfigError, InvalidRequest, StaleEpoch, StoreError
from quotad.records import CustomerRecord, Subscription
from quotad.store import (
    CustomerIndex,
    Customers,
    KeySpace,
    Store,
    Wanted,
    check_layout,
    usage_suffix,
)
from quotad.store.erasures import Erasures
from quotad.store.health import Health
from quotad.store.nearby import Nearby, NearbyStore
from quotad.store.refusals import WrongType
from quotad.store.safety import Safety
from quotad.store.seen import SeenStore
from quotad.store.usage import CounterName, CounterValue, UsageStore
from tests.raw import raw
from tests.running import eventually

NOW_MS = 1_800_000_000_000
NAMES = [f"c{i:02d}" for i in range(20)] + ["ü:{x}"]
"""In all shards."""


@pytest.fixture
def customers(store: Store, keys: KeySpace) -> Customers:
    made = Customers(store, keys)
    made.write_many([(name, lambda _, name=name: on_pro(name)) for name in NAMES])  # type: ignore[misc]
    return made


def on_pro(customer_id: str) -> CustomerRecord:
    return CustomerRecord(customer_id, (Subscription("pro", 1),))


def test_layout_and_shards_are_those_of_the_first_start(store: Store, keys: KeySpace) -> None:
    check_layout(store, keys)
    check_layout(store, keys)

    with pytest.raises(ConfigError, match="set up with 4 shards"):
        check_layout(store, KeySpace(keys.prefix, shards=5))


def test_customers_of_all_shards_are_read_at_once_in_the_order_asked(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    asked = [*reversed(NAMES), "nobody", NAMES[0]]
    link = store.connect()

    found = customers.get_many(asked)
    hot = customers.get_many_over(
        link, [keys.customer(name) for name in asked], time.monotonic() + 10
    )

    link.close()
    assert found == hot
    assert [*asked[:-2], None, asked[-1]] == [
        each.record and each.record.customer_id for each in found
    ]


def test_usage_of_all_shards_is_read_in_the_order_asked(store: Store, keys: KeySpace) -> None:
    closes_ms = 1_900_000_000_000
    for number, name in enumerate(NAMES):
        start = keys.customer(name, "w:1").usage
        store.execute("SET", start + usage_suffix("calls", "life", 2), number)
        store.execute("SET", start + usage_suffix("chats", "5hour.f"), f"{number}@{closes_ms}")

    asked = [
        CounterName(name, resource_id, feature_id, period_id, generation)
        for name in reversed(NAMES)
        for resource_id, feature_id, period_id, generation in (
            ("w:1", "calls", "life", 2),
            ("w:1", "chats", "5hour.f", 0),
            ("w:1", "calls", "life", 0),
            ("", "calls", "life", 2),
        )
    ]

    found = UsageStore(store, keys).read(asked)

    numbers = list(reversed(range(len(NAMES))))
    assert [CounterValue(number) for number in numbers] == found[::4]
    assert [CounterValue(number, closes_ms) for number in numbers] == found[1::4]
    assert {None} == set(found[2::4]) | set(found[3::4])


def test_an_index_is_built_shard_by_shard_and_searched(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    index = CustomerIndex(store, keys, customers)
    assert [0, 1, 2, 3] == index.due(NOW_MS)
    for shard in index.due(NOW_MS):
        index.refresh(shard, NOW_MS, lambda: False)
    assert [] == index.due(NOW_MS)

    found: list[str] = []
    token = ""
    while True:
        page = index.search(Wanted(plan_id="pro"), lambda _: True, token, 4)
        found += [each.record.customer_id for each in page.customers if each.record]
        if not (token := page.next_token):
            break
    assert sorted(NAMES) == sorted(found)
    with pytest.raises(InvalidRequest, match="page_token"):
        index.search(Wanted(plan_id="free"), lambda _: True, "0:x:", 4)


def test_an_erased_customer_leaves_a_proof_and_nothing_else(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    erasures = Erasures(store, keys, customers, NearbyStore(store, keys))
    mine = keys.customer("c01")
    store.execute("SET", f"{mine.usage}:calls:2027", 3)
    store.execute("SET", f"{mine.decision}key", "memo")
    before = customers.get("c01")

    with pytest.raises(StaleEpoch):
        erasures.erase("c01", [], if_epoch=before.epoch + 1)
    erased = erasures.erase("c01", ["calls"], "support", if_epoch=before.epoch)
    again = erasures.erase("c02", [])

    assert (True, 1, 1) == (erased.had_record, erased.counters, erased.idempotency_keys)
    after = customers.get("c01")
    assert after.record is None
    assert after.epoch > before.epoch
    assert {erased.proof, again.proof} == {each.proof for each in erasures.latest(10)}
    assert "c01" not in {
        each.record.customer_id for each in customers.list_page("", 100).customers if each.record
    }


def test_customers_near_a_limit_are_listed_the_latest_first(store: Store, keys: KeySpace) -> None:
    nearby = NearbyStore(store, keys)
    first, second = Nearby("calls", "a:{b}"), Nearby("calls", "b", "project")
    nearby.note([first], NOW_MS)
    nearby.note([second, Nearby("other", "b")], NOW_MS + 1)

    assert [second, first] == nearby.latest("calls")
    nearby.forget([first])
    nearby.forget_customer("b", ["calls"])
    assert [] == nearby.latest("calls")
    assert [Nearby("other", "b")] == nearby.latest("other")


def test_customers_that_were_seen_are_listed_until_they_are_provisioned(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    seen = SeenStore(store, keys, customers)
    strangers = [f"s{i}" for i in range(9)]
    seen.note(dict.fromkeys([*strangers, *NAMES], 0), NOW_MS)
    seen.note({"s3": 0}, NOW_MS - 1)

    found: list[str] = []
    token = ""
    while True:
        page = seen.page("", token, 2)
        assert all(each.seen_ms == NOW_MS for each in page.customers)
        found += [each.customer_id for each in page.customers]
        if not (token := page.next_token):
            break
    assert strangers == sorted(found)


def test_a_store_that_is_there_is_up_and_gives_its_time(store: Store) -> None:
    clock = SyncedClock()
    health = Health(store, clock)
    assert not health.up

    assert health.probe()

    assert health.up
    assert abs(store.time_ms() - clock.now_ms()) < 10_000
    Safety(store, allow_evicting=True).check()


def test_an_announcement_reaches_listeners(store: Store, keys: KeySpace) -> None:
    heard = store.listen(keys.notices, 0.01)
    assert next(heard) is False  # listens now
    store.announce(keys.notices, "1")

    assert any(heard)
    heard.close()  # type: ignore[attr-defined]


def test_keys_are_counted_walked_through_and_purged_by_their_end(
    store: Store, keys: KeySpace
) -> None:
    name = keys.customer("a").usage

    def added() -> int:
        for number in range(50):
            store.execute("DEL", f"{name}:[{number}]*")
        before = store.count_keys()
        for number in range(50):
            store.execute("SET", f"{name}:[{number}]*", 1, "PXAT", 4_000_000_000_000 + number)
        return store.count_keys() - before

    # Keys of other tests may expire meanwhile.
    eventually(added, lambda count: count == 50)
    walked = {each for names in store.scan(f"{name}:[") for each in names}
    assert {f"{name}:[{number}]*".encode() for number in range(50)} == walked
    assert 11 <= store.purge(4_000_000_000_010)
    assert 39 == len({each for names in store.scan(f"{name}:[") for each in names})


def test_a_key_of_another_type_is_an_error_or_none_as_asked(store: Store, keys: KeySpace) -> None:
    mine, other = keys.customer("a").record, keys.customer("b").record
    raw(store).rpush(mine, "x")
    commands = [("GET", mine), ("SET", other, "1"), ("GET", other)]

    assert [None, b"OK", b"1"] == store.execute_many(commands, or_none=True)
    for call in (
        lambda: store.execute("GET", mine),
        lambda: store.execute_many(commands),
        lambda: store.execute_many(commands[:1], atomic=True),
    ):
        with pytest.raises(WrongType):
            call()
    with pytest.raises(StoreError):
        store.execute_many([("HSET", mine), ("SET", mine, "2")], atomic=True)
    assert b"x" == raw(store).lindex(mine, 0)  # all or nothing
    assert [None, b"1"] == store.read([mine, other])


def test_threads_that_need_more_connections_than_there_are_wait_for_one(store: Store) -> None:
    answers: list[int] = []
    threads = [
        Thread(target=lambda: answers.extend(store.time_ms() for _ in range(20))) for _ in range(30)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 600 == len(answers)


def test_what_was_noted_of_a_customer_before_it_was_erased_does_not_come_back(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    nearby, seen = NearbyStore(store, keys), SeenStore(store, keys, customers)
    Erasures(store, keys, customers, nearby).erase("gone", ["calls"])
    now_ms = store.time_ms()

    nearby.note([Nearby("calls", "gone"), Nearby("calls", "stays")], now_ms)
    seen.note({"gone": 0, "stays": 0}, now_ms)

    assert [Nearby("calls", "stays")] == nearby.latest("calls")
    assert ["stays"] == [each.customer_id for each in seen.page("", "", 9).customers]
    # It calls again, and is a new customer on the default plan.
    seen.note({"gone": customers.get("gone").epoch}, now_ms)
    assert ["gone", "stays"] == sorted(each.customer_id for each in seen.page("", "", 9).customers)
