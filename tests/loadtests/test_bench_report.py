"""What a result leaves: it can be read back, drawn, and told in words."""

import sys
from pathlib import Path

import msgspec
import pytest

from loadtests.bench import plots, proc, shares
from loadtests.bench.__main__ import chosen, command_line, parse_arguments
from loadtests.bench.cases import Group, groups
from loadtests.bench.h2gen import Result
from loadtests.bench.kinds import EARLIER, PROTOTYPE
from loadtests.bench.launcher import Trace, Traced
from loadtests.bench.measure import Run
from loadtests.bench.memory import each, mb
from loadtests.bench.report import (
    GroupRuns,
    LineRuns,
    Report,
    as_markdown,
    sections,
    warning,
)
from loadtests.bench.soak import SMOOTH, Sample, Soak, draw

PNG = b"\x89PNG"


def report(problem: str = "") -> Report:
    """Every group, as if each run had measured the same."""
    latency = {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0}
    result = Result(15, 15, 0, 0, 10, 5, 0, 1000.0, 0.1, 0.1, latency, {})
    traced = Traced(15, latency, latency, {"mean": 2.0, "max": 3.0}, {"generation 0": 0.5})
    runs = [Run(problem, result, 40.0, 8.0, 10.0, 25.0, 0.3, traced)] * 2
    machine = {"cpu": "CPU", "cores": 2}
    made = [
        GroupRuns(group, [LineRuns(line, [*runs]) for line in group.lines], [latency])
        for group in groups((EARLIER, PROTOTYPE))
    ]
    return Report("command", "now", machine, {}, made)


def test_a_result_can_be_read_back() -> None:
    """Plots are drawn from the JSON, so nothing in it may have another type than it says."""
    made = report()

    again = msgspec.json.decode(msgspec.json.encode(made), type=Report)

    assert made == again


def test_every_picture_is_drawn_and_failed_lines_are_left_out(tmp_path: Path) -> None:
    """A result in which nothing counts has no pictures."""

    paths = plots.draw(report(), "name", tmp_path)

    some = ["shares"] if shares.is_possible() else []
    assert ["cost", "latency", *some, "streams", "workers"] == sorted(p.stem[5:] for p in paths)
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    assert [] == plots.draw(report("why"), "name", tmp_path)


def test_notes_show_who_used_the_cores_and_what_servers_saw() -> None:
    """1,000 decisions/s of 40 us are 0.04 cores."""
    tables = {section.title: section for section in sections(report())}

    (workers,) = [found for title, found in tables.items() if "worker processes" in title]
    (latency,) = [found for title, found in tables.items() if title.startswith("fixed rate")]

    assert (
        "1 worker: of 2 cores, server 0.04, Redis 0.01, generator 0.10, others 0.30"
        in workers.notes
    )
    assert latency.notes[0].endswith("p50 1.00, p99 2.00, p99.9 3.00 ms")
    assert latency.notes[1].startswith("native 1,000/s: round trip to the store p50 1.00, p99 2.00")
    assert latency.notes[1].endswith("longest GC pause 0.5, 0.5 ms")
    assert ["1.00", "2.00", "3.00"] == latency.table[1][-3:]


def test_a_disturbed_result_reports_it() -> None:
    """By group: the noise of a busy machine comes and goes."""
    made = report()
    for group in made.groups[1:]:
        for line in group.lines:
            line.runs[:] = [msgspec.structs.replace(run, other_cores=0.05) for run in line.runs]

    assert "beside fronts (0.3);" in warning(made)
    assert warning(made) in as_markdown(made)
    assert "" == warning(msgspec.structs.replace(made, groups=made.groups[1:]))


def test_quick_takes_few_groups_and_one_round() -> None:
    """What is named is measured whatever it is part of; what is said of rounds holds."""
    quick = chosen(parse_arguments(["--quick"]))
    named = chosen(parse_arguments(["settings", "--quick", "--rounds", "3"]))

    assert {group.name for group in groups() if group.quick} == {group.name for group in quick}
    assert {(1.0, 1)} == {(group.seconds, group.rounds) for group in quick}
    assert [("settings", 1.0, 3)] == [(g.name, g.seconds, g.rounds) for g in named]


def test_pairs_and_lines_agree() -> None:
    """Names of lines are used once, and pairs name lines that there are."""

    def names(group: Group) -> list[str]:
        return [line.name for line in group.lines]

    for group in groups((EARLIER, PROTOTYPE)):
        assert len(set(names(group))) == len(group.lines)
        assert {name for pair in group.pairs for name in pair} <= set(names(group))


def test_folders_of_this_machine_are_not_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A result is meant to be checked in."""
    monkeypatch.setattr(sys, "argv", ["bench", "fronts", "--prototype", str(tmp_path)])

    assert "python -m loadtests.bench fronts --prototype DIR" == command_line()


def test_a_trace_is_empty_after_it_was_taken() -> None:
    """Each run reads its own share."""
    trace = Trace()
    trace._calls += [0.001, 0.002]
    trace._batches += [1, 3]

    first, second = trace.take(), trace.take()

    assert (2, {"mean": 2.0, "max": 3.0}) == (first.calls, first.batch)
    assert Traced() == second


def test_cpu_and_memory_of_this_process_are_found() -> None:
    """Threads that are not named as deciders count as the front, where there is no native one."""
    pid = int(Path("/proc/self").resolve().name)
    found = proc.cpu(pid)

    assert 0 < found.whole
    assert 0 <= found.front <= found.whole + 0.1
    assert proc.rss_bytes(pid) > 1_000_000
    assert proc.busy_s() > found.whole


def test_cpu_time_of_a_process_that_has_ended_is_not_taken_away() -> None:
    before = {1: 5.0, 2: 40.0}

    assert 3.5 == proc.spent_s(before, {1: 6.0, 3: 2.5})
    assert 0.0 == proc.spent_s(before, {})
    assert 0.0 == proc.spent_s({1: 5.0}, {1: 4.0})


def test_memory_is_reported_in_words() -> None:
    assert "1.5 MB" == mb(1_500_000)
    assert "452 bytes" == each(45_200_000, 100_000)


@pytest.mark.parametrize(
    ("after", "problem"),
    [(105, ""), (95, ""), (106, "RSS of the worker +6.0% after"), (94, "worker -6.0% after")],
)
def test_a_soak_fails_when_memory_leaves_the_band(after: int, problem: str) -> None:
    """What happens during the warm-up does not matter, and a single second does not either."""
    rss = [50] * 10 + [100] * SMOOTH + [200, *[after] * SMOOTH]
    samples = [Sample(at, size * 10**6, 10**6) for at, size in enumerate(rss)]
    made = Soak(30.0, 100.0, 10.0, samples, [])

    assert bool(problem) == bool(made.problems)
    assert problem in "".join(made.problems)


def test_a_soak_is_drawn(tmp_path: Path) -> None:
    """Also a short one, with fewer samples than are looked at together."""
    made = Soak(30.0, 100.0, 1.0, [Sample(at, 10**6, 10**6) for at in range(4)], [])

    assert [] == made.problems
    assert draw(made, tmp_path / "soak.png").read_bytes().startswith(PNG)
