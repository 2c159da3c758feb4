"""Keeps the index of customers right for what servers without one have written.

A write of a customer moves the index itself. Before an update nobody did, and servers that are not
updated yet do not: every shard is compared with its records now and then, by one of all servers.
"""

import logging
import threading

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
    """

    def __init__(self, index: CustomerIndex, clock: Clock) -> None:
        self._index = index
        self._clock = clock
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
            wait_s = LOOK_S
            try:
                self._index_due()
            except StoreError:  # the monitor logs that the store is away
                wait_s = RETRY_S
            except Exception:  # noqa: BLE001 (without this thread nothing would be indexed again)
                _log.exception("indexing customers failed; trying again")
            self._stop.wait(wait_s)

    def _index_due(self) -> None:
        for shard in self._index.due(self._clock.now_ms()):
            if self._stop.is_set():
                return
            self._index.refresh(shard, self._clock.now_ms(), lambda: self._stop.wait(PAUSE_S))
