"""Keeps a server and its store together: reaching it, its time, and new catalog versions."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from quotad.backoff import pause_s
from quotad.clock import Clock
from quotad.engine import Snapshots
from quotad.engine.demand import Demand
from quotad.engine.insights import Notes
from quotad.engine.seen import Seen
from quotad.engine.watch import CatalogWatch
from quotad.errors import ConfigError, NotReady, StoreError, StoreUnavailable
from quotad.feed.usage import UsageFeed
from quotad.operations.decided import DecidedCounts
from quotad.server.fallback_parts import FallbackParts
from quotad.store import Catalogs, Fleet, KeySpace, Store, check_layout
from quotad.store.damage import report_once
from quotad.store.fleet import HEARTBEAT_S
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from quotad.store.safety import Safety

_log = logging.getLogger("quotad.server")

BACKOFF_MIN_S = 0.05
BACKOFF_MAX_S = 1.0
POLL_S = 0.2
"""How soon the thread that waits for notices sees that the server stops; how often the catalog's
version is asked while no notices arrive."""
LOOK_S = 1.0
"""How often the catalog's version is asked without a notice."""
NOTES_S = 5.0
"""How often customers near a limit are brought to the store."""
SYNC_S = 5.0
"""How often the store's time is asked while all is well."""


class MonitorParts(msgspec.Struct, frozen=True):
    """What the monitor watches."""

    store: Store
    keys: KeySpace
    health: Health
    safety: Safety
    catalogs: Catalogs
    snapshots: Snapshots
    fleet: Fleet
    notes: Notes
    seen: Seen
    demand: Demand
    decided: DecidedCounts
    holds: HoldsSeen
    usage: UsageFeed
    clock: Clock
    look_at_tokens: Callable[[], object] = lambda: None
    """Reads tokens that were written since it was last called."""
    look_at_ledger: Callable[[], object] = lambda: None
    """Looks whether it is full."""
    look_at_shards: Callable[[], object] = lambda: None
    """Reads where they are by now."""
    without_store: FallbackParts | None = None
    """Answers while the store is gone; None: nothing does."""
    keep_known: Callable[[], None] = lambda: None
    """Keeps what is known of the store for the next start."""
    recall_known: Callable[[], None] = lambda: None
    """Takes it over, at a start without the store."""


