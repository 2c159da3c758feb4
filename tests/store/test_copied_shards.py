"""What is kept of a shard is there once and as a whole after it has moved."""

from collections.abc import Sequence
from typing import Any

import pytest

from quotad.errors import Conflict, StoreError
from quotad.journal import JournalCounter, JournalEntry
from quotad.store import Customers, KeySpace, Store
from quotad.store.changed_keys import ChangedKeys
from quotad.store.erasures import Erasures
from quotad.store.journals import JournalOutcome, JournalScript
from quotad.store.keys import EVEN
from quotad.store.nearby import NearbyStore
from quotad.store.reshard_copy import ShardCopy
from quotad.store.seen import SeenStore
from quotad.store.shard_map import MOVED, MOVING, ShardMap
from tests.raw import raw
from tests.store.moving import CUSTOMERS, FORMER, SHARDS, Moving, listed


def everything(store: Store, keys: KeySpace) -> dict[str, tuple[str, Any, bool]]:
    """Type, value and whether it expires of every key of customers, without its shard."""
    client = raw(store)
    found: dict[str, tuple[str, Any, bool]] = {}
    for raw_name in client.keys(f"{keys.prefix}:*"):
        name = raw_name.decode()
        tag, _, rest = name.partition("}:")
        kind = client.type(name).decode()
        if tag.endswith(("{catalogs", "{tokens")) or kind == "stream" or ":" not in rest:
            continue
        value = {
            "string": lambda n: client.get(n),
            "hash": lambda n: client.hgetall(n),
            "zset": lambda n: client.zrange(n, 0, -1, withscores=True),
            "list": lambda n: client.lrange(n, 0, -1),
        }[kind](name)
        found[rest] = (kind, value, client.pexpiretime(name) > 0)
    return found


def test_all_that_is_kept_of_customers_is_there_after_their_shards_have_moved(
    moving: Moving,
) -> None:
    client, far_ms = raw(moving.store), 4_000_000_000_000
    for number, name in enumerate(CUSTOMERS):
        its = moving.keys.customer(name)
        client.set(f"{its.usage}:calls:life", number)
        client.set(f"{its.decision}key", "kept", pxat=far_ms)
        client.hset(its.holds, "hold", "record")
        client.zadd(its.hold_ends, {"hold": far_ms})
        client.lpush(moving.keys.changes(name), "1:change")
    SeenStore(moving.store, moving.keys, moving.customers).note({"unknown": 0, "other": 0}, 5)
    Erasures(
        moving.store, moving.keys, moving.customers, NearbyStore(moving.store, moving.keys)
    ).erase("other", [])
    before = everything(moving.store, moving.keys)
    sets = {
        name: {
            member
            for shard in range(FORMER)
            for member in client.zrange(f"{moving.keys.of_shard(shard)}{name}", 0, -1)
        }
        for name in ("customers", "index", "seen", "erased", "written")
    }

    assert FORMER == len(moving.move())

    keys = moving.known()
    assert (EVEN, SHARDS) == (keys.layout, keys.shards)
    assert before == everything(moving.store, keys)
    for name, members in sets.items():
        found = [client.zrange(f"{keys.of_shard(shard)}{name}", 0, -1) for shard in keys.places]
        assert members == {each for some in found for each in some}, name
    assert {keys.prefix} == {
        name.decode().partition(":{")[0] for name in client.keys(f"{keys.prefix}:*:c:*")
    }
    tags = moving.tags()
    assert {MOVED} == {tags[name] for name in moving.keys.shard_catalogs}
    assert {"1.abc"} == {tags[name] for name in keys.catalogs_in_force}


def entry(sequence: int, customer_id: str) -> JournalEntry:
    counters = (JournalCounter(":calls:life", 1, 0),)
    return JournalEntry(sequence, 5, customer_id, 0, counters, (), "", "", b"", 0)


