"""A store is written, read and published to as ever while its shards move."""

import msgspec
import pytest

from quotad.errors import ConfigError, StoreUnavailable
from quotad.held import Correction
from quotad.history import CustomerChange
from quotad.records import CustomerRecord
from quotad.store import CustomerIndex, Customers, Fleet, KeySpace, check_layout, moves, resharding
from quotad.store.changes import ChangeLists
from quotad.store.corrections import CorrectionLists
from quotad.store.erasures import Erasures
from quotad.store.facets import Wanted
from quotad.store.fleet import server_id
from quotad.store.follow import Follower, entries_since
from quotad.store.keys import EVEN, NUMBERED
from quotad.store.moves import Moves
from quotad.store.nearby import NearbyStore
from quotad.store.seen import SeenStore
from quotad.store.shard_map import MOVING, ShardMap
from tests.raw import raw
from tests.store.moving import CUSTOMERS, FORMER, SHARDS, Moving, listed, record


def test_customers_are_written_listed_found_and_erased_while_shards_move(moving: Moving) -> None:
    moving.move(5)
    keys = moving.keys  # of a process that has not heard of it
    customers = Customers(moving.store, keys)
    index = CustomerIndex(moving.store, keys, customers)

    customers.write_many([("new", lambda _: CustomerRecord("new", name="New"))])
    for name in CUSTOMERS:
        customers.update(name, lambda _, name=name: CustomerRecord(name, name="Moved"))  # type: ignore[misc]

    assert MOVING == keys.layout
    assert sorted([*CUSTOMERS, "new"]) == sorted(listed(customers))
    found = index.search(Wanted(name="moved"), lambda r: r.name == "Moved", "", 100).customers
    assert sorted(CUSTOMERS) == sorted(each.record.customer_id for each in found if each.record)
    seen = SeenStore(moving.store, keys, customers)
    seen.note({f"seen-{number}": 0 for number in range(20)}, 5)
    assert 20 == len(seen.page("", "", 100).customers)
    erasures = Erasures(moving.store, keys, customers, NearbyStore(moving.store, keys))
    for name in CUSTOMERS[:20]:
        raw(moving.store).set(keys.customer(name).usage + ":calls:life", 1)
        assert 1 == erasures.erase(name, []).counters
    assert 20 == len(erasures.latest(100))
    assert sorted([*CUSTOMERS[20:], "new"]) == sorted(listed(customers))


def test_a_list_that_was_begun_before_shards_moved_misses_nobody(moving: Moving) -> None:
    names = {f"c{number}" for number in range(48)}
    for name in names:
        moving.customers.update(name, lambda _, name=name: CustomerRecord(name))  # type: ignore[misc]
    for moved in (0, 3, 7, FORMER):
        page = Customers(moving.store, moving.known()).list_page("", 10)
        told = [each.record.customer_id for each in page.customers if each.record]
        if moved:
            moving.move(moved if moved == FORMER else 3)
        customers = Customers(moving.store, moving.known())
        token = page.next_token
        while token:
            page = customers.list_page(token, 10)
            told += [each.record.customer_id for each in page.customers if each.record]
            token = page.next_token
        assert names == set(told), moved


def test_what_was_done_to_a_customer_is_read_where_it_has_moved_to(moving: Moving) -> None:
    moving.move(3)
    keys = moving.known()  # of a server that has heard of the first ones only
    heard = keys.spread
    changes, corrections = ChangeLists(moving.store, keys), CorrectionLists(moving.store, keys)
    moving.move(5)
    customers, correction = Customers(moving.store, moving.known()), Correction("set", "calls", 1)
    epochs = {}
    for name in CUSTOMERS:
        update = (name, lambda _, name=name: CustomerRecord(name, name="Now"))
        epochs[name] = customers.update(*update, note=lambda *_: CustomerChange("ann", "X")).epoch
        raw(moving.store).zadd(
            moving.known().corrections(name), {msgspec.msgpack.encode(correction): 1}
        )

    for name in CUSTOMERS:
        for latest in (changes.latest, corrections.latest):
            keys.follow(heard)
            assert 1 == len(latest(name, 5)), name
        keys.follow(heard)
        assert record(name)(None) == changes.record_before(name, epochs[name])
    keys.follow(heard)
    assert set(CUSTOMERS) == {name for name, _ in changes.before(None, 100).writes}


