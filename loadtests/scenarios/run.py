"""The run that is under way in this process: its name and what its users have seen."""

from loadtests.scenarios.ledger import Ledger


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

    def start(self, run_id: str) -> None:
        """Forget the run before."""
        self.run_id = run_id
        self.ledger = Ledger()
        self.to_be_checked = True
        self.prepared = False

    def customer(self, name: str) -> str:
        """The customer id for a name, this run's own."""
        return f"{self.run_id}-{name}"


RUN = Run()
