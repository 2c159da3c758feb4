"""Decisions: requests decided together, counted by reason, and noted where most of a limit is used.

On the way of every decision: what is done here for each is counted by `make bench-check`.
"""

import logging
import os
from collections.abc import Sequence
from typing import Protocol

import msgspec

from quotad.decision import (
    AllTaken,
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Reason,
)
from quotad.engine import Granted
from quotad.engine.insights import Notes
from quotad.engine.leases import Leases
from quotad.engine.reservations import Reservations, Reserved
from quotad.engine.shared import Acting
from quotad.engine.slots import Slots
from quotad.engine.times import BatchTimes
from quotad.engine.views import view_name
from quotad.errors import InvalidRequest, NotFound, QuotadError, StoreError
from quotad.feed.usage import UsageNotes
from quotad.held import Because, Correction, Setting, Used
from quotad.ids import check_id
from quotad.ledger import Taker, Takers
from quotad.lending import Leased, Renewal
from quotad.marks import FULL
from quotad.metrics import OTHER, FeatureNames, FeatureRows
from quotad.model import Feature, MeterKind
from quotad.prices import OveragePrice
from quotad.slots import Acquired, AcquireRequest, OpenSlot

NO_REASON = Because()

WOULD_DENY = 0
"""Place among the counts of a feature; the reasons are at their numbers."""

COUNTS = max(Reason) + 1
"""How many there are."""

ANY_FEATURE = FeatureNames()
"""For where features are not told apart from made-up ones."""

_log = logging.getLogger("quotad.operations")


