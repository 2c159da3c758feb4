"""`quotad store reshard`, on a store of its own."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from quotad.records import CustomerRecord
from quotad.store import Customers, KeySpace, Store, resharding
from quotad.store.fleet import Fleet
from quotad.store.keys import NUMBERED
from tests.raw import raw
from tests.service.command_line import Run

FORMER = 6

Reshard = Callable[..., Result]


@pytest.fixture
def store(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One of an earlier release, with customers."""
    monkeypatch.setattr(resharding, "KNOWN_S", 0.0)
    monkeypatch.setattr(resharding, "LEFT_S", 0.0)
    made = Store(store_url, timeout_ms=5_000)
    keys = KeySpace(prefix)
    keys.lay_out(FORMER, NUMBERED)
    raw(made).hset(keys.meta, mapping={"layout": 1, "shards": FORMER})
    names = [f"c{number}" for number in range(30)]
    Customers(made, keys).write_many([(name, lambda _: CustomerRecord("c")) for name in names])
    return made


@pytest.fixture
def reshard(quotad: Run, store_url: str, prefix: str) -> Reshard:
    def call(*words: str) -> Result:
        return quotad("store", "reshard", *words, "--redis-url", store_url, "--prefix", prefix)

    return call


def test_what_would_be_done_is_shown_and_then_done(
    reshard: Reshard, store: Store, prefix: str
) -> None:
    before = raw(store).keys(f"{prefix}:*")

    assert "6 shards of 6 would be moved into 3\n" == reshard("--shards", "3", "--dry-run").stdout
    assert before == raw(store).keys(f"{prefix}:*")

    done = reshard("--shards", "3")
    assert 0 == done.exit_code, done.stderr
    assert done.stdout.startswith("6 shards moved into 3, ")
    assert "resharding: 1 of 6, " in done.stderr
    nothing = "nothing to do: the store has 3 shards that are spread evenly\n"
    assert (nothing, nothing) == (reshard().stdout, reshard("--dry-run").stdout)
    store.close()


def test_it_is_shown_as_json(reshard: Reshard, store: Store) -> None:
    plan = json.loads(reshard("--shards", "2", "--dry-run", "--json").stdout)
    done = json.loads(reshard("--shards", "2", "--json").stdout)

    assert {"former": 6, "shards": 2, "moved": 0} == plan
    assert (6, 2, 6, 0) == (done["former"], done["shards"], done["moved"], done["left_deleted"])
    assert done["keys"] > 60
    assert done["closed_s_max"] >= 0
    store.close()


def test_what_cannot_be_done_is_one_line(reshard: Reshard, store: Store, prefix: str) -> None:
    refused = reshard()
    assert (2, "") == (refused.exit_code, refused.stdout)
    assert refused.stderr == (
        "quotad: shards: the 6 shards of the store cannot be moved into 32; what divides them can:"
        " 1, 2, 3, 6\n"
    )
    Fleet(store, KeySpace(prefix), "db1:17:abc").beat()
    assert "db1 (pid 17); update all servers and sidecars first" in reshard("--shards", "3").stderr
    store.close()
