"""Settling holds on the very counters that they were taken from.

What a hold has taken is kept with it, counter by counter. So all of it finds its way back whatever
the catalog and the customer have become since: another price, other windows, another plan.
"""

from collections.abc import Mapping, Sequence

import msgspec

from quotad.decision import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
    Reason,
)
from quotad.engine.joint import JointLayout, JointPart, new_part
from quotad.engine.memos import FINGERPRINT_LENGTH, KeptCounter, read_parts, read_usage
from quotad.engine.meters import NO_DETAILS, LimitTerms, room_for
from quotad.held import HeldItem, SettledDecision
from quotad.model import USED_MAX
from quotad.store import CounterSet, Retention
from quotad.store.charges import DETAILED_ARGS, PLAIN_ARGS
from quotad.store.holds import SETTLED, OpenHold


class TakenHold(msgspec.Struct, frozen=True, gc=False):
    """What a hold has taken."""

    version: int
    """Of the catalog then."""
    parts: tuple[JointPart, ...]
    """By item."""
    items: tuple[HeldItem, ...]
    """With the quantities taken."""
    counters: tuple[KeptCounter, ...]
    closes: Sequence[int]
    """By counter, when the window closes that it was taken from (Unix ms); 0: no such window."""

    def amounts(self, quantities: Sequence[int]) -> list[int]:
        """What quantities of the items are in its counters."""
        amounts = [0] * len(self.counters)
        if not amounts:  # taken by a server that did not keep them
            return amounts
        for part, quantity in zip(self.parts, quantities, strict=True):
            for place, weight in part.takes:
                amounts[place] += quantity * weight
        return amounts

    def by_counter(self) -> dict[str, int]:
        """What it holds, by the endings of the usage keys."""
        amounts = self.amounts([item.quantity for item in self.items])
        return {kept.suffix: each for kept, each in zip(self.counters, amounts, strict=True)}


def read_taken(stored: bytes) -> TakenHold | None:
    """What a hold has taken, as kept under the key of its take; None: it cannot be read."""
    head, _, memo = stored[FINGERPRINT_LENGTH:].partition(b"|")
    try:
        used, closes = read_usage(head[1:].split(b","))
        kept = read_parts(memo)
    except (ValueError, msgspec.DecodeError):
        return None
    if len(kept.counters) not in (0, len(used)):
        return None
    items = kept.items
    if len(items) == 1:  # perhaps less was taken than was asked for
        quantity = room_for(kept.parts[0].terms, used, items[0].quantity)
        items = (msgspec.structs.replace(items[0], quantity=quantity),)
    return TakenHold(kept.version, kept.parts, items, kept.counters, closes or [0] * len(used))


class SettleRequest(ConsumeAllRequest, frozen=True, gc=False):
    """Count the difference between what a hold has taken and what was used of it.

    The items have the differences; their mode is SETTLE, or SETTLE_WITHIN where the others need
    room.
    """

    taken: TakenHold | None = None
    fingerprint: str = ""
    """In place of that of the items, where the differences are not what the caller asked for."""


def settle_request(
    opened: OpenHold, taken: TakenHold, used: Sequence[int], overrun: bool, kept_ms: int
) -> ConsumeRequest:
    """The charge of the differences to what is held.

    Args:
        opened: the hold.
        taken: what it has taken.
        used: of each of its items.
        overrun: count what is above it past every limit.
        kept_ms: how long the settlement is remembered.
    """
    customer_id, made_ms = opened.customer_id, opened.hold.made_ms
    changes = [now - item.quantity for now, item in zip(used, taken.items, strict=True)]
    within = not overrun and any(change > 0 for change in changes)
    mode = int(Mode.SETTLE_WITHIN if within else Mode.SETTLE)
    items = [
        ConsumeRequest(
            customer_id,
            item.feature_id,
            change,
            mode,
            SETTLED + opened.hold_id,
            kept_ms,
            resource_id=item.resource_id,
            occurred_ms=made_ms,
        )
        for item, change in zip(opened.hold.items, changes, strict=True)
    ]
    if not taken.counters:  # by a server that did not keep them: those of today's limits
        return items[0]
    return SettleRequest(
        customer_id,
        "",
        0,
        mode,
        SETTLED + opened.hold_id,
        kept_ms,
        items=tuple(items),
        taken=taken,
    )


