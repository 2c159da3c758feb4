"""Sending one webhook once: no redirects, no proxies, bounded in time and in what is read."""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from quotad.errors import InvalidRequest
from quotad.webhooks.networks import Networks, NotAllowed

URL_MAX = 2_000
"""Longest URL of a receiver, in characters."""

TIMEOUT_S = 15.0
"""From connecting to the last byte of the answer's headers."""

_ANSWER_BYTES_MAX = 64 * 1024
"""Of an answer, its headers included; what of it is wanted is the first line."""


class Delivery(msgspec.Struct, frozen=True):
    """What became of an attempt."""

    status: int
    """As the receiver has answered; 0: there was no answer."""
    problem: str
    """In a few words, without anything that the receiver or the URL has said; empty: it was
    taken."""
    took_ms: int
    wait_s: float = 0
    """How long the receiver asks not to be called again."""


def check_url(text: str) -> SplitResult:
    """The parts of a URL that webhooks may be sent to.

    Raises:
        InvalidRequest: it is none.
    """
    if len(text) > URL_MAX:
        raise InvalidRequest(f"url: {len(text):,} characters long; at most {URL_MAX:,} are allowed")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = _is_plain(text) and (parts.path + parts.query).isascii()
    if parts.scheme not in ("https", "http") or not host or port == 0 or not plain:
        # The text itself stays out of the message: it may hold a secret.
        raise InvalidRequest("url: is not such as https://example.com/webhooks")
    if "@" in parts.netloc:
        raise InvalidRequest("url: must not have a user or a password; signatures prove the sender")
    if parts.fragment:
        raise InvalidRequest("url: must not have a fragment (#); receivers never see it")
    return parts


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    networks: Networks,
    timeout_s: float = TIMEOUT_S,
) -> Delivery:
    """POST a body, and return what became of it.

    Args:
        url: that `check_url` takes.
        body: JSON.
        headers: beside those of every request.
        networks: that it may go to.
        timeout_s: for all of it.
    """
    started_s = time.monotonic()
    parts = urlsplit(url)
    connection = _Connection(parts, networks, started_s + timeout_s)
    status, problem, wait_s = 0, "", 0.0
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"content-type": "application/json", "user-agent": "quotad", **headers}
        connection.request("POST", target, body, sent)
        answer = connection.getresponse()
        status = answer.status
        if not 200 <= status < 300:
            problem = f"answered {status}"
            wait_s = _wait_s(answer)
    except (OSError, HTTPException, ValueError) as error:
        problem = _problem(error)
    finally:
        connection.close()
    return Delivery(status, problem, round((time.monotonic() - started_s) * 1000), wait_s)


class _Connection(HTTPConnection):
    """One request to a checked address, within one deadline."""

    def __init__(self, parts: SplitResult, networks: Networks, ends_s: float) -> None:
        self._encrypted = parts.scheme == "https"
        host = (parts.hostname or "").encode("idna").decode()
        super().__init__(host, parts.port or (443 if self._encrypted else 80))
        if parts.port is None:
            self.default_port = self.port
        self._networks = networks
        self._ends_s = ends_s

    def connect(self) -> None:
        left_s = max(self._ends_s - time.monotonic(), 0.001)
        opened = self._networks.connect(self.host, self.port, left_s, self._encrypted)
        if self._encrypted:
            try:
                opened.settimeout(max(self._ends_s - time.monotonic(), 0.001))
                opened = _tls().wrap_socket(opened, server_hostname=self.host)
            except BaseException:
                opened.close()
                raise
        self.sock: Any = _BoundedSocket(opened, self._ends_s)


class _BoundedSocket:
    """As much of a socket as http.client uses, with one deadline for all of it."""

    def __init__(self, opened: socket.socket, ends_s: float) -> None:
        self._socket = opened
        self._ends_s = ends_s

    def sendall(self, data: Any) -> None:
        self._set_timeout()
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self))

    def read_into(self, buffer: Any) -> int:
        self._set_timeout()
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        self._socket.close()

    def _set_timeout(self) -> None:
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)


class _BoundedReader(io.RawIOBase):
    def __init__(self, source: _BoundedSocket) -> None:
        self._source = source
        self._left = _ANSWER_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        most = memoryview(buffer)[: self._left]
        count = self._source.read_into(most) if most else 0
        self._left -= count
        return count


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _is_plain(text: str) -> bool:
    return not any(each <= " " or each == "\x7f" for each in text)


def _wait_s(answer: HTTPResponse) -> float:
    text = answer.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _problem(error: Exception) -> str:
    """What went wrong, in words of our own: what an answer says may be anything."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, HTTPException | ValueError):
        return "the answer is not HTTP"
    if isinstance(error, NotAllowed):
        return str(error)
    return (error.strerror if isinstance(error, OSError) else "") or "the connection failed"
