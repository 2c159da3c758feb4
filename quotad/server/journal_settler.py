"""The thread that settles journals: as soon as the store is there, and then again and again."""

import logging
import threading

from quotad.backoff import pause_s
from quotad.errors import StoreError
from quotad.operations.settling import SettlingOperations
from quotad.store.damage import report_once
from quotad.store.health import Health

PAUSE_S = 0.5
"""Between two looks at the journals."""

PAUSE_MAX_S = 5.0
"""The same while a node of the store is gone: journals are read again each time."""

_log = logging.getLogger("quotad.server")


class JournalSettler(threading.Thread):
    """Settles until it is stopped.

    Args:
        settling: does it.
        health: whether the store is there.
    """

    def __init__(self, settling: SettlingOperations, health: Health) -> None:
        super().__init__(name="quotad-journal", daemon=True)
        self._settling = settling
        self._health = health
        self._ended = threading.Event()

    def run(self) -> None:
        """Settle what there is, now and then."""
        failures = 0
        while not self._ended.wait(pause_s(failures, PAUSE_S, PAUSE_MAX_S)):
            failures = failures + 1 if self._step() else 0

    def stop(self) -> None:
        """Let it end."""
        self._ended.set()

    def _step(self) -> bool:
        """Look once; returns whether there is something to wait for longer."""
        try:
            self._settling.adopt()
            return self._health.up and self._settling.settle()
        except StoreError as error:
            report_once(str(error))
        except Exception:  # noqa: BLE001 (without this thread nothing would be settled)
            _log.exception("settling the journals failed; trying again")
        return True
