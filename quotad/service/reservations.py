"""Reserve, Commit, Release, Extend: from protobuf to operations and back."""

from google.protobuf.duration_pb2 import Duration

from quotad.decision import ITEMS_MAX, ConsumeAllRequest, ConsumeRequest, Mode
from quotad.errors import InvalidRequest
from quotad.held import Used, UsedItem
from quotad.ids import check_id
from quotad.model import QUANTITY_MAX
from quotad.operations.decisions import DecisionOperations
from quotad.service import decode
from quotad.service.decode_all import check_unique, read_items
from quotad.service.encode import timestamp
from quotad.service.encode_items import items_message, settled_bytes
from quotad.v1 import quota_pb2 as pb

TTL_MS = 60_000
TTL_MIN_MS, TTL_MAX_MS = 1_000, 86_400_000


def reserve(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReserveRequest.

    Raises:
        QuotadError: why nothing is held, or may not be.
    """
    message = decode.parse(pb.ReserveRequest, payload)
    _, hold_id = _ids(message)
    items: tuple[ConsumeRequest, ...] = ()
    request = _one(message) if not message.items else None
    if request is None:
        items = _several(message)
        request = ConsumeAllRequest(message.customer_id, "", 0, items=items)
    if len(items) == 1:  # the same as without items
        (request,) = items
    reserved = decisions.reserve(request, hold_id, hold_ttl_ms(message))
    answer = pb.ReserveResponse(expires_at=timestamp(reserved.ends_ms or None))
    answer.decision.CopyFrom(items_message(reserved.decision, items))
    return answer.SerializeToString()


def _one(message: pb.ReserveRequest) -> ConsumeRequest:
    """What a ReserveRequest of one feature asks for."""
    check_id(message.feature_id, "feature_id")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    quantity = message.quantity if message.HasField("quantity") else 1
    _check_quantity(quantity, "quantity", 1)
    return ConsumeRequest(
        message.customer_id, message.feature_id, quantity, resource_id=message.resource_id
    )


def _several(message: pb.ReserveRequest) -> tuple[ConsumeRequest, ...]:
    """What a ReserveRequest of several features asks for."""
    for field, given in (
        ("feature_id", message.feature_id),
        ("quantity", message.HasField("quantity")),
        ("resource_id", message.resource_id),
    ):
        if given:
            raise InvalidRequest(f"{field}: belongs into items where there are some; leave it out")
    items = read_items(message.customer_id, message.items, int(Mode.NORMAL))
    for place, item in enumerate(items):
        _check_quantity(item.quantity, f"items[{place}].quantity", 1)
        if item.requested_values:
            raise InvalidRequest(
                f"items[{place}].requested_values: nothing of them can be held; leave them out"
            )
    return items


def commit(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a CommitRequest.

    Raises:
        QuotadError: why it is not settled, or may not be.
    """
    message = decode.parse(pb.CommitRequest, payload)
    used: Used = None
    if message.items:
        used = _used(message)
    elif message.HasField("quantity"):
        used = message.quantity
        _check_quantity(used, "quantity", 0)
    ids = _ids(message)
    return settled_bytes(decisions.commit(*ids, used, overrun=message.allow_overrun))


def _used(message: pb.CommitRequest) -> list[UsedItem]:
    if message.HasField("quantity"):
        raise InvalidRequest("quantity: belongs into items where there are some; leave it out")
    if len(message.items) > ITEMS_MAX:
        raise InvalidRequest(f"items: {len(message.items)} of them; at most {ITEMS_MAX}")
    used: list[UsedItem] = []
    for place, item in enumerate(message.items):
        check_id(item.feature_id, f"items[{place}].feature_id")
        if item.resource_id:
            check_id(item.resource_id, f"items[{place}].resource_id")
        quantity = item.quantity if item.HasField("quantity") else None
        if quantity is not None:
            _check_quantity(quantity, f"items[{place}].quantity", 0)
        used.append(UsedItem(item.feature_id, item.resource_id, quantity))
    check_unique([(each.feature_id, each.resource_id) for each in used], "give it once")
    return used


def release(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReleaseRequest.

    Raises:
        QuotadError: why it is not settled, or may not be.
    """
    message = decode.parse(pb.ReleaseRequest, payload)
    return settled_bytes(decisions.release(*_ids(message)))


def extend(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer an ExtendRequest.

    Raises:
        QuotadError: why it does not end later, or may not.
    """
    message = decode.parse(pb.ExtendRequest, payload)
    ends_ms = decisions.reservations.extend(*_ids(message), hold_ttl_ms(message))
    return pb.ExtendResponse(expires_at=timestamp(ends_ms)).SerializeToString()


def _check_quantity(quantity: int, field: str, least: int) -> None:
    if not least <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"{field}: {quantity} is not between {least} and {QUANTITY_MAX}")


def _ids(
    message: pb.ReserveRequest | pb.CommitRequest | pb.ReleaseRequest | pb.ExtendRequest,
) -> tuple[str, str]:
    """The customer's id and the reservation's."""
    check_id(message.customer_id, "customer_id")
    check_id(message.reservation_id, "reservation_id")
    return message.customer_id, message.reservation_id


def hold_ttl_ms(
    message: pb.ReserveRequest | pb.ExtendRequest | pb.AcquireSlotRequest | pb.HeartbeatRequest,
) -> int:
    """When what is held ends, from now on.

    Raises:
        InvalidRequest: out of range.
    """
    if not message.HasField("ttl"):
        return TTL_MS
    ttl: Duration = message.ttl
    ttl_ms = ttl.seconds * 1000 + ttl.nanos // 1_000_000
    if not TTL_MIN_MS <= ttl_ms <= TTL_MAX_MS:
        raise InvalidRequest("ttl: must be from 1 second to 24 hours")
    return ttl_ms
