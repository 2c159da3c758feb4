"""Keeps a worker's table of tokens as the store has it."""

import logging
import threading
import time
from collections.abc import Callable, Collection

from quotad.clock import Clock
from quotad.errors import ConfigError, StoreError, StoreUnavailable
from quotad.store.damage import report_once
from quotad.store.tokens import TokenStore
from quotad.tokens.access import TokenTable
from quotad.tokens.record import TokenRecord

POLL_S = 0.5
"""How soon a new or revoked token is known here."""

USED_S = 10.0
"""How often it is written down which tokens were shown."""

_log = logging.getLogger("quotad.server")


class TokenWatch:
    """One thread that reads tokens whenever they were written.

    Args:
        store: where they are.
        table: where they go.
        clock: for when they were last shown.
        on_first_read: called with whether calls must show a token, once that is known.
        on_required: called when they must from now on, and did not have to before.
    """

    def __init__(
        self,
        store: TokenStore,
        table: TokenTable,
        clock: Clock,
        on_first_read: Callable[[bool], None],
        on_required: Callable[[], None],
    ) -> None:
        self._store = store
        self._table = table
        self._clock = clock
        self._on_first_read = on_first_read
        self._on_required = on_required
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._writes = -1
        self._noted = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="quotad-tokens", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the thread; the store may be closed afterwards."""
        self._thread.join()

    def look(self) -> bool:
        """Read the tokens if they were written; returns whether the store answered."""
        with self._looking:
            return self._look()

    def recall(self, records: Collection[TokenRecord]) -> None:
        """Take tokens that were known when the store was last seen, where none were read yet."""
        with self._looking:
            if self._table.required is None:
                self._table.replace(records)
                self._tell(None)

    def _look(self) -> bool:
        try:
            writes = self._store.writes()
            if writes != self._writes:
                before = self._table.required
                self._table.replace(self._store.read())
                self._writes = writes
                self._tell(before)
            if time.monotonic() - self._noted > USED_S:
                self._noted = time.monotonic()
                self._store.note_used(self._table.used(), self._clock.now_ms())
        except StoreUnavailable:  # what is known stays; the monitor reports it
            return False
        except StoreError as error:
            report_once(str(error))
            return False
        return True

    def _tell(self, before: bool | None) -> None:
        required = bool(self._table.required)
        if before is None:
            self._on_first_read(required)
        elif required and not before:
            self._on_required()

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                self.look()
            except ConfigError:
                return
            except Exception:  # noqa: BLE001 (without this thread no token would be revoked)
                _log.exception("reading the tokens failed; trying again")
