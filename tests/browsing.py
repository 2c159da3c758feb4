"""A real browser, where Debian's is installed."""

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    sys.stderr.write(
        "\n### NO CHROMIUM IS HERE (package chromium): PAGES ARE NOT TESTED IN IT ###\n"
    )

_FLAGS = [
    "--no-sandbox",  # tests may run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def serving_pages(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of pages, which is an origin of its own; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """One for the tests of a module: longer, its event loop would stay on the thread of others."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (chromium)")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield made
        made.close()
