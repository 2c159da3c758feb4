"""A store that may forget what is counted is noticed, shown, and refused if it evicts keys."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.errors import StoreUnavailable
from quotad.store import Store
from quotad.store.safety import COVERAGE, PROBLEMS, UNCHECKED, UNSYNCED, Safety, judge
from quotad.v1 import admin_pb2
from tests.integration.own_store import OwnStore, own_store
from tests.running import CALL_S, Running, eventually, running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 10}}}}
"""
SAFE = {
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "appendfsync": "everysec",
    "role": "master",
}


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        yield made


def status(server: Running) -> Any:
    return server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)


@pytest.mark.parametrize(
    ("changed", "evicts", "words"),
    [
        ({}, "", []),
        ({"maxmemory": "1"}, "", []),
        ({"maxmemory_policy": "allkeys-lru"}, "", ["would evict"]),
        ({"maxmemory": "1", "maxmemory_policy": "volatile-ttl"}, "volatile-ttl", ["volatile-ttl"]),
        ({"maxmemory": None, "maxmemory_policy": "allkeys-lru"}, "allkeys-lru", ["evicts"]),
        ({"maxmemory_policy": None}, "", [UNCHECKED]),
        ({"aof_enabled": "0"}, "", ["appendonly no"]),
        ({"aof_enabled": None}, "", []),
        ({"role": "slave"}, "", ["replica"]),
        ({"cluster_enabled": "1", COVERAGE: "yes"}, "", [COVERAGE]),
        ({"cluster_enabled": "1", COVERAGE: "no"}, "", []),
        ({"cluster_enabled": "0", COVERAGE: "yes"}, "", []),
        ({"appendfsync": "no"}, "", ["appendfsync no"]),
        ({"appendfsync": "always"}, "", []),
        ({"appendfsync": None}, "", [UNSYNCED]),
        ({"appendfsync": None, "aof_enabled": "0"}, "", ["appendonly no"]),
        ({"appendfsync": None, "maxmemory_policy": None}, "", [f"{UNCHECKED}; {UNSYNCED}"]),
    ],
)
def test_what_info_returns_is_judged(
    changed: dict[str, str | None], evicts: str, words: list[str]
) -> None:
    info = {name: value for name, value in {**SAFE, **changed}.items() if value is not None}

    found = judge(info)

    assert evicts == found.evicts
    assert len(words) == len(found.warnings) == len(found.problems)
    assert set(PROBLEMS) >= found.problems
    assert all(word in told for word, told in zip(words, found.warnings, strict=True))


@pytest.mark.parametrize("policy", ["volatile-lru", "allkeys-lru"])
def test_a_store_that_evicts_keys_is_refused_until_it_does_not(
    store: OwnStore, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.start(maxmemory="64mb", maxmemory_policy=policy, appendonly="yes")
    with running(store.url, "q") as server:
        told = eventually(lambda: status(server), lambda told: "evicts" in told.not_ready_reason)

        assert not told.ready
        assert f"maxmemory-policy {policy}" in told.not_ready_reason
        assert "allow_evicting_store" in told.not_ready_reason
        assert [True] == ["evicts keys" in warning for warning in told.store_warnings]
        assert told.store_up  # it answers, and is refused all the same
        # The status knows it a moment before the log does.
        levels = eventually(
            lambda: [each.levelname for each in caplog.records if "evicts keys" in each.message],
            bool,
        )
        assert ["ERROR"] == levels

        store.client.config_set("maxmemory-policy", "noeviction")
        server.wait_for_store()
        server.publish_and_wait(CATALOG)

        assert server.consume("acme", "calls").allowed
        assert [] == list(status(server).store_warnings)


def test_a_store_that_evicts_keys_may_be_allowed(
    store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.start(maxmemory="64mb", maxmemory_policy="allkeys-lru")
    with (
        caplog.at_level(logging.WARNING, "quotad"),
        running(store.url, "q", allow_evicting_store=True) as server,
    ):
        server.publish_and_wait(CATALOG)

        assert server.consume("acme", "calls").allowed
        told = list(status(server).store_warnings)
        assert 2 == len(told)  # it has no append-only file either
        server.server._monitor._parts.safety.check()
    logged = [record.message for record in caplog.records if record.name == "quotad.store"]
    assert told == logged  # each once


def test_a_store_that_begins_to_evict_is_warned_of_and_goes_on_being_used(store: OwnStore) -> None:
    store.start(appendonly="yes")
    with running(store.url, "q") as server:
        server.publish_and_wait(CATALOG)
        assert [] == list(status(server).store_warnings)

        store.client.config_set("maxmemory-policy", "volatile-lru")
        store.client.config_set("maxmemory", "64mb")
        eventually(lambda: list(status(server).store_warnings), bool)

        assert server.consume("acme", "calls").allowed
        assert status(server).ready


def test_how_often_a_store_syncs_is_looked_up_and_not_known_where_that_is_refused(
    store: OwnStore,
) -> None:
    store.start(appendonly="yes", appendfsync="no")
    store.client.acl_setuser(
        "app", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"]
    )
    made = Store(store.url, timeout_ms=5000)
    other = Store(store.url.replace("unix://", "unix://app:x@"), timeout_ms=5000)
    try:
        safety = Safety(made, allow_evicting=False)
        safety.check()
        assert {"no_fsync"} == safety.problems

        store.client.config_set("appendfsync", "everysec")
        safety.watch()
        assert () == safety.warnings

        refused = Safety(other, allow_evicting=False)
        for _ in range(3):
            refused.watch()
        assert (UNSYNCED,) == refused.warnings
        assert {"unchecked"} == refused.problems
        # Not asked again: every refusal would be noted in the store's own log.
        assert 1 == sum(int(each["count"]) for each in store.client.acl_log())
    finally:
        made.close()
        other.close()


def test_a_store_that_does_not_let_itself_be_checked_is_used(store: OwnStore) -> None:
    store.start()
    store.client.acl_setuser(
        "app", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"]
    )
    made = Store(store.url.replace("unix://", "unix://app:x@"), timeout_ms=5000)
    try:
        safety = Safety(made, allow_evicting=False)
        safety.check()

        assert (UNCHECKED,) == safety.warnings
    finally:
        made.close()


def test_a_store_that_is_not_there_is_no_finding(store: OwnStore) -> None:
    made = Store(store.url, timeout_ms=1000)
    with pytest.raises(StoreUnavailable, match="not available"):
        Safety(made, allow_evicting=False).check()
    made.close()
