"""What a benchmark leaves: a table on the screen, JSON and Markdown in `loadtests/results/`.

The JSON holds every run; plots can be drawn from it alone.
"""

import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bench.cases import Group
from loadtests.bench.launcher import Traced
from loadtests.bench.measure import Line, Run
from loadtests.bench.script_case import ScriptLine, summary

RESULTS = Path(__file__).resolve().parent.parent / "results"
_PACKAGES = ("quotad", "pygrpc-native", "grpcio", "protobuf", "hiredis", "msgspec")
_COLUMNS = (
    "line",
    "decisions/s",
    "of first",
    "server us",
    "front us",
    "redis us",
    "gen. us",
    "gen. load",
    "others",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
)
DISTURBED_MIN = 0.15
"""Cores; what the machine itself does in the background stays below."""
_TRACED_COLUMNS = ("server p50", "server p99", "server p99.9")
_PERCENTILES = ("p50", "p99", "p999")


class LineRuns(msgspec.Struct, frozen=True):
    """A line and its runs, in the order of the rounds."""

    line: Line
    runs: list[Run]

    @property
    def problems(self) -> list[str]:
        """Why runs do not count."""
        return [run.problem for run in self.runs if run.problem]


class GroupRuns(msgspec.Struct, frozen=True):
    """A group as it was run."""

    group: Group
    lines: list[LineRuns]
    bare: list[dict[str, float]] = []
    """Percentiles of bare PINGs to the store, in ms, where the group is about latency."""


class Report(msgspec.Struct):
    """Everything one benchmark measured."""

    command: str
    started: str
    machine: dict[str, Any]
    versions: dict[str, str]
    groups: list[GroupRuns] = []
    script: list[ScriptLine] = []

    @property
    def disturbed(self) -> dict[str, float]:
        """Groups beside which something else was busy: name -> cores, in the median run."""
        found = {}
        for made in self.groups:
            runs = [run.other_cores for line in made.lines for run in line.runs]
            if runs and statistics.median(runs) > DISTURBED_MIN:
                found[made.group.name] = statistics.median(runs)
        return found

    @property
    def failed(self) -> bool:
        """Whether a run does not count."""
        scripts = any(run.problem for line in self.script for run in line.runs)
        return scripts or any(line.problems for made in self.groups for line in made.lines)


def new_report(command: str, server_version: str) -> Report:
    """A report without measurements."""
    versions = {name: metadata.version(name) for name in _PACKAGES}
    versions |= {"python": platform.python_version(), "valkey": server_version, "commit": _commit()}
    started = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return Report(command=command, started=started, machine=machine(), versions=versions)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(models) or 1,
        "kernel": platform.release(),
        "load_before": Path("/proc/loadavg").read_text().split()[0],
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def ratios(line: LineRuns, base: LineRuns) -> list[float]:
    """Throughput beside the base line's of the same round, least first."""
    return sorted(
        run.result.per_second / (first.result.per_second or 1)
        for run, first in zip(line.runs, base.runs, strict=True)
    )


def cpu_ratios(line: LineRuns, base: LineRuns) -> list[float]:
    """CPU time of server and Redis per decision beside the base line's of the same round, least
    first."""
    return sorted(
        (run.server_us + run.redis_us) / ((first.server_us + first.redis_us) or 1)
        for run, first in zip(line.runs, base.runs, strict=True)
    )


def row(line: LineRuns, base: LineRuns, traced: bool = False) -> list[str]:
    """One row of a group's table; a line with a run that does not count shows no numbers.

    Args:
        line: the runs.
        base: the group's first line.
        traced: whether the table has columns for what servers see of themselves.
    """
    columns = len(_COLUMNS) + len(_TRACED_COLUMNS) * traced
    if line.problems:
        return [line.line.name, "FAILED", *[""] * (columns - 2)]

    def median(values: list[float]) -> float:
        return statistics.median(values)

    def latencies(runs: list[dict[str, float]]) -> list[str]:
        found = [[one[name] for one in runs if name in one] for name in _PERCENTILES]
        return [f"{median(values):.2f}" if values else "" for values in found]

    results = [run.result for run in line.runs]
    ratio = "" if base.problems else f"{median(ratios(line, base)):.2f}"
    cells = [
        line.line.name,
        f"{median([r.per_second for r in results]):,.0f}",
        ratio,
        f"{median([run.server_us for run in line.runs]):.1f}",
        f"{median([run.front_us for run in line.runs]):.1f}",
        f"{median([run.redis_us for run in line.runs]):.2f}",
        f"{median([run.generator_us for run in line.runs]):.1f}",
        f"{median([r.cpu_share for r in results]):.0%}",
        f"{median([run.other_cores for run in line.runs]):.2f}",
        *latencies([r.latency_ms for r in results]),
    ]
    return cells + (latencies([run.traced.call_ms for run in line.runs]) if traced else [])


def script_rows(lines: list[ScriptLine]) -> list[list[str]]:
    """The rows of the scripts' table."""
    rows = []
    for line in lines:
        found = summary(line, lines[0])
        if found is None:
            rows.append([line.name, "FAILED", "", "", ""])
            continue
        cells = [f"{found.redis_us:.2f}", f"{found.least_us:.2f}", f"{found.ratio:.2f}"]
        rows.append([line.name, *cells, f"{found.wall_us:.1f}"])
    return rows


