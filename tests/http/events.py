"""A reader of server-sent events."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.http.serving import CALL_S


class Told(NamedTuple):
    """An event as a browser reads it; without a type it only moves the position."""

    type: str
    data: Any
    position: str


class EventStream:
    """One stream of `/v1/events`.

    Args:
        address: of the server.
        headers: of the request.
        query: of the request.
    """

    def __init__(self, address: str, headers: dict[str, str] | None = None, **query: Any) -> None:
        host, _, port = address.rpartition(":")
        self._link = http.client.HTTPConnection(host, int(port), timeout=CALL_S)
        self._link.request("GET", f"/v1/events?{urlencode(query)}", headers=headers or {})
        self.answer = self._link.getresponse()
        self.status = self.answer.status
        self.retry_ms = 0
        self._events = self._read()

    def _read(self) -> Iterator[Told]:
        kind, data, position = "", "", ""
        while line := self.answer.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                kind = value
            elif field == "data":
                data = value
            elif field == "id":
                position = value
            elif field == "retry":
                self.retry_ms = int(value)
            elif not line.strip() and (data or position):
                yield Told(kind, json.loads(data) if data else None, position)
                kind = data = ""

    def next(self) -> Told:
        """The next event, without those that only move the position."""
        ends = time.monotonic() + CALL_S
        for each in self._events:
            if each.type:
                return each
            assert time.monotonic() < ends, "no event has come, only later positions"
        raise AssertionError("the stream has ended")

    def any(self) -> Told:
        """What comes next."""
        return next(self._events)

    def rest(self) -> list[Told]:
        """What comes until the server ends the stream."""
        return list(self._events)

    def body(self) -> Any:
        """The answer of a request that was refused."""
        return json.loads(self.answer.read())

    def close(self) -> None:
        self._link.close()
        self.answer.close()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
