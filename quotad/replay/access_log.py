"""One line of an access log to its named fields: Apache and nginx formats, and JSON lines.

The formats: https://httpd.apache.org/docs/2.4/logs.html#accesslog, and nginx's predefined
`combined`, which differs in how it escapes only. What follows the last field is ignored, since
many servers are set up to append times and ids of their own. What stands in front is not: another
word there makes the first word another thing than the client, so such a line is refused.
"""

import re
from collections.abc import Mapping
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

VHOST_FIELDS = ("vhost", "port", *FIELDS)
"""The fields of `vhost_combined`."""


class LineError(ValueError):
    """A line that cannot be read, and why."""


class NoRecordError(LineError):
    """A line that is no request, such as a directive; it is neither sent nor skipped."""


# Quotes inside of a quoted field are escaped as \" (Apache) or \x22 (nginx).
IN_QUOTES = r'[^"\\]*(?:\\.[^"\\]*)*'
_QUOTED = rf'"({IN_QUOTES})"'
_HOST = r'([^\s,()<>|"]+)'
# A name by RFC 1413 is next to never there. It has no dots, colons or brackets, as an address has,
# and the user behind it is one word: else this is a format with more words in front.
_IDENT = r"(?:-|[A-Za-z]\w*(?:-\w+)*(?= \S+ \[))"
# Apache writes a user with its blanks; no word of it is a dash, which stands for a field.
_USER = r"(|\S+(?= \[)|(?!- )\S+(?: +(?!- )\S+){0,16}?)"
# The number of bytes may be `-`; some servers leave it out. The time has a bounded length, or a
# line of nothing but " [" would be scanned to its end from every one of them.
_REST = rf"{_IDENT} {_USER} \[([^\]]{{0,64}})\] {_QUOTED} (\d{{3}}|-)(?: (\d+|-))?(?= |$)"
_ENDS = rf" {_QUOTED} {_QUOTED}"
_COMMON_LINE = re.compile(rf"{_HOST} {_REST}")
_COMBINED_LINE = re.compile(rf"{_HOST} {_REST}{_ENDS}")
# An address without a port is no virtual host: it is that of a proxy, or of the client.
_VHOST = r"(?!-|[\d.]+ )([\w.*\[\]:-]+?)(?::(\d{1,5}))?"
_VHOST_LINE = re.compile(rf"{_VHOST} (?!- ){_HOST} {_REST}{_ENDS}")
_MORE_IN_FRONT = re.compile(rf'(?!{_HOST} {_IDENT} {_USER} \[)[^"]{{1,1000}}? \[[^\]]{{0,64}}\] "')
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
        raise LineError(f"not in the combined format{_hint(text)}")
    return _combined_fields(match.groups())


def parse_vhost_combined(line: bytes) -> Record:
    """Read a line of Apache's `vhost_combined` format: the virtual host, then `combined`.

    Raises:
        LineError: it is not one.
    """
    match = _VHOST_LINE.match(line.decode(errors="replace"))
    if match is None:
        raise LineError("not in the vhost_combined format")
    vhost, port, *rest = match.groups()
    return {"vhost": vhost, "port": port or "-", **_combined_fields(rest)}


def parse_common(line: bytes) -> Record:
    """Read a line of the `common` format, also one of `combined` whose end is then ignored.

    Raises:
        LineError: it is not one.
    """
    text = line.decode(errors="replace")
    match = _COMMON_LINE.match(text)
    if match is None:
        raise LineError(f"not in the common format{_hint(text)}")
    return _common_fields(match.groups())


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


def split_request(text: str) -> tuple[str, str, str]:
    """Method, path and protocol of a request line.

    What a scanner or a TLS client sent instead of one is all path.
    """
    method, _, rest = text.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if path and protocol.startswith("HTTP/"):
        return method, path, protocol
    if rest and method.isalpha():
        return method, rest, "-"
    return "-", text, "-"


def unescaped(text: str) -> str:
    """The content of a quoted field."""
    return _ESCAPED.sub(_character, text) if "\\" in text else text


def _combined_fields(groups: Any) -> dict[str, str]:
    *common, referer, user_agent = groups
    record = _common_fields(common)
    record["referer"] = unescaped(referer)
    record["user_agent"] = unescaped(user_agent)
    return record


def _common_fields(groups: Any) -> dict[str, str]:
    remote_host, remote_user, time, request, status, size = groups
    method, path, protocol = split_request(unescaped(request))
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


def _hint(text: str) -> str:
    """What a line looks like instead."""
    if _VHOST_LINE.match(text):
        return "; it looks like vhost_combined"
    if _MORE_IN_FRONT.match(text):
        return ": it has other words in front; describe its lines with --format"
    return ""


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
