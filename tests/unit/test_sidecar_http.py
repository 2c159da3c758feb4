"""The http source against a server in a thread of the test."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quotad.catalog import Source
from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE
from quotad.errors import ConfigError
from quotad.sidecar import HttpSource, SourceUnavailable, http_source

PLANS = "version: 1\n"


class Answer:
    """What the server answers to a GET; tests change it as they go."""

    def __init__(self) -> None:
        self.status = 200
        self.body = PLANS.encode()
        self.headers: dict[str, str] = {}
        self.length: int | None = None
        self.gate = threading.Event()
        self.gate.set()


class PlanServer(ThreadingHTTPServer):
    """Remembers the requests it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = Answer()
        self.requests: list[dict[str, str]] = []
        self.statuses: list[int] = []

    def url(self, path: str = "/plans.yaml", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: PlanServer

    def do_GET(self) -> None:
        answer = self.server.answer
        self.server.requests.append({"path": self.path, **dict(self.headers)})
        answer.gate.wait()
        etag, date = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        status, body = answer.status, answer.body
        if (etag and self.headers["If-None-Match"] == etag) or (
            date and self.headers["If-Modified-Since"] == date
        ):
            status, body = 304, b""
        self.server.statuses.append(status)
        self.send_response(status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(answer.length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlanServer]:
    monkeypatch.setenv("no_proxy", "*")
    with PlanServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.answer.gate.set()
        server.shutdown()
        thread.join()


class Seconds:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def open_source(seconds: Seconds) -> Callable[..., HttpSource]:
    """Makes sources that ask within `poll`, without jitter."""

    def make(url: str, interval_s: float = 10.0) -> HttpSource:
        return HttpSource(
            url,
            interval_s=interval_s,
            now=seconds,
            spread=lambda: 0.5,
            start=lambda request: request(),
        )

    return make


Open = Callable[..., HttpSource]


def test_the_first_poll_asks_at_once(server: PlanServer, open_source: Open) -> None:
    source = open_source(server.url())

    assert [Source(name=server.url(), text=PLANS)] == source.poll()


def test_a_request_is_made_once_per_interval(
    server: PlanServer, open_source: Open, seconds: Seconds
) -> None:
    source = open_source(server.url(), interval_s=10.0)
    for _ in range(3):
        source.poll()

    assert 1 == len(server.requests)

    seconds.now += 9.9
    source.poll()

    assert 1 == len(server.requests)

    seconds.now += 0.1
    source.poll()

    assert 2 == len(server.requests)


def test_the_interval_varies_by_ten_percent(server: PlanServer, seconds: Seconds) -> None:
    for spread, wait_s in ((0.0, 9.0), (1.0, 11.0)):
        server.requests.clear()
        source = HttpSource(
            server.url(),
            now=seconds,
            spread=partial(float, spread),
            start=lambda request: request(),
        )
        source.poll()
        seconds.now += wait_s - 0.01
        source.poll()

        assert 1 == len(server.requests)

        seconds.now += 0.02
        source.poll()

        assert 2 == len(server.requests)


@pytest.mark.parametrize(
    "validator", [{"ETag": '"one"'}, {"Last-Modified": formatdate(1_700_000_000, usegmt=True)}]
)
def test_an_unchanged_document_is_not_sent_again(
    server: PlanServer, open_source: Open, seconds: Seconds, validator: dict[str, str]
) -> None:
    server.answer.headers = validator
    source = open_source(server.url())
    source.poll()
    seconds.now += 10

    assert source.poll() is None
    assert [200, 304] == server.statuses


def test_a_changed_document_is_returned(
    server: PlanServer, open_source: Open, seconds: Seconds
) -> None:
    server.answer.headers = {"ETag": '"one"'}
    source = open_source(server.url())
    source.poll()
    server.answer.headers = {"ETag": '"two"'}
    server.answer.body = b"version: 2\n"
    seconds.now += 10

    assert [Source(name=server.url(), text="version: 2\n")] == source.poll()
    assert [200, 200] == server.statuses


def test_a_server_without_etags_does_not_make_a_change_of_the_same_text(
    server: PlanServer, open_source: Open, seconds: Seconds
) -> None:
    source = open_source(server.url())
    source.poll()
    seconds.now += 10

    assert source.poll() is None
    assert [200, 200] == server.statuses


def test_a_failing_server_is_an_error_at_every_poll_until_it_recovers(
    server: PlanServer, open_source: Open, seconds: Seconds
) -> None:
    server.answer.headers = {"ETag": '"one"'}
    source = open_source(server.url())
    source.poll()
    server.answer.headers = {}
    server.answer.status = 500
    seconds.now += 10
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="the server answered 500"):
            source.poll()

    assert 2 == len(server.requests)

    server.answer.headers = {"ETag": '"one"'}
    seconds.now += 1

    assert source.poll() is None
    assert [200, 500, 304] == server.statuses


def test_failures_are_retried_sooner_than_the_interval_and_ever_slower(
    server: PlanServer, open_source: Open, seconds: Seconds
) -> None:
    server.answer.status = 503
    source = open_source(server.url(), interval_s=3.0)
    asked_at = []
    while seconds.now < 112.0:
        before = len(server.requests)
        with pytest.raises(SourceUnavailable):
            source.poll()
        if len(server.requests) > before:
            asked_at.append(seconds.now - 100)
        seconds.now += 0.5

    assert [0, 1, 3, 6, 9] == asked_at


def test_a_server_that_is_not_there_is_an_error(server: PlanServer, open_source: Open) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/plans.yaml"
        with pytest.raises(SourceUnavailable) as caught:
            open_source(url).poll()

    assert f"{url}: Connection refused" == str(caught.value)


@pytest.mark.parametrize("declared", [True, False])
def test_a_document_that_is_too_large_is_refused(
    server: PlanServer, open_source: Open, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    monkeypatch.setattr(http_source, "BYTES_MAX", 2 * 1024 * 1024)
    if declared:
        server.answer.length = 2 * 1024 * 1024 + 1
    else:
        server.answer.headers = {"Transfer-Encoding": "chunked"}
        server.answer.body = b"200001\r\n" + b"#" * 0x200001 + b"\r\n0\r\n\r\n"
    with pytest.raises(SourceUnavailable, match="the catalog is larger than 16 MiB, the most that"):
        open_source(server.url()).poll()


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_an_answer_in_gzip_is_decoded(server: PlanServer, open_source: Open, encoding: str) -> None:
    server.answer.headers = {"Content-Encoding": encoding}
    server.answer.body = gzip.compress(b"version: 1\n") + gzip.compress(b"plans: {}\n")
    [source] = open_source(server.url()).poll() or []

    assert "version: 1\nplans: {}\n" == source.text
    assert "gzip, identity;q=0.5" == server.requests[0]["Accept-Encoding"]


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", gzip.compress(b"#" * (BYTES_MAX + 1)), f"the catalog is {TOO_LARGE}"),
        ("gzip", gzip.compress(b"version: 1\n")[:-3], "the answer's gzip broke off"),
        ("gzip", b"version: 1\n", "the answer is not gzip"),
        ("br", b"?", "the answer has the Content-Encoding 'br'; only gzip is read"),
    ],
    ids=["too large", "broken off", "not gzip", "brotli"],
)
def test_an_encoded_answer_that_cannot_be_read_is_refused(
    server: PlanServer, open_source: Open, encoding: str, body: bytes, why: str
) -> None:
    server.answer.headers = {"Content-Encoding": encoding}
    server.answer.body = body
    with pytest.raises(SourceUnavailable) as caught:
        open_source(server.url()).poll()

    assert str(caught.value).endswith(f": {why}")


