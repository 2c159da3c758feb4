"""h2load as a second generator: it sends one body only, so it serves to check our own.

It never reads grpc-status or the answer: what it calls succeeded is taken as allowed, and the
counters show whether that is true.
"""

import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadtests.bench.frames import grpc_message
from loadtests.bench.h2gen import Result, Spec, percentiles
from loadtests.bench.traffic import request

MISSING = "h2load is not installed; its cross-check is left out (Debian package nghttp2-client)"
CALLS_PER_SECOND = 10_000
"""h2load is told a number of calls: cut off after a time, it would lose those under way."""
LONE_CALLS_PER_SECOND = 2_000
"""The same of one caller with one call at a time."""
TIMEOUT_S = 120.0

_RATE = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")
_DONE = re.compile(r"requests: (\d+) total.*?(\d+) succeeded, (\d+) failed")


def is_installed() -> bool:
    """Whether there is an h2load."""
    return shutil.which("h2load") is not None


class Sent(msgspec.Struct, frozen=True):
    """What h2load has counted."""

    calls: int
    succeeded: int
    failed: int
    per_second: float
    latency_ms: dict[str, float]


def send(
    url: str,
    body: bytes,
    calls: int,
    connections: int = 8,
    streams: int = 32,
    headers: Sequence[str] = (),
) -> Sent:
    """Send a message of gRPC so often.

    Raises:
        RuntimeError: h2load failed, or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as folder:
        file, log = Path(folder) / "message", Path(folder) / "log"
        file.write_bytes(grpc_message(body))
        command = ["h2load", "-n", str(calls), "-c", str(connections), "-m", str(streams)]
        for header in ("content-type: application/grpc", "te: trailers", *headers):
            command += ["-H", header]
        try:
            done = subprocess.run(
                [*command, "-d", str(file), "--log-file", str(log), url],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"h2load did not end within {TIMEOUT_S:.0f} s") from None
        # Lines of start (us), status and duration (us).
        spent = [int(line.split("\t")[2]) / 1e6 for line in log.read_text().splitlines()]
    rate, counts = _RATE.search(done.stdout), _DONE.search(done.stdout)
    if done.returncode or not rate or not counts:
        raise RuntimeError(f"h2load failed: {(done.stderr or done.stdout).strip()[-500:]}")
    total, succeeded, failed = (int(text) for text in counts.groups())
    return Sent(total, succeeded, failed, float(rate[1]), percentiles(spent))


def run(spec: Spec) -> Result:
    """Send as many calls as take roughly the given seconds, all for the first customer.

    Raises:
        RuntimeError: h2load failed, or did not end.
    """
    is_lone = spec.connections * spec.streams == 1
    calls = int((LONE_CALLS_PER_SECOND if is_lone else CALLS_PER_SECOND) * spec.seconds)
    headers = [f"authorization: Bearer {spec.token}"] if spec.token else []
    body = request(spec.traffic, 0).SerializeToString()
    scheme = "https" if spec.tls else "http"
    url = f"{scheme}://{spec.host}:{spec.port}{spec.traffic.path}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sent = send(url, body, calls, spec.connections, spec.streams, headers)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(
        calls=sent.calls,
        answers=sent.succeeded,
        errors=sent.failed,
        lost=sent.calls - sent.succeeded - sent.failed,
        allowed=sent.succeeded,
        denied=0,
        failed=0,
        per_second=sent.per_second,
        cpu_s=round(cpu_s, 3),
        cpu_share=round(cpu_s / (sent.calls / sent.per_second), 3) if sent.per_second else 0,
        latency_ms=sent.latency_ms,
        lateness_ms={},
    )
