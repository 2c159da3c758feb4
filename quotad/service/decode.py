"""Requests of the data plane, from bytes to the model; the shape is checked here, once.

Every refusal names the field. What came before in the same bytes is not read again: the same
customers ask for the same features all day.
"""

import re
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import DecodeError, Message

from quotad.decision import BATCH_MAX, ID_BYTES_MAX, ConsumeRequest, Mode
from quotad.errors import InvalidRequest
from quotad.held import REASON_BYTES_MAX, Because, Setting
from quotad.ids import check_id, check_text
from quotad.model import QUANTITY_MAX
from quotad.recent import Recent
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb

NORMAL = int(Mode.NORMAL)

VALUES_TAG, VALUES_TAG_LONG = 0x3A, 0xBA
"""What CheckAndConsumeRequest.requested_values starts with on the wire, also if its tag is written
with more bytes than it needs. To look for them in the bytes of a request costs a third of asking
protobuf for an empty list."""

OCCURRED_TAG, OCCURRED_TAG_LONG = 0x52, 0xD2
"""The same of CheckAndConsumeRequest.occurred_at."""

VALUES_MAX = 1000
"""Most values one request may ask for."""

KNOWN_MAX = 32_768
"""Most requests that are remembered; half as many different ones in turn are found at no cost
beyond the look-up."""

KNOWN_BYTES_MAX = 128
"""Longest of them on the wire: all together take 8 MB, 24 MB with ids that are not ASCII."""

FEATURES_MAX = 1000
"""Most feature ids that are kept as one text each. Not `sys.intern`, which in some releases of
Python keeps for ever what callers made up."""

_features: dict[str, str] = {}

# The nearly always true case of `check_id`, in one call.
_is_plain = re.compile(rf"[ -~]{{1,{ID_BYTES_MAX}}}").fullmatch

Refusals = dict[int, InvalidRequest]
"""By its place in the batch, what is wrong with a request."""

SECONDS_MAX = 253_402_300_799
"""9999-12-31 23:59:59, where calendars end."""

M = TypeVar("M", bound=Message)

MODES = {
    pb.MODE_UNSPECIFIED: NORMAL,
    pb.MODE_NORMAL: NORMAL,
    pb.MODE_BEST_EFFORT: int(Mode.BEST_EFFORT),
    pb.MODE_CHECK_ONLY: int(Mode.CHECK_ONLY),
    pb.MODE_ADJUST_ONLY: int(Mode.ADJUST_ONLY),
}


def parse(message: type[M], payload: bytes) -> M:
    """Read a protobuf message.

    Raises:
        InvalidRequest: the bytes are not one.
    """
    try:
        return message.FromString(payload)
    except DecodeError as error:
        raise _not_a(message) from error


def _not_a(message: type[Message]) -> InvalidRequest:
    return InvalidRequest(f"request: the body is not a {message.DESCRIPTOR.name} message")


def consume_request(message: pb.CheckAndConsumeRequest, payload: bytes) -> ConsumeRequest:
    """Check and translate a CheckAndConsumeRequest.

    Args:
        message: as it came.
        payload: the bytes that it came in.

    Raises:
        InvalidRequest: names the field.
    """
    customer_id, feature_id = message.customer_id, message.feature_id
    # One text for each feature: what is remembered of a request is smaller, and found faster.
    feature_id = _features.get(feature_id, feature_id)
    if _is_plain(customer_id) is None:
        check_id(customer_id, "customer_id")
    if _is_plain(feature_id) is None:
        check_id(feature_id, "feature_id")
    quantity = message.quantity
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
            f"quantity: {quantity} is not between -{QUANTITY_MAX} and {QUANTITY_MAX}"
        )
    mode = MODES.get(message.mode)
    if mode is None:
        raise InvalidRequest(f"mode: {message.mode} is not a mode this server knows")
    may_have = VALUES_TAG in payload or VALUES_TAG_LONG in payload
    has_values = may_have and message.requested_values
    occurred = OCCURRED_TAG in payload or OCCURRED_TAG_LONG in payload
    occurred = occurred and message.HasField("occurred_at")
    if message.resource_id or message.explain or has_values or occurred:
        plain = ConsumeRequest(customer_id, feature_id, quantity, mode)
        return _with_details(plain, message)
    key = message.idempotency_key
    if not key:
        return ConsumeRequest(customer_id, feature_id, quantity, mode)
    if _is_plain(key) is None:
        check_id(key, "idempotency_key")
    kept_ms = ttl_ms(message) if message.HasField("idempotency_ttl") else 0
    return ConsumeRequest(customer_id, feature_id, quantity, mode, key, kept_ms)


