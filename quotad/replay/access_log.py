"""One line of an access log to its named fields: Apache and nginx formats, and JSON lines.

The formats: https://httpd.apache.org/docs/2.4/logs.html#accesslog, and nginx's predefined
`combined`, which differs in how it escapes only. What follows the last field is ignored, since
many servers are set up to append times and ids of their own.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import msgspec

Record = Mapping[str, Any]
"""The fields of one line; of JSON lines possibly nested."""

FIELDS = (
    "remote_host",
    "remote_user",
    "time",
    "method",
    "path",
    "protocol",
    "status",
    "bytes",
    "referer",
    "user_agent",
)
"""The fields of `combined`; `common` has all but the last two."""


class LineError(ValueError):
    """A line that cannot be read, and why."""


class Format(Enum):
    """How the lines of a log are written."""

    COMBINED = "combined"
    COMMON = "common"
    JSONL = "jsonl"

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The fields that every line has; None when the lines decide."""
        return {Format.COMBINED: FIELDS, Format.COMMON: FIELDS[:-2], Format.JSONL: None}[self]

    @property
    def parse(self) -> Callable[[bytes], Record]:
        """The function that reads one line; it raises LineError."""
        return {
            Format.COMBINED: parse_combined,
            Format.COMMON: parse_common,
            Format.JSONL: parse_json,
        }[self]


# Quotes inside of a quoted field are escaped as \" (Apache) or \x22 (nginx).
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
# The number of bytes may be `-`; some servers leave it out. The time has a bounded length, or a
# line of nothing but " [" would be scanned to its end from every one of them.
_COMMON = rf"(\S+) \S+ (\S+|.*?) \[([^\]]{{0,64}})\] {_QUOTED} (\d{{3}}|-)(?: (\d+|-))?(?= |$)"
_COMMON_LINE = re.compile(_COMMON)
_COMBINED_LINE = re.compile(rf"{_COMMON} {_QUOTED} {_QUOTED}")
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")


def parse_combined(line: bytes) -> Record:
    """Read a line of Apache's or nginx's `combined` format.

    Raises:
        LineError: it is not one.
    """
    text = line.decode(errors="replace")
    match = _COMBINED_LINE.match(text)
    if match is None:
        if _COMMON_LINE.match(text):
            raise LineError("referer or user agent is missing or cut off")
        raise LineError("not in the combined format")
    *common, referer, user_agent = match.groups()
    record = _common_fields(common)
    record["referer"] = _unescaped(referer)
    record["user_agent"] = _unescaped(user_agent)
    return record


def parse_common(line: bytes) -> Record:
    """Read a line of the `common` format, also one of `combined` whose end is then ignored.

    Raises:
        LineError: it is not one.
    """
    match = _COMMON_LINE.match(line.decode(errors="replace"))
    if match is None:
        raise LineError("not in the common format")
    return _common_fields(list(match.groups()))


def parse_json(line: bytes) -> Record:
    """Read a line that is a JSON object.

    Raises:
        LineError: it is not one.
    """
    try:
        record = _json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineError(f"not JSON: {error}") from None
    except RecursionError:
        raise LineError("JSON is nested too deeply") from None
    if not isinstance(record, dict):
        raise LineError("not a JSON object")
    return record


_json = msgspec.json.Decoder()


def _common_fields(groups: list[str]) -> dict[str, str]:
    remote_host, remote_user, time, request, status, size = groups
    method, path, protocol = _request(_unescaped(request))
    return {
        "remote_host": remote_host,
        "remote_user": remote_user,
        "time": time,
        "method": method,
        "path": path,
        "protocol": protocol,
        "status": status,
        "bytes": size or "-",
    }


def _request(text: str) -> tuple[str, str, str]:
    """Split a request line; what a scanner or a TLS client sent instead of one is all path."""
    method, _, rest = text.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if path and protocol.startswith("HTTP/"):
        return method, path, protocol
    if rest and method.isalpha():
        return method, rest, "-"
    return "-", text, "-"


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    """Resolve an escape of a printable character; the others are readable only as they stand."""
    escape = match[1]
    if escape in ('"', "\\"):
        return escape
    if len(escape) == 3:
        character = chr(int(escape[1:], 16))
        if " " <= character <= "~":
            return character
    return match[0]
