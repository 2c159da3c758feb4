"""All workers of a server, as their parent has them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from quotad.config import Config
from quotad.metrics import WorkerReport
from quotad.plural import plural
from quotad.server.instruments import DECISIONS, instruments
from quotad.server.slot import Slot

_log = logging.getLogger("quotad.server")

POLL_S = 0.1
STOP_GRACE_S = 1.0
"""What closing may take beyond `drain_timeout_ms`."""


class Workers:
    """Starts worker processes, replaces those that die or hang; a context manager that stops them.

    Inside it the processes exist and read their code; `run` lets them serve.

    Args:
        config: the settings; the ports in `listen`, `http` and `dashboard` are not 0.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = threading.Event()
        self._slots = [Slot(config) for _ in range(config.workers)]
        if config.http:
            self._slots += [Slot(config, "http") for _ in range(config.http_workers)]
        if config.dashboard:
            self._slots.append(Slot(config, "dashboard"))
        if config.export_to or config.ledger_archive:
            self._slots.append(Slot(config, "export"))
        self._instruments = instruments()
        self._turned = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether a worker of each kind answers calls with decisions."""
        return all(any(slot.ready for slot in slots) for slots in self.slots.values())

    @property
    def silent_s(self) -> float:
        """Seconds since the workers were last looked after."""
        return time.monotonic() - self._turned

    @property
    def stopping(self) -> bool:
        """Whether they are to end."""
        return self._stop.is_set()

    @property
    def slots(self) -> Mapping[str, Sequence[Slot]]:
        """The places of the workers, by the edge that they serve."""
        found: dict[str, list[Slot]] = {}
        for slot in self._slots:
            found.setdefault(slot.edge, []).append(slot)
        return found

    def counted(self) -> dict[str, WorkerReport]:
        """Return what all workers have counted, by the edge that they serve."""
        return {
            edge: self._instruments.summed([slot.reports() for slot in slots])
            for edge, slots in self.slots.items()
        }

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
            self._turned = time.monotonic()
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
        rows = [row for report in self.counted().values() for row in report.rows.values()]
        decisions = self._instruments.named_rows(rows)[DECISIONS.name]
        if workers and any(decisions.values()):
            parts = ", ".join(f"{name} {count:,}" for name, count in decisions.items() if count)
            total = plural(sum(decisions.values()), "decision")
            _log.info("stopped after %s: %s", total, parts)
