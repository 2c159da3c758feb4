"""One run: the generator beside two CPU clocks, and the check that counters equal answers."""

import resource
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import msgspec

from loadtests.bench import busy, h2load, proc
from loadtests.bench.h2gen import DRAIN_S, Result, Spec, percentiles
from loadtests.bench.launcher import Traced
from loadtests.bench.processes import (
    BATCH_CHECK_AND_CONSUME,
    CHECK_AND_CONSUME_ALL,
    HOST,
    Machinery,
    Running,
)
from loadtests.bench.traffic import Traffic

WARM_S = 0.5
WARM_TRIES = 20
BARE_CALLS = 2000
SLACK_S = 20.0
"""What a generator may take beyond its seconds: start, bodies, the last answers."""


class Line(msgspec.Struct, frozen=True):
    """One row of a table: a server and what it is asked."""

    name: str
    server: str
    """A name in `kinds.KINDS`, or that of a server from elsewhere."""
    traffic: Traffic = Traffic()
    connections: int = 8
    streams: int = 32
    rate: float = 0
    """Calls per second; 0: closed loop."""
    counters: int = 1
    """How many counters an allowed request adds to."""
    generator: str = "h2gen"
    """Or `h2load`: one body only, no verdicts."""
    busy: int = 0
    """How many busy processes run beside it."""


class Run(msgspec.Struct, frozen=True):
    """What one run measured."""

    problem: str
    """Why it does not count; empty when it does."""
    result: Result
    server_us: float
    """CPU time of the server per decision, in microseconds."""
    redis_us: float
    generator_us: float
    front_us: float = 0
    """Part of the server's: its threads that move bytes. The rest is Python that decides."""
    other_cores: float = 0
    """Cores that were busy with something else than this run."""
    traced: Traced = Traced()
    """What the server has seen of itself."""


def measure(machinery: Machinery, line: Line, seconds: float, seed: int) -> Run:
    """Run a line once."""
    server = machinery.server(line.server)
    usage = machinery.usage(server.kind)
    server.traced()
    started, busy_s = time.perf_counter(), proc.busy_s() - _own_cpu_s()
    redis_cpu, server_cpu = machinery.redis_cpu_s(), server.cpu()
    spec = spec_of(server, line, seconds, seed)
    with busy.loops(line.busy):
        if line.generator == "h2load":
            result = h2load.run(spec)
        else:
            result = generate(spec, in_terminal=server.kind.in_terminal)
    redis_s, server_s = machinery.redis_cpu_s() - redis_cpu, server.cpu() - server_cpu
    other_s = proc.busy_s() - _own_cpu_s() - busy_s - redis_s - server_s.whole
    wall_s = time.perf_counter() - started
    traced = server.traced()
    moved = machinery.usage(server.kind) - usage
    decisions = max(1, result.allowed + result.denied)
    return Run(
        problem=problem_of(line, result, moved),
        result=result,
        server_us=round(server_s.whole / decisions * 1e6, 2),
        redis_us=round(redis_s / decisions * 1e6, 2),
        generator_us=round(result.cpu_s / decisions * 1e6, 2),
        front_us=round(min(server_s.front, server_s.whole) / decisions * 1e6, 2),
        other_cores=round(max(0.0, other_s / wall_s), 2),
        traced=traced,
    )


def _own_cpu_s() -> float:
    """Of this process and the generators that have ended."""
    own, children = (
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def problem_of(line: Line, result: Result, moved: int) -> str:
    """Why a run does not count; empty when it does.

    Args:
        line: what was run.
        result: what the generator saw.
        moved: by how much the counters grew meanwhile.
    """
    requests = result.calls * max(1, line.traffic.batch)
    wrong: list[str] = []
    if not result.calls:
        wrong.append("no call was sent")
    if result.errors or result.lost or result.failed:
        wrong.append(f"{result.errors} errors, {result.lost} lost, {result.failed} failed")
    if result.answers != result.calls:
        wrong.append(f"{result.calls} calls, {result.answers} answers")
    if result.allowed + result.denied != requests:
        wrong.append(f"{requests} requests, {result.allowed + result.denied} decisions")
    expected = result.allowed * line.traffic.quantity * line.counters
    if moved != expected:
        wrong.append(f"counters grew by {moved}, answers say {expected}")
    return "; ".join(wrong)


def warm_up(machinery: Machinery, line: Line) -> None:
    """Let a server meet every customer, then the traffic of the line.

    A skewed crowd is not met beforehand: that many newcomers are part of its case.

    Raises:
        RuntimeError: it does not answer.
    """
    server = machinery.server(line.server)
    if line.generator == "h2load":  # of one customer
        h2load.run(spec_of(server, line, WARM_S, seed=0))
        return
    asked = (line.server, line.traffic.feature_id, line.traffic.customers)
    if server.kind.is_quotad and line.traffic.pick != "zipf" and asked not in machinery.met:
        machinery.met.add(asked)
        everybody = msgspec.structs.replace(
            line.traffic, pick="uniform", batch=100, idempotent=False, together=()
        )
        batched = msgspec.structs.replace(line, traffic=everybody, connections=8, streams=2, rate=0)
        seen = 0
        for seed in range(WARM_TRIES):
            result = generate(spec_of(server, batched, WARM_S, seed))
            seen += result.allowed + result.denied
            if seen >= line.traffic.customers:
                break
        else:
            raise RuntimeError(f"{line.server} answered only {seen} requests of the warm-up")
    if (line.server, line.traffic) not in machinery.warm:
        machinery.warm.add((line.server, line.traffic))
        generate(spec_of(server, line, WARM_S, seed=0))


def bare_round_trips(machinery: Machinery) -> dict[str, float]:
    """PING to the store at 1,000/s, from an otherwise idle process; percentiles in ms.

    What no server can be faster than on this machine at this moment.
    """
    spent: list[float] = []
    address = urlsplit(machinery.url)
    with socket.create_connection((HOST, address.port or 0), timeout=5) as store:
        store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        for number in range(BARE_CALLS):
            time.sleep(max(0.0, started + number / 1000 - time.perf_counter()))
            sent = time.perf_counter()
            store.sendall(b"PING\r\n")
            store.recv(100)
            spent.append(time.perf_counter() - sent)
    return percentiles(spent)


def generate(spec: Spec, in_terminal: bool = False) -> Result:
    """Run the generator in a process of its own.

    Args:
        spec: what to send.
        in_terminal: in the session of the benchmark; else in one of its own.

    Raises:
        RuntimeError: it ended with an error, or did not end.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "loadtests.bench.h2gen"],
            input=msgspec.json.encode(spec),
            stdout=subprocess.PIPE,
            timeout=spec.seconds + DRAIN_S + SLACK_S,
            check=True,
            start_new_session=not in_terminal,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"the generator failed: {error}") from error
    return msgspec.json.decode(done.stdout, type=Result)


def spec_of(server: Running, line: Line, seconds: float, seed: int) -> Spec:
    """What the generator is told."""
    path = server.kind.path
    if line.traffic.batch:
        path = BATCH_CHECK_AND_CONSUME
    elif line.traffic.together:
        path = CHECK_AND_CONSUME_ALL
    return Spec(
        host=HOST,
        port=server.port,
        traffic=msgspec.structs.replace(line.traffic, path=path),
        connections=line.connections,
        streams=line.streams,
        seconds=seconds,
        rate=line.rate,
        seed=seed,
        tls=server.kind.tls,
        token=server.token,
    )
