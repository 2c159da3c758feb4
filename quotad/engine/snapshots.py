"""The catalog in force, compiled, swapped as a whole; and the one that a publish has prepared."""

import gc
import logging
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from quotad import handover
from quotad.catalog import Catalog, Snapshot, compile_snapshot
from quotad.engine.budget import Budget
from quotad.errors import CatalogError, NotReady
from quotad.ledger import Noting
from quotad.records import CatalogRecord
from quotad.store import Candidate, Catalogs, catalog_tag

_log = logging.getLogger("quotad.engine")

IN_USE_S = 1.0
"""How long what was swapped out is left alone: batches under way may use it."""

NOTHING_PUBLISHED = "no catalog was published yet; publish one or start a sidecar"


class Held(msgspec.Struct, frozen=True):
    """A compiled catalog, and what is known of its publish."""

    snapshot: Snapshot
    record: CatalogRecord
    """Without its document."""
    packed: bytes
    """The document, compressed: a fraction of what is compiled from it."""

    @property
    def tag(self) -> str:
        """What decisions name it by."""
        return catalog_tag(self.snapshot.version, self.snapshot.digest)

    def document(self) -> bytes:
        """What it was compiled from."""
        return zlib.decompress(self.packed)


class Snapshots:
    """Holds the compiled catalog in force and at most one that is prepared; any thread may read.

    Only three things ever change it: `refresh` loads what the store has in force, `prepare` what a
    publish has prepared, and `follow` swaps one for the other when a decision finds it in force.

    Args:
        catalogs: where they are published.
        ledger: what is noted of features whose catalog writes nothing.
    """

    def __init__(self, catalogs: Catalogs, ledger: Noting = Noting.NOTHING) -> None:
        self._catalogs = catalogs
        self._ledger = ledger
        self._loading = threading.Lock()
        """Held while a catalog is read and compiled."""
        self._changed = threading.Condition()
        """Held for a moment while something is swapped; notified when it was, or was tried."""
        self._current: Held | None = None
        self._prepared: Held | None = None
        self._problem = NOTHING_PUBLISHED
        self._wake: Callable[[], None] | None = None
        self._asked = 0
        """Looks that were asked for, and those that were done."""
        self._looked = 0
        self._on_swap: list[Callable[[Snapshot | None], list[Any]]] = []
        self._unreadable = ""
        """Tag of the catalog in force, if this server cannot read it."""
        self._old: list[tuple[float, Any]] = []
        """What was swapped out and when, for a thread that has the time to free it."""

    @property
    def loaded(self) -> bool:
        """Whether there is a catalog to decide with."""
        return self._current is not None

    @property
    def problem(self) -> str:
        """Why there is no catalog to decide with; empty when there is one."""
        return "" if self.loaded else self._problem

    @property
    def peek(self) -> Snapshot | None:
        """The catalog in force, if any."""
        held = self._current
        return None if held is None else held.snapshot

    @property
    def held(self) -> Held | None:
        """The catalog in force, if any, and what is known of its publish."""
        return self._current

    @property
    def published(self) -> CatalogRecord | None:
        """The record of the catalog in force, without its document."""
        held = self._current
        return None if held is None else held.record

    @property
    def prepared(self) -> Held | None:
        """What a publish under way has prepared, if it could be compiled."""
        return self._prepared

    def current(self) -> Snapshot:
        """The catalog in force.

        Raises:
            NotReady: none was published yet, or this server cannot read it.
        """
        held = self._current
        if held is None:
            raise NotReady(self._problem)
        return held.snapshot

    def newest(self) -> Snapshot:
        """The catalog in force, also when it was published on another server a moment ago.

        Raises:
            NotReady: none was published yet, or this server cannot read it.
            StoreUnavailable: the store refused or timed out.
        """
        self.refresh(self.peek)
        return self.current()

    def to_plan_on(self) -> Snapshot:
        """The catalog to plan a decision on: where none is in force, the one that is prepared.

        It may have come into force a moment ago, which the script that counts knows.

        Raises:
            NotReady: there is neither.
        """
        prepared = self._prepared  # first: it may become the one in force between the two looks
        held = self._current or prepared
        if held is None:
            raise NotReady(self._problem)
        return held.snapshot

    def on_swap(self, change: Callable[[Snapshot | None], list[Any]]) -> None:
        """Call a function with every catalog that comes into force; it returns what to free."""
        self._on_swap.append(change)

    def refresh(self, seen: Snapshot | None) -> None:
        """Fetch and compile what the store has in force, in the calling thread.

        Args:
            seen: the caller's catalog; when another thread has replaced it, that is enough.

        Raises:
            StoreUnavailable: the store refused or timed out.
            NotReady: the store holds a catalog that this server cannot read.
        """
        if self.peek is not seen:
            return
        version, digest = self._catalogs.head()
        if seen is not None and _is(seen, version, digest):
            return
        with self._loading:
            held = self._prepared
            if self.peek is not seen or (
                held is not None and _is(held.snapshot, version, digest) and self._swap(seen, held)
            ):
                return
            record = self._catalogs.current() if version else None
            if record is None:
                self._swap(seen, None, NOTHING_PUBLISHED)
                return
            if seen is None or not _is(seen, record.version, record.digest):
                self._swap(seen, self._read(record, seen))

    def recall(self, record: CatalogRecord) -> None:
        """Hold a catalog that was in force when the store was last seen, where none is held.

        Decisions that are planned on it are refused by the store when another one is in force.

        Raises:
            NotReady: this server cannot read it.
        """
        with self._loading:
            if self._current is None:
                self._swap(None, self._read(record, None))

    def prepare(self, candidate: Candidate) -> bool:
        """Fetch and compile what a publish has prepared; False: it has ended meanwhile.

        Raises:
            StoreUnavailable: the store refused or timed out.
            CatalogError: this server cannot read it.
        """
        with self._loading:
            held = self._prepared
            if held is not None and held.tag == candidate.tag:
                return True
            self.drop_prepared()
            record = self._catalogs.prepared(candidate)
            if record is None:
                return False
            self._prepared = _compiled(record, self._ledger)
        return True

    def drop_prepared(self) -> None:
        """Drop what was prepared: it has lapsed."""
        with self._changed:
            if self._prepared is not None:
                self._old.append((time.monotonic(), self._prepared.snapshot))
                self._prepared = None

    def follow(self, seen: Snapshot, tag: str, budget: Budget) -> None:
        """Replace a catalog that a decision was planned on and that is not in force any more.

        What was prepared is at hand. Anything else is loaded by the thread that keeps watch over
        the catalog, for as long as the batch may wait; without such a thread, by the caller.

        Args:
            seen: the catalog that the decision was planned on.
            tag: of the one in force, as the store has just answered; empty: none.
            budget: of the batch.

        Raises:
            StoreUnavailable: the store refused or timed out.
            NotReady: it is not loaded yet, or this server cannot read it.
        """
        current = self._current
        if current is not None and current.snapshot is not seen:
            return
        held = self._prepared
        if held is not None and held.tag == tag and held.snapshot is not seen:
            self._swap(None if current is None else seen, held)
        elif self._wake is None:
            self.refresh(self.peek)
        elif not self._wait(self.peek, budget.ask()):
            raise NotReady(f"catalog {tag} is in force, and not loaded yet; try again")
        else:
            budget.answered()
        if self._current is None and not tag:
            raise NotReady(self._problem)

    def watched(self, wake: Callable[[], None] | None) -> None:
        """Let a thread load catalogs from now on.

        Args:
            wake: makes that thread `look` soon; None: it has ended.
        """
        with self._changed:
            self._wake = wake
            self._changed.notify_all()

    def look(self, do: Callable[[bool], None]) -> None:
        """Let the watching thread look for a new catalog, and wake the threads that wait for it.

        Args:
            do: looks; called with whether a decision waits for it.
        """
        asked = self._asked
        try:
            do(asked > self._looked)
        finally:
            with self._changed:
                self._looked = asked
                self._changed.notify_all()

    def free_old(self) -> None:
        """Free catalogs and views that were swapped out, bit by bit; may take seconds."""
        with handover.often():
            while self._old and time.monotonic() - self._old[0][0] > IN_USE_S:
                _, old = self._old.pop(0)
                parts = [old]
                if isinstance(old, Snapshot):
                    plans = [*old.plans.values(), *old.earlier.values()]
                    parts = [plan.entitlements for plan in plans]
                    del plans
                del old
                handover.release(parts)

    def _read(self, record: CatalogRecord, seen: Snapshot | None) -> Held:
        """Compile what is in force; if this server cannot, nothing is any more.

        Deciding on the one before would break the promise that no decision uses a stale catalog.
        """
        tag = catalog_tag(record.version, record.digest)
        problem = f"catalog version {record.version} cannot be read by this server"
        if tag == self._unreadable:
            raise NotReady(problem)
        try:
            return _compiled(record, self._ledger)
        except CatalogError as error:  # published by a newer quotad
            _log.error("%s: %s", problem, error)
            self._unreadable = tag
            self._swap(seen, None, problem)
            raise NotReady(problem) from error

    def _wait(self, seen: Snapshot | None, deadline: float) -> bool:
        """Wait until the watching thread has looked; returns whether it has."""
        with self._changed:
            self._asked = ticket = self._asked + 1
            wake = self._wake
        if wake is not None:
            wake()
        with self._changed:
            while self.peek is seen and self._looked < ticket and self._wake is not None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    return self.peek is not seen or self._looked >= ticket
        return True

    def _swap(self, seen: Snapshot | None, held: Held | None, problem: str = "") -> bool:
        """Put a catalog in the place of the one that was seen; False: another thread did."""
        with self._changed:
            if self.peek is not seen:
                return False
            if held is None:
                self._problem = problem
                if seen is None:
                    return True
            self._current = held
            if self._prepared is held:
                self._prepared = None
            old: list[Any] = [] if seen is None else [seen]
            for change in self._on_swap:
                old += change(self.peek)
            if self._wake is not None:
                now = time.monotonic()
                self._old += [(now, each) for each in old]
            self._changed.notify_all()
        if held is not None:
            _log.info("catalog version %d is in force", held.record.version)
        return True


def _is(snapshot: Snapshot, version: int, digest: str) -> bool:
    """Whether a snapshot is of this version; of a digest the store may know only the start."""
    return catalog_tag(snapshot.version, snapshot.digest) == catalog_tag(version, digest)


def _compiled(record: CatalogRecord, ledger: Noting) -> Held:
    with handover.often():
        snapshot = compile_snapshot(Catalog.from_document(record.document), record.version)
        snapshot = msgspec.structs.replace(snapshot, ledger=ledger)
        # Long-lived from here on: a full collection that looks at it all (44 ms with 100,000
        # customers in memory) would find nothing.
        gc.freeze()
    packed = zlib.compress(record.document, level=1)
    return Held(snapshot, msgspec.structs.replace(record, document=b""), packed)
