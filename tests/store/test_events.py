"""Streams of changes: what scripts append to them, and how they are read without a gap."""

from collections.abc import Callable, Iterator

import pytest

from quotad.changes import ChangeEvent, ChangeKind
from quotad.clock import SyncedClock
from quotad.records import CustomerRecord
from quotad.store import Catalogs, Customers, KeySpace, Store, scripts
from quotad.store.events import KEPT_MS, EventId, kept
from quotad.store.follow import BACKLOG_MAX, READ_MAX, Follower, Growth, entries_since
from quotad.store.watched import EVERYONE, WatchedStore
from tests.raw import raw
from tests.running import eventually

READ_S = 0.1


@pytest.fixture
def customers(store: Store, keys: KeySpace) -> Customers:
    return Customers(store, keys)


@pytest.fixture
def follower(store: Store, keys: KeySpace) -> Iterator[Follower]:
    made = Follower(store, keys)
    made.start()
    yield made
    made.close()


def write(customers: Customers, *customer_ids: str) -> list[int]:
    """Write customers; returns their epochs."""
    return [
        customers.update(each, lambda _, each=each: CustomerRecord(each)).epoch  # type: ignore[misc]
        for each in customer_ids
    ]


def read(follower: Follower, enough: Callable[[list[ChangeEvent]], bool]) -> list[ChangeEvent]:
    """Read until there is enough."""
    found: list[ChangeEvent] = []

    def more() -> list[ChangeEvent]:
        growth = follower.read(READ_S)
        assert frozenset() == growth.lost
        found.extend(change for entry in growth.entries for change in entry.changes)
        return found

    return eventually(more, enough)


def lost(follower: Follower) -> Growth:
    """Read until something was lost."""
    return eventually(lambda: follower.read(READ_S), lambda growth: bool(growth.lost))


def test_writes_are_read_in_order_wherever_they_are(
    customers: Customers, follower: Follower
) -> None:
    names = ["acme", "globex", "initech", "ünï:{x}"] * 3
    epochs = write(customers, *names)

    found = read(follower, lambda changes: len(changes) >= len(names))

    assert sorted(zip(names, epochs, strict=True)) == sorted(
        (each.customer_id, each.epoch) for each in found
    )
    assert {ChangeKind.CUSTOMER_CHANGED} == {each.kind for each in found}
    of_acme = [each.epoch for each in found if each.customer_id == "acme"]
    assert of_acme == sorted(of_acme)


