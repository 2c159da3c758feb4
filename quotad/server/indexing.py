"""Keeps the index of customers right for what servers without one have written.

A write of a customer moves the index itself. Servers of earlier releases do not: every shard is
compared with its records now and then, by one of all servers.
"""

import logging
import threading
from collections.abc import Callable

from quotad.clock import Clock
from quotad.errors import StoreError
from quotad.store import CustomerIndex

_log = logging.getLogger("quotad.server")

LOOK_S = 60.0
"""How often it is looked whether a shard is due."""
PAUSE_S = 0.02
"""Between two chunks of customers, so that decisions have their turn."""
RETRY_S = 2.0
"""How soon again while the store is not there."""


class Indexing:
    """A thread that indexes the shards that are due.

    Args:
        index: of the store.
        clock: the store's time.
        ready: whether the store was found to be one of these settings, and is there.
    """

    def __init__(self, index: CustomerIndex, clock: Clock, ready: Callable[[], bool]) -> None:
        self._index = index
        self._clock = clock
        self._ready = ready
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quotad-index", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; the store may be closed afterwards."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = RETRY_S
            try:
                if self._ready():  # with other shards it would touch what is not its own
                    self._index_due()
                    wait_s = LOOK_S
            except StoreError:  # the monitor logs that the store is away
                pass
            except Exception:  # noqa: BLE001 (without this thread nothing would be indexed again)
                _log.exception("indexing customers failed; trying again")
            self._stop.wait(wait_s)

    def _index_due(self) -> None:
        for shard in self._index.due(self._clock.now_ms()):
            if self._stop.is_set():
                return
            self._index.refresh(shard, self._clock.now_ms(), lambda: self._stop.wait(PAUSE_S))
