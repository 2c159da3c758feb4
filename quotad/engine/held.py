"""What of usage is only held, by reservations and leases, told apart from what is used.

Counters have what is taken in all, and decisions read nothing else. Which of it is held is worked
out here from the records of the holds, for reads: entitlements and explained checks.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from quotad.decision import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    LimitStatus,
)
from quotad.engine.planning import CHECK_ONLY, Planner
from quotad.engine.reservations import Reservations
from quotad.engine.rounds import Planned, StrictRound
from quotad.engine.settlements import read_taken
from quotad.engine.shared import Shared
from quotad.engine.views import view_name
from quotad.errors import QuotadError, StoreError
from quotad.held import HoldKind
from quotad.store.holds import OpenHold

READS_MAX = 5
"""How often counters are read again because holds have changed meanwhile."""


class HeldAmounts(msgspec.Struct, frozen=True):
    """What a customer's open holds take, by the usage keys of the counters."""

    reserved: Mapping[str, int]
    leased: Mapping[str, int]
    holds: Sequence[tuple[OpenHold, bytes]] = ()
    """Of which it was worked out."""

    def __bool__(self) -> bool:
        return bool(self.reserved or self.leased)

    def apart(self, answer: Decision, counters: Sequence[str]) -> Decision:
        """A decision whose `used` is without what is held, which is beside it.

        Args:
            answer: to a check, with every limit.
            counters: usage keys of its limits, in their order.
        """
        if len(answer.limits) != len(counters):
            return answer
        limits = tuple(map(self._of_limit, answer.limits, counters))
        if limits == answer.limits:
            return answer
        for before, limit in zip(answer.limits, limits, strict=True):
            if _decides(before, answer):
                return msgspec.structs.replace(
                    answer,
                    used=limit.used,
                    reserved=limit.reserved,
                    leased=limit.leased,
                    limits=limits,
                    detailed=True,
                )
        return msgspec.structs.replace(answer, limits=limits, detailed=True)

    def of(self, counter: str) -> int:
        """What is held in a counter."""
        return self.reserved.get(counter, 0) + self.leased.get(counter, 0)

    def apart_one(self, answer: Decision, counter: str) -> Decision:
        """The same of a decision about one limit alone."""
        on_top = self.of(counter)
        if not on_top:
            return answer
        return msgspec.structs.replace(
            answer,
            used=max(answer.used - on_top, 0),
            reserved=self.reserved.get(counter, 0),
            leased=self.leased.get(counter, 0),
            limits=tuple([self._of_limit(limit, counter) for limit in answer.limits]),
            detailed=True,
        )

    def _of_limit(self, status: LimitStatus, counter: str) -> LimitStatus:
        reserved, leased = self.reserved.get(counter, 0), self.leased.get(counter, 0)
        if not reserved and not leased:
            return status
        used = max(status.used - reserved - leased, 0)
        return msgspec.structs.replace(status, used=used, reserved=reserved, leased=leased)


def _decides(limit: LimitStatus, answer: Decision) -> bool:
    """Whether the decision is about this limit."""
    return (limit.limit, limit.used, limit.resets_at_ms, limit.pool_id) == (
        answer.limit,
        answer.used,
        answer.resets_at_ms,
        answer.pool_id,
    )


NOTHING_HELD = HeldAmounts({}, {}, [])


class HeldReader:
    """Reads what is held; of one thread."""

    def __init__(self, shared: Shared, planner: Planner, reservations: Reservations) -> None:
        self._shared = shared
        self._planner = planner
        self._reservations = reservations

    def read(self, customer_id: str, before: HeldAmounts = NOTHING_HELD) -> HeldAmounts:
        """What open holds of a customer take of its counters; what has ended is settled first.

        Args:
            customer_id: whose.
            before: as read before; itself, if nothing has changed.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        if not self._shared.holds.any:
            return NOTHING_HELD
        usage = self._shared.views.keys_of(customer_id, "").usage
        reserved: Counter[str] = Counter()
        leased: Counter[str] = Counter()
        holds = self._reservations.read_open(customer_id)
        if holds == before.holds:
            return before
        for opened, stored in holds:
            hold = opened.hold
            if hold.kind == HoldKind.LEASE:
                (item,) = hold.items
                own = self._shared.views.keys_of(customer_id, item.resource_id).usage
                for suffix in hold.counters:
                    leased[own + suffix] += item.quantity
            elif (taken := read_taken(stored)) is not None:
                for suffix, amount in taken.by_counter().items():
                    reserved[usage + suffix] += amount
        return HeldAmounts(reserved, leased, holds)

    def counters(self, request: ConsumeRequest) -> list[str]:
        """Usage keys of the limits of a feature, as just decided; empty: not known any more."""
        planned = self.planned(request)
        if planned is None:
            return []
        return [planned.keys.usage + suffix for suffix in planned.counters.suffixes]

    def planned(self, request: ConsumeRequest) -> Planned | None:
        """What a request just decided is charged to; None: not known any more."""
        now_ms = self._shared.clock.now_ms()
        snapshot = self._shared.snapshots.to_plan_on()
        name = view_name(request.customer_id, request.resource_id)
        view = self._shared.views.get(name, snapshot, now_ms)
        round_ = StrictRound([request])
        if view is None or not self._planner.plan(round_, 0, request, view, now_ms):
            return None
        return round_.planned[0]

    def show(
        self,
        requests: Sequence[ConsumeRequest],
        answers: list[Decision | QuotadError | None],
        decide: Callable[[ConsumeRequest], Decision | QuotadError],
    ) -> None:
        """Show what is held in the answers to explained checks.

        Args:
            requests: of a batch.
            answers: to them.
            decide: decides one again, as counters and holds are to be of one moment.
        """
        for place, request in enumerate(requests):
            if request.explain and request.mode == CHECK_ONLY:
                try:
                    answers[place] = self._shown(request, answers[place], decide)
                except StoreError as error:
                    answers[place] = error

    def _shown(
        self,
        request: ConsumeRequest,
        answer: Decision | QuotadError | None,
        decide: Callable[[ConsumeRequest], Decision | QuotadError],
    ) -> Decision | QuotadError | None:
        held = self.read(request.customer_id)
        for _ in range(READS_MAX):
            if not held or not isinstance(answer, Decision):
                return answer
            answer = decide(request)
            before, held = held, self.read(request.customer_id, held)
            if before is held:
                break
        if isinstance(request, ConsumeAllRequest) and isinstance(answer, ConsumeAllDecision):
            pairs = zip(request.items, answer.items, strict=True)
            items = tuple([held.apart(one, self.counters(item)) for item, one in pairs])
            return msgspec.structs.replace(answer, items=items)
        if isinstance(answer, Decision):
            return held.apart(answer, self.counters(request))
        return answer
