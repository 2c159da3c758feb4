"""The loop that turns changed plan files into published catalog versions.

One thread owns everything: it polls the sources, and when one of them changed, merges all of them,
parses the result and publishes it. What the catalog in force is never makes it publish: a rollback
by hand, or another sidecar with other content, stands until the files of this one change.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from quotad.backoff import pause_s
from quotad.catalog import Catalog, Source, carry, parse, read_record, told_apart
from quotad.errors import CatalogError, Conflict, QuotadError, StoreError
from quotad.operations.plan_files import keep
from quotad.operations.publish import CatalogStore, Terms, publish
from quotad.records import CatalogRecord
from quotad.sidecar.interface import PlanSource, SourceUnavailable
from quotad.sidecar.removals import DELAY_S, Removals, Waiting
from quotad.sidecar.report import OpenProblems, log_outcome, log_waiting

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 2.0

_WATCH_INTERVAL_S = 10.0
"""How often the version in force is looked at."""

log = logging.getLogger("quotad.sidecar")


class SidecarState(msgspec.Struct, frozen=True):
    """How a sidecar is doing, as of its last step."""

    version: int = 0
    """The catalog version in force when the store was last asked; 0: none, or not asked yet."""
    digest: str = ""
    """Of the last good content of the sources, as files."""
    problems: tuple[str, ...] = ()
    """Everything that keeps the sidecar from doing its work now; empty when all is well."""
    waiting: tuple[str, ...] = ()
    """What is in force and missing in the sources: a publish without it waits for it to come
    back."""
    ready: bool = False
    """Whether good content has been read and brought to the store, at least once."""


class _Slot:
    """A source, and what is known of it."""

    def __init__(self, source: PlanSource, number: int) -> None:
        self.source = source
        self.key = f"source {number}"
        self.files: list[Source] | None = None
        """What it returned last."""
        self.broken = False
        """Whether what it holds now cannot be plan definitions."""


class Sidecar:
    """Keeps the catalog in force in step with its sources."""

    def __init__(
        self,
        sources: Sequence[PlanSource],
        catalogs: CatalogStore,
        *,
        publish_at_start: bool = False,
        only_first: bool = False,
        removal_delay_s: float = DELAY_S,
        published_by: str = "sidecar",
        poll_interval_s: float = 0.2,
        now: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; nothing is read before the first step.

        Args:
            sources: merged into one catalog, in this order.
            catalogs: where to publish.
            publish_at_start: publish what the sources hold at start also when that is content
                of an older version.
            only_first: publish only while there is no catalog: others own it.
            removal_delay_s: how long a plan, a feature or an entitlement that is in force must be
                missing in the sources before a catalog without it is published.
            published_by: written into the history.
            poll_interval_s: time between two steps. A file change is read at the second look, so
                it takes at most twice as long.
            now: monotonic seconds.
            spread: random number in [0, 1), for the jitter of the back-off.
        """
        self._slots = [_Slot(source, number) for number, source in enumerate(sources)]
        self._catalogs = catalogs
        self._published_by = published_by
        self._only_first = only_first
        self._poll_interval_s = poll_interval_s
        self._now = now
        self._spread = spread
        self._problems = OpenProblems()
        self._removals = Removals(removal_delay_s)
        self._dirty = False
        """Whether a source has changed since the catalog was last parsed."""
        self._only_new = not publish_at_start
        """True until the first good content: what a sidecar finds at start is no edit."""
        self._loaded: Catalog | None = None
        """The last good catalog."""
        self._files: tuple[Source, ...] = ()
        """What it was read from."""
        self._pending = False
        """Whether the last good catalog is still to be brought to the store."""
        self._pending_only_new = False
        self._store_due_s = 0.0
        """When to talk to the store next."""
        self._retries = 0
        self._version = 0
        self._ready = False
        self._waiting: Waiting | None = None
        """What the publish that is pending waits for."""
        self._state = SidecarState()

    @property
    def state(self) -> SidecarState:
        """How it is doing; may be read from any thread."""
        return self._state

    def run(self, stop: threading.Event) -> None:
        """Step until `stop` is set."""
        while not stop.is_set():
            try:
                self.step()
            except Exception:
                # A bug that one document brings out must not end the sync of the next one.
                log.exception("the sidecar failed in an unexpected way; it carries on")
                stop.wait(_BACKOFF_MAX_S)
            stop.wait(self._poll_interval_s)

    def step(self) -> None:
        """Look at every source once, and do what follows from it; never waits but for the store."""
        try:
            for slot in self._slots:
                self._poll(slot)
            if self._dirty:
                self._load()
            if self._now() >= self._store_due_s:
                if self._pending:
                    self._ask(self._publish)
                elif self._ready:
                    self._ask(self._watch)
        finally:
            self._state = SidecarState(
                version=self._version,
                digest=self._loaded.digest if self._loaded else "",
                problems=self._problems.all(),
                waiting=self._waiting.left_out if self._waiting is not None else (),
                ready=self._ready,
            )

    def _poll(self, slot: _Slot) -> None:
        try:
            files = slot.source.poll()
        except SourceUnavailable as error:
            # What it held when it could be read still counts: a web server that is down must not
            # keep an edited file from being published.
            self._problems.report(slot.key, "cannot read a source", (str(error),), self._kept)
            return
        except CatalogError as error:
            slot.broken = True
            self._problems.report(slot.key, "a source is broken", error.problems, self._kept)
            return
        slot.broken = False
        self._problems.solve(slot.key, f"{slot.source.name} can be read again")
        if files is not None:
            slot.files = files
            self._dirty = True

    def _load(self) -> None:
        """Parse all sources together, once each of them has been read."""
        parts: list[tuple[str, list[Source]]] = []
        for slot in self._slots:
            if slot.files is None or slot.broken:
                return  # without it plans would be missing
            parts.append((slot.source.name, slot.files))
        self._dirty = False
        try:
            files = told_apart(parts)
            catalog = parse(files)
        except CatalogError as error:
            self._problems.report("catalog", "the catalog is not valid", error.problems, self._kept)
            return
        self._problems.solve("catalog", "the catalog is valid again")
        if self._loaded is not None and catalog.digest == self._loaded.digest:
            # A comment, or a mistake taken back: nothing new, but for who edits the files.
            self._files = tuple(files)
            keep(self._catalogs, catalog.source_digest, self._files)
            return
        self._loaded = catalog
        self._files = tuple(files)
        self._pending = True
        self._pending_only_new = self._only_new
        self._only_new = False
        if not self._retries:  # otherwise the store is failing, and has its own pace
            self._store_due_s = self._now()

    def _kept(self) -> str:
        """What is in force while the sources cannot be published."""
        try:
            version = self._version or self._catalogs.version()
        except QuotadError:
            return "nothing is published"
        return "the catalog in force stays" if version else "no catalog is in force"

    def _ask(self, question: Callable[[], None]) -> None:
        """Talk to the store, and decide when to talk to it next."""
        try:
            question()
        except (StoreError, Conflict) as error:
            wait_s = pause_s(self._retries, _BACKOFF_FIRST_S, _BACKOFF_MAX_S, self._spread())
            self._retries += 1
            self._store_due_s = self._now() + wait_s
            if not self._problems.has("store"):  # once, also when the next error reads otherwise
                self._problems.report("store", "no store", (str(error),), lambda: "trying again")
        else:
            self._retries = 0
            self._store_due_s = self._now() + _WATCH_INTERVAL_S
            if self._waiting is not None:
                self._store_due_s = min(self._store_due_s, self._waiting.until_s)

    def _publish(self) -> None:
        """Bring the last good catalog to the store; when that fails it stays pending.

        It also stays pending while what it leaves out is waited for.
        """
        try:
            self._settle()
        except (StoreError, Conflict):
            raise
        except QuotadError as error:
            # Refused for what it is; trying the same again would not help.
            problems = error.problems if isinstance(error, CatalogError) else (str(error),)
            self._problems.report("content", "cannot publish", problems, self._kept)
        else:
            self._problems.solve("content", "the content was accepted")
            self._ready = True
        self._pending = self._waiting is not None

    def _settle(self) -> None:
        """Publish against the version that was looked at, so that the logged changes are true."""
        assert self._loaded is not None
        terms = Terms(
            self._published_by,
            only_new=self._pending_only_new,
            actor=self._published_by,
            files=self._files,
        )
        done = publish(self._catalogs, self._carried, terms)
        if done is not None:
            self._problems.solve("store", "the store is back")
            self._version = done.published.version
            log_outcome(done.published, done.before, done.content)

    def _carried(self, in_force: CatalogRecord | None) -> Catalog | None:
        """The last good catalog, with what earlier subscribers keep; None: it waits."""
        assert self._loaded is not None
        if self._only_first and in_force is not None:
            log.warning(
                "the files are not published: the dashboard owns the catalog (catalog_owner),"
                " version %d is in force",
                in_force.version,
            )
            self._version = in_force.version
            return None
        before = read_record(in_force)
        catalog = carry(before, self._loaded)
        if self._is_waiting(before, catalog):
            self._version = in_force.version if in_force else 0
            return None
        return catalog

    def _is_waiting(self, before: Catalog | None, catalog: Catalog) -> bool:
        """Whether what the new catalog leaves out is still waited for; logged when it changes."""
        now_s = self._now()
        waited, self._waiting = self._waiting, self._removals.waiting(before, catalog, now_s)
        if self._waiting is None:
            return False
        if waited is None or waited.left_out != self._waiting.left_out:
            log_waiting(self._waiting, self._waiting.until_s - now_s)
        self._problems.solve("store", "the store is back")
        return True

    def _watch(self) -> None:
        """See whether the store still has what it acknowledged."""
        version = self._catalogs.version()
        self._problems.solve("store", "the store is back")
        if version < self._version:
            # Versions only grow, so the store was emptied or fell back to an older copy. With
            # only_new this restores what is gone, and undoes no rollback.
            log.warning(
                "the store lost catalog version %d, it has %d; publishing again if need be",
                self._version,
                version,
            )
            self._pending = True
            self._pending_only_new = True
            self._version = version
            self._publish()
        self._version = max(version, self._version)
        self._catalogs.mend()  # what a publisher that died has left half done, on a cluster
