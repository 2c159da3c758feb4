"""G9: no call leaves anything behind: every RPC many times, and the server is as it was before."""

import gc
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from quotad.service import encode
from quotad.store.node import POOLED_MAX
from quotad.v1 import admin_pb2 as admin
from quotad.v1 import quota_pb2 as quota
from tests.raw import raw
from tests.running import CALL_S, FRONTS, Running, running

TIMES = 200
TIMES_AGAIN = 100
"""Of calls that the other fronts hand to the very same server; more than any pool has places."""

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 1000000}}}
  pro: {extends: free, entitlements: {calls: {limit: 2000000}}}
"""

FIELDS: dict[str, Any] = {
    "customer_id": "acme",
    "feature_id": "calls",
    "plan_id": "pro",
    "requests": [quota.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")],
    "files": [admin.CatalogFile(name="plans.yaml", content=CATALOG)],
    "rows": [b'{"customer_id": "acme", "plan": "pro"}'],
    "entitlement": json_format.Parse('{"limit": 3000000}', struct_pb2.Value()),
    "quantity": 1,
    "reservation_id": "r",
    "slot_id": "s",
    "lease_id": "l",
    "sequence": 1,
    "used": 1,
    "version": 1,
    "end": timestamp_pb2.Timestamp(seconds=4_000_000_000),
}
"""By name, what a request's fields are filled with; a new RPC is covered as it is added."""

MOST = {"connections": 2, "descriptors": 4, "threads": 2}
"""How much more may be open after many calls than before."""

UNFILLED = {
    "ProvisionCustomer": {"end"},
}


@pytest.fixture(scope="module", params=FRONTS)
def quotad(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    # In a database of its own: to erase a customer walks through all keys, also of other tests.
    with running(f"{store_url}?db=1", f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        made.publish_and_wait(CATALOG)
        made.provision("acme", "pro")
        made.consume("acme", "calls", quantity=1_900_000)  # near the limit: listed in insights
        yield made


def methods() -> Iterator[tuple[str, str]]:
    services: list[ServiceDescriptor] = [
        quota.DESCRIPTOR.services_by_name["QuotaService"],
        admin.DESCRIPTOR.services_by_name["AdminService"],
    ]
    for service in services:
        for method in service.methods:
            yield service.name, method.name


def call_of(quotad: Running, service: str, name: str) -> Callable[[], Any]:
    """What starts one call of a method."""
    file = quota if service == "QuotaService" else admin
    method = file.DESCRIPTOR.services_by_name[service].methods_by_name[name]
    message = GetMessageClass(method.input_type)
    filled = {
        field.name: FIELDS[field.name]
        for field in method.input_type.fields
        if field.name in FIELDS and field.name not in UNFILLED.get(name, ())
    }
    request = message(**filled)
    stub: Any = quotad.quota if service == "QuotaService" else quotad.admin
    start = getattr(stub, name)
    if method.server_streaming:

        def begin() -> None:
            stream = start(request, timeout=4 * CALL_S)
            next(stream)
            stream.cancel()

        return begin
    if method.client_streaming:
        return lambda: start(iter([request]), timeout=4 * CALL_S)
    return lambda: start(request, timeout=4 * CALL_S)


def repeat(call: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        with suppress(grpc.RpcError):  # a refusal must leave nothing behind either
            call()


def held(quotad: Running) -> dict[str, int]:
    """What this process, which is the server's, and the store hold open for it."""
    encode.timestamp.cache_clear()
    gc.collect()
    return {
        "connections": len(raw(quotad.store).client_list()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
    }


def resident_kb() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.parametrize(("service", "name"), list(methods()), ids=lambda text: text)
def test_a_call_that_is_made_many_times_leaves_nothing_behind(
    quotad: Running, service: str, name: str
) -> None:
    again = quotad.config.front != "native" and service == "AdminService"
    times = TIMES_AGAIN if again else TIMES
    call = call_of(quotad, service, name)
    repeat(call, 30)  # what is opened once and kept is open then
    before_kb = resident_kb()

    # A leak grows each time, by what each call leaves at the least; a thread that its pool starts
    # late, a cache that fills, or what the server does meanwhile on its own is less, or once.
    for _ in range(4):
        before = held(quotad)
        repeat(call, times)
        after = held(quotad)
        grown = {what: after[what] - before[what] for what in before}
        if (
            all(grown[what] <= most for what, most in MOST.items())
            and grown["objects"] < 0.9 * times
        ):
            break
    else:
        pytest.fail(f"each {times} calls leave behind {grown}")

    assert resident_kb() - before_kb < 16 * 1024


def test_decisions_go_on_while_more_callers_than_connections_read_customers(
    quotad: Running,
) -> None:
    page = admin.ListCustomersRequest(page_size=1000)
    stop = threading.Event()
    failed: list[grpc.RpcError] = []

    def read() -> None:
        while not stop.is_set():
            try:
                quotad.admin.ListCustomers(page, timeout=CALL_S)
            except grpc.RpcError as error:
                failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(POOLED_MAX + 4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert quotad.consume("somebody else", "calls").allowed
            assert quotad.server.ready
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert not failed
