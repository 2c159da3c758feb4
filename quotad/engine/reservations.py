"""Reservations: taken before the work, settled by what it has really cost.

A reservation is made of charges, each under its own key and so at most once, whoever repeats
it: one takes what it holds, one settles it, whichever comes first of commit, release and its end.
Counters hold what is reserved as used, so no decision looks at more than before. What has ended
comes back when it is missed: before a customer is denied, and before usage is read.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.engine import holding
from quotad.engine.budget import Budget
from quotad.engine.in_place import in_place
from quotad.engine.memos import FINGERPRINT_LENGTH, read_parts, replay
from quotad.engine.rounds import Round
from quotad.engine.settlements import (
    named,
    read_taken,
    settle_request,
)
from quotad.engine.shared import Shared
from quotad.errors import (
    BudgetSpent,
    IdempotencyMismatch,
    NotFound,
    QuotadError,
    StoreError,
    StoreUnavailable,
)
from quotad.held import HeldItem, HoldKind, Used
from quotad.ledger import Takers
from quotad.store import CustomerKeys, Link
from quotad.store.holds import (
    READ_MAX,
    TAKEN,
    FoundHold,
    Hold,
    Holds,
    OpenHold,
)

Decide = Callable[[Sequence[ConsumeRequest]], list[Decision | QuotadError]]
DecideFor = Callable[[Sequence[ConsumeRequest], Takers], list[Decision | QuotadError]]

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
        decide_fairly: decides a batch, and denies nothing for what has ended.
        decide: decides a batch, without looking for what has ended.
    """

    def __init__(self, shared: Shared, link: Link, decide_fairly: Decide, decide: Decide) -> None:
        self._shared = shared
        self._holds = Holds(link)
        self._decide_fairly = decide_fairly
        self._decide = decide

    @in_place
    def reserve(self, request: ConsumeRequest, hold_id: str, ttl_ms: int) -> Reserved:
        """Take a quantity, or several features together, until it is settled or has ended.

        Args:
            request: what is to be taken.
            hold_id: made by the caller; repeated, it is the same hold.
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
        items = request.items if isinstance(request, ConsumeAllRequest) else (request,)
        hold = Hold(tuple(map(holding.held_item, items)), now_ms)
        wanted = OpenHold(request.customer_id, hold_id, hold, now_ms + ttl_ms)
        deadline = self._deadline()
        opened = self._holds.open(
            keys, wanted, deadline, self._shared.health.not_after_ms(deadline)
        )
        if opened.hold != msgspec.structs.replace(hold, made_ms=opened.hold.made_ms):
            raise holding.used_otherwise(hold_id)
        kept_ms = self._kept_ms(now_ms + ttl_ms)
        taking = msgspec.structs.replace(
            request, idempotency_key=TAKEN + hold_id, idempotency_ttl_ms=kept_ms
        )
        (answer,) = self._decide_fairly([taking])
        if isinstance(answer, IdempotencyMismatch):
            self._close([opened])
            raise holding.used_otherwise(hold_id)
        if isinstance(answer, StoreError):
            raise answer  # held or not: its end settles it
        if isinstance(answer, QuotadError) or not holding.takes(answer):
            self._close([opened])
            if isinstance(answer, QuotadError):
                raise answer
            return Reserved(answer, 0)
        if answer.replayed and (found := self._find(keys, hold_id)).settled:
            self._close([opened])
            raise holding.not_open(hold_id, found)
        self._shared.reserved.note(request.customer_id, hold_id, opened.ends_ms)
        return Reserved(answer, opened.ends_ms)

    @in_place
    def commit(
        self, customer_id: str, hold_id: str, used: Used = None, overrun: bool = False
    ) -> Decision:
        """Settle a reservation by what was really used; `granted` is the difference to it.

        Args:
            customer_id: whose it is.
            hold_id: which.
            used: what was used, or of which of its features; None, and of the others: all that is
                held.
            overrun: count what is above it past every limit; else it is denied when there is no
                room, and the reservation stays open.

        Returns:
            Of several features a `SettledDecision`.

        Raises:
            InvalidRequest: it does not hold such a feature, or holds several.
            NotFound: there is no such reservation.
            NotOpen: it was settled otherwise, or has ended.
            StoreUnavailable: it may be settled all the same; repeat the call.
        """
        return self._settle(
            customer_id, hold_id, lambda items: holding.used_of(items, used), overrun
        )

    def _settle(
        self,
        customer_id: str,
        hold_id: str,
        used_of: Callable[[Sequence[HeldItem]], list[int]],
        overrun: bool,
    ) -> Decision:
        """Settle a hold by what was used of its items."""
        keys = self._keys(customer_id)
        found = self._find(keys, hold_id)
        if found.settled:
            return self._again(found, hold_id, used_of)
        opened = self._open(found, hold_id)
        taken = holding.taken_of(found, hold_id)
        kept_ms = self._kept_ms(opened.ends_ms + GRACE_MS)
        request = settle_request(opened, taken, used_of(taken.items), overrun, kept_ms)
        (answer,) = self._decide_fairly([request])
        if isinstance(answer, IdempotencyMismatch):
            raise holding.not_open(hold_id, self._find(keys, hold_id))
        if isinstance(answer, QuotadError):
            raise answer
        if answer.allowed:
            self._close([opened])
            self._shared.reserved.drop(customer_id, hold_id)
        return named(answer, taken.items)

    @in_place
    def release(self, customer_id: str, hold_id: str) -> Decision:
        """Settle a reservation by nothing; the rest is as of `commit`."""
        return self._settle(customer_id, hold_id, lambda items: [0] * len(items), False)

    @in_place
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
            self._shared.reserved.note(customer_id, hold_id, ends_ms)
            return ends_ms
        found = self._find(keys, hold_id)
        if found.settled:
            raise holding.not_open(hold_id, found)
        self._open(found, hold_id)
        raise holding.ended(hold_id)

    @in_place
    def take_back(self, customer_ids: Collection[str]) -> bool:
        """Settle what has ended of customers; returns whether anything came back.

        Leases only leave the list: what they held and did not return counts as used.

        Raises:
            StoreUnavailable: the store refused or timed out, or there is more of it than one call
                has time for; the rest comes back the next time.
        """
        keys = [self._keys(customer_id) for customer_id in customer_ids]
        until_ms = self._shared.clock.now_ms() - GRACE_MS
        ends = self._deadline()
        came_back = False
        while ended := self._holds.read(keys, self._deadline(), until_ms):
            came_back |= self._settle_ended(ended)
            if len(ended) < READ_MAX:
                break
            if time.monotonic() > ends:
                raise BudgetSpent("many reservations have ended and are taken back; try again")
        return came_back

    def _settle_ended(self, ended: Sequence[OpenHold]) -> bool:
        """Settle some that have ended; returns whether anything came back."""
        places = [(self._keys(each.customer_id), each.hold_id) for each in ended]
        taken = self._holds.taken(places, self._deadline())
        lost: list[OpenHold] = []
        settling: list[OpenHold] = []
        endings: list[ConsumeRequest] = []
        for each, stored in zip(ended, taken, strict=True):
            what = read_taken(stored) if stored else None
            if what is not None:
                settling.append(each)
                kept_ms = self._kept_ms(each.ends_ms + GRACE_MS)
                endings.append(settle_request(each, what, [0] * len(what.items), True, kept_ms))
            elif stored:
                lost.append(each)  # what is kept of it is damaged
        answers = self._decide(endings) if endings else []
        for each, answer in zip(settling, answers, strict=True):
            if isinstance(answer, IdempotencyMismatch):
                continue  # it was settled otherwise
            if isinstance(answer, StoreError):
                raise answer
            if isinstance(answer, QuotadError):
                lost.append(each)  # its counters are gone
        self._close(ended)
        self._close(lost, lost=True)
        return bool(endings)

    @in_place
    def read_open(self, customer_id: str) -> list[tuple[OpenHold, bytes]]:
        """Open holds of a customer, each with what is kept of its take; what has ended is settled.

        Of leases nothing is kept beside their records.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        keys = self._keys(customer_id)
        opened = self._holds.read([keys], self._deadline())
        ended_ms = self._shared.clock.now_ms() - GRACE_MS
        if any(each.ends_ms <= ended_ms for each in opened):
            self.take_back([customer_id])
            opened = self._holds.read([keys], self._deadline())
        taken = self._holds.held(keys, opened, self._deadline()) if opened else []
        return [
            (each, stored or b"")
            for each, stored in zip(opened, taken, strict=True)
            if stored or each.hold.kind == HoldKind.LEASE
        ]

    def make_room(self, requests: Sequence[ConsumeRequest]) -> None:
        """Take back what has ended before those are decided that take what is left.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        partial = {each.customer_id for each in requests if each.mode == Mode.BEST_EFFORT}
        if not partial:
            return
        try:
            self.take_back(partial)
        except StoreUnavailable as error:
            if not error.partial:
                raise
            for customer_id in partial:  # those of the server that is gone fail by themselves
                with suppress(StoreUnavailable):
                    self.take_back([customer_id])

    def decide_again(self, round_: Round, decide: DecideFor) -> bool:
        """Decide again what was denied, if something had ended; returns whether it had."""
        requests, answers = round_.requests, round_.answers
        denied = [
            place
            for place, answer in enumerate(answers)
            if isinstance(answer, Decision) and not answer.allowed and answer.reason in FULL
        ]
        if not denied:
            return False
        asked = [requests[place] for place in denied]
        try:
            if not self.take_back({request.customer_id for request in asked}):
                return False
            again: Sequence[Any] = decide(asked, round_.takers.of(denied))
        except StoreError as error:  # rather no answer than a denial for what has ended
            again = [error] * len(denied)
        for place, answer in zip(denied, again, strict=True):
            answers[place] = answer
        return True

    def _open(self, found: FoundHold, hold_id: str) -> OpenHold:
        """The reservation, if it is open, has taken what it holds and has not ended."""
        opened = found.opened
        if opened is None or not found.taken:
            raise NotFound(
                f"reservation_id: {hold_id!r} is not known; it never was, took nothing, or was"
                " settled long ago"
            )
        if opened.ends_ms <= self._shared.clock.now_ms():
            raise holding.ended(hold_id)
        return opened

    def _again(
        self, found: FoundHold, hold_id: str, used_of: Callable[[Sequence[HeldItem]], list[int]]
    ) -> Decision:
        """The answer to a commit once more; of another one than before there is none."""
        taken = holding.taken_of(found, hold_id)
        memo = found.settled[FINGERPRINT_LENGTH:].partition(b"|")[2]
        try:
            settled = read_parts(memo)
        except msgspec.DecodeError:
            raise holding.damaged(hold_id) from None
        changes = [item.quantity for item in settled.items]
        before = [item.quantity + n for item, n in zip(taken.items, changes, strict=True)]
        if before != used_of(taken.items):
            raise holding.not_open(hold_id, found)
        items = tuple([ConsumeRequest("", "", change, Mode.SETTLE) for change in changes])
        request = ConsumeAllRequest("", "", 0, Mode.SETTLE, items=items)
        now_ms = self._shared.clock.now_ms()
        answer = replay(request, found.settled[FINGERPRINT_LENGTH:], now_ms)
        if answer is None:
            raise holding.damaged(hold_id)
        return named(answer, taken.items)

    def _close(self, opened: Sequence[OpenHold], lost: bool = False) -> None:
        """Take settled ones off the lists; those that stay are found settled later."""
        by_customer: dict[str, list[str]] = {}
        for each in opened:
            by_customer.setdefault(each.customer_id, []).append(each.hold_id)
        with suppress(StoreError):
            for customer_id, hold_ids in by_customer.items():
                self._holds.close(self._keys(customer_id), hold_ids, self._deadline(), lost)

    def _find(self, keys: CustomerKeys, hold_id: str) -> FoundHold:
        self._shared.health.raise_if_down()
        return self._holds.find(keys, hold_id, self._deadline())

    def _keys(self, customer_id: str) -> CustomerKeys:
        return self._shared.views.keys_of(customer_id, "")

    def _kept_ms(self, ends_ms: int) -> int:
        """How long what was taken, or settled, is remembered: the settlement is there at least as
        long as the take, without which nothing can be settled twice."""
        left_ms = max(ends_ms - self._shared.clock.now_ms(), 0)
        return left_ms + self._shared.settings.idempotency_ttl_ms

    def _deadline(self) -> float:
        return Budget(self._shared.settings.store_timeout_ms).ask()
