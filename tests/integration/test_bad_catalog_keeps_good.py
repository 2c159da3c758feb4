"""G5: a bad catalog never replaces a good one, and says everything that is wrong with it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.clock import SyncedClock
from quotad.store import Catalogs
from quotad.v1 import admin_pb2
from tests.running import CALL_S, FRONTS, Running, eventually, refusal, running

GOOD = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  export: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 5}
      export: true
"""


@pytest.fixture(params=FRONTS)
def server(request: pytest.FixtureRequest, store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix, request.param) as made:
        made.publish_and_wait(GOOD)
        yield made


BAD = {
    "not YAML": "features: [",
    "empty": "",
    "a list": "- features\n",
    "no version": GOOD.replace("version: 1", ""),
    "a newer format": GOOD.replace("version: 1", "version: 2"),
    "unknown key": GOOD + "planz: {}\n",
    "unknown plan": GOOD.replace("default_plan: free", "default_plan: fre"),
    "unknown feature": GOOD.replace("      calls:", "      cals:"),
    "no number": GOOD.replace("limit: 5", "limit: five"),
    "below zero": GOOD.replace("limit: 5", "limit: -5"),
    "beyond counting": GOOD.replace("limit: 5", f"limit: {2**53}"),
    "twice": GOOD.replace("      export: true", "      export: true\n      export: false"),
    "circle": GOOD.replace("  free:", "  free:\n    extends: free"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_catalog_changes_nothing(server: Running, bad: str) -> None:
    before = server.consume("acme", "calls")

    failed = refusal(lambda: server.publish(bad))

    assert ("INVALID_ARGUMENT", "BAD_CATALOG") == (failed.code.name, failed.reason)
    assert failed.message.startswith("plans.yaml: ")
    after = server.consume("acme", "calls")
    assert (before.catalog_version, 2, 5) == (after.catalog_version, after.used, after.limit)


def test_all_problems_are_reported_at_once_with_file_and_path(server: Running) -> None:
    bad = (
        GOOD.replace("limit: 5", "limit: 5, per: mounth")
        .replace("export: true", "export: 7")
        .replace("default_plan: free", "default_plan: pro")
        .replace("type: boolean", "type: bool")
    )

    failed = refusal(lambda: server.publish(bad))

    paths = [line.split(": ")[1] for line in failed.message.splitlines()]
    assert {
        "default_plan",
        "features.export.type",
        "plans.free.entitlements.calls.per",
    } <= set(paths)
    assert all(line.startswith("plans.yaml: ") for line in failed.message.splitlines())


def status(server: Running) -> Any:
    return server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)


def publish_unchecked(server: Running, document: bytes) -> int:
    """As a newer quotad would that knows more."""
    catalogs = Catalogs(server.store, server.keys, SyncedClock())
    return catalogs.publish(document, "f" * 64).version


def test_a_catalog_of_a_newer_quotad_is_not_decided_on_and_not_ignored(server: Running) -> None:
    assert server.consume("acme", "calls").allowed
    version = publish_unchecked(server, json.dumps({"version": 9, "quotas": {}}).encode())

    for feature in ("calls", "export"):
        failed = refusal(lambda f=feature: server.consume("acme", f))  # type: ignore[misc]
        assert (
            f"UNAVAILABLE NOT_READY: catalog version {version} cannot be read by this server"
            == repr(failed)
        )
    server.wait_ready(False)
    assert (
        f"catalog version {version} cannot be read by this server"
        == status(server).not_ready_reason
    )


@pytest.mark.parametrize("way", ["publish", "rollback"])
def test_a_catalog_that_can_be_read_again_takes_over(server: Running, way: str) -> None:
    server.consume("acme", "calls")
    version = publish_unchecked(server, b"not even JSON")
    refusal(lambda: server.consume("acme", "calls"))

    if way == "publish":
        answer = server.publish(GOOD.replace("limit: 5", "limit: 7"))
    else:
        request = admin_pb2.RollbackCatalogRequest(version=version - 1)
        answer = server.admin.RollbackCatalog(request, timeout=CALL_S)

    assert version + 1 == answer.version.version
    eventually(lambda: status(server).catalog.version, lambda seen: seen == version + 1)
    after = server.consume("acme", "calls")
    assert (version + 1, 2) == (after.catalog_version, after.used)
    diff = admin_pb2.DiffCatalogRequest(
        version=version, files=[admin_pb2.CatalogFile(name="plans.yaml", content=GOOD)]
    )
    assert len(server.admin.DiffCatalog(diff, timeout=CALL_S).changes) > 3
