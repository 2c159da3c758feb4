"""Every client through a rolling restart of a real server: no call is lost, none counted twice."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest

from tests.clients.kinds import Call, connected
from tests.clients.node import MISSING, Node, starting_node
from tests.proxy import Proxy
from tests.running import FRONTS, eventually, running

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 1000000}
"""

CALLERS = 2
"""At a time, of each client."""

PACE_S = 0.005
"""Between two calls: what is tried is servers that come and go, not how many calls they take."""


@pytest.fixture
def node() -> Iterator[Node | None]:
    if MISSING:
        yield None
        return
    with starting_node() as started:
        yield started


def keep_calling(call: Call, customer: str, ended: Event) -> list[Any]:
    """Consume one by one until it is over; gives what became of each call."""
    answers = []
    while not ended.wait(PACE_S):
        answers.append(call("consume", {"customer_id": customer, "feature_id": "calls"}))
    return answers


@pytest.mark.parametrize("front", FRONTS)
def test_no_call_is_lost_or_counted_twice(store_url: str, node: Node | None, front: str) -> None:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    kinds = {"blocking": None, "asyncio": None, **({} if node is None else {"node": node})}
    ended = Event()
    with ExitStack() as stack:
        server = stack.enter_context(running(store_url, prefix, front))
        server.publish_and_wait(CATALOG)
        # What stands before servers, in a cluster of machines.
        door = stack.enter_context(Proxy(server.server.address))
        pool = stack.enter_context(ThreadPoolExecutor(CALLERS * len(kinds)))
        stack.callback(ended.set)
        calls = {
            kind: stack.enter_context(
                connected(kind, door.address, of, timeout_ms=30_000, retries=30)
            )
            for kind, of in kinds.items()
        }
        going = {
            kind: [pool.submit(keep_calling, call, kind, ended) for _ in range(CALLERS)]
            for kind, call in calls.items()
        }

        def counted() -> list[int]:
            return [server.counters(kind).get("calls:life", 0) for kind in kinds]

        for least in (20, 40, 60):
            eventually(lambda: min(counted()), least.__le__)
            old, server = server, stack.enter_context(running(store_url, prefix, front))
            server.wait_ready()
            door.lead_to(server.server.address)
            old.stop()
        ended.set()

        for kind, threads in going.items():
            answers = [answer for thread in threads for answer in thread.result(60)]
            failed = [each for each in answers if not each.get("allowed")]
            assert [] == failed, kind
            assert {"calls:life": len(answers)} == server.counters(kind), kind
