"""What the servers of gRPC and of HTTP share: started, watched, drained, stopped."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, Self

import msgspec

from quotad.config import Config
from quotad.engine.times import BatchTimes
from quotad.errors import ConfigError
from quotad.metrics import Instrument, Readings, WorkerReport, summed_rows
from quotad.operations.decisions import DecisionOperations
from quotad.operations.exports import READINGS
from quotad.server.address import is_loopback
from quotad.server.indexing import Indexing
from quotad.server.instruments import (
    BATCH_SIZE,
    BREAKER_OPEN,
    CATALOG_PUBLISHED,
    CATALOG_VERSION,
    CUSTOMERS_CACHED,
    CUSTOMERS_READ,
    DECISIONS,
    EVENT_STREAMS,
    EXPORTS,
    LEASES,
    LEDGER_FULL,
    OUTSTANDING,
    PHASES_NS,
    PROBE,
    STALE_ROUNDS,
    STORE_ERRORS,
    STORE_UNSAFE,
    TOKENS_REFUSED,
    WOULD_DENY,
    instruments,
)
from quotad.server.monitor import Monitor
from quotad.server.parts import Parts
from quotad.server.token_watch import TokenWatch
from quotad.tokens.access import TokenTable

_log = logging.getLogger("quotad.server")

STORE_WAITS = 10
"""How often a thread of the monitor may wait for the store before it turns."""

MONITOR_STUCK_S = 120.0
"""A thread of the monitor that has not turned for this time is stuck; compiling a large catalog on
a busy machine takes a while. The waits for the store are added."""


class Edge(Protocol):
    """Where calls arrive and leave."""

    @property
    def address(self) -> str:
        """Where it listens, with the port it really got."""
        ...

    def start(self) -> None:
        """Accept calls from here on."""
        ...

    def set_ready(self, ready: bool) -> None:
        """Publish whether calls are answered with decisions."""
        ...

    def drain(self) -> None:
        """Take no further calls; those that came before are to be answered."""
        ...

    def stop(self) -> None:
        """Close every connection."""
        ...


class DecisionThread(Protocol):
    """A thread that serves until its edge is drained."""

    def start(self) -> None:
        """Start it."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        ...

    def has_progressed(self) -> bool:
        """Whether it waits for calls, or has gone on since the last look."""
        ...


_BATCHES: Mapping[Instrument, Callable[[BatchTimes], Readings]] = {
    PHASES_NS: lambda times: [value for phase in times.phases for value in phase.row],
    BATCH_SIZE: lambda times: times.batches.row,
    STALE_ROUNDS: lambda times: [times.stale_rounds],
    CUSTOMERS_READ: lambda times: [times.customers_read],
    STORE_ERRORS: lambda times: times.errors,
}
"""What each decision thread counts of its batches."""


