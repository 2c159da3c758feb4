"""Leases: tranches that are lent to a caller, which decides by itself until they are spent.

What is lent is counted as used at once, so no decision looks at more than before, and what a holder
does not return stays used. All numbers of a lease count from its AcquireLease on, so that
a call whose answer was lost is repeated and counts once.
"""

from collections.abc import Callable, Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import ConsumeRequest, Decision, Mode
from quotad.engine.acts import describe_lease
from quotad.engine.budget import Budget
from quotad.engine.fold import fold
from quotad.engine.in_place import in_place
from quotad.engine.lease_rules import (
    again,
    as_answer,
    check_repeated,
    check_spent,
    has_ended,
    keeps_changing,
    lent,
    opened,
    was_released,
)
from quotad.engine.lendable import not_lendable
from quotad.engine.meters import Bound
from quotad.engine.reservations import GRACE_MS, Decide, Reservations
from quotad.engine.shared import Acting, Shared
from quotad.engine.views import View, view_name
from quotad.errors import (
    Damaged,
    IdempotencyMismatch,
    NotOpen,
    QuotadError,
    StoreError,
    TooManyOpen,
)
from quotad.lending import Leased, Renewal
from quotad.model import USED_MAX
from quotad.store import ChargeStatus, CounterSet, CustomerKeys, Link, Settlement, catalog_tag
from quotad.store.charges import PLAIN_ARGS
from quotad.store.holds import HOLDS_MAX
from quotad.store.lease_record import Lease
from quotad.store.leases import (
    NO_LEASE,
    FoundLease,
    LeaseScripts,
    LeaseStatus,
    LeaseStep,
    Released,
)
from quotad.store.ledger import LedgerWords

SHARE = 10
"""A lease holds at most this part of what remains without it: many holders, and callers
without a lease, find something left."""

TRIES_MAX = 8
"""How often others may change what a lease is planned on before it is given up."""


class _Plan(msgspec.Struct, frozen=True, gc=False):
    """What a lease can be taken from now."""

    view: View
    bound: Bound
    used: Sequence[int]
    """Per limit."""
    now_ms: int

    @property
    def room(self) -> int:
        """What remains; negative: so much more is used than there may be."""
        return min(
            (term.cap - used for term, used in zip(self.bound.terms, self.used, strict=True)),
            default=USED_MAX,
        )


