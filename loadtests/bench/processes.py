"""Everything that is started: a Valkey, the servers under test; how it is watched and stopped."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loadtests.bench import proc, prototype, shares
from loadtests.bench.kinds import (
    CERTIFICATE,
    EARLIER,
    EARLIER_IN_TERMINAL,
    GUARDED,
    KINDS,
    PREFIX,
    PROTOTYPE,
    TRACE_FILE,
    Kind,
    in_terminal,
    quotad,
)
from loadtests.bench.launcher import Traced
from loadtests.bench.traffic import Traffic
from quotad.catalog import Source, parse
from quotad.client import QuotaError
from quotad.client.admin import AdminClient
from quotad.client.catalogs import CatalogFile
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.store import Catalogs, KeySpace, Store
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from quotad.valkey import private_valkey

HOST = "127.0.0.1"
START_S = 15.0
STOP_S = 10.0
BATCH_CHECK_AND_CONSUME = "/quotad.v1.QuotaService/BatchCheckAndConsume"
CHECK_AND_CONSUME_ALL = "/quotad.v1.QuotaService/CheckAndConsumeAll"
TRACE_S = 10.0
"""How long a server may take to tell what it has seen of itself."""

CATALOG = """
version: 1
default_plan: bench
features:
  feature-api-calls: {type: metered}
  feature-four-windows: {type: metered}
  feature-ten-windows: {type: metered}
  feature-tiny: {type: metered}
  feature-noted: {type: metered, ledger: true}
  feature-tokens: {type: metered}
  feature-images: {type: metered}
plans:
  bench:
    entitlements:
      feature-api-calls: {limit: 1000000000, per: month}
      feature-tokens: {limit: 1000000000, per: month}
      feature-images: {limit: 1000000000, per: day}
      feature-four-windows:
        limits:
          - {limit: 1000000000, per: hour}
          - {limit: 1000000000, per: day}
          - {limit: 1000000000, per: month}
          - {limit: 1000000000, per: year}
      feature-ten-windows:
        limits:
          - {limit: 1000000000, per: hour}
          - {limit: 1000000000, per: 2 hours}
          - {limit: 1000000000, per: 6 hours}
          - {limit: 1000000000, per: 12 hours}
          - {limit: 1000000000, per: day}
          - {limit: 1000000000, per: 2 days}
          - {limit: 1000000000, per: week}
          - {limit: 1000000000, per: month}
          - {limit: 1000000000, per: 3 months}
          - {limit: 1000000000, per: year}
      feature-tiny: {limit: 1, per: year}
      feature-noted: {limit: 1000000000, per: year}
"""
"""Nobody is provisioned: every customer is on the default plan."""

SUM = """
local sum, seen, cursor = 0, {}, '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 5000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    if not seen[key] then
      seen[key] = true
      sum = sum + tonumber(redis.call('GET', key) or 0)
    end
  end
