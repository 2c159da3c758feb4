"""Lone calls beside busy processes, and what the benchmark starts in which session."""

import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from loadtests.bench import busy
from loadtests.bench.cases import groups
from loadtests.bench.kinds import EARLIER
from loadtests.bench.measure import Line, measure
from loadtests.bench.processes import Machinery
from loadtests.bench.traffic import Traffic
from quotad.fronts.kinds import is_installed
from tests.processes import DEADLINE_S, children_of
from tests.running import eventually

HOT = Traffic(feature_id="feature-api-calls", pick="hot")


@pytest.fixture(scope="module")
def machinery() -> Iterator[Machinery]:
    with Machinery() as made:
        yield made


def test_busy_loops_are_in_this_session_and_end_with_their_block() -> None:
    with busy.loops(2) as pids:
        loops = children_of(os.getpid())
        assert set(pids) <= {loop.number for loop in loops}
        assert {os.getsid(0)} == {os.getsid(pid) for pid in pids}

    assert not [loop for loop in loops if loop.number in pids and loop.running]


def test_busy_loops_end_with_a_benchmark_that_was_killed() -> None:
    program = "import time; from loadtests.bench import busy\nwith busy.loops(1): time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program]) as benchmark:
        loops = eventually(lambda: children_of(benchmark.pid), bool, DEADLINE_S)
        benchmark.kill()

    eventually(lambda: [loop for loop in loops if loop.running], lambda left: not left, DEADLINE_S)


def test_a_server_has_a_session_of_its_own_unless_it_is_started_as_in_a_terminal(
    machinery: Machinery,
) -> None:
    apart = machinery.server("noop").process.pid
    beside = machinery.server("native-in-terminal").process.pid

    assert (apart, os.getsid(0)) == (os.getsid(apart), os.getsid(beside))


def test_lone_calls_beside_a_busy_process_are_all_counted(machinery: Machinery) -> None:
    line = Line("busy", "native-in-terminal", HOT, connections=1, streams=1, busy=1)

    run = measure(machinery, line, seconds=0.3, seed=1)

    assert ("", True) == (run.problem, run.result.allowed > 0)


def test_each_front_and_an_earlier_checkout_are_measured_with_and_without_busy_processes() -> None:
    [group] = [group for group in groups([EARLIER]) if group.name == "busy"]

    assert not group.by_default
    assert [
        ("native", 0),
        ("native busy", busy.COUNT),
        *([("fast", 0), ("fast busy", busy.COUNT)] if is_installed("fast") else []),
        ("grpcio", 0),
        ("grpcio busy", busy.COUNT),
        ("earlier", 0),
        ("earlier busy", busy.COUNT),
    ] == [(line.name, line.busy) for line in group.lines]
    alike = {msgspec.structs.replace(line, name="", server="", busy=0) for line in group.lines}
    assert [(1, 1)] == [(line.connections, line.streams) for line in alike]
