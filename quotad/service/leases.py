"""AcquireLease, RenewLease, ReleaseLease: from protobuf to operations and back."""

from google.protobuf.duration_pb2 import Duration

from quotad.decision import ConsumeRequest
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.lending import Leased, Renewal
from quotad.model import QUANTITY_MAX
from quotad.operations.decisions import DecisionOperations
from quotad.service import decode
from quotad.service.wire import decision_bytes
from quotad.v1 import quota_pb2 as pb

TTL_MIN_MS = 100
TTL_MAX_MS = 60_000


def acquire(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer an AcquireLeaseRequest.

    Raises:
        QuotadError: why nothing is lent, or may not be.
    """
    message = decode.parse(pb.AcquireLeaseRequest, payload)
    customer_id, lease_id = _ids(message)
    check_id(message.feature_id, "feature_id")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    if not 1 <= message.quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {message.quantity} is not between 1 and {QUANTITY_MAX}")
    request = ConsumeRequest(
        customer_id, message.feature_id, message.quantity, resource_id=message.resource_id
    )
    return _encode(decisions.acquire_lease(request, lease_id, _ttl_ms(message)))


def renew(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a RenewLeaseRequest.

    Raises:
        QuotadError: why it is not renewed, or may not be.
    """
    message = decode.parse(pb.RenewLeaseRequest, payload)
    customer_id, lease_id = _ids(message)
    if message.sequence < 1:
        raise InvalidRequest(f"sequence: {message.sequence} is not 1 or more")
    if not 0 <= message.quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {message.quantity} is not between 0 and {QUANTITY_MAX}")
    renewal = Renewal(message.sequence, message.spent, message.quantity)
    return _encode(decisions.renew_lease(customer_id, lease_id, renewal, _ttl_ms(message)))


def release(decisions: DecisionOperations, payload: bytes) -> bytes:
    """Answer a ReleaseLeaseRequest.

    Raises:
        QuotadError: why nothing is returned, or may not be.
    """
    message = decode.parse(pb.ReleaseLeaseRequest, payload)
    returned = decisions.release_lease(*_ids(message), message.spent)
    return pb.ReleaseLeaseResponse(returned=returned).SerializeToString()


def _encode(leased: Leased) -> bytes:
    answer = pb.LeaseResponse(granted=leased.granted, last=leased.last)
    if leased.ends_ms:
        answer.term.FromMilliseconds(leased.term_ms)
        answer.expires_at.FromMilliseconds(leased.ends_ms)
    answer.decision.ParseFromString(decision_bytes(leased.decision))
    return answer.SerializeToString()


def _ids(
    message: pb.AcquireLeaseRequest | pb.RenewLeaseRequest | pb.ReleaseLeaseRequest,
) -> tuple[str, str]:
    """The customer's id and the lease's."""
    check_id(message.customer_id, "customer_id")
    check_id(message.lease_id, "lease_id")
    return message.customer_id, message.lease_id


def _ttl_ms(message: pb.AcquireLeaseRequest | pb.RenewLeaseRequest) -> int:
    """As asked for; the server's own bound comes on top."""
    if not message.HasField("ttl"):
        return TTL_MAX_MS
    ttl: Duration = message.ttl
    ttl_ms = ttl.seconds * 1000 + ttl.nanos // 1_000_000
    if ttl_ms < TTL_MIN_MS:
        raise InvalidRequest("ttl: must be at least 100 milliseconds")
    return ttl_ms
