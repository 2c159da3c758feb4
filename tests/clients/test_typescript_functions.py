"""The TypeScript client in functions that are frozen at times, and on clocks that are off."""

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.node import needs_client
from tests.processes import DEADLINE_S
from tests.proxy import Proxy
from tests.running import Running, eventually, running

pytestmark = needs_client

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 1000, per: year}}}
"""

HOUR_MS = 3_600_000
YEAR_MS = 366 * 24 * HOUR_MS


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


class Function:
    """A process of Node with a handler in it."""

    def __init__(self, address: str, off_ms: int) -> None:
        self._process = subprocess.Popen(
            ["node", str(Path(__file__).parent / "function.mjs"), address, str(off_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, name: str, *args: Any) -> Any:
        """Handle one event; gives the response."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *args]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Close its input, at which it ends by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            assert 0 == self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._process.stdout.close()


@contextmanager
def function(address: str, off_ms: int = 0) -> Iterator[Function]:
    made = Function(address, off_ms)
    try:
        yield made
    finally:
        made.end()


def test_a_function_that_is_frozen_between_two_requests_answers_the_next_one(
    served: Running,
) -> None:
    customer = uuid.uuid4().hex

    def used() -> int:
        answer = call("consume", customer, "calls")
        assert answer["allowed"]
        return int(answer["used"])

    with Proxy(served.server.address) as door, function(door.address) as call:
        assert ([], 0) == (call("connected"), door.connections)
        assert [1, 2] == [used(), used()]
        # Nothing is left to do after a response that would keep the process alive.
        eventually(lambda: call("kinds"), [].__eq__, DEADLINE_S)
        assert 1 == door.connections
        with call.frozen():
            door.cut()
        assert 3 == used()
        # What is between has forgotten the connection: nothing comes back, and no error either.
        door.forget()
        call("freeze", 60_000)
        assert ([4, 5], 3) == ([used(), used()], door.connections)


@pytest.mark.parametrize("off_ms", [-HOUR_MS, HOUR_MS, YEAR_MS])
def test_a_clock_that_is_an_hour_off_or_a_year_changes_no_answer(
    served: Running, off_ms: int
) -> None:
    customer = uuid.uuid4().hex
    with function(served.server.address, off_ms) as call:
        took = call("consume", customer, "calls")
        assert (True, 1) == (took["allowed"], took["used"])
        assert [0, True, True] == call("cached", f"other-{customer}", "calls")
        taken = 1 + call("leased", customer, "calls")
        granted, error = call("record", f"late-{customer}", "calls")

    assert [taken] == list(served.counters(customer).values())
    refused = error.startswith("QuotaInvalid occurred_at: ")
    assert (0, True) == (granted, refused) if off_ms > 0 else (1, "") == (granted, error)
