"""The TypeScript client: work that holds a slot, which is extended by itself."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.node import CallFailed, Node, needs_client
from tests.processes import DEADLINE_S
from tests.proxy import Proxy
from tests.running import Running, eventually, running

pytestmark = needs_client

CATALOG = """
version: 1
default_plan: free
features:
  jobs: {type: metered, kind: concurrency}
  calls: {type: metered}
plans:
  free:
    entitlements:
      jobs: {limit: 1}
      calls: {limit: 10, per: year}
"""

TTL_MS = 1200
"""Where a slot is lost in the end, however slow a machine is."""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.fixture
def jobs(node: Node, served: Running) -> Iterator[Any]:
    client = node.client(served.server.address, "slots")
    yield client
    client("close")


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def test_a_slot_is_extended_while_work_goes_on_and_free_after_it(jobs: Any, customer: str) -> None:
    took = jobs("begin", "job", customer, "jobs", {"ttlMs": 5 * TTL_MS, "also": {"calls": 2}})
    [held] = eventually(
        lambda: jobs("listSlots", customer, "jobs"),
        lambda slots: bool(slots) and slots[0]["expiresAt"] > took["expiresAt"],
        DEADLINE_S,
    )
    states = [jobs(name, "job") for name in ("lost", "aborted")]

    assert took["slotId"] == held["slotId"]
    assert [1, 2] == [each["granted"] for each in took["decision"]["items"]]
    assert [False, False] == states
    assert "its result" == jobs("end", "job", "its result")
    assert [] == jobs("listSlots", customer, "jobs")


def test_work_that_fails_frees_its_slot_and_fails_as_it_did(jobs: Any, customer: str) -> None:
    jobs("begin", "job", customer, "jobs")

    with pytest.raises(CallFailed, match="TypeError: no good"):
        jobs("fail", "job", "no good")
    assert [] == jobs("listSlots", customer, "jobs")


def test_where_there_is_no_slot_the_work_is_not_begun(jobs: Any, customer: str) -> None:
    jobs("begin", "first", customer, "jobs")

    with pytest.raises(CallFailed, match="the slot was denied: LIMIT_EXCEEDED; try again") as no:
        jobs("begin", "second", customer, "jobs")
    jobs("end", "first")
    with pytest.raises(CallFailed, match=r"also\[0\] was denied: LIMIT_EXCEEDED") as neither:
        jobs("begin", "third", f"other-{customer}", "jobs", {"also": {"calls": 11}})

    assert ["QuotaDenied", "QuotaDenied"] == [no.value.name, neither.value.name]
    assert no.value.thrown["answer"]["decision"]["retryAfterMs"] > 0


def test_work_hears_of_a_slot_that_was_taken_from_it(jobs: Any, customer: str) -> None:
    took = jobs("begin", "job", customer, "jobs", {"ttlMs": TTL_MS})
    jobs("releaseSlot", customer, took["slotId"])

    eventually(lambda: jobs("aborted", "job"), True.__eq__, DEADLINE_S)
    assert jobs("lost", "job")
    assert "done" == jobs("end", "job", "done")


def test_work_that_reaches_no_server_loses_its_slot_when_it_would_end(
    node: Node, served: Running, customer: str
) -> None:
    with Proxy(served.server.address) as door:
        jobs = node.client(door.address, "slots")
        jobs("begin", "job", customer, "jobs", {"ttlMs": TTL_MS})
        with door.refusing():
            eventually(lambda: jobs("aborted", "job"), True.__eq__, DEADLINE_S)
            assert "done" == jobs("end", "job", "done")
        jobs("close")
