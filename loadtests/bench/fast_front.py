"""`python -m loadtests.bench.fast_front`: the fast front beside the native one, all features on.

Calls show a token and are checked by it, and so carry metadata and, on the fast front, where they
come from; counters are on. Ratios are of two runs of one round, so that a busy moment hits both;
medians over the rounds. Exit code 1: a run does not count; 2: it could not be measured.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median

import msgspec

from loadtests.bench import h2load
from loadtests.bench.busy import COUNT
from loadtests.bench.cases import MANY
from loadtests.bench.measure import Line, Run, measure, warm_up
from loadtests.bench.processes import Machinery
from loadtests.bench.report import as_text
from quotad.fronts.kinds import is_installed

HOT = msgspec.structs.replace(MANY, pick="hot")
FRONTS = ("native", "fast")
WIDE, MANY_CONNECTIONS, LONE, BUSY, TLS = "8 x 32", "1,000 x 1", "lone", "lone, busy", "tls"


def lines() -> dict[tuple[str, str], Line]:
    """What is run, by what it is about and by front."""
    made: dict[tuple[str, str], Line] = {}
    for front in FRONTS:
        name = f"{front}-tokens"
        made[WIDE, front] = Line(name, name, MANY)
        made[MANY_CONNECTIONS, front] = Line(name, name, MANY, connections=1000, streams=1)
        for about, loops in ((LONE, 0), (BUSY, COUNT)):
            made[about, front] = Line(
                name,
                f"{name}-in-terminal",
                HOT,
                connections=1,
                streams=1,
                generator="h2load",
                busy=loops,
            )
    for about, name in ((TLS, "fast-tokens-tls"), (f"no {TLS}", "fast-tokens")):
        made[about, "fast"] = Line(name, name, HOT, generator="h2load")
    return made


class Table:
    """Rows of medians.

    Args:
        runs: by what they are about and by front, a run per round.
        idle_mb: memory of a worker that has had no call, by front.
    """

    def __init__(self, runs: dict[tuple[str, str], list[Run]], idle_mb: dict[str, float]) -> None:
        self._runs = runs
        self._idle_mb = idle_mb

    def rows(self) -> list[list[str]]:
        """The table, with its head."""
        return [
            ["", *FRONTS, "fast / native", "wanted"],
            *(
                row
                for about, wanted in ((WIDE, "at least 1.6"), (MANY_CONNECTIONS, "at least 1.25"))
                for row in (
                    self._row(f"{about}: decisions/s", about, _rate, "{:,.0f}", wanted),
                    self._row(
                        f"{about}: server CPU, us",
                        about,
                        lambda run: run.server_us,
                        "{:.1f}",
                        "at most 12 us" if about == WIDE else "",
                    ),
                )
            ),
            self._row("one caller: p50 ms", LONE, _p50, "{:.3f}", "no more"),
            self._row(f"beside {COUNT} busy loops", BUSY, _p50, "{:.3f}", "under 0.2 ms"),
            self._tls(),
            [
                "an idle worker, MB",
                *(f"{self._idle_mb[front]:.1f}" for front in FRONTS),
                f"{self._idle_mb['fast'] - self._idle_mb['native']:+.1f} MB",
                "at most 5 MB more",
            ],
        ]

    def _row(
        self, title: str, about: str, value: Callable[[Run], float], form: str, wanted: str
    ) -> list[str]:
        both = [[value(run) for run in self._runs[about, front]] for front in FRONTS]
        ratios = [fast / native for native, fast in zip(*both, strict=True) if native]
        return [title, *(form.format(median(each)) for each in both), _spread(ratios), wanted]

    def _tls(self) -> list[str]:
        """With TLS beside without it, both on the fast front."""
        with_, without = (
            [_rate(run) for run in self._runs[about, "fast"]] for about in (TLS, f"no {TLS}")
        )
        ratios = [one / other for one, other in zip(with_, without, strict=True) if other]
        return ["with TLS / without", "", _spread(ratios), "", "at least 0.8"]


def _rate(run: Run) -> float:
    return run.result.per_second


def _p50(run: Run) -> float:
    return run.result.latency_ms.get("p50", 0.0)


def _spread(ratios: list[float]) -> str:
    if not ratios:
        return "-"
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def run(rounds: int, seconds: float) -> tuple[list[list[str]], list[str]]:
    """Measure; returns the table, and why runs do not count."""
    wanted = lines()
    with Machinery() as machinery:
        idle_mb = {front: machinery.server(f"{front}-tokens").rss() / 1_000_000 for front in FRONTS}
        for line in wanted.values():
            warm_up(machinery, line)
        runs: dict[tuple[str, str], list[Run]] = {key: [] for key in wanted}
        for number in range(rounds):
            turns = list(wanted.items())
            for i, (key, line) in enumerate(reversed(turns) if number % 2 else turns):
                seed = 1 + number * len(turns) + i
                runs[key].append(measure(machinery, line, seconds, seed))
    problems = [
        f"{about}, {front}: {each.problem}"
        for (about, front), made in runs.items()
        for each in made
        if each.problem
    ]
    others = median(each.other_cores for made in runs.values() for each in made)
    table = Table(runs, idle_mb).rows()
    return [*table, ["cores busy with something else", f"{others:.2f}", "", "", ""]], problems


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.fast_front")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds must be more than 0")
    if not is_installed("fast") or not h2load.is_installed():
        print("needs the fast front (make front) and h2load (Debian package nghttp2-client)")
        sys.exit(2)
    try:
        rows, problems = run(arguments.rounds, arguments.seconds)
    except (RuntimeError, OSError) as error:
        print(f"the benchmark stopped: {error}", file=sys.stderr)
        sys.exit(2)
    print(as_text(rows))
    for problem in problems:
        print(f"does not count: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
