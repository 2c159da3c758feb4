"""`/v1/consume`: may this customer use so much of this feature now, and count it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from quotad.errors import InvalidRequest, QuotadError
from quotad.http.answers import DecisionAnswer, decision_answer
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, Role
from quotad.ids import check_id
from quotad.model import QUANTITY_MAX, ConsumeRequest, Mode

SignedQuantity = Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Milliseconds = Annotated[int, Meta(ge=1, le=366 * 86_400_000)]
RequestedValues = Annotated[tuple[str, ...], Meta(max_length=1000)]


class Consume(RequestFields, frozen=True, kw_only=True):
    """A request to take so much of a feature."""

    customer_id: str
    feature_id: str
    quantity: SignedQuantity = 1
    """Zero takes nothing; negative gives back, of gauges only."""
    idempotency_key: str = ""
    """Makes a retry safe: a key takes at most once. Also as the header `Idempotency-Key`."""
    idempotency_ttl_ms: Milliseconds | None = None
    """How long the key is remembered; absent or longer: as the server is set."""
    mode: Literal["NORMAL", "BEST_EFFORT", "CHECK_ONLY", "ADJUST_ONLY"] = "NORMAL"
    resource_id: str = ""
    """What of the customer's it is for; empty: the customer."""
    requested_values: RequestedValues = ()
    """Of a config feature that lists its values: all must be granted."""
    explain: bool = False
    """Return where the entitlement comes from."""
    occurred_at: datetime | None = None
    """With ADJUST_ONLY: when it happened; absent: now."""


async def consume(call: HttpCall, wanted: Consume) -> HttpAnswer:
    """Decide and, when allowed, count."""
    outcome = await call.context.deciding.decide(consume_request(call, wanted))
    if isinstance(outcome, QuotadError):
        raise outcome
    return HttpAnswer(decision_answer(outcome))


def consume_request(call: HttpCall, wanted: Consume) -> ConsumeRequest:
    """Check and translate a request.

    Raises:
        InvalidRequest: names the field.
    """
    check_id(wanted.customer_id, "customer_id")
    check_id(wanted.feature_id, "feature_id")
    if wanted.resource_id:
        check_id(wanted.resource_id, "resource_id")
    for i, value in enumerate(wanted.requested_values):
        check_id(value, f"requested_values[{i}]")
    key = idempotency_key(call, wanted.idempotency_key)
    mode = Mode[wanted.mode]
    occurred_ms = 0
    if wanted.occurred_at is not None:
        if mode is not Mode.ADJUST_ONLY:
            raise InvalidRequest("occurred_at: is for the mode ADJUST_ONLY; leave it out")
        occurred_ms = moment_ms(wanted.occurred_at, "occurred_at") or 1
    return ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        wanted.quantity,
        int(mode),
        key,
        (wanted.idempotency_ttl_ms or 0) if key else 0,
        every_limit=wanted.explain,
        resource_id=wanted.resource_id,
        requested_values=wanted.requested_values,
        explain=wanted.explain,
        occurred_ms=occurred_ms,
    )


def idempotency_key(call: HttpCall, given: str) -> str:
    """Return the key of the body or of the header `Idempotency-Key`; empty: none.

    Raises:
        InvalidRequest: they differ, or it is of the wrong shape.
    """
    key = given
    for name, value in call.scope["headers"]:
        if name == b"idempotency-key":
            text = value.decode("latin-1").strip()
            if len(text) > 1 and text[0] == text[-1] == '"':  # a String of RFC 9651
                text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            if key and text != key:
                raise InvalidRequest("idempotency_key: is another one than Idempotency-Key")
            key = text
    if key:
        check_id(key, "idempotency_key")
    return key


def moment_ms(time: datetime, field: str) -> int:
    """Return a time in Unix milliseconds.

    Raises:
        InvalidRequest: it has no zone, or is before 1970.
    """
    if time.tzinfo is None:
        raise InvalidRequest(f"{field}: has no time zone; end it with Z for UTC")
    ms = int(time.timestamp() * 1000)
    if ms < 0:
        raise InvalidRequest(f"{field}: must be a moment from 1970-01-01 on")
    return ms


OPERATIONS = (
    Operation(
        name="CheckAndConsume",
        method="POST",
        path="/v1/consume",
        role=Role.CONSUME,
        wanted=Consume,
        given=DecisionAnswer,
        act=consume,
        about="Decides and, when allowed, counts. A denial is an answer: 200 with allowed false.",
    ),
)