def _with_details(request: ConsumeRequest, message: pb.CheckAndConsumeRequest) -> ConsumeRequest:
    """Add the key, and what few requests have."""
    key, resource_id = message.idempotency_key, message.resource_id
    has_ttl = message.HasField("idempotency_ttl")
    values = tuple(message.requested_values)
    if key:
        check_id(key, "idempotency_key")
    if resource_id:
        check_id(resource_id, "resource_id")
    if len(values) > VALUES_MAX:
        raise InvalidRequest(f"requested_values: {len(values)} of them; at most {VALUES_MAX}")
    for i, value in enumerate(values):
        check_id(value, f"requested_values[{i}]")
    occurred_ms = 0
    if message.HasField("occurred_at"):
        if request.mode != Mode.ADJUST_ONLY:
            raise InvalidRequest("occurred_at: is for MODE_ADJUST_ONLY; leave it out")
        occurred_ms = moment(message, "occurred_at") or 1
    return msgspec.structs.replace(
        request,
        idempotency_key=key,
        idempotency_ttl_ms=ttl_ms(message) if key and has_ttl else 0,
        resource_id=resource_id,
        requested_values=values,
        explain=message.explain,
        every_limit=message.explain,
        occurred_ms=occurred_ms,
    )


def refund_request(message: pb.RefundRequest) -> ConsumeRequest:
    """Check and translate a RefundRequest; its quantity becomes negative.

    Raises:
        InvalidRequest: names the field.
    """
    check_id(message.customer_id, "customer_id")
    key, taken_under, quantity = message.idempotency_key, message.taken_under, message.quantity
    if message.feature_id or not taken_under:  # else all of what was taken together
        check_id(message.feature_id, "feature_id")
    elif message.resource_id:
        raise InvalidRequest("resource_id: of which feature? leave it out for all of them")
    if message.resource_id:
        check_id(message.resource_id, "resource_id")
    if key:
        check_id(key, "idempotency_key")
    occurred_ms = moment(message, "occurred_at") or 0
    if taken_under:
        check_id(taken_under, "taken_under")
        for field, given in (
            ("quantity", quantity),
            ("idempotency_key", key),
            ("occurred_at", occurred_ms),
        ):
            if given:
                raise InvalidRequest(
                    f"{field}: is known of what was taken under a key; leave it out, or taken_under"
                )
    elif not quantity:
        raise InvalidRequest("quantity: missing; give how much, or the key in taken_under")
    elif not 1 <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(f"quantity: {quantity} is not between 1 and {QUANTITY_MAX}")
    return ConsumeRequest(
        message.customer_id,
        message.feature_id,
        -quantity,
        int(Mode.REFUND),
        key,
        ttl_ms(message) if key and message.HasField("idempotency_ttl") else 0,
        resource_id=message.resource_id,
        occurred_ms=occurred_ms,
    )


def set_usage_request(message: pb.SetUsageRequest) -> Setting:
    """Check and translate a SetUsageRequest.

    Raises:
        InvalidRequest: names the field.
    """
    check_id(message.customer_id, "customer_id")
    check_id(message.feature_id, "feature_id")
    key, used = message.idempotency_key, message.used
    if not message.HasField("used"):
        raise InvalidRequest("used: missing; what was really used in the current period")
    if not 0 <= used <= QUANTITY_MAX:
        raise InvalidRequest(f"used: {used} is not between 0 and {QUANTITY_MAX}")
    for text, field in ((message.resource_id, "resource_id"), (message.per, "per")):
        if text:
            check_id(text, field)
    if key:
        check_id(key, "idempotency_key")
    kept_ms = ttl_ms(message) if key and message.HasField("idempotency_ttl") else 0
    names = message.customer_id, message.feature_id
    return Setting(*names, used, message.resource_id, message.per, key, kept_ms)


def because(
    message: pb.SetUsageRequest | pb.RefundRequest | admin_pb2.RebuildUsageRequest, made_by: str
) -> Because:
    """Why usage is corrected.

    Args:
        message: the request.
        made_by: the caller.

    Raises:
        InvalidRequest: names the field.
    """
    for field, text in (("reason", message.reason), ("actor", message.actor)):
        check_text(text, field, REASON_BYTES_MAX)
    return Because(message.reason, message.actor, made_by)


