"""`python -m loadtests.bench.typescript`: the TypeScript client beside the bare generated stub.

One process of Node with callers that wait for their answers. Exit code 1 when a call failed, or
when the counters have not moved by what the answers say. Needs `make client-typescript`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from loadtests.bench.coalescing import Done
from loadtests.bench.processes import HOST, Machinery
from loadtests.bench.report import as_text

SCRIPT = Path(__file__).with_suffix(".mjs")
CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
KINDS = ("stub", "client", "coalesce", "leases")
CALLERS = (1, 64)
SECONDS = 3.0
ROUNDS = 3


class Line(msgspec.Struct, frozen=True):
    """What one kind of caller did."""

    kind: str
    """`stub`: the generated one, `client`: QuotadClient, `coalesce`: with `coalesce: true`,
    `leases`: LeasedClient, whose decisions are its own."""
    callers: int
    calls_s: float
    client_us: float
    """CPU of Node per call."""
    server_us: float
    """CPU of the server per call."""


def measure(
    callers: tuple[int, ...] = CALLERS, seconds: float = SECONDS, rounds: int = ROUNDS
) -> list[Line]:
    """Run every kind in turns; the median round of each counts, by the CPU of Node.

    Raises:
        RuntimeError: a call failed, or the counters disagree with the answers.
    """
    found: dict[tuple[str, int], list[Line]] = {}
    with Machinery() as machinery:
        server = machinery.server("native")
        for _ in range(rounds):
            for count in callers:
                for kind in KINDS:
                    before, cpu = machinery.usage(server.kind), server.cpu().whole
                    done = _in_node(kind, f"{HOST}:{server.port}", count, seconds)
                    moved = machinery.usage(server.kind) - before
                    if moved != done.allowed:
                        raise RuntimeError(f"{done.allowed} allowed, {moved} counted")
                    line = Line(
                        kind,
                        count,
                        done.calls / done.seconds,
                        done.cpu_s / done.calls * 1e6,
                        (server.cpu().whole - cpu) / done.allowed * 1e6,
                    )
                    found.setdefault((kind, count), []).append(line)
    return [
        sorted(lines, key=lambda line: line.client_us)[len(lines) // 2] for lines in found.values()
    ]


def _in_node(kind: str, address: str, callers: int, seconds: float) -> Done:
    # Where the script's imports are found.
    here = CLIENT / ".bench.mjs"
    shutil.copy(SCRIPT, here)
    try:
        command = ["node", str(here), kind, address, str(callers), str(seconds)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        here.unlink()
    if ended.returncode:
        raise RuntimeError(ended.stderr.strip())
    return msgspec.json.decode(ended.stdout, type=Done)


def _us(spent: float) -> str:
    return f"{spent:.0f}" if spent >= 10 else f"{spent:.2f}"


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.typescript")
    parser.add_argument("--callers", type=int, nargs="*", default=CALLERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    try:
        lines = measure(tuple(args.callers), args.seconds, args.rounds)
    except RuntimeError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    rows = [
        [
            line.kind,
            f"{line.callers}",
            f"{line.calls_s:,.0f}",
            _us(line.client_us),
            _us(line.server_us),
        ]
        for line in lines
    ]
    print(as_text([["callers are", "callers", "decisions/s", "client us", "server us"], *rows]))


if __name__ == "__main__":
    main()
