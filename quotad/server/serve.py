"""`quotad serve`: a parent that watches its workers, which share the address."""

import logging
import threading
import time
from collections.abc import Callable
from functools import reduce
from typing import Self

import msgspec

from quotad.backoff import pause_s
from quotad.config import Config, unix_path
from quotad.errors import ConfigError
from quotad.metrics import Readings, added
from quotad.plural import plural
from quotad.server.address import reserved, reserved_http
from quotad.server.descriptors import set_limit, warn_if_few
from quotad.server.instruments import DECISIONS, instruments
from quotad.server.pulse import EXIT_WRONG_SETTING
from quotad.server.signals import on_stop
from quotad.server.watched import Watched

_log = logging.getLogger("quotad.server")

POLL_S = 0.1
SETTLED_S = 10.0
"""After this age a worker has started well; the next one is started at once."""
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 30.0
DEATHS_MAX = 5
"""Early deaths in a row, from which on the log has that starting has become slower."""
STOP_GRACE_S = 1.0
"""What closing may take beyond `drain_timeout_ms`."""


def run_serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: the address is taken, or the settings can never be used.
    """
    warn_if_few(set_limit(config.max_connections), config.max_connections)
    if config.workers > 1 and unix_path(config.listen):
        raise ConfigError(f"workers: {config.workers} cannot share a Unix socket; 1 can use it")
    with reserved(config.listen) as listen, reserved_http(config.http) as http:
        workers = Workers(msgspec.structs.replace(config, listen=listen, http=http))
        on_stop(workers.interrupt)
        with workers:
            workers.run()


class Workers:
    """Starts worker processes, replaces those that die or hang; a context manager that stops them.

    Inside it the processes exist and read their code; `run` lets them serve.

    Args:
        config: the settings; the ports in `listen` and `http` are not 0.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = threading.Event()
        self._slots = [Slot(config) for _ in range(config.workers)]
        if config.http:
            self._slots += [Slot(config, http=True) for _ in range(config.http_workers)]
        self._instruments = instruments()

    @property
    def ready(self) -> bool:
        """Whether a worker of each kind answers calls with decisions."""
        return all(
            any(slot.ready for slot in self._slots if slot.http is http)
            for http in {slot.http for slot in self._slots}
        )

    def counted(self) -> dict[str, dict[str, int]]:
        """Return what all workers have counted, by instrument and label."""
        return self._instruments.named(reduce(added, (slot.values for slot in self._slots)))

    def interrupt(self) -> None:
        """Let `run` return; a signal handler calls it beside, see `signals`."""
        self._stop.set()

    def run(self, look: Callable[[], None] = lambda: None) -> None:
        """Keep them running until `interrupt` is called.

        Args:
            look: called several times a second; what it raises ends the workers.

        Raises:
            ConfigError: a worker found a setting that can never work.
        """
        if self._config.workers > 1:
            _log.info("starting %d workers on %s", self._config.workers, self._config.listen)
        for slot in self._slots:
            slot.go()
        while not self._stop.wait(POLL_S):
            for slot in self._slots:
                slot.tend()
            look()

    def __enter__(self) -> Self:
        for slot in self._slots:
            slot.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop them in good order; once."""
        workers = [slot.worker for slot in self._slots if slot.worker is not None]
        for worker in workers:
            worker.stop()
        deadline = time.monotonic() + self._config.drain_timeout_ms / 1000 + STOP_GRACE_S
        for worker in workers:
            if not worker.close(deadline - time.monotonic()):
                _log.warning("worker %d did not stop in time; killed it", worker.process.pid)
        for slot in self._slots:
            slot.retire()
        decisions = self.counted()[DECISIONS.name]
        if workers and any(decisions.values()):
            parts = ", ".join(f"{name} {count:,}" for name, count in decisions.items() if count)
            total = plural(sum(decisions.values()), "decision")
            _log.info("stopped after %s: %s", total, parts)


class Slot:
    """The place of one worker, whichever process fills it."""

    def __init__(self, config: Config, http: bool = False) -> None:
        self._config = config
        self.http = http
        self._early_deaths = 0
        self._start_at = 0.0
        self._instruments = instruments()
        self._ended = [0] * self._instruments.size
        """What workers have counted that have ended."""
        self.worker: Watched | None = None

    @property
    def ready(self) -> bool:
        """Whether its worker answers calls with decisions."""
        return self.worker is not None and self.worker.ready

    @property
    def values(self) -> Readings:
        """What its workers have counted, one after the other."""
        return self._ended if self.worker is None else added(self._ended, self.worker.values)

    def retire(self) -> None:
        """Drop a worker that has ended; what it counted stays."""
        if self.worker is not None:
            self._ended = added(self._ended, self._instruments.kept(self.worker.values))
            self.worker = None

    def start(self) -> None:
        """Start a worker, which waits for `go`."""
        self.worker = Watched(self._config, self.http)

    def go(self) -> None:
        """Let its worker serve."""
        if self.worker is not None:
            self.worker.go()

    def tend(self) -> None:
        """Look after its worker: end one that hangs or is too large, replace one that ended.

        Raises:
            ConfigError: it found a setting that can never work.
        """
        worker = self.worker
        if worker is None:
            if time.monotonic() >= self._start_at:
                self.start()
                self.go()
            return
        fault = worker.look()
        if fault:
            _log.error("worker %d %s; ending it", worker.process.pid, fault)
            worker.kill()
        if worker.process.poll() is not None:
            self._bury(worker)

    def _bury(self, worker: Watched) -> None:
        worker.close(0)
        self.retire()
        code = worker.process.returncode
        if code == EXIT_WRONG_SETTING:
            raise ConfigError(worker.refusal or "a worker could not start; its message is above")
        self._early_deaths = self._early_deaths + 1 if worker.age_s < SETTLED_S else 0
        wait_s = backoff_s(self._early_deaths)
        self._start_at = time.monotonic() + wait_s
        if worker.stopped:
            _log.info("worker %d has stopped; starting another", worker.process.pid)
            return
        if self._early_deaths < DEATHS_MAX:
            _log.error("worker %d ended with %d; starting another", worker.process.pid, code)
            return
        _log.error(
            "worker %d ended with %d, the %dth in a row within %.0f s of its start; "
            "starting another in %.0f s",
            worker.process.pid,
            code,
            self._early_deaths,
            SETTLED_S,
            wait_s,
        )


def backoff_s(early_deaths: int) -> float:
    """Return the pause (s) before the next start after early deaths in a row."""
    if early_deaths <= 1:
        return 0.0
    return pause_s(early_deaths - 2, BACKOFF_MIN_S, BACKOFF_MAX_S)
