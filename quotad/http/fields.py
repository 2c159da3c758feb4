"""Types and checks that requests share; every refusal names the field."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol

from msgspec import Meta
from starlette.types import Scope

from quotad.decision import ID_BYTES_MAX
from quotad.errors import InvalidRequest
from quotad.held import REASON_BYTES_MAX, Because
from quotad.ids import check_id, check_text
from quotad.model import QUANTITY_MAX

SignedQuantity = Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
SomeQuantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
AnyQuantity = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
KeyMilliseconds = Annotated[int, Meta(ge=1, le=366 * 86_400_000)]
RequestedValues = Annotated[tuple[str, ...], Meta(max_length=1000)]
WrittenEpoch = Annotated[int, Meta(ge=1, description="Of a write, as its history lists it.")]
PageSize = Annotated[int, Meta(ge=0, le=1000, description="0: 50.")]
Epoch = Annotated[
    int,
    Meta(
        ge=0,
        description="Write only while the customer is at this epoch, else 412 with the one it is"
        " at; 0: while it has no record.",
    ),
]


class HasReason(Protocol):
    """A request that says why."""

    @property
    def reason(self) -> str:
        """Why usage is corrected."""
        ...

    @property
    def actor(self) -> str:
        """Whose doing it is."""
        ...


YEAR_9999_MS = 253_402_300_799_999


def check_ids(wanted: object, required: Sequence[str], optional: Sequence[str] = ()) -> None:
    """Check fields of a request that are ids.

    Raises:
        InvalidRequest: names the field.
    """
    for field in required:
        check_id(getattr(wanted, field), field)
    for field in optional:
        if text := getattr(wanted, field):
            check_id(text, field)


def because(wanted: HasReason, made_by: str) -> Because:
    """Why usage is corrected.

    Args:
        wanted: the request.
        made_by: the caller.

    Raises:
        InvalidRequest: names the field.
    """
    check_text(wanted.reason, "reason", REASON_BYTES_MAX)
    check_text(wanted.actor, "actor", REASON_BYTES_MAX)
    return Because(wanted.reason, wanted.actor, made_by)


def check_values(values: Sequence[str], field: str = "requested_values") -> None:
    """Check the values that are asked for of a config feature."""
    for i, value in enumerate(values):
        check_id(value, f"{field}[{i}]")


def idempotency_key(scope: Scope, given: str) -> str:
    """Return the key of the body or of the header `Idempotency-Key`; empty: none.

    Raises:
        InvalidRequest: they differ, or it is of the wrong shape.
    """
    key = given
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            text = header_text(value, "Idempotency-Key").strip()
            if len(text) > 1 and text[0] == text[-1] == '"':  # a String of RFC 9651
                text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            if key and text != key:
                raise InvalidRequest("idempotency_key: is another one than Idempotency-Key")
            if not text:
                raise InvalidRequest(f"Idempotency-Key: empty; give 1 to {ID_BYTES_MAX} bytes")
            key = text
    if key:
        check_id(key, "idempotency_key")
    return key


def header_text(value: bytes, name: str) -> str:
    """Return a header's value, which is UTF-8 here.

    Raises:
        InvalidRequest: it is not.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name}: is not UTF-8") from None


def moment_ms(time: datetime | None, field: str) -> int | None:
    """Return a time in Unix milliseconds.

    Raises:
        InvalidRequest: it has no zone, or is before 1970.
    """
    if time is None:
        return None
    if time.tzinfo is None:
        raise InvalidRequest(f"{field}: has no time zone; end it with Z for UTC")
    ms = int(time.timestamp() * 1000)
    if not 0 <= ms <= YEAR_9999_MS:
        raise InvalidRequest(f"{field}: must be a moment from 1970-01-01 to 9999-12-31")
    return ms
