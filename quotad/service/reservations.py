"""Reserve, Commit, Release, Extend: from protobuf to operations and back."""

from google.protobuf.duration_pb2 import Duration

from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import QUANTITY_MAX, ConsumeRequest
from quotad.operations.decisions import DecisionOperations
from quotad.service import decode
from quotad.service.encode import timestamp
from quotad.service.wire import decision_bytes
from quotad.v1 import quota_pb2 as pb

TTL_MS = 60_000
TTL_MIN_MS, TTL_MAX_MS = 1_000, 86_400_000


def reserve(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReserveRequest.

    Raises:
        QuotadError: why nothing is held, or may not be.
    """
    message = decode.parse(pb.ReserveRequest, payload)
    customer_id, hold_id = _ids(message)
    check_id(message.feature_id, "feature_id")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    quantity = message.quantity if message.HasField("quantity") else 1
    if not 1 <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {quantity} is not between 1 and {QUANTITY_MAX}")
    request = ConsumeRequest(
        customer_id, message.feature_id, quantity, resource_id=message.resource_id
    )
    reserved = decisions.reserve(request, hold_id, _ttl_ms(message))
    answer = pb.ReserveResponse(expires_at=timestamp(reserved.ends_ms or None))
    answer.decision.ParseFromString(decision_bytes(reserved.decision))
    return answer.SerializeToString()


def commit(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a CommitRequest.

    Raises:
        QuotadError: why it is not settled, or may not be.
    """
    message = decode.parse(pb.CommitRequest, payload)
    quantity = message.quantity if message.HasField("quantity") else None
    if quantity is not None and not 0 <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {quantity} is not between 0 and {QUANTITY_MAX}")
    return decision_bytes(
        decisions.reservations.commit(*_ids(message), quantity, overrun=message.allow_overrun)
    )


def release(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReleaseRequest.

    Raises:
        QuotadError: why it is not settled, or may not be.
    """
    message = decode.parse(pb.ReleaseRequest, payload)
    return decision_bytes(decisions.reservations.commit(*_ids(message), 0))


def extend(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer an ExtendRequest.

    Raises:
        QuotadError: why it does not end later, or may not.
    """
    message = decode.parse(pb.ExtendRequest, payload)
    ends_ms = decisions.reservations.extend(*_ids(message), _ttl_ms(message))
    return pb.ExtendResponse(expires_at=timestamp(ends_ms)).SerializeToString()


def _ids(
    message: pb.ReserveRequest | pb.CommitRequest | pb.ReleaseRequest | pb.ExtendRequest,
) -> tuple[str, str]:
    """The customer's id and the reservation's."""
    check_id(message.customer_id, "customer_id")
    check_id(message.reservation_id, "reservation_id")
    return message.customer_id, message.reservation_id


def _ttl_ms(message: pb.ReserveRequest | pb.ExtendRequest) -> int:
    if not message.HasField("ttl"):
        return TTL_MS
    ttl: Duration = message.ttl
    ttl_ms = ttl.seconds * 1000 + ttl.nanos // 1_000_000
    if not TTL_MIN_MS <= ttl_ms <= TTL_MAX_MS:
        raise InvalidRequest("ttl: must be from 1 second to 24 hours")
    return ttl_ms
