"""The interface of a source of plan definitions, and the error of one that cannot be read."""

from typing import Protocol

from quotad.catalog import Source
from quotad.errors import QuotadError


class SourceUnavailable(QuotadError):
    """The definitions cannot be read right now; what was read before still stands.

    The message names the source and never holds a credential.
    """

    reason = "SOURCE_UNAVAILABLE"


class PlanSource(Protocol):
    """One place where plan definitions come from. Polled by one thread, never blocks for long."""

    @property
    def name(self) -> str:
        """What to call it in a log line."""
        ...

    def poll(self) -> list[Source] | None:
        """Look for a change.

        Returns:
            All files of this source when they are new or differ from those returned last, None
            when there is nothing new. A None after an error means that the error is over.

        Raises:
            SourceUnavailable: it cannot be read; raised at every poll until that is over.
            CatalogError: it was read, and what it holds cannot be plan definitions.
        """
        ...
