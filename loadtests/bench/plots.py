"""Pictures of a result, drawn from its JSON alone.

    python -m loadtests.bench.plots latest      (again, without measuring)

Needs matplotlib, which is in the `load` extra. A line with a run that does not count is left out.
"""

import statistics
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bench.report import RESULTS, GroupRuns, LineRuns, Report, ratios

MISSING = "matplotlib is not installed; plots are left out (pip install -e '.[load]')"
DPI = 130

# Okabe and Ito's colours: told apart with every kind of colour vision, and in grey.
BLUE, ORANGE, GREEN, RED, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#999999",
)
_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def is_installed() -> bool:
    """Whether there is a matplotlib."""
    return find_spec("matplotlib") is not None


def figure(
    columns: int = 1, size: tuple[float, float] = (7.5, 4.5), **more: Any
) -> tuple[Any, Any]:
    """A figure and its axes, without any window."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(_STYLE)
    drawn, axes = pyplot.subplots(1, columns, figsize=size, **more)
    return drawn, axes


def save(drawn: Any, path: Path) -> Path:
    """Write a figure and forget it."""
    from matplotlib import pyplot

    # Without the version of matplotlib in it, the same picture is the same file.
    drawn.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(drawn)
    return path


def median(line: LineRuns, read: Callable[[Any], float]) -> float:
    """Over the runs of a line."""
    return statistics.median(read(run) for run in line.runs)


def good(made: GroupRuns) -> list[LineRuns]:
    """Lines of which every run counts."""
    return [line for line in made.lines if line.runs and not line.problems]


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _plain_ticks(axis: Any, values: Iterable[float]) -> None:
    """Exactly these ticks, as numbers, on a logarithmic axis."""
    from matplotlib.ticker import NullLocator

    shown = list(values)
    axis.set_ticks(shown, [f"{value:,g}" for value in shown])
    axis.set_minor_locator(NullLocator())


def streams(made: GroupRuns, title: str) -> Any:
    """Throughput over calls in flight."""
    drawn, axes = figure()
    looks = {"native": (BLUE, "o"), "reference": (GREEN, "s"), "grpcio": (ORANGE, "^")}
    seen: set[int] = set()
    for server, (colour, marker) in looks.items():
        lines = [line for line in good(made) if line.line.server == server]
        counts = [line.line.connections * line.line.streams for line in lines]
        rates = [median(line, lambda run: float(run.result.per_second)) for line in lines]
        if lines:
            axes.plot(counts, rates, color=colour, marker=marker, label=server)
            seen |= set(counts)
    axes.set_xscale("log", base=2)
    _plain_ticks(axes.xaxis, sorted(seen))
    _thousands(axes.yaxis)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="calls in flight", ylabel="decisions/s", title=f"Throughput: {title}")
    axes.legend(loc="upper left")
    return drawn


def offered(made: GroupRuns, title: str) -> Any:
    """Latency percentiles over the offered load, as client and server see them."""
    drawn, axes = figure()
    lines = good(made)
    rates = [line.line.rate for line in lines]
    looks = {"p50": (BLUE, "o"), "p99": (ORANGE, "s"), "p999": (RED, "^")}
    for name, (colour, marker) in looks.items():
        label = name.replace("p999", "p99.9")
        for side, style, read in (
            ("client", "-", lambda run, n=name: float(run.result.latency_ms.get(n, 0.0))),
            ("server", "--", lambda run, n=name: float(run.traced.call_ms.get(n, 0.0))),
        ):
            values = [median(line, read) for line in lines]
            if all(values):
                text = f"{label}, {side}"
                axes.plot(rates, values, style, color=colour, marker=marker, label=text)
    axes.set(xscale="log", yscale="log")
    _plain_ticks(axes.xaxis, rates)
    low, high = axes.get_ylim()
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    _plain_ticks(axes.yaxis, [step for step in steps if low <= step <= high])
    axes.set(xlabel="offered load, calls/s", ylabel="latency, ms", title=f"Latency: {title}")
    axes.legend(ncols=3, loc="upper left", fontsize=9, handlelength=3.5)
    axes.set_ylim(low, high * 4)  # room for the legend
    return drawn


def workers(made: GroupRuns, title: str, cores: int) -> Any:
    """Throughput over worker processes, and who used the cores meanwhile."""
    drawn, (left, right) = figure(2, (9.5, 4.5))
    lines = good(made)
    names = [line.line.name for line in lines]
    rates = [median(line, lambda run: float(run.result.per_second)) for line in lines]
    bars = left.bar(names, rates, color=BLUE, width=0.6)
    shares = [statistics.median(ratios(line, lines[0])) for line in lines]
    labels = [f"{rate:,.0f}\n{share:.2f} x" for rate, share in zip(rates, shares, strict=True)]
    left.bar_label(bars, labels, padding=3, fontsize=9)
    left.margins(y=0.18)
    _thousands(left.yaxis)
    left.grid(False, axis="x")
    left.set(ylabel="decisions/s", title="Throughput")
    parts: list[tuple[str, str, Callable[[Any], float]]] = [
        ("server", BLUE, lambda run: run.result.per_second * run.server_us / 1e6),
        ("Redis", GREEN, lambda run: run.result.per_second * run.redis_us / 1e6),
        ("generator", ORANGE, lambda run: run.result.cpu_share),
        ("others", GREY, lambda run: run.other_cores),
    ]
    _stack(right, names, lines, parts, horizontal=False)
    right.axhline(cores, color="black", linestyle="--", linewidth=1)
    right.set(ylabel="cores in use", title=f"CPU budget: {cores} cores for everything")
    drawn.suptitle(title)
    return drawn


def cost(fronts: GroupRuns, variants: list[GroupRuns], title: str) -> Any:
    """CPU time per decision, split into front, Python and Redis."""
    drawn, (left, right) = figure(2, (11.5, 5), gridspec_kw={"width_ratios": [1.25, 1]})
    parts: list[tuple[str, str, Callable[[Any], float]]] = [
        ("front (moves bytes)", SKY, lambda run: run.front_us),
        ("Python (decides)", BLUE, lambda run: max(0.0, run.server_us - run.front_us)),
        ("Redis", GREEN, lambda run: run.redis_us),
    ]
    # Groups start with the same plain line, so that it takes turns with theirs; once is enough.
    kinds: dict[bytes, LineRuns] = {}
    for line in (line for made in variants for line in good(made)):
        nameless = msgspec.structs.replace(line.line, name="")
        kinds.setdefault(msgspec.json.encode(nameless), line)
    lines = list(kinds.values())
    for axes, shown, heading in (
        (left, lines, "native front, by traffic"),
        (right, good(fronts), "servers, one window"),
    ):
        names = [line.line.name for line in shown]
        _stack(axes, names, shown, parts, horizontal=True)
        axes.set(xlabel="CPU per decision, µs", title=heading)
    left.legend(loc="lower right", fontsize=9)
    drawn.suptitle(f"Cost: {title}")
    return drawn


def _stack(
    axes: Any,
    names: list[str],
    lines: list[LineRuns],
    parts: list[tuple[str, str, Callable[[Any], float]]],
    *,
    horizontal: bool,
) -> None:
    """Stacked bars with their sums at the end."""
    sums = [0.0] * len(lines)
    bars: Any = None
    for label, colour, read in parts:
        values = [median(line, read) for line in lines]
        if horizontal:
            bars = axes.barh(names, values, left=sums, color=colour, label=label, height=0.65)
        else:
            bars = axes.bar(names, values, bottom=sums, color=colour, label=label, width=0.6)
        sums = [before + value for before, value in zip(sums, values, strict=True)]
    digits = 0 if max(sums, default=0) > 20 else 2
    axes.bar_label(bars, [f"{value:,.{digits}f}" for value in sums], padding=3, fontsize=9)
    axes.grid(False, axis="y" if horizontal else "x")
    if horizontal:
        axes.invert_yaxis()
        axes.margins(x=0.12)
    else:
        axes.set_ylim(top=max(sums, default=1.0) * 1.4)
        axes.legend(loc="upper left", ncols=2, fontsize=9)


VARIANTS = ("windows", "verdicts", "customers", "connections", "batches")


def draw(report: Report, name: str, folder: Path = RESULTS) -> list[Path]:
    """Draw whatever the report has measured; returns where the pictures are."""
    made = {group.group.name: group for group in report.groups if good(group)}
    title = f"{report.machine.get('cpu')}, {report.machine.get('cores')} cores"
    pictures: dict[str, Any] = {}
    if "streams" in made:
        pictures["streams"] = streams(made["streams"], title)
    if "offered" in made:
        pictures["latency"] = offered(made["offered"], title)
    for group in ("workers", "shares"):
        if group in made:
            heading = f"{made[group].group.title}; {title}"
            cores = int(report.machine.get("cores", 1))
            pictures[group] = workers(made[group], heading, cores)
    if "fronts" in made:
        variants = [made[group] for group in VARIANTS if group in made]
        pictures["cost"] = cost(made["fronts"], variants or [made["fronts"]], title)
    return [save(drawn, folder / f"{name}-{kind}.png") for kind, drawn in pictures.items()]


def main() -> None:
    """Draw the pictures of a result again."""
    if not is_installed():
        sys.exit(MISSING)
    for name in sys.argv[1:] or ["latest"]:
        path = RESULTS / f"{name}.json"
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
        except (OSError, msgspec.DecodeError) as error:
            sys.exit(f"{path}: {getattr(error, 'strerror', None) or error}")
        for picture in draw(report, name):
            print(picture)


if __name__ == "__main__":
    main()
