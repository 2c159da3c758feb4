"""One part of one export in this process: taken, read, sent, and given up when another has it."""

import logging
import time

import msgspec

from quotad.errors import StoreError
from quotad.export.reading import RECORD_AGAIN_S, PartReader
from quotad.export.sending import PartSender
from quotad.export.state import PartState
from quotad.outbox import RECORD
from quotad.store.events import EventId
from quotad.store.exports import OTHERS, ExportPart, ExportRecords

_log = logging.getLogger("quotad.export")

ITEMS_MAX = 100_000
"""Items of a part, parked ones among them, beyond which nothing more is read for it."""

RENEW_S = 2.0
"""How often a part is written though nothing has changed: that keeps it, and shows what others ask
for."""

CLOCKS_APART_MS = 2_000
"""How much later than now a server of a cluster may write what is earlier by its own clock."""


class PartExport:
    """A part that this process has, or waits for.

    Args:
        records: where it is written.
        part: which.
        since_ms: what it reads begins after that (Unix ms); 0: with all that there is.
        reader: folds for it.
        sender: sends for it.
        owner: name of this process, that no other has.
    """

    def __init__(
        self,
        records: ExportRecords,
        part: ExportPart,
        since_ms: int,
        reader: PartReader,
        sender: PartSender,
        owner: str,
    ) -> None:
        self._records = records
        self._part = part
        self._first = EventId(since_ms, 2**48) if since_ms > 0 else None
        self._reader = reader
        self._sender = sender
        self._owner = owner
        self._state: PartState | None = None
        self._written_s = 0.0
        self._is_asked = False
        """Whether others had changed the record at the last write, so that it is to be read."""

    def step(self) -> bool:
        """Read and send once; returns whether there is more to do at once.

        Raises:
            StoreError: the store refused or timed out; the part is taken anew the next time.
        """
        try:
            return self._step()
        except StoreError:
            self._state = None  # it may have been written, or not
            raise

    def _step(self) -> bool:
        state = self._state
        if state is None:
            if not self._records.claim(self._part, self._owner):
                return False
            state = self._state = PartState(self._records.read(self._part), self._first)
        now_ms = self._records.now_ms()
        more = False
        self._fold_again(state, now_ms)
        if len(state.items) < ITEMS_MAX:
            sure_ms = now_ms if self._records.whole else now_ms - CLOCKS_APART_MS
            more = self._reader.read(state, now_ms, sure_ms)
        chosen = self._sender.choose(state, now_ms)
        if not self._write(state):
            return self._is_asked
        if chosen:
            self._sender.send(state, chosen, now_ms)
            return self._write(state) or self._is_asked
        return more

    def let_go(self) -> None:
        """Give the part up, so that another process need not wait for it.

        Raises:
            StoreError: the store refused or timed out.
        """
        state, self._state = self._state, None
        if state is not None:
            written, removed = state.take_changes()
            self._records.write(self._part, self._owner, written, removed, let_go=True)

    def _fold_again(self, state: PartState, now_ms: int) -> None:
        """Look at records again that could not be read."""
        for number, item in list(state.items.items()):
            if item.kind != RECORD or (item.parked and not 0 < item.again_ms <= now_ms):
                continue
            why = self._reader.fold_again(state, item, now_ms)
            again_ms = now_ms + RECORD_AGAIN_S * 1000
            after = msgspec.structs.replace(item, parked=why, again_ms=again_ms)
            state.change(number, after if why else None)

    def _write(self, state: PartState) -> bool:
        """Write what has changed; returns whether the part is this process's still."""
        now_s = time.monotonic()
        if not state.changed and now_s - self._written_s < RENEW_S:
            return True
        written, removed = state.take_changes()
        asked = self._records.write(self._part, self._owner, written, removed)
        if asked == OTHERS:
            _log.info("%s: part %s is another process's now", self._part.target, self._part.name)
        self._is_asked = asked not in (OTHERS, state.asked)
        if asked != state.asked:
            self._state = None
            return False
        self._written_s = now_s
        return True