def test_entries_of_a_journal_are_settled_once_each_wherever_their_shards_are(
    moving: Moving,
) -> None:
    names = [f"j{number}" for number in range(30)]
    entries = [entry(number, name) for number, name in enumerate(names, 1)]

    def settle(script: JournalScript, some: Sequence[JournalEntry]) -> set[int]:
        grains: dict[int, list[JournalEntry]] = {}
        for each in some:
            grains.setdefault(script.grain(each), []).append(each)
        return {outcome for each in grains.values() for outcome in script.settle("j", each)}

    counted, before = {JournalOutcome.COUNTED}, {JournalOutcome.BEFORE}
    script = JournalScript(moving.store, moving.keys)
    # The later ones first, of other shards than the rest.
    late = [each for each in entries if moving.keys.shard(each.customer_id) % 2]
    assert counted == settle(script, late)
    moving.move(6)
    assert before == settle(script, late)
    rest = [each for each in entries if each not in late]
    half = [each for each in rest if moving.keys.grain(each.customer_id) < 6]
    assert counted == settle(script, half)
    moving.move()

    script = JournalScript(moving.store, moving.known())
    assert before == settle(script, [*late, *half])
    assert counted == settle(script, [each for each in rest if each not in half])
    keys = moving.known()
    assert {b"1"} == {
        raw(moving.store).get(keys.customer(name).usage + ":calls:life") for name in names
    }


def test_a_publisher_that_has_not_heard_of_it_reaches_all_shards(moving: Moving) -> None:
    for moved, publishes in ((3, "def"), (3, "bcd"), (6, "cde")):
        moving.move(moved)
        moving.catalogs.publish(b"{}", publishes)
        version = moving.catalogs.version()
        tags, keys = moving.tags(), moving.known()
        in_force = {tags[name].partition("~")[0] for name in keys.catalogs_in_force}
        assert {f"{version}.{publishes}"} == in_force
        assert {MOVED} >= {tags[name] for name in keys.catalogs_gone}
        assert not moving.catalogs.mend()


def test_a_lost_tag_is_mended_while_shards_move(moving: Moving) -> None:
    moving.move(5)
    keys = moving.known()
    before = moving.tags()
    raw(moving.store).delete(keys.catalogs_in_force[0], keys.catalogs_in_force[-1])

    assert moving.catalogs.mend()

    assert before == moving.tags()


def test_two_processes_do_not_both_copy(moving: Moving) -> None:
    moving.move(1)
    keys = moving.known()
    first, second = (ShardCopy(moving.store, keys, 1, token) for token in ("one", "two"))
    assert not first.begin()
    assert second.begin()
    name = moving.keys.customer(next(n for n in CUSTOMERS if moving.keys.shard(n) == 1)).record

    with pytest.raises(Conflict):
        first.copy([name])
    assert 1 == second.copy([name])

    mine = moving.resharder()
    moving.move(2)
    with pytest.raises(Conflict):
        mine._take(ShardMap(SHARDS, MOVING, FORMER, 5, step=99))


def test_what_a_process_that_has_died_has_copied_too_much_is_removed(moving: Moving) -> None:
    moving.move(4)
    keys = moving.known()
    copy = ShardCopy(moving.store, keys, 4, "dead")
    copy.begin()
    mine = [name for name in CUSTOMERS if moving.keys.shard(name) == 4]
    extra = moving.keys.customer(mine[0]).usage + ":calls:life"
    raw(moving.store).set(extra, 5)
    start = moving.keys.of_shard(4)
    copy.copy([extra, f"{start}customers", f"{start}index"])
    raw(moving.store).delete(extra)
    others = Customers(moving.store, keys)
    Erasures(moving.store, keys, others, NearbyStore(moving.store, keys)).erase(mine[0], [])

    moving.move()

    keys = moving.known()
    assert None is raw(moving.store).get(keys.customer(mine[0]).usage + ":calls:life")
    assert mine[0] not in listed(Customers(moving.store, keys))
    everybody = [raw(moving.store).zrange(keys.shard_customers[p], 0, -1) for p in keys.places]
    assert mine[0].encode() not in [each for some in everybody for each in some]


def test_what_changes_of_a_shard_is_noticed_until_a_connection_is_lost(
    moving: Moving, store_url: str
) -> None:
    start = moving.keys.of_shard(2)
    try:
        changes = ChangedKeys(moving.store, [start])
    except StoreError:  # this user may not
        assert "quotad:s3" in store_url
        return
    client = raw(moving.store)
    client.set(f"{start}u:x", 1)
    client.set(f"{moving.keys.of_shard(3)}u:x", 1)
    assert {f"{start}u:x"} == changes.read()
    assert set() == changes.read()
    client.delete(f"{start}u:x")
    assert {f"{start}u:x"} == changes.read()
    changes._asker.close()
    with pytest.raises(StoreError):
        changes.read()
    changes.close()
