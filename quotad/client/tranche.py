"""A tranche of quota in this process: what may be spent without asking, and when to renew it.

No I/O of its own. `take` decides; `tend` is a call in steps as those of `calls`, which acquires,
renews and releases, and which the leased clients carry out, one at a time for each tranche.
"""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from math import ceil, inf

import msgspec

from quotad.client import leases
from quotad.client.answers import local
from quotad.client.calls import Consumption, Policy, Steps
from quotad.client.errors import QuotaDeadline, QuotaError, QuotaUnavailable
from quotad.client.leases import LeaseTerm
from quotad.client.results import LocalDecision

CALLS_MIN = 3
"""Calls within `AHEAD_S` that a lease is worth its own."""

AHEAD_S = 5.0
"""A tranche is to last for so long, at the rate of late."""

FIRST = 10
"""Units that are wanted at least."""

GROWTH = 4
"""How many times larger than the one before the next tranche may be, and `FIRST` more."""

HELD_MIN = 5
"""A lease of less is not worth its calls: near the limit the server decides."""

PAUSE_S, PAUSE_MAX_S = 1.0, 30.0
"""Before a lease is asked for again that was refused; doubled each time."""

RETRY_S = 0.2
"""Before a call is repeated whose outcome is not known."""

GRACE_S = 1.0
"""How long after its end a server still takes a lease back."""

_ANSWERS_MAX = 64
"""Quantities whose decisions are kept."""

_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)

Seconds = Callable[[], float]


boottime: Seconds = time.monotonic if _BOOT is None else partial(time.clock_gettime, _BOOT)
"""Seconds on a clock that never jumps, and counts sleep where the system has one that does."""


