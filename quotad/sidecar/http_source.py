"""Plan definitions behind an http or https URL, asked for at an interval.

An unchanged document costs one conditional request (ETag, Last-Modified) and no body. The request
runs on a separate thread, so that a slow server does not keep the sidecar from seeing a file
change; `poll` only picks up what has arrived.
"""

import logging
import queue
import random
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from quotad.catalog import Source
from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE
from quotad.catalog.sources import ENDINGS
from quotad.errors import ConfigError
from quotad.sidecar.interface import SourceUnavailable

_CHUNK_BYTES = 64 * 1024

_GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls the header and the check sum of gzip."""

_ENDING_BY_MEDIA_TYPE = {
    "application/json": ".json",
    "application/yaml": ".yaml",
    "application/x-yaml": ".yaml",
    "text/yaml": ".yaml",
    "text/x-yaml": ".yaml",
    "application/toml": ".toml",
}

log = logging.getLogger("quotad.sidecar")


class HttpSource:
    """One document behind a URL.

    Raises:
        ConfigError: from the constructor, when the URL or the interval can never work.
    """

    def __init__(
        self,
        url: str,
        *,
        interval_s: float = 10.0,
        timeout_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = random.random,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Prepare; the first request is made by the first `poll`.

        Args:
            url: may hold `user:password@`, which is sent as basic authentication.
            interval_s: time between two requests, 10 % more or less.
            timeout_s: for connecting, for every read, and for the whole body.
            now: monotonic seconds.
            spread: random number in [0, 1), for the jitter of the interval.
            start: runs a request; default: on a daemon thread.
        """
        if interval_s <= 0 or timeout_s <= 0:
            raise ConfigError("the interval and the timeout of an http source must be above 0")
        parts = _split(url)
        self.name = _display_name(parts)
        self._url = urlunsplit(parts._replace(netloc=_host(parts), fragment=""))
        self._authorization = _basic_authorization(parts)
        self._has_ending = parts.path.lower().endswith(ENDINGS)
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._now = now
        self._spread = spread
        self._start = start or _start_thread
        self._opener = _opener()
        self._validators: dict[str, str] = {}
        """Request headers that make the next request conditional on a change."""
        self._text: str | None = None
        self._inbox: queue.SimpleQueue[list[Source] | SourceUnavailable | None]
        self._inbox = queue.SimpleQueue()
        self._running = False
        self._due_s = now()
        self._failures = 0
        self._problem: SourceUnavailable | None = None

    def poll(self) -> list[Source] | None:
        """Start a request when one is due, and return what has arrived since; see `PlanSource`."""
        if not self._running and self._now() >= self._due_s:
            self._running = True
            self._start(self._request)
        try:
            answer = self._inbox.get_nowait()
        except queue.Empty:
            if self._problem is not None:
                raise self._problem.with_traceback(None) from None
            return None
        self._running = False
        if isinstance(answer, SourceUnavailable):
            self._problem = answer
            self._failures += 1
            self._due_s = self._now() + self._wait_s()
            raise answer
        self._problem = None
        self._failures = 0
        self._due_s = self._now() + self._wait_s()
        return answer

    def _wait_s(self) -> float:
        # Sidecars that were started together must not ask together for ever. After a failure the
        # next try comes sooner than a long interval would have it: 1, 2, 4 ... seconds.
        wait_s = self._interval_s
        if self._failures:
            wait_s = min(wait_s, 2.0 ** min(self._failures - 1, 16))
        return wait_s * (0.9 + 0.2 * self._spread())

    def _request(self) -> None:
        """Ask once and put the outcome into the inbox, whatever it is."""
        try:
            self._inbox.put(self._fetch())
        except SourceUnavailable as error:
            self._inbox.put(error)
        except (OSError, HTTPException, ValueError) as error:
            self._inbox.put(SourceUnavailable(f"{self.name}: {_cause(error)}"))
        except Exception:
            # Without an answer the source would wait for one for ever.
            log.exception("%s: the request failed in an unexpected way", self.name)
            self._inbox.put(SourceUnavailable(f"{self.name}: the request failed"))

    def _fetch(self) -> list[Source] | None:
        headers = {
            "Accept-Encoding": "gzip, identity;q=0.5",
            "Accept": "application/yaml, application/json, application/toml, */*;q=0.5",
            "User-Agent": "quotad-sidecar",
            **self._validators,
        }
        request = Request(self._url, headers=headers)
        if self._authorization:
            # Unredirected: the password is not shown to where the server may send us.
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            response = self._opener.open(request, timeout=self._timeout_s)
        except HTTPError as error:
            with error:
                if error.code == 304 and self._text is not None:
                    return None
                # The reason phrase is the server's, and of a redirect it holds a URL: left out.
                raise SourceUnavailable(f"{self.name}: the server answered {error.code}") from None
        with response:
            return self._read(response)

    def _read(self, response: HTTPResponse) -> list[Source] | None:
        if response.status != 200:
            raise SourceUnavailable(f"{self.name}: the server answered {response.status}")
        # The ending of its name picks a source's format.
        name = self.name
        if not self._has_ending:
            name += "#" + self._ending_by_type(response.headers)
        try:
            text = self._decoded(response, self._read_body(response)).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceUnavailable(
                f"{self.name}: the answer is not UTF-8 (byte {error.start})"
            ) from None
        self._validators = _validators_of(response.headers)
        if text == self._text:
            return None
        self._text = text
        return [Source(name=name, text=text)]

    def _ending_by_type(self, headers: HTTPMessage) -> str:
        media_type = headers.get_content_type()
        ending = _ENDING_BY_MEDIA_TYPE.get(media_type)
        if ending is None:
            raise SourceUnavailable(
                f"{self.name}: cannot tell the format: the path of the URL ends in none of"
                f" {', '.join(ENDINGS)} and the Content-Type is {media_type!r}"
            )
        return ending

    def _read_body(self, response: HTTPResponse) -> bytes:
        expected = response.length
        if expected is not None and expected > BYTES_MAX:
            raise SourceUnavailable(self._too_large())
        # The socket's timeout is per read; a server that drips would otherwise hold on for ever.
        ends_s = time.monotonic() + self._timeout_s
        body = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > BYTES_MAX:
                raise SourceUnavailable(self._too_large())
            if time.monotonic() > ends_s:
                raise SourceUnavailable(
                    f"{self.name}: the answer was not complete after {self._timeout_s:g} s"
                )
        # http.client takes an early end for the end. Half a YAML file can be a valid catalog.
        if expected is not None and len(body) != expected:
            raise SourceUnavailable(
                f"{self.name}: the answer broke off after {len(body)} of {expected} bytes"
            )
        return bytes(body)

    def _decoded(self, response: HTTPResponse, body: bytes) -> bytes:
        """Undo the encoding of an answer. Servers send encodings that were not asked for, too."""
        encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding == "identity":
            return body
        if encoding not in ("gzip", "x-gzip"):
            raise SourceUnavailable(
                f"{self.name}: the answer has the Content-Encoding {encoding!r}; only gzip is read"
            )
        # Bounded: a few kilobytes may inflate to gigabytes.
        content = b""
        while body:  # gzip may have several members, one after the other
            inflate = zlib.decompressobj(wbits=_GZIP)
            try:
                content += inflate.decompress(body, BYTES_MAX + 1 - len(content))
            except zlib.error as error:
                raise SourceUnavailable(f"{self.name}: the answer is not gzip") from error
            if len(content) > BYTES_MAX:
                raise SourceUnavailable(self._too_large())
            if not inflate.eof:
                raise SourceUnavailable(f"{self.name}: the answer's gzip broke off")
            body = inflate.unused_data
        return content

    def _too_large(self) -> str:
        return f"{self.name}: the catalog is {TOO_LARGE}"


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, but never from https down to http."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    # Not build_opener(): that one also opens file:, ftp: and data: URLs.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _start_thread(work: Callable[[], None]) -> None:
    # Daemon: a request that hangs must not keep the process from stopping.
    threading.Thread(target=work, name="quotad-sidecar-http", daemon=True).start()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        bad = not parts.hostname or parts.port == 0 or "@" in parts.fragment
        # Without a path, an @ after the ? is the end of a password that has a ? in it.
        bad = bad or ("@" in parts.query and not parts.path)
    except ValueError:
        bad = True
    if bad or any(character <= " " or character == "\x7f" for character in url):
        # The URL itself stays out of the message: it may hold a password.
        raise ConfigError("an http source is not a valid URL; expected http(s)://HOST[:PORT]/PATH")
    return parts


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _display_name(parts: SplitResult) -> str:
    # Queries hold tokens as often as not (signed URLs), so they are not shown either.
    user = "***@" if "@" in parts.netloc else ""
    # An @ in the path may be the end of a password that has a / in it.
    start, at, path = parts.path.rpartition("@")
    return f"{parts.scheme}://{user}{_host(parts)}{'/***@' if start else at}{path}"


def _basic_authorization(parts: SplitResult) -> str | None:
    if "@" not in parts.netloc:
        return None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _validators_of(headers: HTTPMessage) -> dict[str, str]:
    pairs = (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
    return {ask: headers[given] for ask, given in pairs if headers[given]}


def _cause(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    return type(error).__name__
