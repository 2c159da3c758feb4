"""Forms with a file (multipart/form-data): fields in memory, the file in a folder as it arrives."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from starlette.types import Receive

from quotad.dashboard.ask import FormFields
from quotad.errors import InvalidRequest
from quotad.http.bodies import Gone
from quotad.http.problems import HttpRefusal

FIELDS_BYTES_MAX = 64 * 1024
"""Of all fields that are no files, and of the headers of a part."""

PARTS_MAX = 100
SECONDS_MAX = 600.0
"""Longest time for a form with a file to arrive: there are few places, and it holds one."""

WRITE_BYTES = 1024 * 1024
"""What is gathered before it is written."""

_BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'name="([^"]*)"')
_FILE = re.compile(rb'filename="([^"]*)"')

Write = Callable[[bytes], Awaitable[Any]]


class Uploaded(msgspec.Struct):
    """What a form had."""

    fields: FormFields
    file_name: str = ""
    """As the browser calls it."""
    size: int = 0
    """Of the file, in bytes."""


def boundary_of(content_type: str) -> bytes:
    """Return what stands between the parts of a form.

    Raises:
        InvalidRequest: it is no form with a file.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise InvalidRequest("body: is not a form with a file")
    return found[1].encode("latin-1", "replace")


class FormParts:
    """Takes a body apart as it arrives; without input or output, so that chunks may end anywhere.

    Args:
        boundary: of the body.
        bytes_max: largest file.
    """

    def __init__(self, boundary: bytes, bytes_max: int) -> None:
        self._mark = b"\r\n--" + boundary
        self._bytes_max = bytes_max
        self._rest = b"\r\n"
        """What was not taken apart yet; the first mark may lack the line end before it."""
        self._fields: list[tuple[str, str]] = []
        self._name: str | None = None
        """Of the part under way; None: its headers are."""
        self._in_file = False
        self._value = b""
        self._kept = 0
        self._received = 0
        self._parts = 0
        self.ended = False
        self.file_name = ""
        self.size = 0

    @property
    def fields(self) -> FormFields:
        """Those that have arrived."""
        return FormFields(tuple(self._fields))

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; returns those of them that are the file's.

        Raises:
            InvalidRequest: it is no form.
            HttpRefusal: something is too large.
        """
        self._received += len(chunk)
        # Also before the first mark and after the last, where nothing is looked at.
        if self._received > self._bytes_max + 2 * FIELDS_BYTES_MAX:
            raise self._too_large()
        self._rest += chunk
        out: list[bytes] = []
        if self.ended:
            self._rest = b""
        while not self.ended:
            at = self._rest.find(self._mark)
            if self._name is None and self._parts:
                if not self._begin_part():
                    break
                continue
            if at < 0:
                # The mark may have begun in the last bytes.
                keep = len(self._mark) - 1
                self._take(self._rest[:-keep] if len(self._rest) > keep else b"", out)
                self._rest = self._rest[-keep:]
                break
            after = self._rest[at + len(self._mark) :]
            if len(after) < 2:
                break
            if self._name is not None:
                self._take(self._rest[:at], out)
                self._end_part()
            self._rest = after[2:]
            if after[:2] == b"--":
                self.ended = True
            elif after[:2] != b"\r\n":
                raise InvalidRequest("body: is not a form with a file")
            else:
                self._parts += 1
                self._name = None
                if self._parts > PARTS_MAX:
                    raise InvalidRequest(f"body: more than {PARTS_MAX} fields")
        return b"".join(out)

    def _begin_part(self) -> bool:
        """Read the headers of a part; False: they have not arrived whole."""
        at = self._rest.find(b"\r\n\r\n")
        if at < 0:
            self._check_kept(len(self._rest))
            return False
        head = self._rest[:at]
        self._check_kept(len(head))
        self._rest = self._rest[at + 4 :]
        name, file = _NAME.search(head), _FILE.search(head)
        if name is None:
            raise InvalidRequest("body: a field has no name")
        self._name = name[1].decode(errors="replace")
        self._in_file = file is not None
        if file is not None:
            if self.file_name:
                raise InvalidRequest("body: more than one file")
            self.file_name = file[1].decode(errors="replace")[:200]
        return True

    def _take(self, part: bytes, out: list[bytes]) -> None:
        if self._name is None or not part:
            return
        if self._in_file:
            self.size += len(part)
            if self.size > self._bytes_max:
                raise self._too_large()
            out.append(part)
        else:
            self._value += part
            self._check_kept(len(self._value))

    def _end_part(self) -> None:
        if not self._in_file:
            assert self._name is not None
            self._kept += len(self._value)
            try:
                self._fields.append((self._name, self._value.decode()))
            except UnicodeDecodeError:
                raise InvalidRequest("form: is not UTF-8") from None
        self._value = b""

    def _too_large(self) -> HttpRefusal:
        return HttpRefusal(
            413,
            "TOO_LARGE",
            f"file: larger than {self._bytes_max // 1024**2} MB; gzip it, or take a part",
            ((b"connection", b"close"),),
        )

    def _check_kept(self, more: int) -> None:
        if self._kept + more > FIELDS_BYTES_MAX:
            raise InvalidRequest(f"form: fields of more than {FIELDS_BYTES_MAX} bytes")


async def read_upload(
    receive: Receive, content_type: str, bytes_max: int, path: Path, in_thread: Callable[..., Any]
) -> Uploaded:
    """Receive a form, and write its file.

    Args:
        receive: of the request.
        content_type: its header.
        bytes_max: largest file.
        path: where the file goes.
        in_thread: runs what waits for a disk.

    Raises:
        InvalidRequest: it is no form with a file.
        HttpRefusal: it is too large, or has not arrived in time.
        Gone: the browser is.
    """
    parts = FormParts(boundary_of(content_type), bytes_max)
    with path.open("wb") as file:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await _receive_into(file, parts, receive, in_thread)
        except TimeoutError:
            raise HttpRefusal(
                408,
                "TOO_SLOW",
                f"file: has not arrived within {SECONDS_MAX / 60:.0f} minutes; gzip it, or take a"
                " part",
                ((b"connection", b"close"),),
            ) from None
    if not parts.ended:
        raise InvalidRequest("body: ends too early")
    return Uploaded(parts.fields, parts.file_name, parts.size)


async def _receive_into(
    file: BinaryIO, parts: FormParts, receive: Receive, in_thread: Callable[..., Any]
) -> None:
    waiting: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        more = message.get("more_body", False)
        part = parts.feed(message.get("body", b""))
        waiting.append(part)
        size += len(part)
        if size >= WRITE_BYTES or not more:
            await in_thread(file.write, b"".join(waiting))
            waiting, size = [], 0
