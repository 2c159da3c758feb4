"""A real server in this process and real stubs over a real channel, for tests to talk to."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quotad.config import Config
from quotad.fronts import kinds
from quotad.server.server import Server
from quotad.store import KeySpace, Store
from quotad.v1 import admin_pb2, quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub
from tests.raw import raw

FRONTS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not kinds.is_installed(name),
            reason=f"the {name} front is not installed" + " (make front)" * (name == "fast"),
        ),
    )
    for name in kinds.FRONTS
]
"""For tests that every front passes."""

CALL_S = 20.0
"""Deadline of every call: far above what a server may take, so that only a hang meets it."""

T = TypeVar("T")


def eventually(
    ask: Callable[[], T],
    wanted: Callable[[T], bool],
    timeout_s: float = 20.0,
    every_s: float = 0.01,
) -> T:
    """Ask until the answer is the wanted one; fails with the last answer."""
    deadline = time.monotonic() + timeout_s
    while not wanted(answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r}"
        time.sleep(every_s)
    return answer


class Caller:
    """The stubs of one server, whichever process it is in."""

    def __init__(self, address: str) -> None:
        # Not shared with channels of earlier tests, which may be backing off from the same port.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options)
        self.quota: Any = QuotaServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.admin: Any = AdminServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self.health: Any = health_pb2_grpc.HealthStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def wait_ready(self, ready: bool = True) -> None:
        """Wait until the server says SERVING, or NOT_SERVING."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        wanted = status.SERVING if ready else status.NOT_SERVING
        request = health_pb2.HealthCheckRequest()
        eventually(
            lambda: self.health.Check(request, timeout=CALL_S, wait_for_ready=True).status,
            lambda answer: answer == wanted,
        )

    def wait_for_store(self) -> None:
        """Wait until all that is missing is a catalog."""
        request = admin_pb2.GetStatusRequest()
        eventually(
            lambda: self.admin.GetStatus(request, timeout=CALL_S, wait_for_ready=True),
            lambda answer: answer.not_ready_reason.startswith("no catalog was published yet"),
        )

    def consume(self, customer_id: str, feature_id: str, **fields: Any) -> Any:
        request = quota_pb2.CheckAndConsumeRequest(
            customer_id=customer_id, feature_id=feature_id, **fields
        )
        return self.quota.CheckAndConsume(request, timeout=CALL_S, wait_for_ready=True)

    def batch(self, *requests: Any) -> Any:
        request = quota_pb2.BatchCheckAndConsumeRequest(requests=requests)
        return self.quota.BatchCheckAndConsume(request, timeout=CALL_S, wait_for_ready=True)

    def publish(self, text: str, **fields: Any) -> Any:
        files = [admin_pb2.CatalogFile(name="plans.yaml", content=text)]
        request = admin_pb2.PublishCatalogRequest(files=files, **fields)
        return self.admin.PublishCatalog(request, timeout=CALL_S, wait_for_ready=True)

    def provision(self, customer_id: str, plan_id: str, start: int | None = None) -> Any:
        request = admin_pb2.ProvisionCustomerRequest(customer_id=customer_id, plan_id=plan_id)
        if start is not None:
            request.start.seconds = start
        return self.admin.ProvisionCustomer(request, timeout=CALL_S, wait_for_ready=True)

    def archive(self, customer_id: str) -> Any:
        request = admin_pb2.ArchiveCustomerRequest(customer_id=customer_id)
        return self.admin.ArchiveCustomer(request, timeout=CALL_S, wait_for_ready=True)


class Running(Caller):
    """A server in this process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._stopped = False
        self.server = Server(config)
        self.server.start()
        super().__init__(self.server.address)
        self.store = Store(config.redis_url, timeout_ms=5000)
        self.keys = KeySpace(config.prefix, config.shards)

    def close(self) -> None:
        super().close()
        self.stop()
        self.store.close()

    def stop(self) -> None:
        """Stop the server; once."""
        if not self._stopped:
            self._stopped = True
            self.server.stop()

    def publish_and_wait(self, text: str) -> Any:
        """Publish a catalog and wait until the server is ready."""
        published = self.publish(text)
        self.wait_ready()
        return published

    def counters(self, customer_id: str) -> dict[str, int]:
        """Every usage key of a customer, by feature and period."""
        return read_counters(self.store, self.keys, customer_id)


def read_counters(store: Store, keys: KeySpace, customer_id: str) -> dict[str, int]:
    """Every usage key of a customer, by feature and period."""
    start = keys.customer(customer_id).usage
    names = [
        name
        for name in raw(store).scan_iter(f"{keys.prefix}:*:u:*", count=1000)
        if name.decode().startswith(start)
    ]
    return {name.decode().removeprefix(start + ":"): int(raw(store).get(name)) for name in names}


@contextmanager
def running(
    store_url: str, prefix: str, front: str = "native", **settings: Any
) -> Iterator[Running]:
    """A server on a free port, closed at the end."""
    defaults = {"listen": "127.0.0.1:0", "store_timeout_ms": 5000, "shards": 8}
    config = Config(redis_url=store_url, prefix=prefix, front=front, **(defaults | settings))  # type: ignore[arg-type]
    made = Running(config)
    try:
        yield made
    finally:
        made.close()


class Refusal:
    """How a call failed: status, reason word and message."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details()
        trailers = dict(error.trailing_metadata() or ())
        self.reason = trailers.get("quotad-reason")

    def __repr__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.message}"


def refusal(call: Callable[[], Any]) -> Refusal:
    """Make a call that must fail."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return Refusal(error)
    raise AssertionError(f"answered: {answer}")
