"""The state of a batch between the phases of `engine`."""

import logging
from collections.abc import Sequence

from quotad.engine.meters import LimitTerms
from quotad.errors import QuotadError, StoreError, internal_error
from quotad.model import ConsumeRequest, Decision
from quotad.store import Charge

_log = logging.getLogger("quotad.engine")


class Round:
    """The state of a batch between its phases; charges and what belongs to them, side by side."""

    __slots__ = ("answers", "at", "charges", "given", "held", "pending", "requests", "terms")

    def __init__(self, requests: Sequence[ConsumeRequest]) -> None:
        self.requests = requests
        self.answers: list[Decision | QuotadError | None] = [None] * len(requests)
        self.pending = list(range(len(requests)))
        self.clear()

    def clear(self) -> None:
        """Forget the charges, not the answers."""
        self.charges: list[Charge] = []
        self.at: list[int] = []
        """Which request each charge is for."""
        self.terms: list[tuple[LimitTerms, ...]] = []
        self.given: list[Decision | QuotadError | None] = []
        """The decision, where no counter takes part; or why the request can never work."""
        self.held: set[str] = set()
        """Usage keys of customers and resources of whom nothing more may be planned."""

    def epochs(self) -> dict[str, int]:
        """By the usage key of a customer or resource, the epoch its charges were planned with."""
        return {charge.keys.usage: charge.epoch for charge in self.charges}

    def hold_back(self) -> None:
        """Leave to the next round what was planned on another view of its customer or resource
        than the first request of it: were that one stale, the others would be settled before it."""
        first: dict[str, int] = {}
        held = self.held
        kept: list[int] = []
        for at, charge in enumerate(self.charges):
            name = charge.keys.usage
            if first.setdefault(name, charge.epoch) != charge.epoch:
                held.add(name)
            if name in held:
                self.pending.append(self.at[at])
            else:
                kept.append(at)
        if held:
            self.charges = [self.charges[at] for at in kept]
            self.at = [self.at[at] for at in kept]
            self.terms = [self.terms[at] for at in kept]
            self.given = [self.given[at] for at in kept]

    def leave_unsettled(self, start: int, error: StoreError) -> None:
        """Answer planned charges that the store has not settled.

        A request that can never work is refused for its own reason; one with an idempotency key is
        not, as something may have been taken under the key when it could. Every decision needs the
        store, which alone knows that neither catalog nor customer has changed. A feature's own
        answer for when the store is gone belongs here, where `error` says that nothing was sent.

        Args:
            start: the first of them.
            error: why.
        """
        for at in range(start, len(self.charges)):
            given = self.given[at]
            refusal = isinstance(given, QuotadError) and self.charges[at].once is None
            self.answers[self.at[at]] = given if refusal else error

    def failed(self, *these: int) -> None:
        """Answer requests with an error that nobody has foreseen; called where it is caught.

        One record or one entitlement that cannot be worked out fails those who ask about it, and
        nobody else in the batch.
        """
        _log.exception("a request failed")
        planned = len(self.charges)
        del self.at[planned:], self.terms[planned:], self.given[planned:]
        for i in these:
            self.answers[i] = internal_error()