def test_changes_are_told_before_while_and_after_shards_move(moving: Moving) -> None:
    follower = Follower(moving.store, moving.keys)
    follower.start()
    since_ms = moving.store.time_ms()
    told: list[str] = []

    def write(number: int) -> None:
        for name in CUSTOMERS[number::4]:
            moving.customers.update(name, lambda _, n=name: CustomerRecord(n))  # type: ignore[misc]
        for _ in range(3):
            found = follower.read(0.01)
            assert not found.lost
            told.extend(change.customer_id for each in found.entries for change in each.changes)

    write(0)
    moving.move(6)
    write(1)
    moving.move()
    write(2)
    write(3)
    follower.close()

    assert sorted(CUSTOMERS) == sorted(filter(None, told))
    streams = moving.known().event_streams(since_ms)
    entries = entries_since(moving.store, streams, since_ms)
    assert entries is not None
    assert {*CUSTOMERS} <= {c.customer_id for each in entries for c in each.changes}
    assert 4 == len(moving.known().event_streams(since_ms + 4_000_000))


def test_a_server_of_an_earlier_release_keeps_shards_where_they_are(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = server_id().replace(":m", ":")
    Fleet(moving.store, moving.keys, server_id()).beat()
    Fleet(moving.store, moving.keys, old).beat()
    host, pid, _ = old.rsplit(":", 2)
    with pytest.raises(ConfigError, match=f"{host} \\(pid {pid}\\)"):
        moving.move()
    assert NUMBERED == moving.known().layout

    # One that starts at the very moment.
    Fleet(moving.store, moving.keys, old).leave()
    begin = resharding.Resharder._take

    def starts(resharder: resharding.Resharder, after: ShardMap, mark: str = "") -> None:
        begin(resharder, after, mark)
        if after.moving:
            Fleet(moving.store, moving.keys, old).beat()

    monkeypatch.setattr(resharding.Resharder, "_take", starts)
    with pytest.raises(ConfigError, match="earlier release"):
        moving.move()
    assert NUMBERED == moving.known().layout
    assert {"1.abc"} == {moving.tags()[name] for name in moving.keys.shard_catalogs}


@pytest.mark.parametrize(
    ("shards", "problem"),
    [(5, "cannot be moved into 5; what divides them can: 1, 2, 3, 4, 6, 12"), (24, "into 24")],
)
def test_a_number_that_does_not_divide_is_refused(
    moving: Moving, shards: int, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        moving.resharder().plan(shards)
    moving.move(1)
    with pytest.raises(ConfigError, match="into 4 already, not 6"):
        moving.resharder().plan(6)
    moving.move()
    with pytest.raises(ConfigError, match="spread evenly already"):
        moving.resharder().plan(6)
    assert moving.resharder().plan(SHARDS) == moving.resharder().run(0, print)


def test_the_layout_of_shards_that_move_is_none_that_an_earlier_release_reads(
    moving: Moving,
) -> None:
    moving.move(2)
    found = raw(moving.store).hgetall(moving.keys.meta)

    assert (b"3", str(FORMER).encode()) == (found[b"layout"], found[b"shards"])


def test_a_number_in_the_settings_may_be_the_old_or_the_new_one(moving: Moving) -> None:
    for moved in (2, FORMER):
        moving.move(moved)
        for chosen in (FORMER, SHARDS):
            keys = KeySpace(moving.keys.prefix, chosen)
            check_layout(moving.store, keys)
            check_layout(moving.store, keys, agreed=True)
            assert moving.known().customer("acme") == keys.customer("acme")
        with pytest.raises(ConfigError, match="set shards to"):
            check_layout(moving.store, KeySpace(moving.keys.prefix, 3))


def test_a_step_whose_answer_is_lost_is_taken_once(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = resharding.Resharder._take

    def lost(resharder: resharding.Resharder, after: ShardMap, mark: str = "") -> None:
        take(resharder, after, mark)
        if mark:  # a shard was closed or opened
            raise StoreUnavailable("the answer was lost")

    monkeypatch.setattr(resharding.Resharder, "_take", lost)
    monkeypatch.setattr(resharding, "_PAUSE_MIN_S", 0.0)

    moving.move()

    spread = moving.known().spread
    assert (SHARDS, EVEN, 2 * FORMER + 2) == (spread.shards, spread.layout, spread.step)
    assert sorted(CUSTOMERS) == sorted(listed(Customers(moving.store, moving.known())))


def test_a_process_compares_no_keys_any_more_a_while_after_the_last_shard_has_moved(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "KEPT_S", 0.0)
    known, forgotten = Moves(moving.store, moving.keys), []
    moving.move(2)
    known.look()
    known.calm_down(lambda: forgotten.append("while they move"))
    assert moving.keys.moving

    moving.move()
    known.look()
    known.calm_down(lambda: forgotten.append("at once"))
    assert moving.keys.moving
    known.calm_down(lambda: forgotten.append("later"))

    assert (["later"], False) == (forgotten, moving.keys.moving)
    assert moving.known().customer("acme") == moving.keys.customer("acme")
