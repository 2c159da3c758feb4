"""Requests about several features at once: all of it is counted or nothing.

The charges of the items are joined to one, which the script settles as any other. Its answer is
folded item by item, each as if those before it had been taken.
"""

from collections.abc import Sequence

import msgspec

from quotad.decision import ConsumeAllDecision, ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.fold import fold
from quotad.engine.meters import Bound, LimitTerms
from quotad.store import ChargeStatus, CounterSet, Settlement, join

ALLOWED, DENIED = int(ChargeStatus.ALLOWED), int(ChargeStatus.DENIED)


class JointPart(msgspec.Struct, frozen=True, gc=False):
    """What the decision on one item is folded from."""

    terms: tuple[LimitTerms, ...]
    places: tuple[int, ...]
    """Which counters of the joint charge its limits are."""
    given: Decision | None
    """The decision, where no counter takes part."""
    takes: tuple[tuple[int, int], ...]
    """Places again, and what one of the quantity takes there."""
    caps: tuple[int, ...]
    apart: bool = False
    """Whether every part of the layout has one plain counter, which is its own, in their order."""


def new_part(
    terms: tuple[LimitTerms, ...], places: tuple[int, ...], given: Decision | None = None
) -> JointPart:
    """A part, with what is read of its terms at every call."""
    weights = [1 if term.details is None else term.details.weight for term in terms]
    takes = tuple(zip(places, weights, strict=True))
    return JointPart(terms, places, given, takes, tuple([term.cap for term in terms]))


class JointLayout(msgspec.Struct, frozen=True, gc=False):
    """The joint charge of some features, without quantities; the same until a period ends."""

    bounds: tuple[Bound, ...]
    counters: CounterSet
    parts: tuple[JointPart, ...]
    hard: tuple[tuple[int, int | None], ...] = ()
    """Where it is `apart`, and the limits of all parts are hard and have no details: each limit,
    and when it resets (Unix ms)."""

    @property
    def apart(self) -> bool:
        """Whether what it takes of its counters is what the items ask for."""
        return bool(self.parts) and self.parts[0].apart

    def amounts(self, items: Sequence[ConsumeRequest]) -> tuple[int, ...]:
        """What to take of each counter; empty: nothing of any, as one of the items is denied."""
        amounts = [0] * len(self.counters.suffixes)
        for part, item in zip(self.parts, items, strict=True):
            if part.given is not None and not part.given.allowed:
                return ()
            quantity = item.quantity
            for place, weight in part.takes:
                amounts[place] += quantity * weight
        return tuple(amounts) if any(amounts) else ()


def lay_out_together(
    items: Sequence[ConsumeRequest], bounds: Sequence[Bound], given: Sequence[Decision | None]
) -> JointLayout:
    """Join what the items are charged to.

    Args:
        items: of one customer.
        bounds: by item, its limits in their periods.
        given: by item, the decision where no counter takes part.
    """
    counters, places = join(
        [(item.resource_id, bound.counters) for item, bound in zip(items, bounds, strict=True)]
    )
    parts = tuple(map(new_part, [bound.terms for bound in bounds], places, given))
    if all(
        part.places == (place,) and part.given is None and part.terms[0].details is None
        for place, part in enumerate(parts)
    ):
        parts = tuple([msgspec.structs.replace(part, apart=True) for part in parts])
        alone = [bound.alone for bound in bounds if bound.alone is not None]
        if len(alone) == len(bounds):
            hard = [(term.limit, term.resets_at_ms) for term in alone]
            return JointLayout(tuple(bounds), counters, parts, tuple(hard))  # type: ignore[arg-type]
    return JointLayout(tuple(bounds), counters, parts)


def fold_all(
    parts: Sequence[JointPart],
    request: ConsumeRequest,
    settlement: Settlement,
    now_ms: int,
    catalog_version: int,
) -> ConsumeAllDecision:
    """The outcome of a joint charge.

    Args:
        parts: of the items.
        request: what was asked for, a `ConsumeAllRequest`.
        settlement: ALLOWED or DENIED, with usage before the charge.
        now_ms: Unix time, for `retry_after_ms`.
        catalog_version: for the answer.
    """
    assert isinstance(request, ConsumeAllRequest)
    if settlement.status == ALLOWED and parts[0].apart:  # nearly every request
        decisions = [
            fold(part.terms, item, Settlement(ALLOWED, (before,)), now_ms, catalog_version)
            for part, item, before in zip(parts, request.items, settlement.used, strict=True)
        ]
        return _sum_up(decisions, catalog_version)
    used, items = list(settlement.used), request.items
    closes = settlement.closes or [0] * len(used)
    denied = settlement.status != ALLOWED
    for part in parts:
        if part.given is not None and not part.given.allowed:
            denied = True
    if denied:
        items = tuple([msgspec.structs.replace(item, mode=Mode.CHECK_ONLY) for item in items])
    decisions = []
    for part, item in zip(parts, items, strict=True):
        if part.given is not None:
            decisions.append(part.given)
            continue
        quantity = item.quantity
        if len(part.takes) == 1:  # nearly every item, so without lists
            place, weight = part.takes[0]
            have = used[place]
            after = have + quantity * weight
            # What was taken had room as a whole, in whatever order items take and give back.
            fits = not denied or quantity < 0 or after <= part.caps[0]
            if fits:
                used[place] = after if after > 0 else 0
            settled = Settlement(ALLOWED if fits else DENIED, (have,), b"", (closes[place],))
        else:
            before, fits = _take(part, quantity, used, not denied)
            ends = [closes[place] for place in part.places]
            settled = Settlement(ALLOWED if fits else DENIED, before, closes=ends)
        decisions.append(fold(part.terms, item, settled, now_ms, catalog_version))
    return _sum_up(decisions, catalog_version)


def _take(
    part: JointPart, quantity: int, used: list[int], taken: bool
) -> tuple[tuple[int, ...], bool]:
    """Usage before an item, and whether it has room; if it has, `used` is that after it."""
    before = tuple([used[place] for place in part.places])
    after = [used[place] + quantity * weight for place, weight in part.takes]
    fits = taken or quantity < 0 or all(map(int.__le__, after, part.caps))
    if fits:
        for place, have in zip(part.places, after, strict=True):
            used[place] = max(have, 0)
    return before, fits


def _sum_up(items: Sequence[Decision], catalog_version: int) -> ConsumeAllDecision:
    """The item whose reason comes first decides, the first of several."""
    reasons = [item.reason for item in items]
    reason = min(reasons)
    stopped_by = retry_after_ms = None
    if not items[reasons.index(reason)].allowed:
        stopped_by = reasons.index(reason)
        waits = [item.retry_after_ms for item in items if not item.allowed]
        known = [wait for wait in waits if wait is not None]
        retry_after_ms = max(known) if len(known) == len(waits) else None
    return ConsumeAllDecision(
        stopped_by is None,
        reason,
        catalog_version,
        retry_after_ms=retry_after_ms,
        items=tuple(items),
        stopped_by=stopped_by,
    )
