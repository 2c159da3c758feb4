"""Slots: how much of a feature is in flight, each held until it is released or ends by itself.

A slot is acquired by one script, which counts what comes with it, too: the request is planned as
one about several features, the first of which has its counter in a set of slots. What was taken is
remembered under the id of the slot, as under an idempotency key.
"""

from collections.abc import Callable, Sequence

import msgspec

from quotad.decision import ConsumeAllDecision, ConsumeAllRequest, Decision, Reason
from quotad.engine.budget import Budget
from quotad.engine.denials import with_sources
from quotad.engine.fold import fold
from quotad.engine.in_place import in_place
from quotad.engine.joint import new_part
from quotad.engine.memos import KeptSlot, read_slot
from quotad.engine.noting import AlsoCounted, LedgerNotes
from quotad.engine.rounds import Look, Planned, Round, StrictRound
from quotad.engine.settling import Settler
from quotad.engine.shared import Acting, Shared
from quotad.errors import (
    Damaged,
    IdempotencyMismatch,
    NotFound,
    NotOpen,
    QuotadError,
    StoreError,
    StoreUnavailable,
)
from quotad.ledger import Takers
from quotad.slots import SLOT, Acquired, AcquireRequest, OpenSlot
from quotad.store import Charge, ChargeStatus, CounterSet, CustomerKeys, Link, Settlement
from quotad.store.charges import DETAILED_ARGS, PutsInLedger
from quotad.store.counters import ELSEWHERE
from quotad.store.slots import SlotOutcome, SlotScripts, SlotToHold

ROUNDS_MAX = 5
"""As of the engine."""

FULL = (int(Reason.LIMIT_EXCEEDED), int(Reason.INSUFFICIENT_CREDITS))

Run = Callable[[Round, Budget, Settler], bool]
TakeBack = Callable[[str], bool]