class Monitor:
    """Three threads: one probes the store; one loads catalogs; one receives notices of
    them, gives signs of life and brings notes.

    Args:
        parts: what to watch.
        on_ready: called whenever the server becomes ready or stops being it.
        on_fatal: called when the store can never be used with these settings.
        on_probe: called with how long (ms) each good probe of the store took.
    """

    def __init__(
        self,
        parts: MonitorParts,
        on_ready: Callable[[bool], None],
        on_fatal: Callable[[ConfigError], None],
        on_probe: Callable[[int], None],
    ) -> None:
        self._parts = parts
        self._watch = CatalogWatch(parts.catalogs, parts.snapshots, parts.fleet)
        self._on_ready = on_ready
        self._on_fatal = on_fatal
        self._on_probe = on_probe
        self._stop = threading.Event()
        self._due = threading.Event()
        """Set when the catalog thread has something to look at."""
        self._deaf = True
        """Whether no notices arrive: the catalog thread looks more often then."""
        self._lock = threading.Lock()
        self._ready: bool | None = None
        self._agreed = False
        """Whether the store has had the right layout once."""
        self._turned = dict.fromkeys(("store", "catalog", "notices"), time.monotonic())
        self._threads = [
            threading.Thread(target=self._watch_store, name="quotad-store", daemon=True),
            threading.Thread(target=self._watch_catalog, name="quotad-catalog", daemon=True),
            threading.Thread(target=self._listen, name="quotad-notices", daemon=True),
        ]

    @property
    def ready(self) -> bool:
        """Whether store and catalog are there."""
        return bool(self._ready)

    @property
    def silent_s(self) -> float:
        """Seconds since the thread that has turned least recently."""
        return time.monotonic() - min(self._turned.values())

    def start(self) -> None:
        """Start the threads."""
        self._parts.snapshots.watched(self._due.set)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the threads end; from now on the server never becomes ready again."""
        with self._lock:
            self._stop.set()
        self._due.set()
        self._parts.health.wake()

    def join(self) -> None:
        """Wait for the threads, each of which may wait for an answer of the store; the store may be
        closed afterwards."""
        for thread in self._threads:
            thread.join()

    def _watch_store(self) -> None:
        while not self._stop.is_set():
            try:
                self._keep_in_touch()
            except Exception:  # noqa: BLE001 (without this thread a server would never recover)
                _log.exception("watching the store failed; trying again")
                self._stop.wait(BACKOFF_MAX_S)

    def _keep_in_touch(self) -> None:
        failures = 0
        said = False
        while not self._stop.is_set():
            self._turned["store"] = time.monotonic()
            # Every time, not only the first: a store may come back empty, or as another one.
            started = time.monotonic()
            try:
                up = self._parts.health.probe(self._agree)
            except ConfigError as error:  # a store of another kind than the URL says
                self._refuse(error)
                return
            if not up:
                self._parts.recall_known()
            self._report()
            if up:
                self._on_probe(round((time.monotonic() - started) * 1000))
                self._parts.health.note_recovery()
                if said:
                    _log.info("the store at %s is back", self._parts.store.address)
                said, failures = False, 0
                self._parts.health.wait_for_failure(SYNC_S)
                said = not self._parts.health.up
                continue
            if not said and not self._stop.is_set():
                said = True
                _log.error("%s; trying again until it can be used", self._parts.health.problem)
            self._stop.wait(pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S))
            failures += 1

    def _agree(self) -> None:
        """Layout, safety and catalog of the store.

        Raises:
            StoreError: it cannot be worked with, now or ever.
        """
        try:
            check_layout(self._parts.store, self._parts.keys, self._agreed)
            self._agreed = True
        except ConfigError as error:
            self._refuse(error)
            raise StoreError(str(error)) from error
        if self._parts.without_store is not None:
            self._parts.without_store.agree()
        self._parts.look_at_tokens()  # before calls are answered, each of which may need one
        self._parts.safety.check()
        # Before the catalog is read: a publish that comes in between waits for this server.
        self._parts.fleet.beat()
        self._parts.holds.look()
        self._parts.look_at_ledger()
        self._refresh()

    def _refuse(self, error: ConfigError) -> None:
        """End the server, as the store can never be used with its settings."""
        self._stop.set()
        self._on_fatal(error)

    def _refresh(self) -> None:
        snapshots = self._parts.snapshots
        if snapshots.loaded:
            self._due.set()  # this thread has the store to watch
            return
        with suppress(NotReady):  # logged once by the snapshots; calls are refused meanwhile
            snapshots.refresh(None)

    def _watch_catalog(self) -> None:
        try:
            self._look_until_stop()
        finally:
            self._parts.snapshots.watched(None)  # calls under way load for themselves

    def _look_until_stop(self) -> None:
        snapshots = self._parts.snapshots
        while True:
            self._due.wait(POLL_S if self._deaf else LOOK_S)
            self._due.clear()
            self._turned["catalog"] = time.monotonic()
            if self._stop.is_set():
                return
            try:
                with suppress(NotReady):
                    snapshots.look(self._watch.step)
                self._parts.keep_known()
                self._report()
                snapshots.free_old()
            except StoreUnavailable:
                self._parts.health.wake()
                self._stop.wait(POLL_S)
            except StoreError as error:  # such as a lost record
                report_once(str(error))
                self._stop.wait(BACKOFF_MAX_S)
            except Exception:  # noqa: BLE001 (without this thread no catalog would be loaded)
                _log.exception("watching the catalog failed; trying again")
                self._stop.wait(BACKOFF_MAX_S)

    def _listen(self) -> None:
        try:
            self._listen_until_stop()
        finally:
            if self._parts.health.up:
                self._parts.fleet.leave()

    def _listen_until_stop(self) -> None:
        beaten = noted = time.monotonic()
        while not self._stop.is_set():
            self._turned["notices"] = time.monotonic()
            try:
                for heard in self._parts.catalogs.notices(POLL_S):
                    self._turned["notices"] = time.monotonic()
                    if self._stop.is_set():
                        return
                    self._deaf = False
                    if heard:
                        self._due.set()
                        self._parts.usage.look(self._parts.clock.now_ms())
                    if time.monotonic() - beaten > HEARTBEAT_S:
                        beaten = time.monotonic()
                        self._parts.fleet.beat()
                        self._parts.safety.watch()
                        self._parts.holds.look()
                        self._parts.look_at_shards()
                        self._parts.usage.look(self._parts.clock.now_ms())
                    self._parts.usage.flush()
                    if time.monotonic() - noted > NOTES_S:
                        noted = time.monotonic()
                        self._flush()
            except StoreError:
                self._deaf = True
                self._parts.health.wake()  # a lost connection is the first sign of a lost store
                self._stop.wait(BACKOFF_MAX_S)
                self._beat()
            except Exception:  # noqa: BLE001 (without this thread no notice would arrive again)
                _log.exception("waiting for notices failed; trying again")
                self._stop.wait(BACKOFF_MAX_S)

    def _flush(self) -> None:
        """Write down the customers of decisions; what cannot be written is lost."""
        now_ms = self._parts.clock.now_ms()
        try:
            self._parts.notes.flush(now_ms)
            self._parts.seen.flush(now_ms)
            self._parts.demand.flush(now_ms)
            self._parts.decided.flush(now_ms)
        except StoreUnavailable:
            raise
        except StoreError as error:
            report_once(str(error))

    def _beat(self) -> None:
        """Give a sign of life while no notices arrive."""
        if not self._stop.is_set():
            with suppress(StoreError):
                self._parts.fleet.beat()

    def _report(self) -> None:
        there = self._parts.health.up or (
            self._parts.without_store is not None and self._parts.without_store.answers
        )
        ready = there and self._parts.snapshots.loaded
        with self._lock:
            if ready == self._ready or self._stop.is_set():
                return
            self._ready = ready
            if ready:
                _log.info("ready")
            elif self._parts.health.up:
                _log.warning("not ready: %s", self._parts.snapshots.problem)
            self._on_ready(ready)