class Decides(Protocol):
    """What deciding needs of `quotad.engine.Engine`."""

    @property
    def times(self) -> BatchTimes:
        """What it counts of batches."""
        ...

    @property
    def acting(self) -> Acting:
        """Whose doing it is what is carried out beside batches."""
        ...

    def decide(
        self, requests: Sequence[ConsumeRequest], takers: Takers
    ) -> list[Decision | QuotadError]:
        """Decide a batch; one entry per request."""
        ...

    def undo(self, request: ConsumeRequest, key: str) -> Decision | QuotadError:
        """Take back what was taken under an idempotency key, once."""
        ...

    def set_usage(self, setting: Setting) -> Decision:
        """Set what was used of one limit in its current period."""
        ...

    def note_correction(self, customer_id: str, correction: Correction) -> None:
        """Note what was corrected, for people."""
        ...

    @property
    def reservations(self) -> Reservations:
        """Made and settled on the same connection."""
        ...

    @property
    def leases(self) -> Leases:
        """Lent and taken back on the same connection."""
        ...

    @property
    def slots(self) -> Slots:
        """Acquired, extended and released on the same connection."""
        ...

    def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str
    ) -> tuple[Feature | None, Decision]:
        """What asking for one unit of a feature would be answered; None: no such feature."""
        ...

    def entitlements(self, customer_id: str, resource_id: str) -> Granted:
        """Everything a customer is entitled to."""
        ...

    def overage_price(
        self, customer_id: str, feature_id: str, resource_id: str
    ) -> OveragePrice | None:
        """What a customer just decided about pays past a soft limit; None: nothing."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class DecisionOperations:
    """Decides; of one thread.

    Args:
        engine: of this thread.
        notes: of customers near a limit.
        usage: takes what was decided, for listeners.
        features: those that are counted apart.
    """

    def __init__(
        self,
        engine: Decides,
        notes: Notes,
        usage: UsageNotes | None = None,
        features: FeatureNames = ANY_FEATURE,
    ) -> None:
        self._engine = engine
        self.times = engine.times
        """How long batches take."""
        self._notes = notes
        self._usage = usage or UsageNotes()
        self.counts = FeatureRows(COUNTS, features)
        """Decisions so far, by feature and the number of their reason; at `WOULD_DENY` those of
        them that a limit in shadow would have denied."""

    def close(self) -> None:
        """Close the connection to the store."""
        self._engine.close()

    def act_for(self, taker: Taker) -> None:
        """Take what comes next for somebody's doing, but for batches that have takers."""
        self._engine.acting.taker = taker

    def decide(
        self, requests: Sequence[ConsumeRequest], takers: Takers | None = None
    ) -> list[Decision | QuotadError]:
        """Decide a batch; as `Engine.decide`, without takers for whom `act_for` has named."""
        self.times.begin(len(requests))
        takers = takers or Takers((self._engine.acting.taker,))
        answers = self._engine.decide(requests, takers)
        counts, known = self.counts, self._notes.known
        feature_id, row = "", counts[OTHER]
        limit: int | None = 0
        near = -1
        try:
            for request, answer in zip(requests, answers):  # noqa: B905 (it costs; they are as many)
                if type(answer) is Decision:
                    if request.feature_id is not feature_id:  # nearly always one text for each
                        feature_id = request.feature_id
                        row = counts[feature_id]
                    row[answer.reason] += 1
                    if answer.limit is not limit:
                        limit = answer.limit
                        near = limit // FULL if limit else -1
                    # As `near_features`, without the call, for the case of one limit.
                    if answer.limits or answer.remaining <= near:
                        name = request.customer_id
                        if (
                            answer.detailed
                            or request.resource_id
                            or name not in known[request.feature_id]
                        ):
                            self._note(request, answer)
                elif not isinstance(request, ConsumeAllRequest):
                    continue
                elif type(answer) is AllTaken:
                    counts[request.features[0]][answer.reason] += 1
                    numbers = zip(answer.hard, answer.amounts, answer.before)  # noqa: B905 (as above)
                    for (most, _), amount, before in numbers:
                        if (most - before - amount) * FULL <= most:
                            self._note_items(request, answer.in_full())
                            break
                elif isinstance(answer, ConsumeAllDecision):
                    counts[decisive(request, answer)][answer.reason] += 1
                    for of_item in answer.items:
                        limit_of_item = of_item.limit
                        if of_item.limits or (
                            limit_of_item and of_item.remaining * FULL <= limit_of_item
                        ):
                            self._note_items(request, answer)
                            break
            if self._usage.watched:
                self._usage.note_decided(requests, answers)
        except Exception:  # noqa: BLE001 (what was taken is to be answered)
            _log.exception("decisions were not noted")
        if self.times.timed:
            self.times.decided()
        return answers

    @property
    def reservations(self) -> Reservations:
        """Extended on the same connection; made by `reserve`, settled by `commit` and `release`."""
        return self._engine.reservations

    def commit(self, customer_id: str, hold_id: str, used: Used, *, overrun: bool) -> Decision:
        """Settle a reservation by what was used; as `Reservations.commit`."""
        settled = self._engine.reservations.commit(customer_id, hold_id, used, overrun=overrun)
        self._usage.note(customer_id)
        return settled

    def release(self, customer_id: str, hold_id: str) -> Decision:
        """Settle a reservation by nothing; as `Reservations.release`."""
        settled = self._engine.reservations.release(customer_id, hold_id)
        self._usage.note(customer_id)
        return settled

    def reserve(self, request: ConsumeRequest, hold_id: str, ttl_ms: int) -> Reserved:
        """Take a quantity until it is settled; as `Reservations.reserve`, and a decision."""
        reserved = self._engine.reservations.reserve(request, hold_id, ttl_ms)
        answer = reserved.decision
        feature_id = request.feature_id
        if isinstance(request, ConsumeAllRequest) and isinstance(answer, ConsumeAllDecision):
            feature_id = decisive(request, answer)
            self._note_items(request, answer)
        else:
            self._note(request, answer)
        self.counts[feature_id][answer.reason] += 1
        self._usage.note_decided([request], [answer])
        return reserved

    @property
    def leases(self) -> Leases:
        """Counted; made by `acquire_lease`, settled by `renew_lease` and `release_lease`."""
        return self._engine.leases

    def renew_lease(self, customer_id: str, lease_id: str, renewal: Renewal, ttl_ms: int) -> Leased:
        """Report what was spent of a lease, and have it go on; as `Leases.renew`, and customers
        near the limit are noted: one that only renews has had all of its usage lent."""
        leased = self._engine.leases.renew(customer_id, lease_id, renewal, ttl_ms)
        lent = ConsumeRequest(customer_id, leased.feature_id, 0, resource_id=leased.resource_id)
        self._note(lent, leased.decision)
        self._usage.note(customer_id)
        return leased

    def release_lease(self, customer_id: str, lease_id: str, spent: int) -> int:
        """Return what was not spent of a lease; as `Leases.release`."""
        returned = self._engine.leases.release(customer_id, lease_id, spent)
        self._usage.note(customer_id)
        return returned

    def acquire_lease(self, request: ConsumeRequest, lease_id: str, ttl_ms: int) -> Leased:
        """Lend up to a quantity; as `Leases.acquire`, and customers near the limit are noted."""
        leased = self._engine.leases.acquire(request, lease_id, ttl_ms)
        self._note(request, leased.decision)
        self._usage.note_decided([request], [leased.decision])
        return leased

    @property
    def slots(self) -> Slots:
        """Extended on the same connection; held by `acquire_slot` to `release_slot`."""
        return self._engine.slots

    def list_slots(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> list[OpenSlot]:
        """Return the slots of a feature that are held, those that end first.

        Raises:
            InvalidRequest: the feature does not limit what is in flight.
            NotFound: there is no such feature.
            StoreUnavailable: the store refused or timed out.
        """
        found = self._engine.slots.list(customer_id, feature_id, resource_id)
        if not found:  # of a feature that was taken out of the catalog they are listed still
            feature, _ = self._engine.entitlement(customer_id, feature_id, resource_id)
            if feature is None:
                raise NotFound(f"feature_id: unknown feature {feature_id!r}")
            if feature.kind is not MeterKind.CONCURRENCY:
                raise InvalidRequest(
                    f"feature_id: {feature_id!r} does not limit what is in flight; it has no slots"
                )
        return found

    def release_slot(self, customer_id: str, slot_id: str) -> bool:
        """Free a slot; as `Slots.release`."""
        released = self._engine.slots.release(customer_id, slot_id)
        self._usage.note(customer_id)
        return released

    def acquire_slot(self, request: AcquireRequest) -> Acquired:
        """Acquire a slot, and count what comes with it; as `Slots.acquire`, and a decision."""
        acquired = self._engine.slots.acquire(request)
        self.counts[decisive(request, acquired.decision)][acquired.decision.reason] += 1
        self._note_items(request, acquired.decision)
        self._usage.note_decided([request], [acquired.decision])
        return acquired

    def refund(
        self, request: ConsumeRequest, taken_under: str, because: Because = NO_REASON
    ) -> Decision:
        """Take back what was counted.

        Args:
            request: a REFUND.
            taken_under: the idempotency key of what is undone; empty: the request's quantity.
            because: why; if that is given, it is noted among the customer's corrections.

        Raises:
            InvalidRequest: it can never work.
            NotFound: nothing is remembered under the key.
            StoreUnavailable: the store refused or timed out.
        """
        if taken_under:
            answer = self._engine.undo(request, taken_under)
        else:
            (answer,) = self._engine.decide([request], Takers((self._engine.acting.taker,)))
        if isinstance(answer, QuotadError):
            raise answer
        self._usage.note_decided([request], [answer])
        if because and answer.allowed:
            items = answer.items if isinstance(answer, ConsumeAllDecision) else (answer,)
            correction = Correction(
                "refund",
                request.feature_id,
                sum(item.granted for item in items),
                request.resource_id,
                because.reason,
                because.actor,
                taken_under or request.idempotency_key,
                made_by=because.made_by,
            )
            self._note_correction(request.customer_id, correction)
        return answer

    def set_usage(self, setting: Setting, because: Because = NO_REASON) -> Decision:
        """Set what was used of one limit, and note it among the customer's corrections.

        Raises:
            InvalidRequest: nothing can be set there.
            IdempotencyMismatch: the key was used for something else.
            StoreUnavailable: it may be set all the same; repeat it under the same key.
        """
        answer = self._engine.set_usage(setting)
        if answer.allowed:
            self._usage.note(setting.customer_id, setting.feature_id, setting.resource_id)
            correction = Correction(
                "set",
                setting.feature_id,
                answer.granted,
                setting.resource_id,
                because.reason,
                because.actor,
                setting.idempotency_key,
                made_by=because.made_by,
            )
            self._note_correction(setting.customer_id, correction)
        return answer

    def _note_correction(self, customer_id: str, correction: Correction) -> None:
        if not correction.key:
            correction = msgspec.structs.replace(correction, id=os.urandom(8).hex())
        try:
            self._engine.note_correction(customer_id, correction)
        except StoreError:  # what was corrected, is: the caller must not do it again
            _log.exception("a correction of %r was not noted", customer_id)

    def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> tuple[Feature | None, Decision]:
        """What asking for one unit of a feature would be answered; None: no such feature.

        Raises:
            InvalidRequest: an id is of the wrong shape.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        check_id(customer_id, "customer_id")
        check_id(feature_id, "feature_id")
        _check_resource(resource_id)
        return self._engine.entitlement(customer_id, feature_id, resource_id)

    def overage_price(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> OveragePrice | None:
        """What the customer of the entitlement just read pays past a soft limit; None: nothing."""
        return self._engine.overage_price(customer_id, feature_id, resource_id)

    def entitlements(self, customer_id: str, resource_id: str = "") -> Granted:
        """Everything a customer, or one of its resources, is entitled to; raises the same."""
        check_id(customer_id, "customer_id")
        _check_resource(resource_id)
        return self._engine.entitlements(customer_id, resource_id)

    def _note_items(self, request: ConsumeAllRequest, answer: ConsumeAllDecision) -> None:
        for item, of_item in zip(request.items, answer.items, strict=True):
            self._note(item, of_item)

    def _note(self, request: ConsumeRequest, answer: Decision) -> None:
        """Look closer at a decision that may be about a limit of which most is used."""
        if answer.is_fallback:  # what was used is not known
            return
        if answer.would_deny:
            self.counts[request.feature_id][WOULD_DENY] += 1
        for told in answer.limits or (answer,):
            if told.limit and told.remaining * FULL <= told.limit:  # `is_near`, without the call
                break
        else:
            return
        name = request.customer_id
        if request.resource_id:
            name = view_name(name, request.resource_id)
        if name not in self._notes.known[request.feature_id]:
            self._notes.note(request, answer)


def decisive(request: ConsumeAllRequest, decision: ConsumeAllDecision) -> str:
    """Return the feature that a decision on several is counted under: of a denial the one that
    decided it, else the first."""
    return request.items[decision.stopped_by or 0].feature_id


def _check_resource(resource_id: str) -> None:
    if resource_id:
        check_id(resource_id, "resource_id")