def lay_out_settlement(
    request: SettleRequest,
    today: Mapping[str, LimitTerms],
    denied: Sequence[Decision | None],
    retention: Retention,
    provisioned: bool,
    now_ms: int,
    noting: int,
) -> tuple[JointLayout, tuple[int, ...] | None]:
    """The charge that settles a hold: counters of periods that are gone are left out.

    Args:
        request: what is settled.
        today: terms of its counters that the customer's limits still have, by their endings.
        denied: by item, why more of it cannot be had, where that is so.
        retention: how long counters are kept.
        provisioned: whether the customer has a record.
        now_ms: Unix time.
        noting: what of it goes into the ledger.

    Returns:
        The layout, and what to take of each of its counters; None: nothing, as it is denied.
    """
    taken = request.taken
    assert taken is not None
    within = request.mode == Mode.SETTLE_WITHIN
    kept: dict[int, int] = {}  # place among those taken from -> place in the charge
    for place, counter in enumerate(taken.counters):
        if is_left(counter, taken.closes[place], retention, now_ms):
            kept[place] = len(kept)
    parts: list[JointPart] = []
    caps = [USED_MAX] * len(kept)
    for part, item, why in zip(taken.parts, request.items, denied, strict=True):
        more = within and item.quantity > 0
        if more and why is not None:
            parts.append(new_part((), (), why))
            continue
        terms: list[LimitTerms] = []
        for term, place in zip(part.terms, part.places, strict=True):
            if place in kept:
                term = _as_settled(term, today.get(taken.counters[place].suffix), more)
                caps[kept[place]] = min(caps[kept[place]], term.cap)
                terms.append(term)
        if any(term.details for term in terms) and terms[0].details is None:
            terms[0] = msgspec.structs.replace(terms[0], details=NO_DETAILS)
        places = tuple([kept[place] for place in part.places if place in kept])
        given = part.given
        if not terms and given is None:
            given = Decision(True, int(Reason.WITHIN_LIMIT), taken.version)
        parts.append(new_part(tuple(terms), places, None if terms else given))
    changes = taken.amounts([item.quantity for item in request.items])
    idle_ms = 0 if provisioned else retention.unprovisioned_ms
    detailed = any(taken.closes[place] for place in kept)
    words: list[int] = []
    for place, at in kept.items():
        expires = taken.counters[place].expires
        words += (caps[at], expires if expires > 0 else -idle_ms)
        if detailed:
            words += (1, taken.closes[place], now_ms)
    size = DETAILED_ARGS if detailed else PLAIN_ARGS
    counters = CounterSet(
        tuple([taken.counters[place].suffix for place in kept]), (len(kept), size, *words), noting
    )
    layout = JointLayout((), counters, tuple(parts))
    if any(part.given is not None and not part.given.allowed for part in parts):
        return layout, None
    return layout, tuple([changes[place] for place in kept])


def is_left(counter: KeptCounter, closes_ms: int, retention: Retention, now_ms: int) -> bool:
    """Whether a counter that was taken from is there for a while longer."""
    ends_ms = closes_ms or counter.expires
    return ends_ms <= 0 or ends_ms > now_ms + retention.short_ms


def _as_settled(then: LimitTerms, now: LimitTerms | None, within: bool) -> LimitTerms:
    """Terms that a difference is counted with: the limit as it is now, priced as it was."""
    details = then.details or NO_DETAILS
    if now is not None and not details.opens:
        # The limit of a pool is that of several features: which one draws on it is known of then.
        details = msgspec.structs.replace(
            now.details or NO_DETAILS,
            weight=details.weight,
            pool_id=details.pool_id,
            decimals=details.decimals,
        )
        then = now
    details = msgspec.structs.replace(details, recorded=not within)
    return msgspec.structs.replace(then, details=None if details == NO_DETAILS else details)


def named(answer: Decision, items: tuple[HeldItem, ...]) -> Decision:
    """The answer on a hold, of one feature as on any call."""
    if not isinstance(answer, ConsumeAllDecision):
        return answer
    if len(items) == 1:
        (one,) = answer.items
        return msgspec.structs.replace(one, replayed=answer.replayed)
    return SettledDecision(**msgspec.structs.asdict(answer), held=items)
