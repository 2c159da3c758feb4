"""The generator against a real front, and the rule that decides whether a run counts."""

import threading
from collections.abc import Iterator

import msgspec
import pytest
from pygrpc_native import EVENT_CALL, NativeGrpcFront

from loadtests.bench.cases import Group
from loadtests.bench.h2gen import Generator, Result, Spec
from loadtests.bench.measure import Line, Run, problem_of
from loadtests.bench.report import GroupRuns, LineRuns, Report, as_markdown, pair_notes, sections
from loadtests.bench.traffic import Traffic
from quotad.v1 import quota_pb2 as pb

PATH = "/quotad.bench.Test/Check"
UNAVAILABLE = 14


class Verdicts(threading.Thread):
    """Allows even customers, denies odd ones, fails those that end in 7; counts what it did."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.front = NativeGrpcFront("127.0.0.1:0", [(PATH, False)])
        self.allowed = self.denied = self.errors = 0

    def run(self) -> None:
        while (events := self.front.recv_batch(256)) is not None:
            for kind, call_id, _, payload, _ in events:
                if kind == EVENT_CALL:
                    self._answer(call_id, pb.CheckAndConsumeRequest.FromString(payload or b""))

    def _answer(self, call_id: int, request: pb.CheckAndConsumeRequest) -> None:
        number = int(request.customer_id[-1])
        if number == 7:
            self.errors += 1
            self.front.fail(call_id, UNAVAILABLE, "no")
            return
        allowed = number % 2 == 0
        self.allowed += allowed
        self.denied += not allowed
        answer = pb.CheckAndConsumeResponse(allowed=allowed, used=1)
        self.front.respond(call_id, answer.SerializeToString())


@pytest.fixture
def verdicts() -> Iterator[Verdicts]:
    server = Verdicts()
    server.front.start()
    server.start()
    yield server
    server.front.close()
    server.join(5)


def run(server: Verdicts, **changes: float) -> Result:
    spec = Spec("127.0.0.1", server.front.bound_port, Traffic(path=PATH, customers=10))
    generator = Generator(msgspec.structs.replace(spec, connections=2, streams=4, **changes))
    try:
        return generator.run()
    finally:
        generator.close()


def test_closed_loop_counts_what_the_server_did(verdicts: Verdicts) -> None:
    """Every call is accounted for: allowed, denied or an error."""
    result = run(verdicts, seconds=0.3)

    assert result.calls > 100
    assert result.lost == 0
    assert (verdicts.allowed, verdicts.denied) == (result.allowed, result.denied)
    assert verdicts.errors == result.errors
    assert result.calls == result.answers + result.errors
    assert 0 < result.latency_ms["p50"] <= result.latency_ms["p99"] <= result.latency_ms["max"]


def test_fixed_rate_sends_no_more_than_is_due(verdicts: Verdicts) -> None:
    """The number of calls follows from rate and time; at most the last ones are missing."""
    result = run(verdicts, seconds=0.5, rate=200.0)

    assert 0 < result.calls <= 101
    assert result.calls == result.answers + result.errors
    assert result.lateness_ms


@pytest.mark.parametrize(
    ("changes", "moved", "problem"),
    [
        ({}, 30, ""),
        ({}, 29, "counters grew by 29, answers say 30"),
        ({"calls": 0, "answers": 0, "allowed": 0, "denied": 0}, 0, "no call was sent"),
        ({"answers": 14, "errors": 1, "denied": 4}, 30, "1 errors, 0 lost, 0 failed"),
        ({"denied": 4}, 30, "15 requests, 14 decisions"),
    ],
)
def test_a_run_counts_only_when_everything_agrees(
    changes: dict[str, int], moved: int, problem: str
) -> None:
    """15 calls, 10 of them allowed for a quantity of 3."""
    line = Line("line", "native", Traffic(quantity=3))
    good = Result(15, 15, 0, 0, 10, 5, 0, 1000.0, 0.1, 0.1, {}, {})
    result = msgspec.structs.replace(good, **changes)

    found = problem_of(line, result, moved)

    assert problem == found or (problem and found.startswith(problem))


def test_a_line_with_a_run_that_does_not_count_shows_no_number() -> None:
    """One bad run spoils the line, its ratios and the exit code, not the other lines."""
    result = Result(15, 15, 0, 0, 10, 5, 0, 1000.0, 0.1, 0.1, {"p50": 1.0}, {})
    good = LineRuns(Line("good", "native"), [Run("", result, 40.0, 8.0, 10.0)] * 2)
    bad = LineRuns(Line("bad", "native"), [good.runs[0], Run("why", result, 40.0, 8.0, 10.0)])
    made = GroupRuns(Group("name", "title", [], pairs=[("good", "bad")]), [good, bad])
    report = Report("command", "now", {}, {}, [made])

    (section,) = sections(report)

    assert ["good", "1,000", "1.00"] == section.table[1][:3]
    assert ["bad", "FAILED"] == [cell for cell in section.table[2] if cell]
    assert (["bad: why"], []) == (section.problems, section.notes)
    assert report.failed
    assert "FAILED bad: why" in as_markdown(report)


def test_ratios_are_of_the_same_round() -> None:
    """A busy moment that slows a whole round down leaves its ratio as it is."""
    results = [
        Result(1, 1, 0, 0, 1, 0, 0, per_second, 0.1, 0.1, {}, {}) for per_second in (100.0, 10.0)
    ]
    half = [msgspec.structs.replace(r, per_second=r.per_second / 2) for r in results]
    fast = LineRuns(Line("fast", "native"), [Run("", r, 1.0, 1.0, 1.0) for r in results])
    slow = LineRuns(Line("slow", "native"), [Run("", r, 2.0, 1.0, 1.0) for r in half])
    group = Group("name", "title", [], pairs=[("fast", "slow")])
    both = msgspec.structs.replace(group, cpu=True)

    assert ["fast / slow: 2.00 (2.00 to 2.00)"] == pair_notes(GroupRuns(group, [fast, slow]))
    assert ["fast / slow: 2.00 (2.00 to 2.00)", "CPU, fast / slow: 0.67 (0.67 to 0.67)"] == (
        pair_notes(GroupRuns(both, [fast, slow]))
    )
