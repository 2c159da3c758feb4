"""Slots: places of limits on what is in flight, each held until it is released or ends."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quotad.decision import ITEMS_MAX, ConsumeRequest, Mode
from quotad.http.answers import AllAnswer, all_answer, moment
from quotad.http.fields import KeyMilliseconds, SomeQuantity, check_ids
from quotad.http.items import ConsumeItem, read_items
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, on_decider
from quotad.operations.decisions import DecisionOperations
from quotad.slots import SLOT, AcquireRequest
from quotad.tokens.roles import Right

SlotMilliseconds = Annotated[int, Meta(ge=1_000, le=86_400_000)]

_IDS = ("customer_id", "slot_id")


class AcquireSlot(RequestFields, frozen=True, kw_only=True):
    """A slot to be held, and what is to be counted with it."""

    customer_id: str
    feature_id: str
    """Of `kind: concurrency`."""
    slot_id: str
    """Made by the caller, of its own for each slot of the customer."""
    quantity: SomeQuantity = 1
    """How much of the limit the slot holds."""
    resource_id: str = ""
    ttl_ms: SlotMilliseconds = 60_000
    also: Annotated[tuple[ConsumeItem, ...], Meta(max_length=ITEMS_MAX - 1)] = ()
    """What is counted with it: all of it, or nothing."""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    """How long the id is remembered after the slot has ended; absent or longer: as the server is
    set."""


class Heartbeat(RequestFields, frozen=True, kw_only=True):
    """A slot that is to end later."""

    customer_id: str
    slot_id: str
    ttl_ms: SlotMilliseconds = 60_000
    """From now on."""


class ReleaseSlot(RequestFields, frozen=True, kw_only=True):
    """A slot to be freed."""

    customer_id: str
    slot_id: str


class ListSlots(RequestFields, frozen=True, kw_only=True):
    """Slots of a feature."""

    customer_id: str
    feature_id: str
    resource_id: str = ""


class SlotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a slot is held."""

    decision: AllAnswer
    """`items` has the slot first, then what was asked for with it."""
    expires_at: datetime | None
    """null: no slot is held."""


class HeartbeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """When a slot ends now."""

    expires_at: datetime | None


class SlotReleased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a slot."""

    released: bool
    """False: it was released before, or had ended."""


class SlotListed(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that is held."""

    slot_id: str
    quantity: int
    expires_at: datetime | None


class SlotsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Slots of a feature, those that end first."""

    slots: tuple[SlotListed, ...]


@on_decider
def acquire(decisions: DecisionOperations, call: HttpCall, wanted: AcquireSlot) -> HttpAnswer:
    """Hold a slot, and count what comes with it."""
    check_ids(wanted, (*_IDS, "feature_id"), ("resource_id",))
    slot = ConsumeRequest(
        wanted.customer_id, wanted.feature_id, wanted.quantity, resource_id=wanted.resource_id
    )
    also = read_items(wanted.customer_id, wanted.also, int(Mode.NORMAL), field="also")
    acquired = decisions.acquire_slot(
        AcquireRequest(
            wanted.customer_id,
            "",
            0,
            idempotency_key=SLOT + wanted.slot_id,
            idempotency_ttl_ms=wanted.idempotency_ttl_ms or 0,
            items=(slot, *also),
            ttl_ms=wanted.ttl_ms,
        )
    )
    ends = moment(acquired.ends_ms or None)
    return HttpAnswer(SlotAnswer(decision=all_answer(acquired.decision), expires_at=ends))


@on_decider
def heartbeat(decisions: DecisionOperations, call: HttpCall, wanted: Heartbeat) -> HttpAnswer:
    """Let a slot end later."""
    check_ids(wanted, _IDS)
    ends_ms = decisions.slots.extend(wanted.customer_id, wanted.slot_id, wanted.ttl_ms)
    return HttpAnswer(HeartbeatAnswer(expires_at=moment(ends_ms)))


@on_decider
def release(decisions: DecisionOperations, call: HttpCall, wanted: ReleaseSlot) -> HttpAnswer:
    """Free a slot."""
    check_ids(wanted, _IDS)
    released = decisions.release_slot(wanted.customer_id, wanted.slot_id)
    return HttpAnswer(SlotReleased(released=released))


@on_decider
def list_slots(decisions: DecisionOperations, call: HttpCall, wanted: ListSlots) -> HttpAnswer:
    """Read which slots are held."""
    check_ids(wanted, ("customer_id", "feature_id"), ("resource_id",))
    found = decisions.list_slots(wanted.customer_id, wanted.feature_id, wanted.resource_id)
    slots = [
        SlotListed(slot_id=each.slot_id, quantity=each.quantity, expires_at=moment(each.ends_ms))
        for each in found
    ]
    return HttpAnswer(SlotsFound(slots=tuple(slots)))


OPERATIONS = (
    Operation(
        name="AcquireSlot",
        method="POST",
        path="/v1/slots",
        right=Right.CONSUME,
        wanted=AcquireSlot,
        given=SlotAnswer,
        act=acquire,
        about="Holds a slot of what may be in flight, and counts other features with it.",
    ),
    Operation(
        name="Heartbeat",
        method="POST",
        path="/v1/slots/heartbeat",
        right=Right.CONSUME,
        wanted=Heartbeat,
        given=HeartbeatAnswer,
        act=heartbeat,
        about="Lets a slot that is held end later.",
    ),
    Operation(
        name="ReleaseSlot",
        method="POST",
        path="/v1/slots/release",
        right=Right.CONSUME,
        wanted=ReleaseSlot,
        given=SlotReleased,
        act=release,
        about="Frees a slot; what was counted with it stays counted.",
    ),
    Operation(
        name="ListSlots",
        method="GET",
        path="/v1/customers/{customer_id}/slots/{feature_id}",
        right=Right.CHECK,
        wanted=ListSlots,
        given=SlotsFound,
        act=list_slots,
        about="The slots of a feature that a customer holds now.",
    ),
)
