"""Requests of the data plane, from bytes to the model; the shape is checked here, once.

Every refusal names the field.
"""

import re
from typing import TypeVar

import msgspec
from google.protobuf.message import DecodeError, Message

from quotad.errors import InvalidRequest
from quotad.model import BATCH_MAX, ID_BYTES_MAX, QUANTITY_MAX, ConsumeRequest, Mode
from quotad.v1 import quota_pb2 as pb

NORMAL = int(Mode.NORMAL)

VALUES_TAG = b"\x3a"
"""What CheckAndConsumeRequest.requested_values starts with on the wire. To look for it in the bytes
of a request costs a tenth of asking protobuf for an empty list."""

VALUES_MAX = 1000
"""Most values one request may ask for."""

# The nearly always true case of `check_id`, in one call.
_is_plain = re.compile(rf"[ -~]{{1,{ID_BYTES_MAX}}}").fullmatch

M = TypeVar("M", bound=Message)

_MODES = {
    pb.MODE_UNSPECIFIED: NORMAL,
    pb.MODE_NORMAL: NORMAL,
    pb.MODE_CHECK_ONLY: int(Mode.CHECK_ONLY),
}


def parse(message: type[M], payload: bytes) -> M:
    """Read a protobuf message.

    Raises:
        InvalidRequest: the bytes are not one.
    """
    try:
        return message.FromString(payload)
    except DecodeError as error:
        name = message.DESCRIPTOR.name
        raise InvalidRequest(f"request: the body is not a {name} message") from error


def check_id(text: str, field: str) -> None:
    """Refuse an id that is missing, too long or not printable.

    Raises:
        InvalidRequest: names the field.
    """
    if not text:
        raise InvalidRequest(f"{field}: missing; give 1 to {ID_BYTES_MAX} bytes")
    size = len(text) if text.isascii() else len(text.encode())
    if size > ID_BYTES_MAX:
        raise InvalidRequest(f"{field}: {size} bytes long; at most {ID_BYTES_MAX} are allowed")
    if not text.isprintable():
        raise InvalidRequest(f"{field}: {text[:40]!r} has characters that cannot be printed")


def consume_request(
    message: pb.CheckAndConsumeRequest, payload: bytes = b"", prefix: str = ""
) -> ConsumeRequest:
    """Check and translate a CheckAndConsumeRequest.

    Args:
        message: as it came.
        payload: the bytes that it came in, alone or with others; empty: not known.
        prefix: where it stands in a larger message, for the name of the field in refusals.

    Raises:
        InvalidRequest: names the field.
    """
    customer_id, feature_id = message.customer_id, message.feature_id
    if _is_plain(customer_id) is None:
        check_id(customer_id, prefix + "customer_id")
    if _is_plain(feature_id) is None:
        check_id(feature_id, prefix + "feature_id")
    quantity = message.quantity
    if not prefix:
        # A field is at least a tag, a length and its bytes, or a tag and a number. So where the
        # bytes are no more than what is known already, no other field need be asked for.
        room = len(payload) - len(customer_id) - len(feature_id) - 4
        if room == 0:
            return ConsumeRequest(customer_id, feature_id, 1, NORMAL)
        if room == 2 and 0 < quantity < 128:
            return ConsumeRequest(customer_id, feature_id, quantity, NORMAL)
    if quantity == 0 and not message.HasField("quantity"):
        quantity = 1
    if not -QUANTITY_MAX <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(
            f"{prefix}quantity: {quantity} is not between -{QUANTITY_MAX} and {QUANTITY_MAX}"
        )
    mode = _MODES.get(message.mode)
    if mode is None:
        raise InvalidRequest(f"{prefix}mode: {message.mode} is not a mode this server knows")
    has_values = (VALUES_TAG in payload or not payload) and message.requested_values
    if message.resource_id or message.explain or has_values:
        plain = ConsumeRequest(customer_id, feature_id, quantity, mode)
        return _with_extras(plain, message, prefix)
    key = message.idempotency_key
    if not key:
        return ConsumeRequest(customer_id, feature_id, quantity, mode)
    check_id(key, prefix + "idempotency_key")
    return ConsumeRequest(customer_id, feature_id, quantity, mode, key, _ttl_ms(message, prefix))


def _with_extras(
    request: ConsumeRequest, message: pb.CheckAndConsumeRequest, prefix: str
) -> ConsumeRequest:
    """Add the key, and what few requests have."""
    key, resource_id = message.idempotency_key, message.resource_id
    values = tuple(message.requested_values)
    if key:
        check_id(key, prefix + "idempotency_key")
    if resource_id:
        check_id(resource_id, prefix + "resource_id")
    if len(values) > VALUES_MAX:
        raise InvalidRequest(
            f"{prefix}requested_values: {len(values)} of them; at most {VALUES_MAX}"
        )
    for i, value in enumerate(values):
        check_id(value, f"{prefix}requested_values[{i}]")
    return msgspec.structs.replace(
        request,
        idempotency_key=key,
        idempotency_ttl_ms=_ttl_ms(message, prefix) if key else 0,
        resource_id=resource_id,
        requested_values=values,
        explain=message.explain,
        every_limit=message.explain,
    )


def batch_requests(payload: bytes) -> list[ConsumeRequest]:
    """Read, check and translate a BatchCheckAndConsumeRequest.

    Raises:
        InvalidRequest: names the request in the batch and its field; none of them was decided.
    """
    batch = parse(pb.BatchCheckAndConsumeRequest, payload)
    if len(batch.requests) > BATCH_MAX:
        raise InvalidRequest(f"requests: {len(batch.requests)} of them; at most {BATCH_MAX}")
    return [consume_request(r, payload, f"requests[{i}].") for i, r in enumerate(batch.requests)]


def _ttl_ms(message: pb.CheckAndConsumeRequest, prefix: str) -> int:
    if not message.HasField("idempotency_ttl"):
        return 0
    ttl = message.idempotency_ttl
    ttl_ms: int = ttl.seconds * 1000 + ttl.nanos // 1_000_000
    if ttl_ms <= 0:
        raise InvalidRequest(f"{prefix}idempotency_ttl: must be at least one millisecond")
    return ttl_ms
