"""`quotad serve` replaces workers that hang or take too much memory; the others go on."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes import Pid, Process, Start, children_of, starting
from tests.rawhttp2 import Connection, gzip_bomb, headers
from tests.running import Caller, eventually

PLANS = """
version: 1
default_plan: free
features:
  api-calls: {type: metered}
plans:
  free: {entitlements: {api-calls: {limit: 1000000}}}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as made:
        yield made


@pytest.fixture
def store(store_url: str, prefix: str) -> list[str]:
    """The flags that name the store."""
    return ["--redis-url", store_url, "--prefix", prefix]


def two_workers(start: Start, *flags: str) -> tuple[Process, str]:
    """A server of two workers that is ready, and its address."""
    process = start("serve", "--listen", "127.0.0.1:0", "--workers", "2", *flags)
    said = process.wait_for("starting 2 workers on ")
    address = said.split("starting 2 workers on ")[1].split()[0]
    with closing(Caller(address)) as calls:
        calls.publish(PLANS)
        calls.wait_ready()
    return process, address


def test_a_worker_that_hangs_is_replaced(start: Start, store: list[str]) -> None:
    flags = ["--worker-hang-ms", "2000", "--store-timeout-ms", "500"]
    process, address = two_workers(start, *store, *flags)
    hung, _ = eventually(process.children, lambda found: len(found) == 2)
    os.kill(hung.number, signal.SIGSTOP)
    process.wait_for(f"worker {hung.number} has made no progress for ")
    process.wait_for(f"worker {hung.number} ended with -9; starting another")

    def new_workers() -> list[Pid]:
        return [each for each in process.children() if each != hung]

    eventually(new_workers, lambda found: len(found) == 2)
    for _ in range(10):
        with closing(Caller(address)) as calls:
            assert calls.consume("acme", "api-calls").allowed
    assert 0 == process.stop(signal.SIGTERM)


def test_a_gzip_bomb_ends_one_worker_and_the_other_goes_on(start: Start, store: list[str]) -> None:
    # Of the fronts, the one that inflates without a bound.
    flags = ("--front", "native", "--worker-memory-max-mb", "250")
    process, address = two_workers(start, *store, *flags)
    with Connection(address) as attacker:
        attacker.send_message(headers(grpc_encoding="gzip"), gzip_bomb(400))
        attacker.wait_for_close()
    log = process.wait_for("; starting another")

    assert "more than the 250 of worker_memory_max_mb; ending it" in log or "ended with -6" in log
    eventually(process.children, lambda found: len(found) == 2)
    for _ in range(10):
        with closing(Caller(address)) as calls:
            assert calls.consume("acme", "api-calls").allowed
    assert 0 == process.stop(signal.SIGTERM)


def test_every_worker_has_a_session_of_its_own(start: Start, store: list[str]) -> None:
    process, _ = two_workers(start, *store)
    workers = [each.number for each in children_of(process.pid)]

    assert 2 == len(workers)
    assert workers == [os.getsid(pid) for pid in workers]
    assert 0 == process.stop(signal.SIGTERM)
