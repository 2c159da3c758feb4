"""`python -m loadtests.bench.details`: what it costs a front to hand over more than the request.

A front alone, behind which every call is answered with nothing, under h2load's calls with a token.
Each front has its turn with and without the details of `CASES`, in rounds; CPU time of the server
per call, medians. Exit code 2: it could not be measured.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import msgspec

from loadtests.bench import h2load, proc
from loadtests.bench.processes import HOST, stop
from loadtests.bench.report import as_text
from quotad.fronts.interface import Details, FrontSettings
from quotad.fronts.kinds import FRONTS, is_installed, make

METHOD = "/quotad.bench.Echo/Call"
TOKEN = "Bearer qd_0123456789abcdef_0123456789abcdef0123456789abcdef"
CASES = {
    "nothing": Details(),
    "authorization": Details(("authorization",)),
    "and origin": Details(("authorization",), origin=True),
    "and deadline": Details(("authorization",), origin=True, deadline=True),
}
CALLS = 100_000
SLOW = {"grpcio": 20}
"""Fronts with a fraction of the calls."""


def serve(front: str, case: str) -> None:
    """Answer calls until the process is ended; the address goes to the output."""
    settings = FrontSettings(f"{HOST}:0", (), lambda _: None, (METHOD,), details=CASES[case])
    made = make(front, settings)
    made.start()
    print(made.address, flush=True)
    while True:
        calls = made.recv_batch(128)
        if calls is None:
            return
        made.answer([(call.call_id, b"") for call in calls])


class Serving(msgspec.Struct, frozen=True):
    """A front in a process of its own."""

    process: "subprocess.Popen[bytes]"
    address: str

    def us_per_call(self, calls: int) -> float:
        """CPU time of one of so many calls.

        Raises:
            RuntimeError: not all of them were answered.
        """
        before = proc.cpu(self.process.pid).whole
        url = f"http://{self.address}{METHOD}"
        sent = h2load.send(url, b"", calls, headers=[f"authorization: {TOKEN}"])
        if sent.succeeded != calls:
            raise RuntimeError(f"{calls - sent.succeeded} of {calls} calls were not answered")
        return (proc.cpu(self.process.pid).whole - before) / calls * 1e6


@contextmanager
def serving(front: str, case: str) -> Iterator[Serving]:
    """Start a front; stopped at the end."""
    words = [sys.executable, "-m", "loadtests.bench.details", "--serve", front, case]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Serving(process, process.stdout.readline().decode().strip())
        finally:
            stop(process)


def measure(fronts: list[str], calls: int, rounds: int) -> dict[tuple[str, str], float]:
    """Microseconds of CPU per call, by front and case.

    Raises:
        RuntimeError: h2load failed.
    """
    runs: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        servers = {
            (front, case): stack.enter_context(serving(front, case))
            for front in fronts
            for case in CASES
        }
        for server in servers.values():
            server.us_per_call(calls // 20)
        for _ in range(rounds):
            for key, server in servers.items():
                fewer = SLOW.get(key[0], 1)
                runs.setdefault(key, []).append(server.us_per_call(calls // fewer))
    return {key: median(values) for key, values in runs.items()}


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.details")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(*args.serve)
        return
    fronts = [name for name in FRONTS if is_installed(name)]
    try:
        costs = measure(fronts, args.calls, args.rounds)
    except (RuntimeError, OSError) as error:
        print(f"details could not be measured: {error}", file=sys.stderr)
        sys.exit(2)
    rows = [[front, *(f"{costs[front, case]:.2f}" for case in CASES)] for front in fronts]
    print(as_text([["front, us per call", *CASES], *rows]))


if __name__ == "__main__":
    main()
