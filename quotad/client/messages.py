"""How fields of protobuf messages become Python values and back; what all results share."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from quotad.client.errors import QuotaInvalid

_Member = TypeVar("_Member", bound=IntEnum)
_Value = TypeVar("_Value", bound=msgspec.Struct)

_EXACT_MAX = 2**53 - 1
_SPELLED_MAX = 10**30
"""Larger numbers are no values of a config feature."""


def read(kind: type[_Value], message: Any, /, **known: Any) -> _Value:
    """A value of the fields that a message has under the same names.

    Args:
        kind: of the value.
        message: Timestamps of it become times in UTC, what is absent None.
        known: fields that are not simply the message's.
    """
    for name in kind.__struct_fields__:
        if name not in known:
            known[name] = _field(message, name)
    return kind(**known)


def _field(message: Any, name: str) -> Any:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        return tuple(getattr(message, name))
    if field.has_presence and not message.HasField(name):
        return None
    found = getattr(message, name)
    return found if field.message_type is None else found.ToDatetime(tzinfo=UTC)


def time(message: Any, field: str) -> datetime | None:
    """A Timestamp in UTC; None when it is absent."""
    if not message.HasField(field):
        return None
    moment = getattr(message, field)
    return _moment(moment.seconds, moment.nanos)


@lru_cache(maxsize=1024)
def _moment(seconds: int, nanos: int) -> datetime:
    """A moment in UTC; kept, because calendar periods end for all customers at once."""
    return Timestamp(seconds=seconds, nanos=nanos).ToDatetime(tzinfo=UTC)


def optional(message: Any, field: str) -> int | None:
    """A number; None when it is absent."""
    return getattr(message, field) if message.HasField(field) else None


def word(enum: Any, number: int, prefix: str) -> str:
    """The value's name without its prefix; a newer server may send one that has none here."""
    known: dict[int, str] = {value: name for name, value in enum.items()}
    return known.get(number, str(number)).removeprefix(prefix)


def duration(field: str, seconds: float) -> timedelta:
    """Seconds of a request as a duration.

    Raises:
        QuotaInvalid: no duration is as long.
    """
    try:
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError, TypeError):
        raise QuotaInvalid(
            f"{field}: {seconds!r} is not a number of seconds",
            code="INVALID_ARGUMENT",
            reason="INVALID_REQUEST",
        ) from None


@lru_cache(maxsize=256)
def member(enum: type[_Member], number: int, prefix: str) -> _Member:
    """The enum's member with this number, also one that this client does not know.

    A newer server may have more of them. The rest of its answer is all that a caller needs,
    so the answer must not become an error: the number passes through under a made-up name.
    """
    try:
        return enum(number)
    except ValueError:
        unknown = int.__new__(enum, number)
        unknown._name_ = f"{prefix}{number}"
        unknown._value_ = number
        return unknown


def plain(message: Any) -> Any:
    """A `google.protobuf.Value` as JSON has it: whole numbers are int, names are in order."""
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        fields = message.struct_value.fields
        return {name: plain(fields[name]) for name in sorted(fields)}
    if kind == "list_value":
        return [plain(each) for each in message.list_value.values]
    if kind == "number_value":
        number = message.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(message, kind)


def value(field: str, content: object) -> Any:
    """A `google.protobuf.Value` of what JSON has: `True`, `"email"`, `{"limit": 5000}`.

    Raises:
        QuotaInvalid: JSON has no such value.
    """
    # Only the admin calls need it, and it takes its time to load.
    from google.protobuf import json_format, struct_pb2

    try:
        json: Any = _as_said(content)
        return json_format.ParseDict(json, struct_pb2.Value())
    except (json_format.Error, TypeError, OverflowError, UnicodeError, RecursionError):
        problem = f"{field}: must be what JSON has (true, a number, a text, a mapping)"
    try:
        problem += f", not {content!r:.60}"
    except RecursionError:
        problem += ", and is nested too deeply"
    raise QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")


def _as_said(content: object) -> object:
    """With values of config features as text where they would come to another number: a Value has
    doubles only, and 2.0 is 2 to it."""
    if isinstance(content, float) and isfinite(content):
        return str(content)
    if isinstance(content, int) and _EXACT_MAX < abs(content) < _SPELLED_MAX:
        return str(content)
    if isinstance(content, (list, tuple)):
        return [_as_said(each) for each in content]
    if isinstance(content, dict) and "value" in content:
        return content | {"value": _as_said(content["value"])}
    return content


def number(enum: Any, field: str, choice: str, choices: Sequence[str]) -> int:
    """The value of an enum that a word names: `period-end` is WHEN_PERIOD_END of When.

    Args:
        enum: of the generated code.
        field: what the error calls it; its last word starts the enum's names.
        choice: one of `choices`.
        choices: the words there are.

    Raises:
        QuotaInvalid: it is none of them.
    """
    if choice not in choices:
        words = " or ".join(repr(each) for each in choices)
        raise QuotaInvalid(
            f"{field}: must be {words}, not {choice!r}",
            code="INVALID_ARGUMENT",
            reason="INVALID_REQUEST",
        )
    name = f"{field.rpartition('.')[2]}_{choice}".upper().replace("-", "_")
    found: int = enum.Value(name)
    return found
