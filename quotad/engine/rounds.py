"""The state of a batch between its phases."""

import logging
from collections.abc import Sequence

import msgspec

from quotad.decision import ConsumeRequest, Decision
from quotad.engine.joint import JointPart
from quotad.engine.meters import LimitTerms
from quotad.errors import QuotadError, StoreError, internal_error
from quotad.ledger import NO_TAKERS, Takers
from quotad.store import Charge, CustomerKeys, Settlement

_log = logging.getLogger("quotad.engine")


class Planned(Charge, frozen=True, gc=False):
    """A planned request: its charge, and what its answer is made of."""

    terms: tuple[LimitTerms, ...] = ()
    """Of the limits, in the order of the charge's counters."""
    given: Decision | QuotadError | tuple[JointPart, ...] | None = None
    """The decision, where no counter takes part; or why the request can never work. Of a request
    about several features, what their decisions are folded from."""
    plain: LimitTerms | None = None
    """Of a request for a quantity and no more than that, its only limit, which is hard and has no
    details: so nothing else is looked at. None: of any other."""


class KeptPlan(Planned, frozen=True, gc=False):
    """What is planned of a request for a quantity of one plain limit and no more than that: kept,
    and used for every such request until its period ends."""

    feature_id: str = ""
    from_ms: int = 0
    until_ms: int = 0

    def of(self, quantity: int) -> "KeptPlan":
        """The same for another quantity."""
        return KeptPlan(
            self.keys,
            self.epoch,
            quantity,
            self.verb,
            self.counters,
            None,
            self.names,
            self.epoch_word,
            self.terms,
            None,
            self.plain,
        )


class KeptTogether(Planned, frozen=True, gc=False):
    """The same of a request for quantities of several features, each of one plain limit."""

    features: tuple[str, ...] = ()
    hard: tuple[tuple[int, int | None], ...] = ()
    """As of `AllTaken`."""
    from_ms: int = 0
    until_ms: int = 0

    def of(self, amounts: tuple[int, ...]) -> "KeptTogether":
        """The same for other quantities."""
        return KeptTogether(
            self.keys,
            self.epoch,
            amounts,
            self.verb,
            self.counters,
            None,
            self.names,
            self.epoch_word,
            (),
            self.given,
            None,
            self.features,
            self.hard,
        )


AtPlace = tuple[int, Planned]
"""Behind the place of its request in the batch."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """What the answer to a check of slots is made of."""

    keys: CustomerKeys
    terms: tuple[LimitTerms, ...]


class Round:
    """The requests of a batch, those that are planned and those that are answered."""

    __slots__ = (
        "answers",
        "denied",
        "held",
        "looks",
        "partial",
        "pending",
        "places",
        "planned",
        "requests",
        "takers",
    )

    falls_back = True
    """Whether the policies of features may answer what was not sent to a store that is gone."""

    def __init__(self, requests: Sequence[ConsumeRequest], takers: Takers = NO_TAKERS) -> None:
        self.requests = requests
        self.takers = takers
        """Whose doing they are."""
        self.answers: list[Decision | QuotadError | None] = [None] * len(requests)
        self.pending = list(range(len(requests)))
        """Places of the requests that are neither planned nor answered."""
        self.planned: list[Planned] = []
        self.places: list[int] = []
        """Of the requests that are planned, in the same order."""
        self.held: set[str] = set()
        """Usage keys of customers and resources for which nothing more may be planned."""
        self.denied: list[tuple[int, Planned, Settlement]] = []
        """What had no room, in all or in part."""
        self.partial = False
        """Whether something takes what is left."""
        self.looks: dict[int, Look] | None = None
        """By place, checks of slots in flight, which are read once catalog and customer are known
        to be as planned."""

    def add(self, place: int, one: Planned) -> None:
        """Take what was planned of the request at a place."""
        self.planned.append(one)
        self.places.append(place)

    @property
    def placed(self) -> list[AtPlace]:
        """What is planned, in order."""
        return list(zip(self.places, self.planned, strict=True))

    def clear(self) -> None:
        """Drop what was planned; keep the answers."""
        self.planned = []
        self.places = []
        self.held = set()

    def epochs(self) -> dict[str, int]:
        """By the usage key of a customer or resource, the epoch its charges were planned with."""
        return {one.keys.usage: one.epoch for one in self.planned}

    def hold_back(self) -> None:
        """Leave to the next round what was planned on another view of its customer or resource
        than the first request of it: were that one stale, the others would be settled before it."""
        first: dict[str, int] = {}
        held = self.held
        placed = self.placed
        self.planned, self.places = [], []
        for place, one in placed:
            name = one.keys.usage
            if first.setdefault(name, one.epoch) != one.epoch:
                held.add(name)
            if name in held:
                self.pending.append(place)
            else:
                self.add(place, one)

    def leave_unsettled(self, unsettled: Sequence[AtPlace], error: StoreError) -> None:
        """Answer planned charges that the store has not settled.

        A request that can never work is refused for its own reason; one with an idempotency key is
        not, as something may have been taken under the key when it could. Every decision needs the
        store, which alone knows that neither catalog nor customer has changed. What a feature's
        policy answers was answered before, see `fallback`.

        Args:
            unsettled: some of those that are planned.
            error: why.
        """
        for place, one in unsettled:
            refusal = isinstance(one.given, QuotadError) and one.once is None
            self.answers[place] = one.given if refusal else error  # type: ignore[assignment]

    def failed(self, *places: int) -> None:
        """Answer requests with an unforeseen error; call from the except block.

        One record or one entitlement that cannot be worked out fails the requests about it, and
        no other of the batch.
        """
        _log.exception("a request failed")
        for place in places:
            self.answers[place] = internal_error()


class StrictRound(Round):
    """One of which every request needs the store: what it answers is built upon."""

    __slots__ = ()
    falls_back = False
