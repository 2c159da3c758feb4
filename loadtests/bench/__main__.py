"""`python -m loadtests.bench`, or `make bench`: measure everything side by side."""

import argparse
import re
import shlex
import signal
import sys
from pathlib import Path

import msgspec

from loadtests.bench import h2load, plots, redis_benchmark, report, script_case, shares
from loadtests.bench.cases import FEATURE, Group, groups
from loadtests.bench.kinds import EARLIER, PROTOTYPE
from loadtests.bench.measure import bare_round_trips, measure, warm_up
from loadtests.bench.processes import Machinery
from loadtests.bench.report import GroupRuns, LineRuns

SCRIPT = "script"
SCRIPT_SECONDS = 0.3
SCRIPT_ROUNDS = 10
QUICK = {"seconds": 1.0, "rounds": 1}
NEED = {
    "generators": h2load.MISSING,
    "shares": shares.MISSING,
    "tls": "tls needs h2load (Debian package nghttp2-client) and the fast front (make front)",
}
"""What it takes to run a group that not every machine can."""


def run_group(machinery: Machinery, group: Group) -> GroupRuns:
    """Warm every line up, then let them take turns: A B, B A, A B, ..."""
    for line in group.lines:
        warm_up(machinery, line)
    lines = [LineRuns(line, []) for line in group.lines]
    bare: list[dict[str, float]] = []
    for number in range(group.rounds):
        for i, turn in enumerate(reversed(lines) if number % 2 else lines):
            seed = 1 + number * len(lines) + i
            turn.runs.append(measure(machinery, turn.line, group.seconds, seed))
        if any(line.rate for line in group.lines):
            bare.append(bare_round_trips(machinery))
    machinery.forget({line.traffic.feature_id for line in group.lines} - {FEATURE})
    return GroupRuns(group, lines, bare)


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    possible = groups()
    known = [*(group.name for group in possible), SCRIPT]
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(known)}; default: most")
    parser.add_argument("--quick", action="store_true", help="few groups, one short round each")
    parser.add_argument("--lines", nargs="+", help="only these lines of each group")
    parser.add_argument("--seconds", type=float, help="per run")
    parser.add_argument("--rounds", type=int, help="how often each line has its turn")
    parser.add_argument("--prototype", type=Path, metavar="DIR", help="measure it as well")
    parser.add_argument(
        "--beside", type=Path, metavar="DIR", help="measure an earlier checkout with its .venv"
    )
    parser.add_argument("--name", default="latest", help="of the files in loadtests/results/")
    arguments = parser.parse_args(words)
    for name in arguments.groups:
        if name not in known:
            parser.error(
                NEED.get(name) or f"there is no group {name!r}; there are {', '.join(known)}"
            )
    for name in ("seconds", "rounds"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value <= 600:
            parser.error(f"--{name}: must be more than 0 and at most 600")
    if not re.fullmatch(r"\w[\w.-]*", arguments.name):
        parser.error(f"--name: {arguments.name!r} is no name of a file; such as 2026-11")
    if arguments.prototype is not None and not arguments.prototype.is_dir():
        parser.error(f"--prototype: {arguments.prototype} is no directory")
    if arguments.beside is not None and not (arguments.beside / ".venv/bin/python").exists():
        parser.error(f"--beside: {arguments.beside} has no .venv; run `make run` there once")
    lines = {line.name for group in chosen(arguments, every=True) for line in group.lines}
    for name in arguments.lines or ():
        if name not in lines:
            parser.error(f"--lines: there is no {name!r}; there are {', '.join(sorted(lines))}")
    return arguments


def elsewhere(arguments: argparse.Namespace) -> dict[str, Path]:
    """Servers from elsewhere that the command line asks for, and their folders."""
    found = {EARLIER: arguments.beside, PROTOTYPE: arguments.prototype}
    return {name: path.resolve() for name, path in found.items() if path is not None}


def chosen(arguments: argparse.Namespace, every: bool = False) -> list[Group]:
    """The groups that the command line asks for.

    Args:
        arguments: the command line.
        every: with all their lines, whatever it says of lines.
    """
    made = []
    changes = {**QUICK} if arguments.quick else {}
    for name in QUICK:
        if getattr(arguments, name) is not None:
            changes[name] = getattr(arguments, name)
    for group in groups(elsewhere(arguments)):
        wanted = group.quick if arguments.quick else group.by_default
        if not (group.name in arguments.groups if arguments.groups else wanted):
            continue
        lines = [
            line
            for line in group.lines
            if every or not arguments.lines or line.name in arguments.lines
        ]
        if lines:
            made.append(msgspec.structs.replace(group, lines=lines, **changes))
    return made


def main() -> None:
    """Measure, show, write; exit code 1 when a run does not count, 2 when nothing could run."""
    arguments = parse_arguments(sys.argv[1:])
    # As Ctrl-C does: leave through the context managers, which stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    for tool in (h2load, redis_benchmark):
        if not tool.is_installed():
            print(tool.MISSING)
    if not shares.is_possible():
        print(shares.MISSING)
    try:
        failed = run(arguments)
    except (RuntimeError, OSError) as error:
        print(f"the benchmark stopped: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if failed else 0)


def run(arguments: argparse.Namespace) -> bool:
    """Run what was asked for; returns whether a run does not count."""
    with Machinery(elsewhere(arguments)) as machinery:
        version = machinery.client.info("server").get("valkey_version", "unknown")
        made = report.new_report(command_line(), str(version))
        print("; ".join(f"{key} {value}" for key, value in made.machine.items()))
        # First, as the crowds of customers to come leave a store that is slower for everybody.
        if not arguments.lines and (not arguments.groups or SCRIPT in arguments.groups):
            made.script = script_case.run(
                machinery, SCRIPT_SECONDS, 3 if arguments.quick else SCRIPT_ROUNDS
            )
            report.print_section(report.sections(made)[-1])
        for group in chosen(arguments):
            made.groups.append(run_group(machinery, group))
            report.print_section(report.sections(made)[-1])
    if report.warning(made):
        print(f"\n{report.warning(made)}")
    paths = report.write(made, arguments.name)
    if plots.is_installed():
        paths += plots.draw(made, arguments.name)
    else:
        print(f"\n{plots.MISSING}")
    print(f"\nwritten to {report.RESULTS}: {', '.join(path.name for path in paths)}")
    return made.failed


def command_line() -> str:
    """How this was started; folders of this machine are its own affair."""
    words = ["DIR" if "/" in word or Path(word).is_dir() else word for word in sys.argv[1:]]
    return shlex.join(["python", "-m", "loadtests.bench", *words])


if __name__ == "__main__":
    main()
