"""What is killed while shards move, a primary whose replica takes over or the process that moves
them, costs no count: what is run again completes the store.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quotad.store import resharding
from quotad.store.resharding import Resharder
from quotad.valkey_cluster import PrivateCluster
from tests.integration.resharded import SHARDS, Load, Old, check
from tests.integration.sentinels import watched
from tests.integration.stage import SETTINGS, add_replica
from tests.processes import DEADLINE_S, environment
from tests.running import running

KINDS = ("until_answered",)
"""Calls that are repeated under their key: of each it is known in the end what it took."""

CALLERS = 3

ON_THE_FIRST = 3
"""The shard whose old and new place are both on the first of three nodes."""

COMMANDS = 3
"""Which command it is before which is killed, of those while that shard is closed."""

RESHARD = """
import sys
from quotad.cli import main
from quotad.store import resharding
resharding.KNOWN_S, resharding.LEFT_S = 0.0, 0.1
stops_at = int(sys.argv.pop(1))
join_mark = resharding.ShardCopy.join_mark
def stop(copy):
    if copy.shard == stops_at:
        print("closed", flush=True)
        sys.stdin.read()
    join_mark(copy)
resharding.ShardCopy.join_mark = stop
main()
"""
"""The command, without its pauses; while the shard of the first argument is closed it waits."""

Kill = Callable[[], None]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resharding, "KNOWN_S", 0.0)
    monkeypatch.setattr(resharding, "LEFT_S", 0.1)


@contextmanager
def behind_sentinels() -> Iterator[tuple[str, Kill]]:
    """The URL of a store, and what kills its primary once the replica has all of it."""
    with watched() as group:

        def kill() -> None:
            assert b":1" in group.servers[0].ask("WAIT 1 5000")
            group.servers[0].process.kill()

        yield group.url, kill


@contextmanager
def on_a_cluster() -> Iterator[tuple[str, Kill]]:
    """The same of a cluster, of its first node."""
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "n", 3, **SETTINGS) as cluster,
    ):
        add_replica(cluster)

        def kill() -> None:
            assert ":1" in cluster.nodes[0].command("WAIT 1 5000")
            cluster.nodes[0].process.kill()

        yield cluster.url, kill


def kill_within(resharder: Resharder, load: Load, kill: Kill) -> Callable[[str, Any], Any]:
    """Kill once, while a shard is closed that the first node has, between two commands about it."""
    left = [COMMANDS]

    def before(name: str, do: Any) -> Any:
        def act(*args: Any, **named: Any) -> Any:
            spread = resharder._keys.spread
            if spread.closed and spread.moved == ON_THE_FIRST:
                left[0] -= 1
                if not left[0]:
                    with load.held():
                        kill()
            return do(*args, **named)

        return act

    return before


@pytest.mark.parametrize("made", [behind_sentinels, on_a_cluster])
def test_a_primary_that_is_killed_while_a_shard_moves_costs_no_count(
    made: Callable[[], Any], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made() as (url, kill):
        old = Old(url, prefix)
        with running(url, prefix, shards=0) as server:
            server.wait_ready()
            load = Load([server], CALLERS, KINDS)
            load.go_on()
            resharder = old.resharder()
            before = kill_within(resharder, load, kill)
            for name in ("run_many", "execute", "execute_many"):
                do = getattr(resharder._store, name)
                monkeypatch.setattr(resharder._store, name, before(name, do))
            resharder.run(SHARDS, lambda _: None)
            load.go_on()
            load.stop()
            resharder.sweep()

            assert load.errors  # it was killed
            server.store.look_up()
            check(old, server, load)
        old.store.close()


def test_the_command_that_is_killed_is_gone_on_with_by_the_next_one(
    store_url: str, prefix: str
) -> None:
    old = Old(store_url, prefix)
    where = ["--redis-url", store_url, "--prefix", prefix]
    words = ["store", "reshard", "--shards", str(SHARDS), *where]

    def reshard(stops_at: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", RESHARD, str(stops_at), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe)

    with running(store_url, prefix, shards=0) as server:
        server.wait_ready()
        load = Load([server], CALLERS, KINDS)
        load.go_on()
        with reshard(stops_at=ON_THE_FIRST) as process:
            assert process.stdout is not None
            assert b"closed" in process.stdout.readline()
            process.kill()
        with reshard(stops_at=-1) as process:
            output, _ = process.communicate(timeout=DEADLINE_S)
            assert 0 == process.returncode, output
        load.stop()

        check(old, server, load)
    old.store.close()
