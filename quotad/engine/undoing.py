"""Taking back what was taken under an idempotency key, feature by feature, each of them once."""

from collections.abc import Mapping, Sequence

import msgspec

from quotad.decision import ConsumeRequest, Decision, Mode
from quotad.engine.given import not_this_way
from quotad.engine.joint import new_part
from quotad.engine.memos import (
    FINGERPRINT_LENGTH,
    JOINT,
    KeptParts,
    fingerprint,
    read_parts,
    read_usage,
)
from quotad.engine.meters import room_for
from quotad.engine.settlements import SettleRequest, TakenHold
from quotad.errors import InvalidRequest, NotFound
from quotad.held import HeldItem, SettledDecision
from quotad.model import Feature, MeterKind
from quotad.store.holds import UNDONE

NO_ITEM = HeldItem("", 0)


def undoing(request: ConsumeRequest, key: str, stored: bytes | None) -> list[SettleRequest]:
    """The charges that take back what was taken under a key, each of which does so once.

    Args:
        request: a REFUND of one feature; of several that were taken together, without a feature
            of all of them.
        key: the idempotency key of what is undone.
        stored: what is kept under it; None: nothing.

    Raises:
        NotFound: nothing was taken under the key, or it is not remembered any more.
        InvalidRequest: something else was, or it is not known how much.
    """
    if stored is None:
        raise NotFound(
            f"taken_under: nothing taken under {key!r} is remembered; a denial takes nothing, and a"
            " key is remembered for its time to live"
        )
    head, _, memo = stored[FINGERPRINT_LENGTH:].partition(b"|")
    try:
        used, closes = read_usage(head[1:].split(b","))
        kept = read_parts(memo)
    except (ValueError, msgspec.DecodeError):
        raise InvalidRequest(f"taken_under: what is kept under {key!r} cannot be read") from None
    if not kept.taken_s:
        raise InvalidRequest(f"taken_under: {key!r} was used on an earlier version of quotad")
    items = kept.items
    if not memo.startswith(JOINT):
        items = (_only_item(request, key, stored, kept, used),)
    elif not items:
        raise InvalidRequest(f"taken_under: {key!r} was used on an earlier version of quotad")
    wanted = (request.feature_id, request.resource_id)
    places = [
        place
        for place, item in enumerate(items)
        if not request.feature_id or wanted == (item.feature_id, item.resource_id)
    ]
    if not places:
        raise _something_else(key)
    taken = TakenHold(kept.version, kept.parts, items, (), closes)
    return [
        _undo(request.customer_id, key, taken, place, kept.taken_s)
        for place in places
        if request.feature_id or kept.parts[place].terms
    ]


def refuse_gauges(undone: Sequence[SettleRequest], features: Mapping[str, Feature]) -> None:
    """Check that all of it can be taken back, before some of it is.

    Raises:
        InvalidRequest: a feature is a gauge.
    """
    for each in undone:
        (item,) = each.items
        feature = features.get(item.feature_id)
        if feature is not None and feature.kind is MeterKind.GAUGE:
            raise not_this_way(msgspec.structs.replace(item, mode=int(Mode.REFUND)))


def summed_up(undone: Sequence[SettleRequest], answers: Sequence[Decision]) -> Decision:
    """The answer on all that was taken together."""
    return SettledDecision(
        True,
        min(answer.reason for answer in answers),
        answers[0].catalog_version,
        replayed=all(answer.replayed for answer in answers),
        items=tuple(answers),
        held=tuple(
            [
                HeldItem(one.feature_id, 0, one.resource_id)
                for one in (each.items[0] for each in undone)
            ]
        ),
    )


def _only_item(
    request: ConsumeRequest, key: str, stored: bytes, kept: KeptParts, used: Sequence[int]
) -> HeldItem:
    """What a call about one feature has taken: which one, its fingerprint knows."""
    if not request.feature_id:
        raise InvalidRequest(f"feature_id: missing; one feature was taken under {key!r}, name it")
    quantity = kept.items[0].quantity
    taken = msgspec.structs.replace(request, quantity=quantity, mode=Mode.NORMAL)
    best = msgspec.structs.replace(taken, mode=Mode.BEST_EFFORT)
    recorded = msgspec.structs.replace(taken, mode=Mode.ADJUST_ONLY)
    at_once = msgspec.structs.replace(recorded, occurred_ms=kept.taken_s * 1000)
    known = stored[:FINGERPRINT_LENGTH].decode(errors="replace")
    if known not in map(fingerprint, (taken, best, recorded, at_once)):
        raise _something_else(key)
    quantity = room_for(kept.parts[0].terms, used, quantity)
    return HeldItem(request.feature_id, quantity, request.resource_id)


def _undo(customer_id: str, key: str, taken: TakenHold, place: int, taken_s: int) -> SettleRequest:
    item, part = taken.items[place], taken.parts[place]
    closes = [taken.closes[at] for at in part.places] if taken.closes else ()
    its = new_part(part.terms, tuple(range(len(part.terms))))
    undone = UNDONE + key if len(taken.items) == 1 else f"{UNDONE}{key}{UNDONE}{place}"
    back = ConsumeRequest(
        customer_id,
        item.feature_id,
        -item.quantity,
        int(Mode.SETTLE),
        undone,
        resource_id=item.resource_id,
        occurred_ms=taken_s * 1000,
    )
    return SettleRequest(
        customer_id,
        "",
        0,
        int(Mode.SETTLE),
        undone,
        items=(back,),
        taken=TakenHold(taken.version, (its,), (item,), (), closes),
    )


def _something_else(key: str) -> InvalidRequest:
    return InvalidRequest(
        f"taken_under: under {key!r} another feature or resource was asked for than this one"
    )
