"""The run that is under way in this process: its name and what its users have seen."""

from loadtests.scenarios.ledger import Ledger
from quotad.store.publishing import HISTORY_MAX

PUBLISHED_MAX = HISTORY_MAX * 3 // 4
"""Versions of a run; the rest is for what others publish meanwhile."""


class Run:
    """One run; there is one object for the life of the process, and a new start clears it."""

    def __init__(self) -> None:
        self.run_id = ""
        """Part of every customer id, so that all counters start at zero; empty: no run yet."""
        self.ledger = Ledger()
        self.to_be_checked = False
        """The run has started, or tries to, and was not checked yet."""
        self.prepared = False
        """Its users may be running."""
        self._first_version = 0
        self.publishes = True
        """Whether its users may publish catalogs; see `published`."""

    def start(self, run_id: str) -> None:
        """Forget the run before."""
        self.run_id = run_id
        self.ledger = Ledger()
        self.to_be_checked = True
        self.prepared = False
        self._first_version = 0
        self.publishes = True

    def published(self, version: int) -> bool:
        """Note a catalog that was published; returns whether it is the last.

        The server keeps so many versions only, and the one that was in force before the run has to
        be among them, to be brought back. Versions tell of the users of other processes too.
        """
        self._first_version = self._first_version or version
        ends = self.publishes and version - self._first_version >= PUBLISHED_MAX
        self.publishes = self.publishes and not ends
        return ends

    def customer(self, name: str) -> str:
        """The customer id for a name, this run's own."""
        return f"{self.run_id}-{name}"


RUN = Run()
