"""Bodies of requests: bounded, read into structs; refusals name the field."""

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive

from quotad.errors import Busy, InvalidRequest
from quotad.http.problems import HttpRefusal
from quotad.nearest import nearest

T = TypeVar("T")

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


BODY_BYTES_MAX = 4 * 1024 * 1024
"""As of gRPC."""

FIELDS_MAX = 100
"""Most fields of a query."""

ARRIVING_MAX = 256 * 1024 * 1024
"""Most bytes of all bodies together that have not arrived whole."""

DROPPED_MAX = 16 * 1024 * 1024


class Gone(Exception):
    """A client that did not wait for its answer."""


class _Arriving:
    """How many bytes of bodies have been received that are not whole yet; of a process."""

    size = 0


async def read_body(receive: Receive, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Receive the body of a request.

    What is above the bound is received and dropped, up to `DROPPED_MAX`: a client that still sends
    when its connection ends would not see why.

    Raises:
        HttpRefusal: it is too large; the connection is then closed.
        Busy: many are on their way, and there is no memory for one more.
        Gone: the client is.
    """
    message = await _next(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body") and len(body) <= bytes_max:
        return body
    parts, size, kept = [body], len(body), len(body)
    _Arriving.size += kept
    try:
        while message.get("more_body") and size <= bytes_max + DROPPED_MAX:
            message = await _next(receive)
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > bytes_max:
                parts.clear()
                continue
            if _Arriving.size + len(part) > ARRIVING_MAX:
                raise Busy("too much is being sent already; try again in a moment")
            kept += len(part)
            _Arriving.size += len(part)
            parts.append(part)
    finally:
        _Arriving.size -= kept
    if size > bytes_max:
        raise HttpRefusal(
            413,
            "TOO_LARGE",
            f"body: larger than {bytes_max} bytes",
            ((b"connection", b"close"),),
        )
    return b"".join(parts)


async def _next(receive: Receive) -> Any:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message


def read(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Read a body.

    Raises:
        InvalidRequest: names the field.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise refused(error, decoder.type) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"body: {_lower(str(error))}") from None
    except UnicodeDecodeError:
        raise InvalidRequest("body: is not UTF-8") from None
    except RecursionError:
        raise InvalidRequest("body: nested too deeply") from None


def refused(error: msgspec.ValidationError, type_: Any) -> InvalidRequest:
    """Return what was wrong with a value, with the name of the field in front."""
    what, _, path = str(error).rpartition(" - at `$")
    if not what:
        what, path = str(error), ""
    place = path.removesuffix("`").removeprefix(".")
    if match := _UNKNOWN.fullmatch(what):
        name = match[1]
        near = None if place else nearest(name, getattr(type_, "__struct_fields__", ()))
        hint = "" if near is None else f", did you mean {near}?"
        return InvalidRequest(f"{_joined(place, name)}: there is no such field{hint}")
    if match := _MISSING.fullmatch(what):
        return InvalidRequest(f"{_joined(place, match[1])}: missing")
    return InvalidRequest(f"{place or 'body'}: {_lower(what).replace('`', '')}")


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _lower(text: str) -> str:
    return text if text.startswith("JSON") else text[:1].lower() + text[1:]


def query_fields(query: bytes) -> dict[str, str]:
    """Return the fields of a query.

    Raises:
        InvalidRequest: one is there twice, there are too many, or it is not UTF-8.
    """
    fields: dict[str, str] = {}
    for name, value in encoded_pairs(query, FIELDS_MAX, "query"):
        if name in fields:
            raise InvalidRequest(f"{name}: is there twice")
        fields[name] = value
    return fields


def encoded_pairs(encoded: bytes, fields_max: int, what: str) -> list[tuple[str, str]]:
    """Return the fields of a query or of a form.

    Raises:
        InvalidRequest: there are too many, or they are not UTF-8.
    """
    if encoded.count(b"&") >= fields_max:
        raise InvalidRequest(f"{what}: more than {fields_max} fields")
    try:  # as text: of bytes, parse_qsl takes ASCII alone
        return parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{what}: is not UTF-8") from None
