"""Reservations: taken before the work, settled by what it has really cost.

A reservation is made of charges, each under its own key and so at most once, whoever repeats
it: one takes what it holds, one settles it, whichever comes first of commit, release and its end.
Counters hold what is reserved as used, so no decision looks at more than before. What has ended
comes back when it is missed: before a customer is denied, and before usage is read.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from quotad.engine.budget import Budget
from quotad.engine.memos import FINGERPRINT_LENGTH, read_memo, replay
from quotad.engine.shared import Shared
from quotad.errors import (
    Damaged,
    IdempotencyMismatch,
    NotFound,
    NotOpen,
    QuotadError,
    StoreError,
)
from quotad.model import ConsumeRequest, Decision, Mode, Reason
from quotad.store import CustomerKeys, Link
from quotad.store.holds import (
    SETTLED,
    TAKEN,
    FoundHold,
    HeldItem,
    Hold,
    HoldKind,
    Holds,
    OpenHold,
)

Decide = Callable[[Sequence[ConsumeRequest]], list[Decision | QuotadError]]

GRACE_MS = 1_000
"""How long after its end a reservation comes back at the earliest: clocks of servers differ, and
every server knows by then that there are reservations."""

FULL = (int(Reason.LIMIT_EXCEEDED), int(Reason.INSUFFICIENT_CREDITS))


class Reserved(msgspec.Struct, frozen=True):
    """What a Reserve is answered."""

    decision: Decision
    ends_ms: int
    """Unix time; 0: nothing is held."""


class Reservations:
    """Reserves, settles and takes back; of one thread.

    Args:
        shared: what engines share.
        link: the thread's connection.
        decide: decides a batch, without looking for what has ended.
    """

    def __init__(self, shared: Shared, link: Link, decide: Decide) -> None:
        self._shared = shared
        self._holds = Holds(link)
        self._decide = decide

    def reserve(self, request: ConsumeRequest, hold_id: str, ttl_ms: int) -> Reserved:
        """Take a quantity, which is given back unless it is settled in time.

        Args:
            request: what is to be taken.
            hold_id: made by the caller; repeated, it is the same reservation.
            ttl_ms: when it ends, from now on.

        Raises:
            IdempotencyMismatch: the id was used for something else.
            NotOpen: it was settled before, or has ended.
            TooManyOpen: the customer has too many open.
            StoreUnavailable: it may be held all the same; repeat it under the same id.
        """
        self._shared.holds.note()
        keys = self._keys(request.customer_id)
        now_ms = self._shared.clock.now_ms()
        item = HeldItem(request.feature_id, request.quantity, request.resource_id)
        hold = Hold((item,), now_ms)
        wanted = OpenHold(request.customer_id, hold_id, hold, now_ms + ttl_ms)
        deadline = self._deadline()
        opened = self._holds.open(
            keys, wanted, deadline, self._shared.health.not_after_ms(deadline)
        )
        if opened.hold != msgspec.structs.replace(hold, made_ms=opened.hold.made_ms):
            raise _used_otherwise(hold_id)
        kept_ms = ttl_ms + self._shared.settings.idempotency_ttl_ms
        taking = msgspec.structs.replace(
            request, idempotency_key=TAKEN + hold_id, idempotency_ttl_ms=kept_ms
        )
        (answer,) = self._decide_fairly([taking])
        if isinstance(answer, IdempotencyMismatch):
            self._close([opened])
            raise _used_otherwise(hold_id)
        if isinstance(answer, StoreError):
            raise answer  # held or not: its end settles it
        if isinstance(answer, QuotadError) or not answer.granted:
            self._close([opened])
            if isinstance(answer, QuotadError):
                raise answer
            return Reserved(answer, 0)
        if answer.replayed and (settled := self._find(keys, hold_id).settled):
            self._close([opened])
            raise _not_open(hold_id, settled)
        return Reserved(answer, opened.ends_ms)

    def commit(
        self, customer_id: str, hold_id: str, quantity: int | None, overrun: bool = False
    ) -> Decision:
        """Settle a reservation by what was really used; `granted` is the difference to it.

        Args:
            customer_id: whose it is.
            hold_id: which.
            quantity: what was used; None: all that is held.
            overrun: count what is above it past every limit; else it is denied when there is no
                room, and the reservation stays open.

        Raises:
            NotFound: there is no such reservation.
            NotOpen: it was settled otherwise, or has ended.
            StoreUnavailable: it may be settled all the same; repeat the call.
        """
        keys = self._keys(customer_id)
        found = self._find(keys, hold_id)
        if found.settled:
            return self._again(found, hold_id, quantity)
        opened = self._open(found, hold_id)
        if quantity is None:
            quantity = opened.hold.items[0].quantity
        (answer,) = self._decide_fairly([_settling(opened, quantity, overrun)])
        if isinstance(answer, IdempotencyMismatch):
            raise _not_open(hold_id, self._find(keys, hold_id).settled)
        if isinstance(answer, StoreError):
            raise answer
        if isinstance(answer, Decision) and not answer.allowed and answer.reason in FULL:
            return answer
        self._close([opened])
        if isinstance(answer, QuotadError):
            # The counters of its periods are gone, and with them what it has held.
            version = self._shared.snapshots.to_plan_on().version
            return Decision(True, int(Reason.WITHIN_LIMIT), version)
        return answer

    def extend(self, customer_id: str, hold_id: str, ttl_ms: int) -> int:
        """Let a reservation end at a later moment, never earlier than before.

        Returns:
            When it ends, in Unix time.

        Raises:
            NotFound: there is no such reservation.
            NotOpen: it was settled, or has ended.
            StoreUnavailable: the store refused or timed out.
        """
        keys = self._keys(customer_id)
        deadline = self._deadline()
        not_after_ms = self._shared.health.not_after_ms(deadline)
        kept_ms = self._shared.settings.idempotency_ttl_ms
        ends_ms = self._holds.extend(keys, hold_id, (not_after_ms, ttl_ms, kept_ms), deadline)
        if ends_ms is not None:
            return ends_ms
        found = self._find(keys, hold_id)
        if found.settled:
            raise _not_open(hold_id, found.settled)
        self._open(found, hold_id)
        raise _ended(hold_id)

    def take_back(self, customer_ids: Collection[str]) -> bool:
        """Settle what has ended of customers; returns whether there was any.

        Raises:
            StoreUnavailable: the store refused or timed out; the rest comes back the next time.
        """
        keys = [self._keys(customer_id) for customer_id in customer_ids]
        until_ms = self._shared.clock.now_ms() - GRACE_MS
        ended = self._holds.read(keys, self._deadline(), until_ms)
        if not ended:
            return False
        places = [(self._keys(each.customer_id), each.hold_id) for each in ended]
        taken = self._holds.taken(places, self._deadline())
        held = [each for each, stored in zip(ended, taken, strict=True) if stored]
        answers = self._decide([_ending(each) for each in held]) if held else []
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        self._close(ended)
        return bool(held)

    def read_open(self, customer_id: str) -> list[tuple[OpenHold, bytes]]:
        """Open holds of a customer, each with what is kept of its take; what has ended is settled.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        keys = self._keys(customer_id)
        opened = self._holds.read([keys], self._deadline())
        ended_ms = self._shared.clock.now_ms() - GRACE_MS
        if any(each.ends_ms <= ended_ms for each in opened) and self.take_back([customer_id]):
            opened = self._holds.read([keys], self._deadline())
        taken = self._holds.held(keys, opened, self._deadline()) if opened else []
        return [(each, stored) for each, stored in zip(opened, taken, strict=True) if stored]

    def make_room(self, requests: Sequence[ConsumeRequest]) -> None:
        """Take back what has ended before those are decided that take what is left.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        partial = {each.customer_id for each in requests if each.mode == Mode.BEST_EFFORT}
        if partial:
            self.take_back(partial)

    def decide_again(self, requests: Sequence[ConsumeRequest], answers: list[Any]) -> None:
        """Decide again what was denied while something had ended."""
        denied = [
            place
            for place, answer in enumerate(answers)
            if isinstance(answer, Decision) and not answer.allowed and answer.reason in FULL
        ]
        if not denied:
            return
        asked = [requests[place] for place in denied]
        try:
            if not self.take_back({request.customer_id for request in asked}):
                return
            again = self._decide(asked)
        except StoreError as error:  # rather no answer than a denial for what has ended
            again = [error] * len(denied)
        for place, answer in zip(denied, again, strict=True):
            answers[place] = answer

    def _decide_fairly(self, requests: Sequence[ConsumeRequest]) -> list[Decision | QuotadError]:
        """Decide, and deny nothing for what has ended."""
        answers = self._decide(requests)
        self.decide_again(requests, answers)
        return answers

    def _open(self, found: FoundHold, hold_id: str) -> OpenHold:
        """The reservation, if it is open, has taken what it holds and has not ended."""
        opened = found.opened
        if opened is None or not found.taken:
            raise NotFound(
                f"reservation_id: {hold_id!r} is not known; it never was, took nothing, or was"
                " settled long ago"
            )
        if opened.ends_ms <= self._shared.clock.now_ms():
            raise _ended(hold_id)
        return opened

    def _again(self, found: FoundHold, hold_id: str, quantity: int | None) -> Decision:
        """The answer to a commit once more; of another one than before there is none."""
        taken, settled = read_memo(found.taken), read_memo(found.settled)
        if taken is None or settled is None:
            raise Damaged(f"what is kept of the reservation {hold_id!r} is damaged in the store")
        if quantity is None:
            quantity = taken.quantity
        if quantity != taken.quantity + settled.quantity:
            raise _not_open(hold_id, found.settled)
        request = ConsumeRequest("", "", settled.quantity, Mode.SETTLE)
        now_ms = self._shared.clock.now_ms()
        answer = replay(request, found.settled[FINGERPRINT_LENGTH:], now_ms)
        if answer is None:
            raise Damaged(f"what is kept of the reservation {hold_id!r} is damaged in the store")
        return answer

    def _close(self, opened: Sequence[OpenHold]) -> None:
        """Take settled ones off the lists; those that stay are found settled later."""
        by_customer: dict[str, list[str]] = {}
        for each in opened:
            by_customer.setdefault(each.customer_id, []).append(each.hold_id)
        with suppress(StoreError):
            for customer_id, hold_ids in by_customer.items():
                self._holds.close(self._keys(customer_id), hold_ids, self._deadline())

    def _find(self, keys: CustomerKeys, hold_id: str) -> FoundHold:
        self._shared.health.raise_if_down()
        return self._holds.find(keys, hold_id, self._deadline())

    def _keys(self, customer_id: str) -> CustomerKeys:
        return self._shared.views.keys_of(customer_id, "")

    def _deadline(self) -> float:
        return Budget(self._shared.settings.store_timeout_ms).ask()


def _ending(opened: OpenHold) -> ConsumeRequest:
    """The charge that settles a hold whose holder did not come."""
    lost = opened.hold.kind == HoldKind.LEASE
    return _settling(opened, opened.hold.items[0].quantity if lost else 0)


def _settling(opened: OpenHold, quantity: int, overrun: bool = True) -> ConsumeRequest:
    """The charge of the difference to what is held, in the periods that it was taken from."""
    (held,) = opened.hold.items
    within = quantity > held.quantity and not overrun
    return ConsumeRequest(
        opened.customer_id,
        held.feature_id,
        quantity - held.quantity,
        Mode.SETTLE_WITHIN if within else Mode.SETTLE,
        SETTLED + opened.hold_id,
        resource_id=held.resource_id,
        occurred_ms=opened.hold.made_ms,
    )


def _used_otherwise(hold_id: str) -> IdempotencyMismatch:
    return IdempotencyMismatch(
        f"reservation_id: {hold_id!r} was used before with another feature_id, quantity or"
        " resource_id; use a new id for a new reservation"
    )


def _not_open(hold_id: str, settled: bytes) -> NotOpen:
    memo = read_memo(settled)
    what = "settled" if memo is None or memo.quantity >= 0 else "settled, or has ended"
    return NotOpen(f"reservation_id: {hold_id!r} is not open any more; it was {what} before")


def _ended(hold_id: str) -> NotOpen:
    return NotOpen(
        f"reservation_id: {hold_id!r} has ended, and what it held comes back; record what was used"
        " with MODE_ADJUST_ONLY"
    )
