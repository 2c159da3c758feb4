"""Exports to all receivers of webhooks that there are, as they come and go."""

import logging
import threading
from collections.abc import Callable

from quotad.errors import StoreError
from quotad.export.exporter import Exporter
from quotad.export.webhooks import WebhookParts, WebhookTarget
from quotad.store.exports import ExportRecords
from quotad.store.ledger import LedgerStreams
from quotad.webhooks.endpoint import WEBHOOK, WebhookEndpoint

_log = logging.getLogger("quotad.export")

LOOK_S = 1.0
"""How often it is read which receivers there are."""


class _Running:
    """An exporter to one receiver, on a thread of its own."""

    def __init__(self, target: WebhookTarget, exporter: Exporter, once: bool) -> None:
        self.target = target
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=exporter.run, args=(self._stop, once), name=f"quotad-{target.name}"
        )
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stop.set()

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()


class Receivers:
    """Exports to each receiver, until it is stopped; any number may do so on one store.

    Args:
        records: how far exports are.
        streams: the ledger.
        parts: what receivers share.
        look: called in each round of each, reads where shards are by now.
    """

    def __init__(
        self,
        records: ExportRecords,
        streams: LedgerStreams,
        parts: WebhookParts,
        look: Callable[[], object],
    ) -> None:
        self._records = records
        self._streams = streams
        self._parts = parts
        self._look = look
        self._running: dict[str, _Running] = {}
        self._ending: list[_Running] = []
        """Those that may be in the middle of sending."""

    def run(self, stop: threading.Event, once: bool = False) -> None:
        """Export until `stop` is set.

        Args:
            stop: ends it.
            once: end as soon as nothing is left that can be sent at once.
        """
        failed = False
        while not stop.is_set():
            try:
                self._follow(once)
                failed = False
                if once:
                    break
            except StoreError as error:
                if not failed:
                    _log.error("webhooks: %s; trying again", error)
                failed = True
            except Exception:  # noqa: BLE001 (without this thread no receiver would be begun)
                _log.exception("looking for receivers of webhooks failed; trying again")
            stop.wait(LOOK_S)
        if not once:
            self._end(list(self._running))
        for each in (*self._ending, *self._running.values()):
            each.join()

    def _follow(self, once: bool) -> None:
        """Begin what is new, end what is gone."""
        begun = self._records.targets()  # before the receivers: what is begun was one by then
        found = {each.webhook_id: each for each in self._parts.store.read()}
        self._end([name for name in self._running if name not in found])
        for name in begun:
            if name.startswith(f"{WEBHOOK}-") and name not in found:
                self._records.forget(name)
                self._parts.store.forget(name)
        for endpoint in found.values():
            self._begin(endpoint, once)

    def _begin(self, endpoint: WebhookEndpoint, once: bool) -> None:
        known = self._running.get(endpoint.webhook_id)
        if known is not None:
            known.target.endpoint = endpoint
            return
        # It gets what comes from when it was added on, not from when this process has seen it.
        self._records.begin(endpoint.webhook_id, endpoint.created_ms - 1)
        target = WebhookTarget(endpoint, self._parts)
        exporter = Exporter(self._records, self._streams, [target], self._look)
        self._running[target.name] = _Running(target, exporter, once)

    def _end(self, names: list[str]) -> None:
        for name in names:
            ended = self._running.pop(name)
            ended.stop()
            self._ending.append(ended)
        self._ending = [each for each in self._ending if each.is_alive()]
