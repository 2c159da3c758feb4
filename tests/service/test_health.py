"""grpc.health.v1 and reflection, on both fronts."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.running import CALL_S, FRONTS, Running, refusal, running

CATALOG = (
    "version: 1\nfeatures:\n  calls: {type: metered}\nplans:\n"
    "  free:\n    entitlements:\n      calls: {limit: 5}\n"
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(params=FRONTS)
def fresh(request: pytest.FixtureRequest, store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix, request.param) as made:
        yield made


def test_a_server_without_a_catalog_is_not_serving_and_reports_it(fresh: Running) -> None:
    fresh.wait_for_store()
    fresh.wait_ready(False)

    failed = refusal(lambda: fresh.consume("acme", "calls"))

    assert "UNAVAILABLE NOT_READY: no catalog was published yet" in repr(failed)


def test_health_is_reported_for_the_server_and_for_each_service(fresh: Running) -> None:
    fresh.publish_and_wait(CATALOG)

    for name in ("", "quotad.v1.QuotaService", "quotad.v1.AdminService"):
        request = health_pb2.HealthCheckRequest(service=name)
        assert SERVING == fresh.health.Check(request, timeout=CALL_S).status
    request = health_pb2.HealthCheckRequest(service="no.such.Service")
    failed = refusal(lambda: fresh.health.Check(request, timeout=CALL_S))
    assert grpc.StatusCode.NOT_FOUND == failed.code


def test_a_watch_shows_when_the_server_becomes_ready(fresh: Running) -> None:
    fresh.wait_ready(False)
    stream = fresh.health.Watch(health_pb2.HealthCheckRequest(), timeout=CALL_S)

    assert NOT_SERVING == next(stream).status
    fresh.publish(CATALOG)
    assert SERVING == next(stream).status
    stream.cancel()


def reflect(quotad: Running, *requests: Any) -> list[Any]:
    stub = reflection_pb2_grpc.ServerReflectionStub(quotad.channel)
    return list(stub.ServerReflectionInfo(iter(requests), timeout=CALL_S))


def test_reflection_lists_the_services_and_describes_them(served: Running) -> None:
    request = reflection_pb2.ServerReflectionRequest
    listed, described = reflect(
        served,
        request(list_services=""),
        request(file_containing_symbol="quotad.v1.QuotaService"),
    )

    assert {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "quotad.v1.AdminService",
        "quotad.v1.QuotaService",
    } == {service.name for service in listed.list_services_response.service}
    assert described.file_descriptor_response.file_descriptor_proto
