"""A client with thousands of calls open, or that gives calls up in bursts, beside patient ones."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from quotad.client import Client
from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.running import CALL_S, FRONTS, Caller, running

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

REQUEST = pb.CheckAndConsumeRequest(customer_id="hasty", feature_id="calls")


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


def codes(calls: list[Any]) -> Counter[str]:
    return Counter(call.code().name for call in calls)


@pytest.mark.parametrize("front", FRONTS)
def test_thousands_of_open_calls_fail_neither_themselves_nor_a_bystander(
    store: OwnStore, front: str
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running(store.url, "q", front))
        server.publish_and_wait(CATALOG)
        callers = [stack.enter_context(closing(Caller(server.server.address))) for _ in range(6)]
        calls = [
            caller.quota.CheckAndConsume.future(REQUEST, timeout=3 * CALL_S)
            for _ in range(600)
            for caller in callers
        ]
        patient = [server.quota.CheckAndConsume.future(REQUEST, timeout=CALL_S) for _ in range(20)]

        assert {"OK": 20} == codes(patient)
        assert {"OK": 3600} == codes(calls)


@pytest.mark.parametrize("front", FRONTS)
def test_a_client_loses_no_call_to_others_that_run_out_of_time_in_bursts(
    store: OwnStore, front: str
) -> None:
    with (
        running(store.url, "q", front) as server,
        Client(server.server.address, timeout=CALL_S, retries=20) as client,
    ):
        server.publish_and_wait(CATALOG)
        allowed: list[bool] = []
        ended = threading.Event()

        def patient() -> None:
            while not ended.is_set():
                allowed.append(client.consume("patient", "calls").allowed)

        thread = threading.Thread(target=patient)
        thread.start()
        hasty = client._connection._stub  # on the same connection
        for _ in range(5):
            codes([hasty.CheckAndConsume.future(REQUEST, timeout=0.003) for _ in range(300)])
        ended.set()
        thread.join()

        assert allowed
        assert all(allowed)
        # Every repeated call was counted once.
        assert {"calls:life": len(allowed)} == server.counters("patient")
