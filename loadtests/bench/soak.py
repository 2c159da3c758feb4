"""`python -m loadtests.bench.soak`, or `make soak`: constant load for long, memory watched.

Zipf customers, ever new ones, more than the worker's cache holds. Exit code 1 when the RSS of the
worker leaves a band of 5 % after the warm-up, or when counters and answers disagree.
"""

import argparse
import signal
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from loadtests.bench import plots
from loadtests.bench.cases import FEATURE
from loadtests.bench.kinds import SMALL_CACHE, SMALL_CACHE_MAX
from loadtests.bench.measure import Line, Run, measure
from loadtests.bench.memory import Memory, mb
from loadtests.bench.proc import rss_bytes
from loadtests.bench.processes import Machinery
from loadtests.bench.report import RESULTS
from loadtests.bench.traffic import Traffic

BAND = 0.05
WARM_SHARE, WARM_MAX_S = 0.1, 60.0
"""Part of the time that is warm-up, at most so many seconds."""
SAMPLE_S = 1.0
SMOOTH = 15
"""Samples whose median counts."""
TURN_S = 20.0
"""Each turn has other customers in its tail."""
CUSTOMERS = 200_000


class Sample(msgspec.Struct, frozen=True):
    """Memory at one moment, in bytes."""

    second: float
    worker: int
    store: int
    """RSS of Valkey; grows with the customers that it has counted for."""


class Soak(msgspec.Struct, frozen=True):
    """What a soak has seen."""

    seconds: float
    rate: float
    warm_s: float
    samples: list[Sample]
    runs: list[Run]

    @property
    def settled(self) -> list[tuple[float, float]]:
        """Second and RSS of the worker after the warm-up: medians of the samples around.

        A backlog of a busy second takes buffers and gives them back; a leak does not.
        """
        late = [sample for sample in self.samples if sample.second >= self.warm_s]
        rss = [sample.worker for sample in late]
        return [
            (late[end - 1].second, statistics.median(rss[max(0, end - SMOOTH) : end]))
            for end in range(min(SMOOTH, len(late)), len(late) + 1)
        ]

    @property
    def base(self) -> float:
        """RSS of the worker when the warm-up has ended."""
        return self.settled[0][1]

    @property
    def problems(self) -> list[str]:
        """Why it has failed; empty when it has not."""
        found = [run.problem for run in self.runs if run.problem]
        for second, rss in self.settled:
            drift = rss - self.base
            if abs(drift) > BAND * self.base:
                share = f"{drift / self.base:+.1%}"
                found.append(f"RSS of the worker {share} after {second:.0f} s")
                break
        return found


def soak(machinery: Machinery, seconds: float, rate: float) -> Soak:
    """Load a worker with a full cache, and watch."""
    server = machinery.server(SMALL_CACHE)
    Memory(machinery).meet(server, 2 * SMALL_CACHE_MAX)
    store_pid = int(machinery.client.info("server")["process_id"])
    traffic = Traffic(feature_id=FEATURE, pick="zipf", customers=CUSTOMERS)
    line = Line("soak", SMALL_CACHE, traffic, rate=rate)
    samples: list[Sample] = []
    ended = threading.Event()
    started = time.monotonic()

    def load() -> list[Run]:
        runs: list[Run] = []
        try:
            while not ended.is_set() and (left := started + seconds - time.monotonic()) > 1:
                runs.append(measure(machinery, line, min(TURN_S, left), seed=len(runs)))
        finally:
            ended.set()
        return runs

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        try:
            while not ended.wait(SAMPLE_S):
                at = time.monotonic() - started
                samples.append(Sample(round(at, 1), server.rss(), rss_bytes(store_pid)))
        finally:
            ended.set()
        runs = loading.result()
    warm_s = min(WARM_MAX_S, seconds * WARM_SHARE)
    return Soak(seconds, rate, warm_s, samples, runs)


def draw(made: Soak, path: Path) -> Path:
    """Memory over time, with the band that the worker must stay in."""
    drawn, axes = plots.figure()
    at = [sample.second for sample in made.samples]
    axes.plot(at, [s.worker / 1e6 for s in made.samples], color=plots.BLUE, label="worker")
    axes.plot(at, [s.store / 1e6 for s in made.samples], color=plots.GREEN, label="Valkey")
    low, high = made.base * (1 - BAND) / 1e6, made.base * (1 + BAND) / 1e6
    axes.fill_between(
        [made.warm_s, at[-1]], low, high, color=plots.SKY, alpha=0.3, lw=0, label="worker ±5 %"
    )
    axes.set_ylim(0, max(max(s.worker, s.store) for s in made.samples) / 1e6 * 1.3)
    title = f"Soak: {made.rate:,.0f} calls/s over {CUSTOMERS:,} Zipf customers, cache full"
    axes.set(xlabel="time, s", ylabel="RSS, MB", title=title)
    axes.legend(loc="upper left", ncols=3)
    return plots.save(drawn, path)


def main() -> None:
    """Run, show, write."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="calls per second")
    parser.add_argument("--name", default="latest", help="of the files in loadtests/results/")
    arguments = parser.parse_args()
    if not 10 <= arguments.seconds <= 86_400 or not 0 < arguments.rate <= 100_000:
        parser.error("--seconds: 10 to 86,400; --rate: above 0, at most 100,000")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        with Machinery() as machinery:
            made = soak(machinery, arguments.seconds, arguments.rate)
    except (RuntimeError, OSError) as error:
        print(f"the soak stopped: {error}", file=sys.stderr)
        sys.exit(2)
    show(made)
    RESULTS.mkdir(exist_ok=True)
    data = RESULTS / f"{arguments.name}-soak.json"
    data.write_bytes(msgspec.json.encode(made) + b"\n")
    print(f"written: {data.name}")
    if plots.is_installed():
        print(f"written: {draw(made, data.with_suffix('.png')).name}")
    else:
        print(plots.MISSING)
    sys.exit(bool(made.problems))


def show(made: Soak) -> None:
    """Tell what came of it."""
    settled = [rss for _, rss in made.settled]
    decisions = sum(run.result.allowed + run.result.denied for run in made.runs)
    print(
        f"{decisions:,} decisions in {made.samples[-1].second:.0f} s, {made.rate:,.0f}/s;"
        f" worker {mb(made.base)} after {made.warm_s:.0f} s of warm-up, then"
        f" {min(settled) / made.base - 1:+.1%} to {max(settled) / made.base - 1:+.1%};"
        f" Valkey {mb(made.samples[0].store)} to {mb(made.samples[-1].store)}"
    )
    for problem in made.problems:
        print(f"FAILED: {problem}")


if __name__ == "__main__":
    main()