def pair_notes(made: GroupRuns) -> list[str]:
    """The ratios that a group was run for, with their spread over the rounds."""
    lines = {line.line.name: line for line in made.lines}
    notes = []
    for one, other in made.group.pairs:
        if one not in lines or other not in lines or lines[one].problems + lines[other].problems:
            continue
        both = lines[one], lines[other]
        notes.append(f"{one} / {other}: {_spread(ratios(*both))}")
        if made.group.cpu:
            notes.append(f"CPU, {one} / {other}: {_spread(cpu_ratios(*both))}")
    return notes


def _spread(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


def budget_notes(made: GroupRuns, cores: int) -> list[str]:
    """Who has used how much of the cores."""
    notes = []
    for line in made.lines:
        if line.problems:
            continue
        spent = [
            [run.result.per_second * us / 1e6 for us in (run.server_us, run.redis_us)]
            + [run.result.cpu_share, run.other_cores]
            for run in line.runs
        ]
        server, store, generator, others = (
            statistics.median(part) for part in zip(*spent, strict=True)
        )
        notes.append(
            f"{line.line.name}: of {cores} cores, server {server:.2f}, Redis {store:.2f},"
            f" generator {generator:.2f}, others {others:.2f}"
        )
    return notes


def traced_notes(made: GroupRuns) -> list[str]:
    """What servers have seen of themselves, beside the time per call."""
    notes = []
    if made.bare:
        found = {name: statistics.median(one[name] for one in made.bare) for name in _PERCENTILES}
        shown = ", ".join(f"{name.replace('p999', 'p99.9')} {ms:.2f}" for name, ms in found.items())
        notes.append(f"bare PING of the store at 1,000/s, no server in between: {shown} ms")
    for line in made.lines:
        traces = [run.traced for run in line.runs if run.traced.calls]
        if line.problems or not traces:
            continue

        def median(name: str, key: str, traces: list[Traced] = traces) -> float:
            found: list[float] = [getattr(one, name).get(key, 0.0) for one in traces]
            return statistics.median(found)

        pauses = [f"{ms:.1f}" for one in traces for ms in [max(one.gc_ms.values(), default=0.0)]]
        notes.append(
            f"{line.line.name}: round trip to the store p50 {median('store_ms', 'p50'):.2f},"
            f" p99 {median('store_ms', 'p99'):.2f}, p99.9 {median('store_ms', 'p999'):.2f} ms;"
            f" batches of {median('batch', 'mean'):.1f}; longest GC pause {', '.join(pauses)} ms"
        )
    return notes


class Section(msgspec.Struct, frozen=True):
    """One table of a report."""

    title: str
    table: list[list[str]]
    """First row: headings."""
    notes: list[str]
    problems: list[str]


def sections(report: Report) -> list[Section]:
    """Everything measured, as tables."""
    made = []
    if report.script:
        headings = ["script", "redis us", "least us", "of first", "wall us"]
        problems = [f"{s.name}: {r.problem}" for s in report.script for r in s.runs if r.problem]
        title = "The script alone, batches of 32, one window, 10,000 customers: per decision"
        made.append(Section(title, [headings, *script_rows(report.script)], [], problems))
    for group in report.groups:
        traced = any(run.traced.calls for line in group.lines for run in line.runs)
        headings = [*_COLUMNS, *(_TRACED_COLUMNS if traced else ())]
        table = [headings] + [row(line, group.lines[0], traced) for line in group.lines]
        problems = [f"{line.line.name}: {p}" for line in group.lines for p in line.problems]
        notes = pair_notes(group) + traced_notes(group)
        if group.group.budget:
            notes += budget_notes(group, int(report.machine.get("cores", 1)))
        made.append(Section(group.group.title, table, notes, problems))
    return made


def warning(report: Report) -> str:
    """That a result is not worth keeping; empty when it is."""
    if not report.disturbed:
        return ""
    groups = ", ".join(f"{name} ({cores:.1f})" for name, cores in report.disturbed.items())
    return (
        f"DISTURBED: cores were busy with something else beside {groups}; do not keep this"
        " result, and measure again on a quiet machine"
    )


def as_text(table: list[list[str]]) -> str:
    """A table for the screen."""
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(report: Report) -> str:
    """The whole report."""
    about = [f"{key}: {value}" for key, value in (report.machine | report.versions).items()]
    parts = [
        "# Benchmark",
        f"`{report.command}`, {report.started}",
        "; ".join(about),
        "CPU is per decision; `front` is the part of the server's that moves bytes. `of first`"
        " compares with the first line of the same round, `others` are cores busy with something"
        " else. All figures are medians of the rounds.",
    ]
    if warning(report):
        parts.append(f"**{warning(report)}**")
    for section in sections(report):
        headings, *rows = section.table
        lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
        parts.append(f"## {section.title}")
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        if section.notes:
            parts.append("\n".join(f"- {note}" for note in section.notes))
        parts += [f"FAILED {problem}" for problem in section.problems]
    return "\n\n".join(parts) + "\n"


def write(report: Report, name: str) -> list[Path]:
    """Write the files; returns where they are."""
    RESULTS.mkdir(exist_ok=True)
    data, page = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    data.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    page.write_text(as_markdown(report), encoding="utf-8")
    return [data, page]


def print_section(section: Section) -> None:
    """Show one table."""
    print(f"\n{section.title}\n")
    print(as_text(section.table))
    if section.notes:
        print("\n" + "\n".join(section.notes))
    for problem in section.problems:
        print(f"FAILED {problem}")
    sys.stdout.flush()