class RequestDecoder:
    """Reads requests; one for all threads of a worker.

    Reading is pure, so the same bytes are the same request. Those with an idempotency key are not
    remembered: they come once, or as a repetition now and then.
    """

    def __init__(self) -> None:
        self._known: Recent[bytes, ConsumeRequest] = Recent(KNOWN_MAX)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    @property
    def known(self) -> dict[bytes, ConsumeRequest]:
        """Most of what is remembered, by its bytes, for callers whose every nanosecond counts: they
        ask `one` for what is not in here. Another dictionary after some calls of it."""
        return self._known.young

    def one(self, payload: bytes) -> ConsumeRequest:
        """Read, check and translate a CheckAndConsumeRequest.

        Raises:
            InvalidRequest: names the field.
        """
        request = self._known.young.get(payload)
        if request is not None:
            return request
        if self._known.old and (request := self._known.get(payload)):
            return request
        try:  # as `parse`, without the call
            message = pb.CheckAndConsumeRequest.FromString(payload)
        except DecodeError as error:
            raise _not_a(pb.CheckAndConsumeRequest) from error
        request = consume_request(message, payload)
        if len(payload) <= KNOWN_BYTES_MAX and not (
            request.idempotency_key or request.requested_values or request.occurred_ms
        ):
            self._known.put(payload, request)
            if request.feature_id not in _features and len(_features) < FEATURES_MAX:
                _features[request.feature_id] = request.feature_id
        return request

    def batch(self, payload: bytes) -> tuple[list[ConsumeRequest], Refusals]:
        """Read, check and translate a BatchCheckAndConsumeRequest.

        Returns:
            The requests of the right shape, and the refusals of the others.

        Raises:
            InvalidRequest: it is no batch, or too large; none of it is to be decided.
        """
        parts = _split(payload)
        if parts is None:
            batch = parse(pb.BatchCheckAndConsumeRequest, payload)
            parts = [request.SerializeToString() for request in batch.requests]
        if len(parts) > BATCH_MAX:
            raise InvalidRequest(f"requests: {len(parts)} of them; at most {BATCH_MAX}")
        one, known = self.one, self.known.get
        with suppress(InvalidRequest):
            return [known(part) or one(part) for part in parts], {}
        requests: list[ConsumeRequest] = []
        refused: Refusals = {}
        for i, part in enumerate(parts):
            try:
                requests.append(one(part))
            except InvalidRequest as error:
                refused[i] = error
        return requests, refused


def _split(payload: bytes) -> list[bytes] | None:
    """Cut a BatchCheckAndConsumeRequest into its requests; None: unusual, protobuf must read it."""
    parts: list[bytes] = []
    at, end = 0, len(payload)
    try:
        while at < end:
            if payload[at] != 0x0A:  # BatchCheckAndConsumeRequest.requests = 1
                return None
            size = payload[at + 1]
            at += 2
            if size > 127:
                more = payload[at]
                if more > 127:  # 16 KiB
                    return None
                size = size & 127 | more << 7
                at += 1
            parts.append(payload[at : at + size])
            at += size
    except IndexError:
        return None
    return parts if at == end else None


def moment(message: Any, field: str, prefix: str = "") -> int | None:
    """A time in Unix milliseconds; None: absent."""
    if not message.HasField(field):
        return None
    time = getattr(message, field)
    if not (0 <= time.seconds <= SECONDS_MAX and 0 <= time.nanos < 1_000_000_000):
        raise InvalidRequest(f"{prefix}{field}: must be a moment from 1970-01-01 to 9999-12-31")
    return int(time.seconds * 1000 + time.nanos // 1_000_000)


def ttl_ms(
    message: pb.CheckAndConsumeRequest
    | pb.CheckAndConsumeAllRequest
    | pb.RefundRequest
    | pb.AcquireSlotRequest
    | pb.SetUsageRequest,
) -> int:
    """How long its idempotency key is to be remembered.

    Raises:
        InvalidRequest: no time at all.
    """
    ttl = message.idempotency_ttl
    ms: int = ttl.seconds * 1000 + ttl.nanos // 1_000_000
    if ms <= 0:
        raise InvalidRequest("idempotency_ttl: must be at least one millisecond")
    return ms
