"""`python -m loadtests.bench.tokens`: what it costs that calls show a token and are checked by it.

Each front with and without tokens in turns, in rounds; ratios are of two runs of one round, so that
a busy moment hits both, and all figures are medians over the rounds. Exit code 1: a run does not
count; 2: it could not be measured.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median

from loadtests.bench.cases import MANY
from loadtests.bench.measure import Line, Run, measure, warm_up
from loadtests.bench.processes import Machinery
from loadtests.bench.report import as_text
from quotad.fronts.kinds import is_installed

FRONTS = ("native", "fast")
WANTED = "at most 3 %"

FIGURES: tuple[tuple[str, Callable[[Run], float], str], ...] = (
    ("decisions/s", lambda run: run.result.per_second, "{:,.0f}"),
    ("server CPU, us", lambda run: run.server_us, "{:.2f}"),
    ("of that Python, us", lambda run: run.server_us - run.front_us, "{:.2f}"),
)


def rows(front: str, without: list[Run], with_: list[Run]) -> list[list[str]]:
    """What a front does without and with tokens, run by run of the same rounds."""
    made = []
    for title, value, form in FIGURES:
        pairs = [(value(one), value(other)) for one, other in zip(without, with_, strict=True)]
        ratios = [other / one for one, other in pairs if one]
        both = [form.format(median(each)) for each in zip(*pairs, strict=True)]
        more = f"{median(ratios) - 1:+.1%}" if ratios else "-"
        made.append([f"{front}: {title}", *both, more])
    return made


def run(fronts: list[str], rounds: int, seconds: float) -> tuple[list[list[str]], list[str]]:
    """Measure; returns the table, and why runs do not count."""
    lines = {name: Line(name, name, MANY) for front in fronts for name in (front, named(front))}
    runs: dict[str, list[Run]] = {name: [] for name in lines}
    with Machinery() as machinery:
        for line in lines.values():
            warm_up(machinery, line)
        for number in range(rounds):
            turns = list(lines.items())
            for name, line in reversed(turns) if number % 2 else turns:
                runs[name].append(measure(machinery, line, seconds, seed=1 + number))
    table = [["", "without", "with tokens", f"wanted: {WANTED}"]]
    for front in fronts:
        table += rows(front, runs[front], runs[named(front)])
    others = median(each.other_cores for made in runs.values() for each in made)
    table.append(["cores busy with something else", f"{others:.2f}", "", ""])
    problems = [f"{name}: {one.problem}" for name, made in runs.items() for one in made]
    return table, [problem for problem in problems if not problem.endswith(": ")]


def named(front: str) -> str:
    """The same server with tokens."""
    return f"{front}-tokens"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.tokens")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run")
    parser.add_argument("--fronts", nargs="*", choices=FRONTS, default=FRONTS)
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds must be more than 0")
    fronts = [front for front in arguments.fronts if is_installed(front)]
    try:
        table, problems = run(fronts, arguments.rounds, arguments.seconds)
    except (RuntimeError, OSError) as error:
        print(f"the benchmark stopped: {error}", file=sys.stderr)
        sys.exit(2)
    print(as_text(table))
    for problem in problems:
        print(f"does not count: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