class Tranche:
    """What one process may spend of one feature of one customer; safe to share between threads.

    Args:
        consumption: whose, and of which feature and resource.
        most: units that are leased at a time.
        on_due: called with it when it is to be tended now.
        clock: seconds.
    """

    def __init__(
        self,
        consumption: Consumption,
        most: int,
        on_due: "Callable[[Tranche], None]",
        clock: Seconds = boottime,
    ) -> None:
        self.consumption = consumption
        self._most = most
        self._on_due = on_due
        self._clock = clock
        self._lock = threading.Lock()
        self._acquire_lock, self._release_lock = self._lock.acquire, self._lock.release

        self.lease_id = ""
        """Empty: nothing is leased."""
        self.spent = 0
        """In all, since the lease was acquired; as the next two."""
        self._allowed = 0
        """What may be spent."""
        self._reported = 0
        """What the server knows to be spent."""
        self._ends = 0.0
        self._low = -inf
        """Once so much is spent, more is fetched; never above what may be spent."""
        self._asked = False
        """Whether it was asked to be tended since it last was."""
        self._one: LocalDecision | None = None
        self._answers: dict[int, LocalDecision] = {}
        """By quantity."""
        self._sequence = 0
        self._repeat: Callable[[], Steps[LeaseTerm]] | None = None
        """A call whose outcome is not known."""
        self._returning = False

        self.due = inf
        """When it is to be tended, at the latest."""
        self._busy = self._again = False
        """Whether it waits to be tended or is, and whether that is to be done once more."""

        self._since = clock()
        """Of the numbers below."""
        self._spent_before = 0
        self._calls = self._missed = self._largest = 0
        """Calls that the server had to decide, their units, and those of the largest."""
        self._wanted = 0
        """By the last call."""
        self._lent = 0
        """By the last call that was answered: what could be spent after it."""
        self._pause_s = PAUSE_S
        self._blocked_until = -inf

    @property
    def held(self) -> int:
        """Units that may be spent now."""
        with self._lock:
            return self._allowed - self.spent if self._clock() < self._ends else 0

    def take(self, quantity: int) -> LocalDecision | None:
        """Spend a quantity above 0; None: the server has to decide."""
        self._acquire_lock()  # `with` takes twice as long
        try:
            spent = self.spent + quantity
            if spent < self._low:  # nearly always
                if self._clock() >= self._ends:
                    return None
                self.spent = spent
                if quantity == 1:
                    return self._one
                is_low = False
            else:
                if spent > self._allowed or self._clock() >= self._ends:
                    return None
                self.spent = spent
                is_low, self._asked = not self._asked, True
            answer = self._answers.get(quantity)
        finally:
            self._release_lock()
        if is_low:
            self._call()
        return self._answer(quantity) if answer is None else answer

    def miss(self, quantity: int) -> None:
        """Note that the server has to decide about a quantity."""
        with self._lock:
            now = self._clock()
            if not self.lease_id and now - self._since > AHEAD_S:
                self._reset(now)
            self._calls += 1
            self._missed += quantity
            self._largest = max(self._largest, quantity)
            is_due = not self._asked and (
                self._is_short() if self.lease_id else self._is_wanted(now)
            )
            if is_due:
                self._asked = True
        if is_due:
            self._call()

    def claim(self, now: float) -> bool:
        """Whether it is to be tended now, by the caller."""
        with self._lock:
            if self._busy or now < self.due:
                return False
            self._busy = True
            return True

    def forget_if_idle(self, now: float) -> bool:
        """Whether it holds nothing and was not asked for of late; then it never leases again."""
        with self._lock:
            late = now - self._since > AHEAD_S and now >= self._blocked_until
            if not late or self._busy or self.lease_id:
                return False
            self._blocked_until = inf
            return True

    def tend(self, policy: Policy) -> Steps[None]:
        """Acquire, renew or release, as is due.

        Args:
            policy: of the client.
        """
        try:
            yield from self._step(policy)
        finally:
            with self._lock:
                again, self._again = self._again, False
                self._busy = again
            if again:
                self._on_due(self)

    def give_back(self, policy: Policy) -> Steps[None]:
        """Stop spending and release the lease.

        Args:
            policy: of the client.
        """
        with self._lock:
            self._allowed, self._ends = 0, min(self._ends, self._clock())
            self._low, self._returning = -inf, True
            spent = self.spent
            ended = self._clock() >= self._ends + GRACE_S
        if self.lease_id:
            try:
                yield from leases.release(
                    policy, self.consumption.customer_id, self.lease_id, spent
                )
            except (QuotaUnavailable, QuotaDeadline):
                if not ended:
                    self.due = self._clock() + RETRY_S
                    return
            except QuotaError:
                pass  # it has ended, and what was left of it counts as used
        with self._lock:
            self._forget()

    def _step(self, policy: Policy) -> Steps[None]:
        with self._lock:
            now = self._clock()
            leased, moved = bool(self.lease_id), self.spent != self._spent_before
            ended = self._returning or now >= self._ends
            idle = now >= self.due and not moved and self._repeat is None
            self._asked = False
            if not leased and not self._is_wanted(now):
                self.due = inf
                return
            if leased and not ended and now < self.due and not self._is_short():
                return
        if not leased:
            yield from self._acquire(policy)
        elif ended or idle:
            if idle and self._missed:
                self._block()  # what is asked for is not what is held
            yield from self.give_back(policy)
            if moved and not self.lease_id and self._clock() >= self._blocked_until:
                yield from self._acquire(policy)
        else:
            yield from self._renew(policy)

    def _acquire(self, policy: Policy) -> Steps[None]:
        lease_id = os.urandom(16).hex()
        with self._lock:
            now = self._clock()
            self._forget()
            self.lease_id = lease_id
            self._ends = now + AHEAD_S  # to be given up by then, if it is not answered
            wanted = self._want(now)
        wanted_of = msgspec.structs.replace(self.consumption, quantity=wanted)
        yield from self._settle(lambda: leases.acquire(policy, wanted_of, lease_id, None), policy)

    def _renew(self, policy: Policy) -> Steps[None]:
        call = self._repeat
        if call is None:
            with self._lock:
                spent, wanted = self.spent, self._want(self._clock())
                self._sequence += 1
                # What is returned must not be spent any more, from now on.
                self._allowed = min(self._allowed, spent + wanted)
                self._low = min(self._low, self._allowed)
                numbers = (self._sequence, spent, wanted)
                self._reported = spent
            customer_id, lease_id = self.consumption.customer_id, self.lease_id

            def call() -> Steps[LeaseTerm]:
                return leases.renew(policy, customer_id, lease_id, numbers)

        yield from self._settle(call, policy)

    def _settle(self, call: Callable[[], Steps[LeaseTerm]], policy: Policy) -> Steps[None]:
        """Carry out a call, whose outcome must be known before the next one."""
        self._repeat = call
        sent = self._clock()
        try:
            answer = yield from call()
        except (QuotaUnavailable, QuotaDeadline):
            self.due = self._clock() + RETRY_S
            return
        except QuotaError as error:
            self._block(PAUSE_MAX_S if error.code == "UNIMPLEMENTED" else 0.0)
            yield from self.give_back(policy)
            return
        self._repeat = None
        if answer.term is None:
            self._block()
            yield from self.give_back(policy)
            return
        self._adopt(answer, sent, sent + answer.term.total_seconds())
        if self._lent < min(HELD_MIN, self._wanted):
            self._block()
            yield from self.give_back(policy)

    def _adopt(self, answer: LeaseTerm, sent: float, ends: float) -> None:
        """Spend by the answer from now on."""
        with self._lock:
            self._one = one = local(answer.decision)
            self._answers = {1: one}
            self._allowed, self._ends = answer.granted, ends
            self._lent = answer.granted - self._reported
            self._low = answer.granted - self._lent // 2
            self._asked = False
            self._again |= self.spent >= self._low  # it was spent while this was fetched
            if self.spent:
                self._pause_s = PAUSE_S
            self.due = ends if answer.last else (sent + ends) / 2

    def _want(self, now: float) -> int:
        """How much is wanted, at the rate since this was last called; under the lock."""
        units = self.spent - self._spent_before + self._missed
        rate = units / max(now - self._since, 0.001)
        grown = GROWTH * self._wanted + FIRST
        wanted = min(max(ceil(rate * AHEAD_S), FIRST, 2 * self._largest), grown, self._most)
        left = self._allowed - self.spent
        if self._allowed and now < self.due:
            wanted = max(wanted, self._wanted)  # a moment does not show that less is needed
        if wanted < left <= 2 * wanted:
            wanted = left
        self._wanted = wanted
        self._reset(now)
        return wanted

    def _is_wanted(self, now: float) -> bool:
        return self._calls >= CALLS_MIN and now >= self._blocked_until

    def _is_short(self) -> bool:
        """Whether a lease has too little left, and more may be lent."""
        if self.spent >= self._low:
            return True
        # Where less was lent than was wanted, asking again would not bring more.
        return self._largest > self._allowed - self.spent and self._lent >= self._wanted

    def _reset(self, now: float) -> None:
        self._since, self._spent_before = now, self.spent
        self._calls = self._missed = self._largest = 0

    def _block(self, least_s: float = 0.0) -> None:
        """Ask for no lease for a while."""
        with self._lock:
            now = self._clock()
            self._blocked_until = now + max(self._pause_s, least_s)
            self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
            self._reset(now)

    def _forget(self) -> None:
        self.lease_id, self._sequence, self._repeat = "", 0, None
        self.spent = self._spent_before = self._reported = self._allowed = 0
        self._low, self.due = -inf, inf
        self._ends, self._returning, self._asked = 0.0, False, False

    def _call(self) -> None:
        """Have it tended now, or once more."""
        with self._lock:
            if self._busy:
                self._again = True
                return
            self._busy = True
        self._on_due(self)

    def _answer(self, quantity: int) -> LocalDecision:
        one = self._one
        assert one is not None
        answer = msgspec.structs.replace(one, granted=quantity)
        if len(self._answers) < _ANSWERS_MAX:
            self._answers[quantity] = answer
        return answer
