"""Exports in this process: a thread for each target, which goes round its parts."""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from quotad.backoff import pause_s
from quotad.errors import StoreError
from quotad.export.part import PartExport
from quotad.export.reading import PartReader
from quotad.export.sending import PartSender
from quotad.export.target import ExportTarget, takes_all
from quotad.store.exports import ExportPart, ExportRecords
from quotad.store.ledger import LedgerStreams

_log = logging.getLogger("quotad.export")

POLL_S = 1.0
"""How often the ledger is looked at while nothing comes."""

BACKOFF_MIN_S, BACKOFF_MAX_S = 0.1, 5.0


class Exporter:
    """Exports to some targets, until it is stopped; any number may do so on one store.

    Args:
        records: how far exports are.
        streams: the ledger.
        targets: where to.
        look: called in each round, reads where shards are by now.
        from_oldest: a target that is new gets what the ledger has already.
    """

    def __init__(
        self,
        records: ExportRecords,
        streams: LedgerStreams,
        targets: Sequence[ExportTarget],
        look: Callable[[], object] = lambda: None,
        from_oldest: bool = False,
    ) -> None:
        self._records = records
        self._streams = streams
        self._targets = targets
        self._look = look
        self._from_oldest = from_oldest
        self._owner = secrets.token_hex(8)
        self._parts: dict[ExportPart, PartExport] = {}

    def run(self, stop: threading.Event, once: bool = False) -> None:
        """Export until `stop` is set.

        Args:
            stop: ends it.
            once: end as soon as nothing is left that can be sent at once.
        """
        threads = [
            threading.Thread(
                target=self._run, args=(each, stop, once), name=f"quotad-export-{each.name}"
            )
            for each in self._targets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, target: ExportTarget, stop: threading.Event, once: bool) -> None:
        failures = 0
        with ThreadPoolExecutor(target.senders, f"quotad-{target.name}") as pool:
            while not stop.is_set():
                try:
                    pause = 0.0 if self.round(target, pool) else POLL_S
                    if once and pause:
                        break
                    failures = 0
                except StoreError as error:
                    if not failures:
                        _log.error("%s: %s; trying again", target.name, error)
                    pause = pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S)
                    failures += 1
                except Exception:  # noqa: BLE001 (without this thread nothing would be sent)
                    _log.exception("exporting to %s failed; trying again", target.name)
                    pause = pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S)
                    failures += 1
                stop.wait(pause)
        self.let_go(target)

    def round(self, target: ExportTarget, pool: Executor) -> bool:
        """Go once round the parts of a target; returns whether there is more to do at once.

        Raises:
            StoreError: the store refused or timed out.
        """
        self._look()
        target.look()
        since_ms = 0 if self._from_oldest or takes_all(target) else self._records.now_ms()
        since_ms = self._records.begin(target.name, since_ms)
        more = False
        parts = self._records.every_part if takes_all(target) else self._records.parts
        for name, shards in parts.items():
            part = ExportPart(target.name, name)
            if part not in self._parts:
                self._parts[part] = PartExport(
                    self._records,
                    part,
                    since_ms,
                    PartReader(self._streams, target, name, shards),
                    PartSender(target, pool, time.monotonic, random.random),
                    self._owner,
                )
            more = self._parts[part].step() or more
        return more

    def let_go(self, target: ExportTarget) -> None:
        """Give up the parts of a target, as far as the store is there."""
        for part, each in self._parts.items():
            if part.target == target.name:
                try:
                    each.let_go()
                except StoreError as error:  # its lease ends
                    _log.warning("%s: %s", target.name, error)
