"""Which counters a settlement is charged to: those of a hold, or those that a call has taken from.

A hold remembers its counters. A call under an idempotency key remembers only the limits, and at
what price: its counters are those that these limits have today, in the periods of then.
"""

from collections.abc import Sequence

import msgspec

from quotad.decision import Decision
from quotad.engine.given import denied, not_kept
from quotad.engine.joint import JointLayout, new_part
from quotad.engine.memos import KeptCounter, kept_counters
from quotad.engine.meters import LimitTerms
from quotad.engine.settlements import SettleRequest, TakenHold, is_left, lay_out_settlement
from quotad.engine.views import View
from quotad.errors import InvalidRequest
from quotad.store import Retention, join

Refusal = Decision | InvalidRequest


def plan_settlement(
    request: SettleRequest, views: Sequence[View], retention: Retention, now_ms: int
) -> tuple[JointLayout | Refusal, tuple[int, ...] | None]:
    """The charge that settles a hold, or takes back what a call has taken.

    Args:
        request: what is settled.
        views: by item, of its resource.
        retention: how long counters are kept.
        now_ms: Unix time.

    Returns:
        The layout, or why there is none; and what to take of each of its counters, None: nothing.
    """
    taken = request.taken
    if taken is not None and not taken.counters:
        found = _taken_from(request, taken, views[0], retention, now_ms)
        if not isinstance(found, TakenHold):
            return found, None
        request = msgspec.structs.replace(request, taken=found)
    today: dict[str, LimitTerms] = {}
    why: list[Decision | None] = []
    for item, view in zip(request.items, views, strict=True):
        meter = view.meter(item.feature_id, retention)
        if meter is None or meter.given is not None:
            why.append(_why_not(item.feature_id, view, retention))
            continue
        why.append(None)
        bound = meter.bind_at(min(item.occurred_ms, now_ms), now_ms)
        counters, _ = join([(item.resource_id, bound.counters)])
        today.update(zip(counters.suffixes, bound.terms, strict=True))
    provisioned = views[0].effective.provisioned
    noting = max([views[0].snapshot.noting(item.feature_id) for item in request.items])
    return lay_out_settlement(request, today, why, retention, provisioned, now_ms, noting)


def _taken_from(
    request: SettleRequest, taken: TakenHold, view: View, retention: Retention, now_ms: int
) -> TakenHold | Refusal:
    """Find the counters that a call about one feature has taken from; or why there are none."""
    (item,), (part,) = request.items, taken.parts
    meter = view.meter(item.feature_id, retention)
    if meter is None or meter.given is not None:
        return _why_not(item.feature_id, view, retention)
    bound = meter.bind_at(min(item.occurred_ms, now_ms), now_ms)
    counters, _ = join([(item.resource_id, bound.counters)])
    there: dict[tuple[str, str], list[KeptCounter]] = {}
    for term, counter in zip(bound.terms, kept_counters(counters), strict=True):
        there.setdefault(_window(term), []).append(counter)
    terms: list[LimitTerms] = []
    kept, closes = [], []
    for place, term in enumerate(part.terms):
        same = there.get(_window(term))
        if same:
            terms.append(term)
            kept.append(same.pop(0))
            closes.append(taken.closes[place] if taken.closes else 0)
    left = [is_left(*each, retention, now_ms) for each in zip(kept, closes, strict=True)]
    if not any(left):
        return not_kept(item)
    its = new_part(tuple(terms), tuple(range(len(terms))))
    return TakenHold(taken.version, (its,), taken.items, tuple(kept), closes)


def _why_not(feature_id: str, view: View, retention: Retention) -> Decision:
    """Why no counter takes part in a feature."""
    meter = view.meter(feature_id, retention)
    if meter is not None and meter.given is not None:
        return meter.given
    return denied(feature_id, view.effective, view.snapshot)


def _window(term: LimitTerms) -> tuple[str, str]:
    """Which of a feature's limits it is: of a pool or its own, by the window."""
    return ("" if term.details is None else term.details.pool_id, term.per)
