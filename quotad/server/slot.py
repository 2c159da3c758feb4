"""The place of one worker: which process fills it, and when the next one is started."""

import logging
import threading
import time

import msgspec

from quotad.backoff import pause_s
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.metrics import FeatureNames, WorkerReport, added
from quotad.server.instruments import instruments
from quotad.server.pulse import EXIT_WRONG_SETTING
from quotad.server.watched import Watched

_log = logging.getLogger("quotad.server")

SETTLED_S = 10.0
"""After this age a worker has started well; the next one is started at once."""
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 30.0
DEATHS_MAX = 5
"""Early deaths in a row, from which on the log has that starting has become slower."""

RESTARTS = (PLANNED, FAILED) = ("planned", "failed")
"""Why a worker was replaced: it ended in good order to be started again, or it died or hung."""


class Slot:
    """The place of one worker, whichever process fills it."""

    def __init__(self, config: Config, edge: str = "grpc") -> None:
        self._config = config
        self.edge = edge
        """What its workers serve, in a word."""
        self._early_deaths = 0
        self._start_at = 0.0
        self._instruments = instruments()
        self._features = FeatureNames()
        self._changing = threading.Lock()
        """Held while a worker takes its place among those that have ended."""
        self._ended = self._instruments.nothing()
        """What workers have counted that have ended."""
        self.restarts = dict.fromkeys(RESTARTS, 0)
        """How often a worker was replaced, by why."""
        self.worker: Watched | None = None

    @property
    def ready(self) -> bool:
        """Whether its worker answers calls with decisions."""
        return self.worker is not None and self.worker.ready

    @property
    def pid(self) -> int:
        """Process id of its worker; 0: there is none now."""
        worker = self.worker
        return 0 if worker is None else worker.process.pid

    def reports(self) -> tuple[WorkerReport, WorkerReport | None]:
        """Return what workers have counted that have ended, and what the one that runs reports."""
        with self._changing:
            return self._ended, None if self.worker is None else self.worker.report

    def retire(self) -> None:
        """Drop a worker that has ended; what it counted stays."""
        with self._changing:
            if self.worker is not None:
                last = self.worker.report
                if last is not None:
                    total = added([self._ended, self._instruments.kept(last)])
                    rows = self._features.bounded(total.rows)
                    self._ended = msgspec.structs.replace(total, rows=rows)
                self.worker = None

    def start(self) -> None:
        """Start a worker, which waits for `go`."""
        self.worker = Watched(self._config, self.edge)

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
        self.restarts[PLANNED if worker.stopped else FAILED] += 1
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