def test_a_document_that_breaks_off_is_refused(server: PlanServer, open_source: Open) -> None:
    server.answer.length = len(PLANS) + 5
    with pytest.raises(SourceUnavailable, match=r"broke off after 11 of 16 bytes"):
        open_source(server.url()).poll()


def test_a_document_that_is_not_text_is_refused(server: PlanServer, open_source: Open) -> None:
    server.answer.body = b"ok\xff"
    with pytest.raises(SourceUnavailable, match=r"not UTF-8 \(byte 2\)"):
        open_source(server.url()).poll()


@pytest.mark.parametrize("status", [204, 304, 401, 404])
def test_an_answer_without_a_document_is_an_error(
    server: PlanServer, open_source: Open, status: int
) -> None:
    server.answer.status = status
    with pytest.raises(SourceUnavailable, match=f"the server answered {status}"):
        open_source(server.url()).poll()


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [
        ("application/json", ".json"),
        ("application/json; charset=utf-8", ".json"),
        ("application/x-yaml", ".yaml"),
        ("text/yaml", ".yaml"),
        ("application/toml", ".toml"),
    ],
)
def test_the_content_type_decides_the_format_where_the_path_does_not(
    server: PlanServer, open_source: Open, media_type: str, ending: str
) -> None:
    server.answer.headers = {"Content-Type": media_type}
    sources = open_source(server.url("/catalog")).poll()

    assert [server.url("/catalog") + "#" + ending] == [source.name for source in sources or []]


