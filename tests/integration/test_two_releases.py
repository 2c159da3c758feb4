"""Servers of two releases on one store, as while they are rolled: no limit is passed, no key takes
twice, and what either of them publishes or writes holds at both from then on.

The other release is a state of this project's history, with the packages of this one.
"""

import os
import random
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from quotad.valkey_cluster import PrivateCluster
from tests.integration.processes import serve
from tests.integration.sentinels import KEEPS, watched
from tests.releases import files_of
from tests.running import Caller, refusal, running

RELEASE = "a02e7448f739e63100fa2c71ea6890c32e5f1c39"
"""The first state whose README has both clusters and Sentinels."""

EVERYWHERE = "TWO_RELEASES"
"""The variable with which it runs behind Sentinels and on a cluster as well."""

LIMIT = 60
CUSTOMERS = ["a", "b", "c"]
CALLERS, CALLS = 4, 50


def plans(version: int) -> str:
    """A catalog whose number is in it."""
    entitlements = f"calls: {{limit: {LIMIT}}}, version: {{limit: {version}}}"
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}, version: {{type: metered}}}}
plans:
  free: {{entitlements: {{{entitlements}}}}}
  pro: {{extends: free, entitlements: {{version: {{limit: {1000 + version}}}}}}}
"""


@pytest.fixture(scope="module")
def release() -> Path:
    """Where the files of the other release are."""
    return files_of(RELEASE)


@contextmanager
def store(kind: str, single_url: str) -> Iterator[str]:
    """The URL of a store of a kind."""
    if kind == "one server":
        yield single_url
    elif kind == "sentinels":
        with watched(**KEEPS) as group:
            yield group.url
    else:
        with (
            tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
            PrivateCluster(Path(directory), Path(directory) / "node", 3) as cluster,
        ):
            yield cluster.url


def call(number: int, servers: list[Caller]) -> Counter[str]:
    """Ask servers, half of the time under a key that the other one is asked for again; returns what
    each customer was allowed."""
    drawn = random.Random(number)
    allowed: Counter[str] = Counter()
    for turn in range(CALLS):
        name, (first, second) = drawn.choice(CUSTOMERS), drawn.sample(servers, 2)
        key = uuid.uuid4().hex if turn % 2 else ""
        answer = first.consume(name, "calls", quantity=1, idempotency_key=key)
        allowed[name] += answer.allowed
        if key and answer.allowed:
            again = second.consume(name, "calls", quantity=1, idempotency_key=key)
            assert (True, True) == (again.allowed, again.replayed)
            asked = partial(second.consume, name, "calls", quantity=2, idempotency_key=key)
            assert "IDEMPOTENCY_MISMATCH" == refusal(asked).reason
    return allowed


def look(server: Caller, name: str) -> tuple[int, int]:
    """What a decision is made on: the limit of the plan, and the version of the catalog."""
    answer = server.consume(name, "version", mode=pb.MODE_CHECK_ONLY)
    return answer.limit, answer.catalog_version


@pytest.mark.parametrize("kind", ["one server", "sentinels", "cluster"])
def test_guarantees_hold_while_servers_of_two_releases_decide(
    kind: str, release: Path, single_url: str, prefix: str
) -> None:
    if kind != "one server" and not os.environ.get(EVERYWHERE):
        pytest.skip("make two-releases")
    with (
        store(kind, single_url) as url,
        serve(url, prefix, "native", release) as old,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        old.wait_for_store()
        old.publish(plans(1))
        old.provision("a", "pro")
        with running(url, prefix, store_timeout_ms=10_000) as new:
            both: list[Caller] = [old, new]
            rollback = admin_pb2.RollbackCustomerRequest(customer_id="a")
            assert (
                "UNIMPLEMENTED" == refusal(partial(old.admin.RollbackCustomer, rollback)).code.name
            )
            for server in both:
                server.wait_ready()
            calls = [pool.submit(call, number, both) for number in range(CALLERS)]
            for version, writer, name in ((2, new, "b"), (3, old, "c")):
                writer.publish(plans(version))
                assert [(version, version)] * 2 == [look(server, name) for server in both]
                writer.provision(name, "pro")
                assert [(1000 + version, version)] * 2 == [look(server, name) for server in both]
            allowed = sum([each.result() for each in calls], Counter[str]())
            for name in CUSTOMERS:
                for server in both * LIMIT:  # more than is left
                    allowed[name] += server.consume(name, "calls", quantity=1).allowed

            assert dict.fromkeys(CUSTOMERS, LIMIT) == allowed
