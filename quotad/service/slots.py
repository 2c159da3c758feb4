"""AcquireSlot, Heartbeat, ReleaseSlot, ListSlots: from protobuf to operations and back."""

from quotad.decision import ITEMS_MAX, ConsumeRequest, Mode
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import QUANTITY_MAX
from quotad.operations.decisions import DecisionOperations
from quotad.service import decode
from quotad.service.decode_all import read_items
from quotad.service.encode import timestamp
from quotad.service.reservations import hold_ttl_ms
from quotad.service.wire import all_bytes
from quotad.slots import SLOT, AcquireRequest
from quotad.v1 import quota_pb2 as pb


def acquire(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer an AcquireSlotRequest.

    Raises:
        QuotadError: why no slot is held, or may not be.
    """
    acquired = decisions.acquire_slot(_read(payload))
    answer = pb.AcquireSlotResponse(expires_at=timestamp(acquired.ends_ms or None))
    answer.decision.ParseFromString(all_bytes(acquired.decision))
    return answer.SerializeToString()


def heartbeat(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a HeartbeatRequest.

    Raises:
        QuotadError: why it does not end later, or may not.
    """
    message = decode.parse(pb.HeartbeatRequest, payload)
    ends_ms = decisions.slots.extend(*_ids(message), hold_ttl_ms(message))
    return pb.HeartbeatResponse(expires_at=timestamp(ends_ms)).SerializeToString()


def release(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReleaseSlotRequest.

    Raises:
        QuotadError: why it is not released, or may not be.
    """
    message = decode.parse(pb.ReleaseSlotRequest, payload)
    released = decisions.release_slot(*_ids(message))
    return pb.ReleaseSlotResponse(released=released).SerializeToString()


def list_slots(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ListSlotsRequest.

    Raises:
        QuotadError: why they cannot be read.
    """
    message = decode.parse(pb.ListSlotsRequest, payload)
    check_id(message.customer_id, "customer_id")
    check_id(message.feature_id, "feature_id")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    found = decisions.list_slots(message.customer_id, message.feature_id, message.resource_id)
    return pb.ListSlotsResponse(
        slots=[
            pb.Slot(
                slot_id=each.slot_id,
                quantity=each.quantity,
                expires_at=timestamp(each.ends_ms),
            )
            for each in found
        ]
    ).SerializeToString()


def _read(payload: bytes) -> AcquireRequest:
    """Check and translate an AcquireSlotRequest."""
    message = decode.parse(pb.AcquireSlotRequest, payload)
    customer_id, slot_id = _ids(message)
    check_id(message.feature_id, "feature_id")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    quantity = message.quantity if message.HasField("quantity") else 1
    if not 1 <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {quantity} is not between 1 and {QUANTITY_MAX}")
    if len(message.also) >= ITEMS_MAX:
        raise InvalidRequest(f"also: {len(message.also)} of them; at most {ITEMS_MAX - 1}")
    slot = ConsumeRequest(
        customer_id, message.feature_id, quantity, resource_id=message.resource_id
    )
    return AcquireRequest(
        customer_id,
        "",
        0,
        idempotency_key=SLOT + slot_id,
        idempotency_ttl_ms=decode.ttl_ms(message) if message.HasField("idempotency_ttl") else 0,
        items=(slot, *read_items(customer_id, message.also, Mode.NORMAL, name="also")),
        ttl_ms=hold_ttl_ms(message),
    )


def _ids(
    message: pb.AcquireSlotRequest | pb.HeartbeatRequest | pb.ReleaseSlotRequest,
) -> tuple[str, str]:
    """The customer's id and the slot's."""
    check_id(message.customer_id, "customer_id")
    check_id(message.slot_id, "slot_id")
    return message.customer_id, message.slot_id