class Leases:
    """Lends, renews and takes back; of one thread.

    Args:
        shared: what engines share.
        link: the thread's connection.
        decide: decides a batch.
        reservations: give back what has ended of them.
        note: is given each failure of the store.
        acting: whose doing it is.
    """

    def __init__(
        self,
        shared: Shared,
        link: Link,
        decide: Decide,
        reservations: Reservations,
        note: Callable[[StoreError], None],
        acting: Acting,
    ) -> None:
        self._shared = shared
        self._store = LeaseScripts(link)
        self._decide = decide
        self._reservations = reservations
        self._note = note
        self._acting = acting
        self.acquired = self.renewed = self.released = 0
        """Calls so far that have."""

    @in_place
    def acquire(self, request: ConsumeRequest, lease_id: str, ttl_ms: int) -> Leased:
        """Lend up to the quantity of a request, less when little remains.

        Args:
            request: of what, and how much is wanted.
            lease_id: made by the caller, of its own for each lease of the customer.
            ttl_ms: how long; at most the server's `lease_ttl_ms`.

        Raises:
            InvalidRequest: what decides on the feature cannot be lent.
            IdempotencyMismatch: the id was used for something else.
            NotOpen: it was released or renewed before, or has ended.
            TooManyOpen: the customer has too much on hold.
            StoreUnavailable: it may be lent all the same; repeat it under the same id.
        """
        self._shared.holds.note()
        keys = self._keys(request.customer_id, request.resource_id)
        found = NO_LEASE
        for _ in range(TRIES_MAX):
            decision, plan = self._look(request)
            if found.lease is not None or found.released is not None:
                return self._acquired(request, lease_id, found, decision)
            granted = 0 if plan is None else min(request.quantity, plan.room // SHARE)
            if plan is None or granted <= 0:
                found = self._find(keys, lease_id)
                if found.lease is not None or found.released is not None:
                    continue
                return Leased(decision, 0)
            lease = Lease(
                request.feature_id,
                granted,
                plan.now_ms,
                request.resource_id,
                plan.bound.counters.suffixes,
                granted,
                0,
                0,
                request.quantity,
                False,
            )
            done, found = self._step(request, lease_id, found, lease, plan, ttl_ms)
            if done is not None:
                self.acquired += 1
                self._shared.leased.note(request.customer_id, lease_id, done.ends_ms)
                return done
        raise keeps_changing()

    @in_place
    def renew(self, customer_id: str, lease_id: str, asked: Renewal, ttl_ms: int) -> Leased:
        """Count what was spent, and keep, take back or refill what is lent, for a new term.

        Args:
            customer_id: whose it is.
            lease_id: which.
            asked: what its holder reports and asks for.
            ttl_ms: how long, from now on.

        Returns:
            With an end; without one the lease is not renewed, ends when it would have, and its
            holder has to stop spending and to release it.

        Raises:
            NotFound: there is no such lease.
            NotOpen: it was released, or has ended.
            IdempotencyMismatch: the sequence was used with other numbers.
            InvalidRequest: the numbers do not fit to those before.
            StoreUnavailable: it may be renewed all the same; repeat it with the same sequence.
        """
        found = self._find(self._keys(customer_id), lease_id)
        for _ in range(TRIES_MAX):
            lease = opened(found, lease_id)
            request = ConsumeRequest(
                customer_id, lease.feature_id, asked.wanted, resource_id=lease.resource_id
            )
            now_ms = self._shared.clock.now_ms()
            if found.ends_ms <= now_ms:
                raise has_ended(lease_id)
            if asked.sequence <= lease.sequence:
                check_repeated(lease, lease_id, asked)
                decision, _ = self._look(request, lease)
                return again(decision, lease, found.ends_ms, now_ms)
            check_spent(lease, asked.spent)
            decision, plan = self._look(request, lease)
            if plan is None or plan.room < 0 or plan.bound.counters.suffixes != lease.counters:
                return Leased(
                    decision,
                    lease.granted,
                    feature_id=lease.feature_id,
                    resource_id=lease.resource_id,
                )
            left = lease.granted - asked.spent
            share = (plan.room + left) // SHARE
            holding = min(asked.wanted, max(left, share))
            renewed = Lease(
                lease.feature_id,
                holding,
                plan.now_ms,
                lease.resource_id,
                lease.counters,
                asked.spent + holding,
                asked.spent,
                asked.sequence,
                asked.wanted,
                False,
            )
            done, found = self._step(request, lease_id, found, renewed, plan, ttl_ms)
            if done is not None:
                self.renewed += 1
                self._shared.leased.note(customer_id, lease_id, done.ends_ms)
                return done
        raise keeps_changing()

    @in_place
    def release(self, customer_id: str, lease_id: str, spent: int) -> int:
        """Return what was not spent; returns how much that was.

        Args:
            customer_id: whose it is.
            lease_id: which.
            spent: in all, since it was acquired.

        Raises:
            NotFound: there is no such lease.
            NotOpen: it was released otherwise, or has ended a while ago.
            InvalidRequest: the number does not fit to those before.
            StoreUnavailable: it may be released all the same; repeat it.
        """
        found = self._find(self._keys(customer_id), lease_id)
        for _ in range(TRIES_MAX):
            if found.lease is None and found.released is not None:
                if found.released.spent != spent:
                    raise was_released(lease_id)
                return found.released.granted - spent
            lease = opened(found, lease_id)
            if found.ends_ms + GRACE_MS <= self._shared.clock.now_ms():
                raise has_ended(lease_id)
            check_spent(lease, spent)
            caps = (USED_MAX, 0) * len(lease.counters)
            counters = CounterSet(lease.counters, (len(lease.counters), PLAIN_ARGS, *caps))
            back = lease.granted - spent
            released = Released(lease.granted, spent)
            snapshot = self._shared.snapshots.to_plan_on()
            noted = self._noted(snapshot, customer_id, (lease_id, lease, -back))
            step = LeaseStep(lease_id, found, None, 0, -back, counters, released, noted=noted)
            status, _, changed = self._settle(self._keys(customer_id, lease.resource_id), step)
            if status == LeaseStatus.DONE:
                self.released += 1
                self._shared.leased.drop(customer_id, lease_id)
                return back
            if status == LeaseStatus.CHANGED:
                found = changed
        raise keeps_changing()

    def _step(
        self,
        request: ConsumeRequest,
        lease_id: str,
        found: FoundLease,
        lease: Lease,
        plan: _Plan,
        ttl_ms: int,
    ) -> tuple[Leased | None, FoundLease]:
        """Write a lease as it is to be; None: it is to be planned again, on what is found now."""
        view, bound = plan.view, plan.bound
        until_ms = min(bound.until_ms, view.effective.until_ms)
        ttl_ms = min(ttl_ms, self._shared.settings.lease_ttl_ms)
        ends_ms = min(plan.now_ms + ttl_ms, until_ms)
        lease = msgspec.structs.replace(lease, last=ends_ms == until_ms)
        before = found.lease
        quantity = lease.granted - (0 if before is None else before.granted)
        step = LeaseStep(
            lease_id,
            found,
            lease,
            ends_ms,
            quantity,
            bound.counters,
            None,
            catalog_tag(view.snapshot.version, view.snapshot.digest) + self._shared.step_of_tags,
            view.epoch,
            self._noted(view.snapshot, request.customer_id, (lease_id, lease, quantity)),
        )
        status, used, changed = self._settle(view.keys, step)
        if status == LeaseStatus.CHANGED:
            return None, changed
        if status != LeaseStatus.DONE:
            return None, found
        taken = msgspec.structs.replace(request, quantity=quantity, mode=Mode.NORMAL)
        settled = Settlement(ChargeStatus.ALLOWED, used)
        decision = fold(bound.terms, taken, settled, plan.now_ms, view.snapshot.version)
        return lent(lease, decision, ends_ms, plan.now_ms), found

    def _noted(
        self, snapshot: Snapshot, customer_id: str, change: tuple[str, Lease, int]
    ) -> LedgerWords:
        return describe_lease(self._shared, snapshot, (customer_id, self._acting.taker), change)

    def _settle(self, keys: CustomerKeys, step: LeaseStep) -> tuple[int, Sequence[int], FoundLease]:
        budget = Budget(self._shared.settings.store_timeout_ms)
        deadline = budget.ask()
        times_ms = (
            self._shared.health.not_after_ms(deadline),
            self._shared.clock.now_ms() - GRACE_MS,
        )
        try:
            self._shared.health.raise_if_down()
            status, used, found = self._store.settle(keys, step, times_ms, deadline)
        except StoreError as error:
            self._note(error)
            raise
        if status == LeaseStatus.FULL:
            raise TooManyOpen(
                f"customer_id: {HOLDS_MAX:,} reservations and leases are open; settle some"
            )
        if status == LeaseStatus.DAMAGED:
            raise Damaged(f"a counter of the lease {step.lease_id!r} is damaged in the store")
        if status in (LeaseStatus.STALE_CLOCK, LeaseStatus.TOO_LATE):
            self._shared.health.sync_clock()
        return status, used, found

    def _look(
        self, request: ConsumeRequest, lease: Lease | None = None
    ) -> tuple[Decision, _Plan | None]:
        """As `_look_once`; where little remains, without what has ended of reservations."""
        decision, plan = self._look_once(request, lease)
        little = plan is not None and plan.room // SHARE < request.quantity
        if little and self._reservations.take_back([request.customer_id]):
            return self._look_once(request, lease)
        return decision, plan

    def _look_once(
        self, request: ConsumeRequest, lease: Lease | None
    ) -> tuple[Decision, _Plan | None]:
        """What asking for a unit would be answered now, and what a lease can be taken from.

        Args:
            request: of what.
            lease: that is to be renewed; None: a new one.

        Raises:
            InvalidRequest: what decides on the feature cannot be lent.
            StoreUnavailable: the store refused or timed out.
        """
        check = ConsumeRequest(
            request.customer_id,
            request.feature_id,
            mode=Mode.CHECK_ONLY,
            every_limit=True,
            resource_id=request.resource_id,
        )
        for _ in range(TRIES_MAX):
            (answer,) = self._decide([check])
            if isinstance(answer, QuotadError):
                raise answer
            snapshot, now_ms = self._shared.snapshots.to_plan_on(), self._shared.clock.now_ms()
            name = view_name(request.customer_id, request.resource_id)
            view = self._shared.views.get(name, snapshot, now_ms)
            if view is None or answer.catalog_version != snapshot.version:
                continue
            meter = view.meter(request.feature_id, self._shared.settings.retention)
            if meter is None or (meter.given is not None and not meter.given.allowed):
                return as_answer(answer), None
            bound = meter.bound
            if not bound.from_ms <= now_ms < bound.until_ms:
                bound = meter.bind(now_ms)
            refused = not_lendable(request.feature_id, meter, bound)
            if refused is not None:
                if lease is None:
                    raise refused
                return as_answer(answer), None
            used = [limit.used for limit in answer.limits]
            if len(used) == len(bound.terms):
                return as_answer(answer), _Plan(view, bound, used, now_ms)
        raise keeps_changing()

    def _find(self, keys: CustomerKeys, lease_id: str) -> FoundLease:
        self._shared.health.raise_if_down()
        deadline = Budget(self._shared.settings.store_timeout_ms).ask()
        try:
            return self._store.find(keys, lease_id, deadline)
        except StoreError as error:
            self._note(error)
            raise

    def _keys(self, customer_id: str, resource_id: str = "") -> CustomerKeys:
        return self._shared.views.keys_of(customer_id, resource_id)

    def _acquired(
        self, request: ConsumeRequest, lease_id: str, found: FoundLease, decision: Decision
    ) -> Leased:
        """The answer to an acquire once more."""
        lease = found.lease
        if lease is None:
            raise was_released(lease_id)
        asked = (request.feature_id, request.resource_id)
        if asked != (lease.feature_id, lease.resource_id) or (
            not lease.sequence and request.quantity != lease.wanted
        ):
            raise IdempotencyMismatch(
                f"lease_id: {lease_id!r} was used before with another feature_id, quantity or"
                " resource_id; use a new id for a new lease"
            )
        if lease.sequence:
            raise NotOpen(f"lease_id: {lease_id!r} was renewed since; renew it again")
        now_ms = self._shared.clock.now_ms()
        if found.ends_ms <= now_ms:
            raise has_ended(lease_id)
        return again(decision, lease, found.ends_ms, now_ms)