def test_a_web_page_is_not_a_catalog(server: PlanServer, open_source: Open) -> None:
    server.answer.headers = {"Content-Type": "text/html"}
    with pytest.raises(SourceUnavailable, match=r"cannot tell the format.*'text/html'"):
        open_source(server.url("/catalog")).poll()


def test_a_password_is_sent_and_never_shown(server: PlanServer, open_source: Open) -> None:
    source = open_source(server.url("/plans.yaml?token=hush", user="ann:s%40crt@"))
    sources = source.poll()

    assert server.url(user="***@") == source.name
    assert [source.name] == [found.name for found in sources or []]
    assert "Basic YW5uOnNAY3J0" == server.requests[0]["Authorization"]
    assert "/plans.yaml?token=hush" == server.requests[0]["path"]


def test_a_password_is_not_sent_on_to_where_the_server_points(
    server: PlanServer, open_source: Open
) -> None:
    server.answer.status = 302
    server.answer.headers = {"Location": "/elsewhere.yaml"}
    with pytest.raises(SourceUnavailable, match="the server answered 302"):
        open_source(server.url(user="ann:secret@")).poll()

    assert "Authorization" in server.requests[0]
    assert "Authorization" not in server.requests[1]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/plans.yaml"])
def test_a_redirect_away_from_http_is_refused(
    server: PlanServer, open_source: Open, target: str
) -> None:
    server.answer.status = 302
    server.answer.headers = {"Location": target}
    with pytest.raises(SourceUnavailable):
        open_source(server.url()).poll()


def test_a_slow_server_does_not_block_the_poll(server: PlanServer) -> None:
    server.answer.gate.clear()
    source = HttpSource(server.url())

    assert source.poll() is None
    assert source.poll() is None

    server.answer.gate.set()
    for thread in threading.enumerate():
        if thread.name == "quotad-sidecar-http":
            thread.join()

    assert [Source(name=server.url(), text=PLANS)] == source.poll()
    assert 1 == len(server.requests)


def test_a_server_that_never_answers_is_given_up(server: PlanServer) -> None:
    server.answer.gate.clear()
    source = HttpSource(server.url(), timeout_s=0.05, start=lambda request: request())
    with pytest.raises(SourceUnavailable, match="no answer in time"):
        source.poll()


def test_an_unexpected_failure_of_a_request_is_an_error_and_not_the_end(
    server: PlanServer, open_source: Open, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(server.url())

    def fail(response: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(source, "_read", fail)
    with pytest.raises(SourceUnavailable, match="the request failed"):
        source.poll()
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "*")
    seconds.now += 1

    assert [Source(name=server.url(), text=PLANS)] == source.poll()


def test_a_certificate_error_is_reported_by_its_cause() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")

    assert "certificate verify failed" == http_source._cause(error)


@pytest.mark.parametrize(
    "url", ["http://", "http:///plans.yaml", "http://host:port/", "http://[::1", "http://a b/"]
)
def test_a_url_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="not a valid URL"):
        HttpSource(url)


def test_a_wrong_url_is_not_repeated_in_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        HttpSource("http://ann:secret@host:port/plans.yaml")

    assert "secret" not in str(caught.value)


def test_an_interval_of_nothing_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="above 0"):
        HttpSource("http://host/plans.yaml", interval_s=0)
