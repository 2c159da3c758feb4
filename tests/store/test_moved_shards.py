"""Whatever works on a shard refuses one that has moved, or is being moved."""

import re
import time
from pathlib import Path

import pytest

from quotad.errors import ShardMoved
from quotad.store import ChargeStatus, KeySpace, Store, scripts
from quotad.store.shard_map import CLOSED, MOVED
from tests.processes import ROOT
from tests.raw import raw
from tests.store.conftest import Scripted

SCRIPTS = sorted((ROOT / "lua").glob("*.lua"))

ELSEWHERE = {
    "acknowledge_catalog",
    "activate_catalog",
    "advance_catalog",
    "change_export",
    "claim_export",
    "keep_files",
    "move_step",
    "note_change",
    "prepare_catalog",
    "put_tokens",
    "write_webhook",
    "register_server",
    "remove_draft",
    "restore_catalog",
    "save_draft",
    "write_export",
}
"""Scripts that touch no key of a customer; those that write tags of catalogs have tests below."""

OTHERWISE = {
    "check_and_consume": "compares the tag with that of its charges",
    "read_holds": "reads what is decided on by others, which do",
    "join_shard": "is what fills the new place of a shard, and has a token for it",
}


def refuses(path: Path) -> bool:
    return '-- @include "refuse_moved"' in path.read_text()


def test_every_script_that_works_on_a_shard_refuses_one_that_has_moved() -> None:
    refusing = {path.stem for path in SCRIPTS if refuses(path)}

    assert {path.stem for path in SCRIPTS} == refusing | ELSEWHERE | {*OTHERWISE}
    assert not refusing & (ELSEWHERE | {*OTHERWISE})


@pytest.mark.parametrize("mark", [CLOSED, MOVED])
def test_a_script_changes_nothing_of_a_shard_that_has_moved(
    store: Store, keys: KeySpace, mark: str
) -> None:
    acme = keys.customer("acme")
    raw(store).set(acme.catalog, mark)
    before = raw(store).keys(f"{keys.prefix}:*")
    for path in filter(refuses, SCRIPTS):
        named = [int(place) for place in re.findall(r"^-- KEYS\[(\d+)\]", path.read_text(), re.M)]
        names = [f"{acme.usage}:{number}" for number in range(max(named, default=1) + 3)]
        with pytest.raises(ShardMoved):
            store.run(scripts.load(path.stem), [*names, acme.catalog], ["1"] * 20)

    assert before == raw(store).keys(f"{keys.prefix}:*")


def test_a_charge_of_a_shard_that_has_moved_takes_nothing(scripted: Scripted) -> None:
    raw(scripted.store).set(scripted.keys.catalog, MOVED)

    (settled,) = scripted.settle(scripted.charge(1, 10))

    assert (ChargeStatus.STALE_CATALOG, MOVED.encode()) == (settled.status, settled.memo)
    assert {} == scripted.used()
    with pytest.raises(ShardMoved):
        scripted.counters.recall(scripted.keys, "key", time.monotonic() + 5)


PLAIN_WRITES = re.compile(
    r'\(\s*"(SET|SETEX|DEL|UNLINK|[HZS]ADD|HSET\w*|[HZ]DEL|ZREM\w*|[LR]PUSH|P?EXPIRE\w*|PERSIST|'
    r'INCR\w*|RENAME|RESTORE|XADD|XTRIM)"'
)
"""The first words of a command that writes."""

PLAIN_WRITERS = {
    "catalogs": "of the catalog",
    "changes": "by ShardCommands",
    "connection": "what has expired, of a simulation",
    "customers": "by ShardCommands",
    "decided": "of all customers",
    "drafts": "of the catalog",
    "erasures": "by ShardCommands",
    "exports": "how far exports are",
    "fleet": "of servers",
    "follow": "a stream that is none",
    "holds": "whether there has been one",
    "index": "the claim of a shard, which expires; the rest by ShardCommands",
    "journals": "the name of the store",
    "ledger": "who is masked in it, which stays where it is",
    "lists": "by ShardCommands, where it is of a shard",
    "meta": "the layout",
    "nearby": "of all customers",
    "reshard_copy": "with its token",
    "resharding": "of shards that have moved",
    "seen": "by ShardCommands",
    "sessions": "of people",
    "tokens": "of tokens",
    "watched": "of all customers",
    "webhooks": "of receivers",
}
"""Modules of the store that write without a script, and what."""


def test_no_other_module_of_the_store_writes_without_a_script() -> None:
    writing = {
        path.stem
        for path in (ROOT / "quotad" / "store").glob("*.py")
        if PLAIN_WRITES.search(path.read_text())
    }

    assert writing <= {*PLAIN_WRITERS}