class Slots:
    """Acquires, extends, releases and reads slots; of one thread.

    Args:
        shared: what engines share.
        link: the thread's connection.
        run: plans, settles and folds a round; as `Engine._run`.
        take_back: gives back what reservations of a customer have held that have ended; returns
            whether there was any.
        acting: whose doing it is.
    """

    def __init__(
        self, shared: Shared, link: Link, run: Run, take_back: TakeBack, acting: Acting
    ) -> None:
        self._shared = shared
        self._link = link
        self._scripts = SlotScripts(link)
        self._settler = Settler(shared, link)
        self._run = run
        self._take_back = take_back
        self._acting = acting

    @in_place
    def acquire(self, request: AcquireRequest) -> Acquired:
        """Acquire a slot, and count what comes with it: all of it, or nothing.

        Raises:
            InvalidRequest: it can never work.
            IdempotencyMismatch: the id was used for something else.
            NotOpen: a slot of this id was held before, and has ended or was released.
            TooManyOpen: the customer has too many slots of the feature.
            StoreUnavailable: it may be held all the same; repeat it under the same id.
        """
        kept_ms, asked_ms = self._shared.settings.idempotency_ttl_ms, request.idempotency_ttl_ms
        if asked_ms:
            kept_ms = min(asked_ms, kept_ms)
        request = msgspec.structs.replace(request, idempotency_ttl_ms=request.ttl_ms + kept_ms)
        acquired = self._acquire(request)
        decision = acquired.decision
        # What else is to be counted may be full of reservations that have ended.
        full = not decision.allowed and any(item.reason in FULL for item in decision.items[1:])
        if full and self._take_back(request.customer_id):
            acquired = self._acquire(request)
        if acquired.ends_ms:
            self._shared.slots.note(request.customer_id, request.slot_id, acquired.ends_ms)
        return acquired

    @in_place
    def extend(self, customer_id: str, slot_id: str, ttl_ms: int) -> int:
        """Let a slot end at a later moment, never earlier than before.

        Returns:
            When it ends, in Unix time.

        Raises:
            NotFound: there was no such slot.
            NotOpen: it was released, or has ended.
            StoreUnavailable: the store refused or timed out.
        """
        slot = self._find(customer_id, slot_id)
        keys = self._keys(customer_id, slot.resource_id)
        deadline = self._deadline()
        times_ms = (self._shared.health.not_after_ms(deadline), ttl_ms, slot.kept_ms)
        ends_ms = self._scripts.extend(keys, slot.feature_id, slot_id, times_ms, deadline)
        if not ends_ms:
            raise _not_held(slot_id)
        self._shared.slots.note(customer_id, slot_id, ends_ms)
        return ends_ms

    @in_place
    def release(self, customer_id: str, slot_id: str) -> bool:
        """Free a slot; returns whether it was held, and not released or ended before.

        Raises:
            NotFound: there was no such slot.
            StoreUnavailable: the store refused or timed out; repeat it.
        """
        slot = self._find(customer_id, slot_id)
        keys = self._keys(customer_id, slot.resource_id)
        held = self._scripts.release(keys, slot.feature_id, slot_id, self._deadline())
        self._shared.slots.drop(customer_id, slot_id)
        return held

    @in_place
    def list(self, customer_id: str, feature_id: str, resource_id: str = "") -> list[OpenSlot]:
        """The slots of a feature that are held, those that end first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._shared.health.raise_if_down()
        keys = self._keys(customer_id, resource_id)
        return self._scripts.list(keys, feature_id, self._deadline())

    def look(self, round_: Round) -> None:
        """Answer the checks of slots in a round whose catalog and customers are as planned."""
        by_customer: dict[str, list[tuple[int, Look]]] = {}
        for place, look in (round_.looks or {}).items():
            answer = round_.answers[place]
            if isinstance(answer, Decision) and answer.allowed:
                by_customer.setdefault(look.keys.customer_id, []).append((place, look))
        for looks in by_customer.values():
            try:
                self._look(round_, looks)
            except StoreError as error:
                self._settler.note(error)
                for place, _ in looks:
                    round_.answers[place] = error
            except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                round_.failed(*(place for place, _ in looks))

    def _look(self, round_: Round, looks: Sequence[tuple[int, Look]]) -> None:
        requests = [round_.requests[place] for place, _ in looks]
        wanted = [
            (look.keys, request.feature_id, look.terms[0].cap, request.quantity)
            for request, (_, look) in zip(requests, looks, strict=True)
        ]
        found = self._scripts.read(wanted, self._deadline())
        now_ms = self._shared.clock.now_ms()
        for request, (place, look), (used, frees_ms) in zip(requests, looks, found, strict=True):
            fits = used + request.quantity <= look.terms[0].cap
            status = ChargeStatus.ALLOWED if fits else ChargeStatus.DENIED
            settled = Settlement(status, (used,), closes=(frees_ms,))
            planned = round_.answers[place]
            assert isinstance(planned, Decision)
            answer = fold(look.terms, request, settled, now_ms, planned.catalog_version)
            if planned.explanation is not None:
                answer = with_sources(answer, planned.explanation.sources)
            round_.answers[place] = answer

    def _acquire(self, request: AcquireRequest) -> Acquired:
        answer, ends_ms = self._decide(request)
        # Raised here and not where the round is: a frame of it in the traceback would hold what has
        # the error, which is out of the garbage collector's sight.
        if isinstance(answer, IdempotencyMismatch):
            raise _used_otherwise(request.slot_id)
        if isinstance(answer, QuotadError):
            raise answer
        assert isinstance(answer, ConsumeAllDecision)
        return Acquired(answer, ends_ms if answer.allowed else 0)

    def _decide(self, request: AcquireRequest) -> tuple[Decision | QuotadError, int]:
        """The decision, and when the slot ends (Unix ms)."""
        round_ = StrictRound([request], Takers((self._acting.taker,)))
        acquiring = _Acquiring(self._scripts, request, self._keys)
        settler = Settler(self._shared, self._link, acquiring)
        budget = Budget(self._shared.settings.store_timeout_ms)
        try:
            for _ in range(ROUNDS_MAX):
                self._run(round_, budget, settler)
                if not round_.pending:
                    break
        except StoreError as error:
            settler.note(error)
            return error, 0
        (answer,) = round_.answers
        if answer is None:
            answer = StoreUnavailable("catalog or customer keeps changing; try again")
        self._shared.demand.note(round_, [_without_slot(*each) for each in round_.denied])
        return answer, acquiring.ends_ms

    def _find(self, customer_id: str, slot_id: str) -> KeptSlot:
        keys = self._keys(customer_id, "")
        stored = self._settler.recall(keys, SLOT + slot_id, self._deadline())
        if stored is None:
            raise NotFound(
                f"slot_id: {slot_id!r} is not known; it never was, was denied, or ended long ago"
            )
        slot = read_slot(stored)
        if slot is None:
            raise Damaged(f"what is kept of the slot {slot_id!r} is damaged in the store")
        return slot

    def _keys(self, customer_id: str, resource_id: str) -> CustomerKeys:
        return self._shared.views.keys_of(customer_id, resource_id)

    def _deadline(self) -> float:
        return Budget(self._shared.settings.store_timeout_ms).ask()


class _Acquiring:
    """Settles the charge of a request with its slot; for one call.

    Args:
        scripts: of the slots.
        request: to acquire one.
        keys_of: spells the keys of a customer or resource.
    """

    def __init__(
        self,
        scripts: SlotScripts,
        request: AcquireRequest,
        keys_of: Callable[[str, str], CustomerKeys],
    ) -> None:
        self._scripts = scripts
        self._request = request
        self._keys_of = keys_of
        self.ends_ms = 0

    def settle(
        self,
        catalog: str,
        charges: Sequence[Charge],
        deadline: float,
        not_after_ms: int = 0,
        notes: PutsInLedger | None = None,
    ) -> tuple[list[Settlement], StoreError | None]:
        """Settle the one charge; as `ChargeScript.settle`.

        Raises:
            NotOpen: a slot of this id was held before, and is not any more.
            TooManyOpen: there are as many slots as there may be.
        """
        (charge,) = charges
        assert isinstance(charge, Planned)
        counted, wanted = self._apart(charge)
        if wanted.keys.catalog != charge.keys.catalog:  # its shard has moved since it was planned
            return [ELSEWHERE], None
        if isinstance(notes, LedgerNotes):
            notes = self._noted(notes, charge, counted)
        try:
            outcome, settled, used, at_ms = self._scripts.acquire(
                catalog, counted, wanted, deadline, not_after_ms, notes
            )
        except StoreError as error:
            return [Settlement(ChargeStatus.UNSETTLED)], error
        if outcome == SlotOutcome.ENDED:
            raise _not_held(wanted.slot_id)
        if outcome in (SlotOutcome.HELD, SlotOutcome.REPLAYED):
            self.ends_ms = at_ms
        if outcome < 0 or outcome == SlotOutcome.REPLAYED or settled.status < 0:
            return [settled], None
        # The first counter of the charge is what slots hold.
        status = ChargeStatus.DENIED if outcome == SlotOutcome.FULL else settled.status
        own = charge.counters.suffixes[len(counted.counters.suffixes) :] and (used,)
        frees_ms = at_ms if outcome == SlotOutcome.FULL else 0
        closes = (*(frees_ms for _ in own), *settled.closes)
        return [Settlement(status, (*own, *settled.used), closes=closes)], None

    def _noted(self, notes: LedgerNotes, charge: Planned, counted: Charge) -> PutsInLedger | None:
        """What describes all but the slot, which no counter has; None: nothing is to be noted."""
        request, parts = self._request, charge.given
        items, suffixes = request.items[1:], counted.counters.suffixes
        if not counted.counters.noting or not isinstance(parts, tuple) or not items:
            return None
        first = len(charge.counters.suffixes) - len(suffixes)
        rest = [
            new_part(each.terms, tuple([at - first for at in each.places]), each.given)
            for each in parts[1:]
        ]
        counters = CounterSet(suffixes, (len(suffixes), DETAILED_ARGS), counted.counters.noting)
        also = msgspec.structs.replace(charge, counters=counters, given=tuple(rest), once=None)
        key = SLOT + request.slot_id
        asked = ConsumeAllRequest(request.customer_id, "", 0, idempotency_key=key, items=items)
        return AlsoCounted(notes, also, asked)

    def _apart(self, charge: Planned) -> tuple[Charge, SlotToHold]:
        """The charge without its slot, and the slot."""
        request, parts = self._request, charge.given
        counters, quantity, cap = charge.counters, charge.quantity, 0
        amounts = quantity if isinstance(quantity, tuple) else ()
        if isinstance(parts, tuple) and parts and parts[0].terms:
            cap = parts[0].terms[0].cap
            counters = _but_first(counters)
        item = request.items[0]
        wanted = SlotToHold(
            self._keys_of(request.customer_id, item.resource_id),
            item.feature_id,
            request.slot_id,
            amounts[0] if amounts else 0,
            cap,
            request.ttl_ms,
        )
        rest = amounts[1:] or 0
        counted = Charge(charge.keys, charge.epoch, rest, charge.verb, counters, charge.once)
        return counted, wanted


def _without_slot(
    place: int, charge: Planned, settlement: Settlement
) -> tuple[int, Planned, Settlement]:
    """What was denied beside the slot, which no counter has."""
    amounts = charge.quantity
    if isinstance(amounts, tuple):
        amounts = amounts[1:]
        used, closes = settlement.used[1:], settlement.closes[1:]
        settlement = Settlement(settlement.status, used, closes=closes)
        charge = msgspec.structs.replace(
            charge, counters=_but_first(charge.counters), quantity=amounts
        )
    return place, charge, settlement


def _but_first(counters: CounterSet) -> CounterSet:
    count, size, *words = counters.words
    return CounterSet(counters.suffixes[1:], (count - 1, size, *words[size:]), counters.noting)


def _used_otherwise(slot_id: str) -> IdempotencyMismatch:
    return IdempotencyMismatch(
        f"slot_id: {slot_id!r} was used before with another feature_id, quantity, resource_id or"
        " other `also`; use a new id for a new slot"
    )


def _not_held(slot_id: str) -> NotOpen:
    return NotOpen(
        f"slot_id: {slot_id!r} is not held any more; it was released, or has ended. Use a new id"
        " for a new slot"
    )
