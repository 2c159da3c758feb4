"""Plan what is held in slots: the slot that is to be acquired, and checks of those in flight."""

from quotad.decision import ConsumeRequest, Decision, Mode
from quotad.engine.given import denied, no_negative_slots, not_by_slot, not_by_use
from quotad.engine.meters import ALWAYS, Bound, Meter
from quotad.engine.rounds import Look, Planned, Round
from quotad.engine.views import View
from quotad.errors import InvalidRequest, QuotadError
from quotad.model import MeterKind
from quotad.store import Retention
from quotad.store.charges import CONSUME


def plan_slot(
    round_: Round, request: ConsumeRequest, view: View, retention: Retention, now_ms: int
) -> None:
    """Plan the slot that a request is to acquire, as the first one of a round.

    Args:
        round_: of the items of the request.
        request: of these, the slot.
        view: of the customer or resource.
        retention: how long counters are kept.
        now_ms: Unix time.
    """
    feature_id = request.feature_id
    feature = view.snapshot.features.get(feature_id)
    meter = view.meters.get(feature_id) or view.meter(feature_id, retention)
    given: Decision | QuotadError | None = None
    bound = ALWAYS
    if feature is not None and feature.kind is not MeterKind.CONCURRENCY:
        given = not_by_slot(request)
    elif meter is None:
        given = denied(feature_id, view.effective, view.snapshot)
    elif not meter.slots:
        given = meter.given
    else:
        bound = _bound(meter, now_ms)
    charge = view.keys, view.epoch, request.quantity, CONSUME, bound.counters
    round_.add(0, Planned(*charge, terms=bound.terms, given=given))


def look_at_slots(
    round_: Round, place: int, request: ConsumeRequest, view: View, meter: Meter, now_ms: int
) -> Decision | InvalidRequest | None:
    """Have slots in flight read for a check; refuse everything else.

    Args:
        round_: of the request.
        place: of the request in it.
        request: about a feature that is held in slots.
        view: of the customer or resource.
        meter: of the feature.
        now_ms: Unix time.
    """
    if request.mode != Mode.CHECK_ONLY:
        return not_by_use(request.feature_id)
    if request.quantity < 0:
        return no_negative_slots(request)
    if round_.looks is None:
        round_.looks = {}
    round_.looks[place] = Look(view.keys, _bound(meter, now_ms).terms)
    return meter.given


def _bound(meter: Meter, now_ms: int) -> Bound:
    """The one limit, which has no period."""
    return meter.bound if meter.bound.until_ms else meter.bind(now_ms)