until cursor == '0'
return sum
"""
"""In the store: a script of a second spares the benchmark minutes of fetching keys."""


class Running(msgspec.Struct, frozen=True):
    """A server that listens."""

    kind: Kind
    port: int
    process: "subprocess.Popen[bytes]"
    trace: Path
    token: str = ""
    """For its calls; empty: they need none."""

    def cpu(self) -> proc.Cpu:
        """CPU time of the process and its children so far."""
        return proc.cpu(self.process.pid)

    def rss(self) -> int:
        """Memory of its workers in bytes; of the process itself where it has none."""
        own, *workers = (proc.rss_bytes(pid) for pid in proc.tree(self.process.pid))
        return sum(workers) or own

    def traced(self) -> Traced:
        """What the server has seen of itself since the last time; nothing of most kinds.

        Raises:
            RuntimeError: it does not tell.
        """
        if not self.kind.is_traced:
            return Traced()
        self.trace.unlink(missing_ok=True)
        os.kill(proc.tree(self.process.pid)[1], signal.SIGUSR1)  # its only worker
        deadline = time.monotonic() + TRACE_S
        while not self.trace.exists():
            if time.monotonic() > deadline:
                raise RuntimeError("a traced server does not tell what it has seen")
            time.sleep(0.01)
        return msgspec.json.decode(self.trace.read_bytes(), type=Traced)


class Machinery:
    """Valkey and the servers of one benchmark; a context manager that stops them all.

    Args:
        elsewhere: folders of what is measured as well: by `EARLIER` a checkout with its own
            `.venv`, by `PROTOTYPE` an external prototype.
    """

    def __init__(self, elsewhere: Mapping[str, Path] | None = None) -> None:
        self._stack = ExitStack()
        self._servers: dict[str, Running] = {}
        self._elsewhere = elsewhere or {}
        self._token = ""
        self.met: set[tuple[str, str, int]] = set()
        """Server, feature and number of customers: whom a warm-up has shown around."""
        self.warm: set[tuple[str, Traffic]] = set()
        """Servers and what they have been asked for before."""
        self.url = ""
        self.client: Any = None
        """redis-py's, to the benchmark's Valkey."""

    def __enter__(self) -> "Machinery":
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="quotad-bench-"))
        self._folder = Path(folder)
        port = free_port()
        self._stack.enter_context(
            private_valkey(self._folder, self._folder / "socket", port=str(port), bind=HOST)
        )
        self.url = f"redis://{HOST}:{port}"
        self.client = redis.Redis.from_url(self.url, protocol=2)
        self._stack.callback(self.client.close)
        publish(self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def server(self, name: str) -> Running:
        """A server by the name of its kind; started when it is asked for first."""
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(self._run(name))
        return self._servers[name]

    def redis_cpu_s(self) -> float:
        """CPU time of Valkey so far, in seconds."""
        info = self.client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def usage(self, kind: Kind) -> int:
        """The sum of all usage that this kind of server has counted."""
        if not kind.usage:
            return 0
        return int(self.client.eval(SUM, 0, kind.usage))

    def forget(self, feature_ids: Collection[str]) -> None:
        """Delete idempotency keys and the usage of some features.

        With hundreds of thousands of keys in the store, each costs more than with a few.
        """
        patterns = [f"{PREFIX}:*:i:*", *(f"{PREFIX}:*:u:*:{name}:*" for name in feature_ids)]
        for pattern in patterns:
            keys = list(self.client.scan_iter(match=pattern, count=5000))
            for start in range(0, len(keys), 5000):
                self.client.unlink(*keys[start : start + 5000])
        self.met = {asked for asked in self.met if asked[1] not in feature_ids}
        self.warm = {asked for asked in self.warm if asked[1].feature_id not in feature_ids}

    def _guard(self) -> str:
        """The token of servers that ask for one."""
        if not self._token:
            publish(self.url, GUARDED)
            wanted = WantedToken("bench", TokenRole.ADMIN)
            with token_operations(Config(redis_url=self.url, prefix=GUARDED)) as tokens:
                self._token = tokens.create(wanted).token
        return self._token

    @contextmanager
    def _run(self, name: str) -> Iterator[Running]:
        environ = {key: value for key, value in os.environ.items() if key[:7] != "QUOTAD_"}
        folder: Path | None = None
        if name == PROTOTYPE:
            kind, path = prototype.prepare(self._elsewhere[PROTOTYPE], self._folder)
            environ["PYTHONPATH"] = path
        elif name in (EARLIER, EARLIER_IN_TERMINAL):
            folder = self._elsewhere[EARLIER]
            python = folder / ".venv" / "bin" / "python"
            kind = quotad("native", python=str(python), prefix=EARLIER)
            if name == EARLIER_IN_TERMINAL:
                kind = in_terminal(kind)
        else:
            kind = KINDS[name]
        port, trace = free_port(), self._folder / f"{name}.trace"
        words = [
            str(trace) if w == TRACE_FILE else w for w in kind.command(f"{HOST}:{port}", self.url)
        ]
        token = self._guard() if kind.tokens else ""
        with ExitStack() as after:  # a group of processes can be removed when they have ended
            process = subprocess.Popen(
                words, env=environ, cwd=folder, start_new_session=not kind.in_terminal
            )
            try:
                if folder is not None:
                    publish_by_call(port)
                wait_until_ready(process, port, kind)
                if kind.cores:
                    after.enter_context(shares.held(proc.tree(process.pid), kind.cores))
                yield Running(kind, port, process, trace, token)
            finally:
                stop(process)


def publish(url: str, prefix: str = PREFIX) -> None:
    """Put the benchmark's catalog in force."""
    catalog = parse([Source(name="bench.yaml", text=CATALOG)])
    store = Store(url, timeout_ms=5000)
    try:
        Catalogs(store, KeySpace(prefix), SyncedClock()).publish(catalog.document, catalog.digest)
    finally:
        store.close()


def publish_by_call(port: int) -> None:
    """Put the benchmark's catalog in force by a server's own means, whatever its version.

    Raises:
        RuntimeError: the server did not take it in time.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            with AdminClient(f"{HOST}:{port}") as admin:
                admin.publish([CatalogFile("bench.yaml", CATALOG)])
            return
        except QuotaError:
            time.sleep(0.05)
    raise RuntimeError("the earlier server does not take the catalog")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
    return port


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, kind: Kind) -> None:
    """Wait until the server takes calls.

    Raises:
        RuntimeError: it ended, or took too long.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            continue
        if not kind.is_quotad or _is_serving(port, kind.tls):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} was not ready after {START_S:.0f} s")


def _is_serving(port: int, tls: bool) -> bool:
    address = f"{HOST}:{port}"
    with (
        grpc.secure_channel(address, grpc.ssl_channel_credentials(CERTIFICATE.read_bytes()))
        if tls
        else grpc.insecure_channel(address)
    ) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End one process, by its id."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
