"""One worker process as its parent sees it: started, listened to, weighed, ended."""

import os
import signal
import subprocess
import sys
import time

import msgspec

from quotad.config import Config, child_environ
from quotad.metrics import SharedReport, WorkerReport, shared_memory
from quotad.server.memory import memory_max_mb, rss_mb
from quotad.server.pulse import PulseListener

_PYTHON = [sys.executable, "-P", "-m"]
"""With -P, so that a module in the working directory does not take the place of a library."""

COMMANDS = {
    "grpc": [*_PYTHON, "quotad.server.worker"],
    "http": [*_PYTHON, "quotad.server.http_worker"],
    "dashboard": [*_PYTHON, "quotad.server.dashboard_worker"],
    "export": [*_PYTHON, "quotad.server.export_worker"],
}
"""Commands of workers, by what they serve; their arguments follow."""

START_S = 60.0
"""How long a worker may take until its first sign of life; a busy machine needs its time."""

STORE_WAITS = 4
"""How often a batch may wait for the store; so much longer it may take than `worker_hang_ms`."""

LOOK_MAX_S = 1.0
"""Most that one look adds to a worker's silence: what a worker sent while this process itself was
stopped is read afterwards."""


class Watched:
    """A worker in its own session.

    Its own session is a separate autogroup to the kernel: busy processes of the terminal or
    service that started the server take no more of the CPU than it does.

    Args:
        config: the settings; the port in `listen` is not 0.
        edge: what it serves, one of `COMMANDS`.
    """

    def __init__(self, config: Config, edge: str = "grpc") -> None:
        self._listener = PulseListener()
        values = shared_memory()
        with self._listener.child_end as line:
            descriptors = [line.fileno(), values]
            self.process = subprocess.Popen(
                [*COMMANDS[edge], str(os.getpid()), *map(str, descriptors)],
                env=child_environ(msgspec.structs.replace(config, workers=1)),
                pass_fds=descriptors,
                start_new_session=True,
            )
        self._shared = SharedReport(values)
        self._memory_max_mb = memory_max_mb(config)
        self._hang_s = (config.worker_hang_ms + STORE_WAITS * config.store_timeout_ms) / 1000
        self._allowed_s = max(START_S, self._hang_s)
        self._silent_s = 0.0
        self._looked_at = self._started_at = time.monotonic()
        self._ending = False

    @property
    def ready(self) -> bool:
        """Whether it answers calls with decisions."""
        return self._listener.ready

    @property
    def refusal(self) -> str:
        """Why its settings can never work; empty when they can."""
        return self._listener.refusal

    @property
    def stopped(self) -> bool:
        """Whether it has ended in good order, as one that has to start again does."""
        return self.process.returncode == 0 and self._listener.stopping

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_at

    @property
    def report(self) -> WorkerReport | None:
        """What it has reported last, also when it has ended; None: nothing yet."""
        return self._shared.read()

    def go(self) -> None:
        """Let it start, once it has read its code."""
        self._listener.go()

    def look(self) -> str:
        """Listen to it and weigh it; returns why it has to be ended, once, and mostly nothing."""
        now = time.monotonic()
        elapsed_s, self._looked_at = min(now - self._looked_at, LOOK_MAX_S), now
        if self._listener.heard():
            self._silent_s, self._allowed_s = 0.0, self._hang_s
        elif not self._listener.stopping:
            self._silent_s += elapsed_s
        if self._ending:
            return ""
        self._ending = True
        if self._silent_s > self._allowed_s:
            return f"has made no progress for {self._silent_s:.0f} s"
        used_mb = rss_mb(self.process.pid)
        if used_mb > self._memory_max_mb:
            return f"uses {used_mb} MB, more than the {self._memory_max_mb} of worker_memory_max_mb"
        self._ending = False
        return ""

    def kill(self) -> None:
        """End it at once, also when it is stopped or stuck."""
        self.process.kill()

    def stop(self) -> None:
        """Ask it to drain and end."""
        self.process.send_signal(signal.SIGTERM)

    def close(self, timeout_s: float) -> bool:
        """Wait for its end within a time, then kill it. Returns whether it ended without that."""
        try:
            self.process.wait(max(0.1, timeout_s))
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
            return False
        finally:
            self._listener.heard()
            self._listener.close()
