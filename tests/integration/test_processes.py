"""`quotad serve` with several workers and `quotad sidecar`: how they start, end and are killed."""

import json
import logging
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quotad.fronts.grpcio_server import GrpcioServer
from quotad.v1 import admin_pb2
from tests.processes import Pid, Process, Start, address_in_log, quotad, starting
from tests.running import CALL_S, Caller, eventually

PLANS = """
version: 1
default_plan: free
features:
  api-calls: {type: metered}
plans:
  free: {entitlements: {api-calls: {limit: 3}}}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as made:
        yield made


@pytest.fixture
def store(store_url: str, prefix: str) -> list[str]:
    """The flags that name the store."""
    return ["--redis-url", store_url, "--prefix", prefix, "--store-timeout-ms", "5000"]


def serve(start: Start, *flags: str) -> Process:
    return start("serve", "--listen", "127.0.0.1:0", *flags)


def two_workers(start: Start, *flags: str) -> tuple[Process, str]:
    """A server of two workers, and its address."""
    process = serve(start, "--workers", "2", *flags)
    said = process.wait_for("starting 2 workers on ")
    address = said.split("starting 2 workers on ")[1].split()[0]
    with closing(Caller(address)) as calls:
        calls.publish(PLANS)
        calls.wait_ready()
    return process, address


def workers(process: Process) -> list[Pid]:
    return eventually(process.children, lambda found: len(found) == 2)


def pid_of_status(address: str) -> int:
    """Which worker a new connection meets."""
    with closing(Caller(address)) as calls:
        request = admin_pb2.GetStatusRequest()
        status = calls.admin.GetStatus(request, timeout=CALL_S, wait_for_ready=True)
    return int(status.pid)


def pids_that_answer(address: str, wanted: set[int]) -> None:
    """Ask over new connections until these workers have answered."""
    found: set[int] = set()
    eventually(lambda: found.add(pid_of_status(address)), lambda _: wanted <= found)


def test_two_workers_share_the_limits_and_a_killed_one_is_replaced(
    start: Start, store: list[str]
) -> None:
    process, address = two_workers(start, *store)
    first, second = workers(process)
    pids_that_answer(address, {first.number, second.number})
    status = json.loads(quotad("status", "--json", QUOTAD_SERVER=address).stdout)

    assert status["pid"] in (first.number, second.number)

    first.kill()
    process.wait_for(f"worker {first.number} ended with -9; starting another")
    kept, new = sorted(workers(process), key=lambda worker: worker.started)
    pids_that_answer(address, {second.number, new.number})

    assert second == kept

    allowed = 0
    for _ in range(8):
        with closing(Caller(address)) as calls:
            calls.wait_ready()
            allowed += calls.consume("acme", "api-calls").allowed

    assert 3 == allowed
    assert 0 == process.stop(signal.SIGTERM)
    # The worker that was killed is counted, too; its last half second may be missing.
    last = process.wait_for(" decisions: ")
    assert "stopped after 8 decisions: LIMIT_EXCEEDED 5, WITHIN_LIMIT 3" in last


def test_the_kill_of_a_parent_ends_its_workers(start: Start, store: list[str]) -> None:
    process, _ = two_workers(start, *store)
    left = workers(process)
    process.send(signal.SIGKILL)
    process.wait()

    eventually(lambda: [each for each in left if each.running], lambda running: not running)


def test_a_sidecar_makes_a_server_ready_and_keeps_it_in_step(
    start: Start, store: list[str]
) -> None:
    plans = start.cwd / "plans.yaml"
    plans.write_text(PLANS)
    server = serve(start, *store)
    with closing(Caller(address_in_log(server))) as calls:
        server.wait_for("not ready: no catalog was published yet")
        sidecar = start("sidecar", *store, QUOTAD_SOURCE="plans.yaml")
        calls.wait_ready()

        assert 3 == calls.consume("acme", "api-calls").limit

        plans.write_text(PLANS.replace("limit: 3", "limit: 5"))
        sidecar.wait_for("plans.free.entitlements.api-calls.limits[0].limit 3 -> 5")

        assert (5, 2) == ((found := calls.consume("acme", "api-calls")).limit, found.used)

        plans.write_text(PLANS.replace("limit: 3", "limit: -1"))
        sidecar.wait_for("the catalog is not valid, the catalog in force stays: plans.yaml: plans.")
        assert 0 == sidecar.stop(signal.SIGTERM)

        assert (5, 3) == ((found := calls.consume("acme", "api-calls")).limit, found.used)
    assert 0 == server.stop(signal.SIGINT)
    assert "Traceback" not in sidecar.log + server.log


def test_processes_wait_for_a_store_and_can_be_stopped_meanwhile(start: Start) -> None:
    nowhere = f"unix://{start.cwd / 'none.sock'}"
    waiting = [
        serve(start, "--redis-url", nowhere),
        start("sidecar", "--redis-url", nowhere, "--source", "plans.yaml"),
    ]
    for process in waiting:
        process.wait_for("trying again until it can be used")
    for process in waiting:
        assert 0 == process.stop(signal.SIGTERM)
        assert "Traceback" not in process.log


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sidecar"], "source: missing; give at least one file, directory or URL"),
        (["sidecar", "--source", "ftp://plans"], "ftp"),
        (["serve", "--workers", "0"], "--workers: expected int >= 1, got 0"),
        (["serve", "--listen", "127.0.0.1:0", "--redis-url", "http://here"], "redis_url: "),
    ],
)
def test_a_setting_that_cannot_work_ends_a_process_with_one_line(
    start: Start, command: list[str], said: str
) -> None:
    process = start(*command)

    assert 2 == process.wait()
    assert "" == process.output
    [line] = process.log.splitlines()
    assert line.startswith("quotad: ")
    assert said in line


def test_a_taken_address_is_reported_in_one_line_and_its_owner_ends_by_ctrl_c(
    start: Start, store: list[str]
) -> None:
    first, address = two_workers(start, *store)
    for second in [
        start("serve", *store, "--workers", count, "--listen", address) for count in ("1", "2")
    ]:
        assert 2 == second.wait_for_all()
        assert [
            f"quotad: listen: cannot listen on {address}: Address already in use"
        ] == second.log.splitlines()
    first.press_ctrl_c()

    assert 0 == first.wait_for_all()
    assert 2 == len(first.seen)
    assert "Traceback" not in first.log
    assert " ERROR " not in first.log


def test_a_store_laid_out_otherwise_ends_a_server(start: Start, store: list[str]) -> None:
    first = serve(start, *store, "--shards", "8")
    with closing(Caller(address_in_log(first))) as calls:
        calls.publish(PLANS)
        calls.wait_ready()
    for workers in ("1", "2"):
        second = serve(start, *store, "--shards", "16", "--workers", workers)

        assert 2 == second.wait_for_all()
        told = [line for line in second.log.splitlines() if " INFO " not in line]
        assert 1 == len(told), second.log
        assert told[0].startswith("quotad: shards: the store at ")
        assert told[0].endswith("not 16; set shards to 8")
    assert 0 == first.stop()


def test_stopping_the_grpcio_server_leaves_nothing_to_its_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that read from a closed socket was logged at some stops, with a traceback."""
    with caplog.at_level(logging.WARNING, "asyncio"):
        for number in range(30):
            server = GrpcioServer(f"unix:{tmp_path / str(number)}", ["a.B"], lambda server: None)
            server.start()
            server.set_ready(True)
            server.stop()

    assert [] == caplog.records
