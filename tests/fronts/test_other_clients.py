"""The fast front and clients of five kinds: each reads HTTP/2 in its own way.

Those in Go and JavaScript are built by `make front-clients`. Clients that spend much on each call
make fewer here, and all of them 100,000 in `make front-calls`.
"""

import asyncio
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from quotad.fronts import kinds
from quotad.fronts.interface import Bounds, TlsFiles
from tests.fronts.serving import METHODS, Serving, serving
from tests.processes import ROOT

CLIENTS = ROOT / ".venv" / "clients"
GO, JS = CLIENTS / "go", CLIENTS / "js" / "main.js"
CERT = ROOT / "tests" / "fixtures" / "tls" / "localhost.pem"
TIMEOUT_S = 300.0
ALL = int(os.environ.get("FRONT_CALLS", "0"))
"""Small calls of every client; 0: as many as are cheap."""


def shapes(cheap: int) -> pytest.MarkDecorator:
    """Calls, their size and the windows that they go through; a window of 0 is the client's own.

    Args:
        cheap: how many small calls take the client a second or two.
    """
    small = {"many small calls": (cheap, 100, 0)}
    if ALL:
        small = {
            "small calls through small windows": (ALL, 100, 65_535),
            "small calls through large windows": (ALL, 100, 1 << 24),
        }
    cases = {
        **small,
        "large messages through small windows": (500, 100_000, 65_535),
        "large messages through large windows": (100, 500_000, 1 << 24),
    }
    return pytest.mark.parametrize(("calls", "size", "window"), cases.values(), ids=cases)


pytestmark = pytest.mark.skipif(
    not kinds.is_installed("fast"), reason="the fast front is not installed (make front)"
)


@pytest.fixture
def served() -> Iterator[Serving]:
    # A hundred large calls at once, and their answers, are more than a connection may hold.
    with serving("fast", bounds=Bounds(max_held_mb=1000)) as made:
        made.decide()
        yield made


def run(*words: object) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-1000:] or done.stdout[-1000:]
    return done.stdout


def grpc_request(folder: Path, body: bytes) -> Path:
    file = folder / "request"
    file.write_bytes(struct.pack(">BI", 0, len(body)) + body)
    return file


async def call_by_grpcio(address: str, calls: int, size: int, window: int) -> int:
    """Make calls, a hundred at a time; gives how many were answered."""
    options = [
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", window or 65_535),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    left = iter(range(calls))
    answered = 0

    async def call(method: Any) -> None:
        nonlocal answered
        for number in left:
            body = b"%d" % number + bytes(size)
            assert b"0:" + body == await method(body, timeout=TIMEOUT_S)
            answered += 1

    async with grpc.aio.insecure_channel(address, options) as channel:
        method = channel.unary_unary(METHODS[0])
        await asyncio.gather(*(call(method) for _ in range(100)))
    return answered


@shapes(10_000)
async def test_grpcio_gets_every_answer(
    served: Serving, calls: int, size: int, window: int
) -> None:
    assert calls == await call_by_grpcio(served.front.address, calls, size, window)


@pytest.mark.skipif(not GO.exists(), reason="the client in Go is not built (make front-clients)")
@shapes(100_000)
def test_grpc_go_gets_every_answer(served: Serving, calls: int, size: int, window: int) -> None:
    words = ["-address", served.front.address, "-method", METHODS[0]]
    words += ["-calls", str(calls), "-size", str(size), "-window", str(window)]

    assert f"{calls}\n" == run(GO, *words)


@pytest.mark.skipif(not JS.exists(), reason="the client in JS is not built (make front-clients)")
@shapes(3_000)
def test_grpc_js_gets_every_answer(served: Serving, calls: int, size: int, window: int) -> None:
    words = (served.front.address, METHODS[0], calls, size, window)

    assert f"{calls}\n" == run("node", JS, *words)


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
@pytest.mark.parametrize("window_bits", [16, 24])
def test_h2load_gets_every_answer(served: Serving, tmp_path: Path, window_bits: int) -> None:
    calls = ALL or 100_000
    words = [
        "-n",
        str(calls),
        "-c",
        "8",
        "-m",
        "32",
        "-w",
        str(window_bits),
        "-W",
        str(window_bits),
    ]
    words += ["-d", str(grpc_request(tmp_path, b"x" * 100))]
    words += ["-H", "content-type: application/grpc", "-H", "te: trailers"]

    said = run("h2load", *words, f"http://{served.front.address}{METHODS[0]}")

    assert f"{calls} succeeded, 0 failed" in said


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_gets_the_message_and_the_words_of_http_for_what_is_no_call(
    served: Serving, tmp_path: Path
) -> None:
    curl = ("curl", "-s", "-w", "|%{http_code}", "--http2-prior-knowledge")
    grpc = ("-H", "content-type: application/grpc", "-H", "te: trailers")
    url = f"http://{served.front.address}{METHODS[0]}"

    whole = run(*curl, *grpc, "--data-binary", f"@{grpc_request(tmp_path, b'abc')}", url)
    looked_up = run(*curl, *grpc, url)
    forms = [run(*curl, *form, url) for form in (("-X", "POST"), ("-d", "x" * 100_000))]

    assert ("\0\0\0\0\x050:abc|200", "|405") == (whole, looked_up)
    assert ["|415", "|415"] == forms

    # Without a message: curl 7.88 fails where the answer comes while it still sends one.
    packed = ("-H", "grpc-encoding: gzip", "-X", "POST")
    refused = run("curl", "-si", "--http2-prior-knowledge", *grpc, *packed, url).split("\n")
    assert {"grpc-status: 12", "grpc-accept-encoding: identity"} <= {x.strip() for x in refused}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_gets_every_answer_over_one_connection_with_tls(tmp_path: Path) -> None:
    """With TLS: without it, curl 7.88 cannot use a connection of HTTP/2 again."""
    calls = ALL or 3_000
    with serving("fast", tls=TlsFiles(str(CERT), str(CERT))) as served:
        served.decide()
        words = ["-sS", "--cacert", CERT, "-w", "|%{http_code}\n"]
        words += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        words += ["--data-binary", f"@{grpc_request(tmp_path, b'abc')}"]

        said = run("curl", *words, f"https://{served.front.address}{METHODS[0]}?[1-{calls}]")

        assert {"\0\0\0\0\x050:abc|200"} == set(said.splitlines())
        assert calls == len(said.splitlines()) == served.front.counters()["calls"]
        assert 1 == served.front.counters()["connections"]