class ServerBase:
    """A worker process's insides without an edge; a context manager.

    A subclass calls `_serve` once, when it has made its edge.

    Args:
        config: the settings.

    Raises:
        ConfigError: the store's URL is wrong.
    """

    _name = ""
    """Of what serves, for the log."""
    _listens = ""
    """The address that it was told."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._monitor_stuck_s = MONITOR_STUCK_S + STORE_WAITS * config.store_timeout_ms / 1000
        self._fatal: ConfigError | None = None
        self._stopped = threading.Event()
        self._parts = parts = Parts(config)
        self.tokens = TokenTable(parts.clock)
        self._token_watch = TokenWatch(
            parts.tokens(), self.tokens, parts.clock, self._check_reachable, self._on_required
        )
        self._made: Sequence[DecisionOperations] = ()
        self._indexing = Indexing(parts.index, parts.clock, lambda: self.ready)
        self.metrics = instruments()
        parts.without_store.read_by(self.metrics)
        self.metrics.read_by(LEDGER_FULL, lambda: [parts.ledger_bound.full])
        for name, instrument in zip(READINGS, EXPORTS, strict=True):
            self.metrics.read_by(instrument, partial(parts.exports.reading_of_each, name))
        self.metrics.read_by(BREAKER_OPEN, lambda: [int(not parts.health.up)])
        self.metrics.read_by(
            STORE_UNSAFE, lambda: [int(each in parts.unsafe) for each in STORE_UNSAFE.labels]
        )
        self.metrics.read_by(CATALOG_VERSION, lambda: [self._catalog()[0]])
        self.metrics.read_by(CATALOG_PUBLISHED, lambda: [self._catalog()[1]])
        self.metrics.read_by(TOKENS_REFUSED, lambda: [self.tokens.refused])
        self.metrics.read_by(EVENT_STREAMS, lambda: [parts.feed.listeners])
        for instrument, read in _BATCHES.items():
            self.metrics.read_by(instrument, partial(self._of_batches, read))
        self.metrics.read_by(LEASES, self._leases)
        self.metrics.read_by(OUTSTANDING, parts.outstanding)
        self.metrics.read_by(CUSTOMERS_CACHED, lambda: [parts.cached_customers])

    def _serve(
        self, edge: Edge, deciders: Sequence[DecisionThread], made: Sequence[DecisionOperations]
    ) -> None:
        """Take what calls come through, the threads that decide and what they decide with."""
        self._edge = edge
        self._deciders = deciders
        self._made = made
        on_probe = self.metrics.observer(PROBE)
        known = self._parts.recollection(lambda: self.tokens.records, self._token_watch.recall)
        parts = msgspec.structs.replace(
            self._parts.monitored(),
            look_at_tokens=self._token_watch.look,
            keep_known=known.keep,
            recall_known=known.recall,
        )
        self._monitor = Monitor(parts, edge.set_ready, self.fail, on_probe)

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._edge.address

    def start(self) -> None:
        """Accept calls; ready as soon as the store and a catalog are there."""
        self._parts.store.open_links()
        self._edge.start()
        self._edge.set_ready(False)
        for decider in self._deciders:
            decider.start()
        self._monitor.start()
        self._parts.without_store.start()
        self._token_watch.start()
        self._indexing.start()
        _log.info("listening on %s (%s)", self.address, self._name)

    def wait(self) -> None:
        """Wait until `interrupt` is called.

        Raises:
            ConfigError: the store can never be used with these settings.
        """
        self._stopped.wait()
        if self._fatal is not None:
            raise self._fatal

    def interrupt(self) -> None:
        """Let `wait` return; a signal handler calls it beside, see `signals`."""
        self._stopped.set()

    @property
    def ready(self) -> bool:
        """Whether calls are answered with decisions."""
        return self._monitor.ready

    def interrupted(self, timeout_s: float) -> bool:
        """Wait for an end within a time; return whether it has come."""
        return self._stopped.wait(timeout_s)

    def has_progressed(self) -> bool:
        """Whether no thread is where it was at the last look; waiting for calls is progress too."""
        return all([decider.has_progressed() for decider in self._deciders]) and (
            self._monitor.silent_s < self._monitor_stuck_s
        )

    def _check_reachable(self, required: bool) -> None:
        """End where other machines can call, and need no token for it."""
        if not required and not self._config.insecure and not is_loopback(self._listens):
            self.fail(
                ConfigError(
                    f"{self._listens}: other machines can call it, and there is no token yet; make"
                    " one by `quotad tokens create --role admin`, or start with --insecure"
                )
            )

    def _on_required(self) -> None:
        """End, to be started again, where calls do not carry their tokens to be looked at."""

    def fail(self, error: ConfigError) -> None:
        """Let `wait` raise an error."""
        self._fatal = error
        self._stopped.set()

    def stop(self) -> None:
        """Answer the calls under way, for at most `drain_timeout_ms`, then close everything."""
        self._monitor.stop()
        self._token_watch.stop()
        self._indexing.stop()
        self._parts.without_store.stop()
        self._parts.feed.stop()
        self._edge.drain()
        deadline = time.monotonic() + self._config.drain_timeout_ms / 1000
        for decider in self._deciders:
            decider.join(max(0.0, deadline - time.monotonic()))
        self._edge.stop()
        self._monitor.join()
        self._token_watch.join()
        self._parts.feed.join()
        self._parts.without_store.join()
        self._parts.write_notes()
        self._parts.reader.close()
        self._parts.store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def report(self) -> WorkerReport:
        """Return what the parent of the workers is told."""
        return WorkerReport(
            self.metrics.values(),
            self._counts(),
            self._parts.problems(),
            self._parts.warnings(),
            self._parts.store.node_counts,
        )

    def _counts(self) -> dict[str, Readings]:
        # Copies, as threads may add a feature meanwhile.
        return summed_rows([dict(each.counts) for each in self._made])

    def _of_batches(self, read: Callable[[BatchTimes], Readings]) -> list[int]:
        return [sum(each) for each in zip(*(read(one.times) for one in self._made), strict=True)]

    def _catalog(self) -> tuple[int, int]:
        """Version, and when it was published (Unix ms)."""
        record = self._parts.published
        return (0, 0) if record is None else (record.version, record.published_ms)

    def _leases(self) -> list[int]:
        made = [each.leases for each in self._made]
        return [
            sum(each.acquired for each in made),
            sum(each.renewed for each in made),
            sum(each.released for each in made),
        ]

    def _decisions_by_reason(self) -> dict[str, int]:
        total = self.metrics.named_rows(self._counts().values())
        found = total[DECISIONS.name] | {"WOULD_DENY": total[WOULD_DENY.name][""]}
        return {name: count for name, count in found.items() if count}