def test_what_was_written_before_is_not_read(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    write(customers, "acme")
    follower = Follower(store, keys)
    follower.start()
    (epoch,) = write(customers, "acme")

    assert [epoch] == [each.epoch for each in read(follower, bool)]
    follower.close()


def test_more_than_is_read_at_once_is_read_after_it(
    store: Store, keys: KeySpace, follower: Follower
) -> None:
    count = 2 * READ_MAX + 1
    call = ([keys.shard_events[2]], [*kept(), "customer", "acme"])
    store.run_many(scripts.load("note_change"), [call] * count)

    first = follower.read(READ_S)
    rest = read(follower, lambda changes: len(changes) == count - READ_MAX)

    assert READ_MAX == len(first.entries)
    assert first.read_ms <= first.entries[-1].id.ms
    assert count - READ_MAX == len(rest)


def test_an_event_that_went_before_it_was_read_is_a_loss(
    store: Store, keys: KeySpace, customers: Customers, follower: Follower
) -> None:
    stream = keys.customer("acme").events
    write(customers, "acme", "acme")
    (oldest, _), *_ = raw(store).xrange(stream)
    raw(store).xdel(stream, oldest)

    assert {stream} == lost(follower).lost
    write(customers, "acme")
    assert read(follower, bool)


def test_a_stream_that_has_expired_begins_again_without_a_loss(
    store: Store, keys: KeySpace, customers: Customers, follower: Follower
) -> None:
    stream = keys.customer("acme").events
    now_ms = store.time_ms()
    raw(store).xadd(stream, {"customer": "acme", "epoch": 1}, id=f"{now_ms - KEPT_MS - 1}-1")
    read(follower, bool)
    raw(store).delete(stream)
    (epoch,) = write(customers, "acme")

    assert [epoch] == [each.epoch for each in read(follower, bool)]


def test_a_stream_that_was_flushed_is_a_loss(
    store: Store, keys: KeySpace, customers: Customers, follower: Follower
) -> None:
    stream = keys.customer("acme").events
    write(customers, "acme")
    read(follower, bool)
    raw(store).delete(stream)
    flushed_ms = store.time_ms()
    eventually(store.time_ms, lambda now_ms: now_ms > flushed_ms)
    write(customers, "acme")

    assert {stream} == lost(follower).lost


def test_a_key_of_another_type_makes_way(
    store: Store, keys: KeySpace, customers: Customers, follower: Follower
) -> None:
    raw(store).set(keys.customer("acme").events, "x")

    write(customers, "acme")

    assert read(follower, bool)


def test_a_stream_keeps_no_more_and_nothing_older_than_it_says(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    stream = keys.customer("acme").events
    old = store.time_ms() - KEPT_MS - 1000
    for number in range(1, 4):
        raw(store).xadd(stream, {"customer": "gone"}, id=f"{old}-{number}")

    write(customers, "acme")
    note, bounds = scripts.load("note_change"), (100, KEPT_MS, "customer", "acme")
    store.run_many(note, [([stream], bounds)] * 500)

    entries = raw(store).xrange(stream)
    assert 100 <= len(entries) < 300  # whole nodes are dropped
    assert b"gone" not in [fields.get(b"customer") for _, fields in entries]
    assert [(4 + 500) - len(entries) + 1, 4 + 500] == [
        int(entry.partition(b"-")[2]) for entry, _ in (entries[0], entries[-1])
    ]
    assert KEPT_MS < raw(store).pttl(stream) <= KEPT_MS + 2_000


def test_what_came_since_a_moment_is_found(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    streams = [*keys.shard_events, keys.catalog_events]
    before = store.time_ms()
    epochs = write(customers, "acme", "globex")

    found = entries_since(store, streams, before)

    assert found is not None
    assert epochs == [change.epoch for entry in found for change in entry.changes]
    later = entries_since(store, streams, before + 3_600_000)
    assert [] == later


def test_what_is_not_kept_any_more_is_not_found(
    store: Store, keys: KeySpace, customers: Customers
) -> None:
    stream = keys.customer("acme").events
    before = store.time_ms()
    write(customers, "acme", "acme", "acme")
    (oldest, _), *_ = raw(store).xrange(stream)
    raw(store).xdel(stream, oldest)

    assert entries_since(store, [stream], before) is None


def test_more_than_one_listener_is_read_again_for_is_not_found(
    store: Store, keys: KeySpace
) -> None:
    before = store.time_ms()
    call = ([keys.catalog_events], [*kept(), "catalog", 1])
    store.run_many(scripts.load("note_change"), [call] * BACKLOG_MAX)

    assert entries_since(store, [keys.catalog_events], before) is None


def test_what_a_newer_release_appends_changes_nothing(
    store: Store, keys: KeySpace, follower: Follower
) -> None:
    note = scripts.load("note_change")
    for field, value in [("colour", "red"), ("usage", "[1]"), ("catalog", "x"), ("usage", "{")]:
        store.run(note, [keys.catalog_events], [*kept(), field, value])
    store.run(note, [keys.catalog_events], [*kept(), "catalog", 7])

    assert [7] == [each.catalog_version for each in read(follower, bool)]


def test_usage_is_brought_by_customer_and_feature(
    store: Store, keys: KeySpace, follower: Follower
) -> None:
    rows = [(f"c{i}", "", "calls") for i in range(450)]

    WatchedStore(store, keys).bring(rows)

    found = read(follower, lambda changes: len(changes) >= len(rows))
    assert rows == [(each.customer_id, each.resource_id, each.feature_id) for each in found]
    assert {ChangeKind.USAGE_CHANGED} == {each.kind for each in found}


def test_who_is_watched_is_known_until_nobody_renews_it(store: Store, keys: KeySpace) -> None:
    watched = WatchedStore(store, keys)
    now_ms = store.time_ms()

    watched.watch(["acme", EVERYONE])
    watched.watch(["acme"], announce=True)

    assert {"acme", EVERYONE} == watched.read(now_ms)
    assert set() == watched.read(now_ms + 60_000)


def test_ids_follow_each_other_by_their_numbers() -> None:
    before = EventId(1000, 7)

    assert EventId(1000, 8).follows(before, 50)
    assert not EventId(1001, 9).follows(before, 50)
    assert not EventId(1049, 1).follows(before, 50)
    assert EventId(1050, 1).follows(before, 50)
    assert EventId(1, 1).follows(None, 50)
    assert not EventId(1, 2).follows(None, 50)


def test_a_publish_and_a_mended_head_are_events(
    store: Store, keys: KeySpace, follower: Follower
) -> None:
    catalogs = Catalogs(store, keys, SyncedClock(), publish_wait_ms=0)
    catalogs.publish(b"{}", "d1")
    published = read(follower, bool)
    raw(store).delete(keys.head)
    catalogs.mend()
    mended = read(follower, bool)

    assert {(ChangeKind.CATALOG_CHANGED, 1)} == {
        (each.kind, each.catalog_version) for each in (*published, *mended)
    }
