"""Keeps a server's catalog in step with the store, off the decision threads.

One thread of a worker calls `step`: it loads what is in force, compiles and acknowledges what a
publish has prepared, and writes head, tags and record again where the store has lost them.
"""

import time

from quotad.engine.snapshots import Snapshots
from quotad.errors import CatalogError, RecordLost, StoreUnavailable
from quotad.store import Candidate, Catalogs, Fleet

MEND_S = 5.0
"""How often the tags of all shards are compared with the head, and the record is looked for."""


class CatalogWatch:
    """What the catalog thread of a worker does; of one thread."""

    def __init__(self, catalogs: Catalogs, snapshots: Snapshots, fleet: Fleet) -> None:
        self._catalogs = catalogs
        self._snapshots = snapshots
        self._fleet = fleet
        self._answered = ""
        """Token of the candidate that was answered last."""
        self._mended_s = time.monotonic()

    def step(self, stale: bool) -> None:
        """Look at the store once, and do what follows from it.

        Args:
            stale: whether a decision has met another catalog than the one held.

        Raises:
            StoreUnavailable: the store refused or timed out.
            NotReady: this server cannot read the catalog in force.
        """
        snapshots = self._snapshots
        if stale or time.monotonic() - self._mended_s > MEND_S:
            try:
                self._catalogs.mend()
            except StoreUnavailable as error:
                if not error.partial:  # else the shards of the others have been mended
                    raise
            held = snapshots.held
            if held is not None:
                self._catalogs.keep(held.record, held.document)
            self._mended_s = time.monotonic()
        candidate = self._catalogs.look()[1]
        try:
            snapshots.refresh(snapshots.peek)
        finally:
            if candidate is not None:
                self._answer(candidate)
        if candidate is None:  # not where the store failed: what was prepared may be in force
            snapshots.drop_prepared()

    def _answer(self, candidate: Candidate) -> None:
        """Compile a candidate, and acknowledge it or answer why it cannot be read."""
        if candidate.token == self._answered:
            return
        problem = ""
        try:
            if not self._snapshots.prepare(candidate):
                return
        except (CatalogError, RecordLost) as error:
            problem = str(error).partition("\n")[0][:500] or "it cannot be read"
        self._fleet.acknowledge(candidate, problem)
        self._answered = candidate.token
