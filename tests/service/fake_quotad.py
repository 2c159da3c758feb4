"""A quotad server for tests of clients: the generated services over counters in a dictionary.

It decides simply (one limit per feature) and fails on demand. Not a test of the server.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import grpc

from quotad.v1 import quota_pb2
from quotad.v1.admin_pb2_grpc import add_AdminServiceServicer_to_server
from quotad.v1.quota_pb2_grpc import QuotaServiceServicer, add_QuotaServiceServicer_to_server
from tests.service.fake_admin import RESETS_AT, Fail, FakeAdmin

__all__ = ["UNAVAILABLE", "Fail", "FakeQuota", "FakeServer", "fake_server"]

UNAVAILABLE = Fail(grpc.StatusCode.UNAVAILABLE, "the store is away", "STORE_UNAVAILABLE")


class FakeQuota(QuotaServiceServicer):
    """Metered features with one hard limit each; unknown features are denied."""

    def __init__(self) -> None:
        self.limits = {"api-calls": 100, "bandwidth": 10**12, "seats": 3}
        self.used: Counter[tuple[str, str]] = Counter()
        self.requests: list[Any] = []
        """Every message received, in order."""
        self.metadata: list[dict[str, Any]] = []
        """What came with each call of GetEntitlement."""
        self.failures: deque[Fail] = deque()
        """One for each of the next calls."""
        self.item_failures: dict[str, deque[Fail]] = {}
        """By customer: one for each of the next times it stands in a batch."""
        self.answers: dict[str, quota_pb2.CheckAndConsumeResponse] = {}
        self.more = quota_pb2.CheckAndConsumeResponse()
        """What every answer holds besides; the explanation only when it was asked for."""
        self.granted: list[quota_pb2.Entitlement] = []
        """What everybody is entitled to besides."""
        self.hold = threading.Event()
        """Cleared: calls wait until it is set."""
        self.hold.set()
        self.begun = 0
        """Messages that have arrived, those that wait among them."""
        self._lock = threading.Lock()

    def CheckAndConsume(self, request: Any, context: Any) -> Any:
        self._arrive()
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: self._decide(request))
            return self._decide(request)

    def BatchCheckAndConsume(self, request: Any, context: Any) -> Any:
        self._arrive()
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: [self._decide(each) for each in request.requests])
            return quota_pb2.BatchCheckAndConsumeResponse(
                results=[self._result(each) for each in request.requests]
            )

    def Refund(self, request: Any, context: Any) -> Any:
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: None)
            key = (request.customer_id, request.feature_id)
            granted = -min(request.quantity, self.used[key])
            self.used[key] += granted
            return quota_pb2.CheckAndConsumeResponse(
                allowed=True,
                reason=quota_pb2.REASON_WITHIN_LIMIT,
                granted=granted,
                limit=self.limits[request.feature_id],
                used=self.used[key],
                catalog_version=7,
            )

    def GetEntitlement(self, request: Any, context: Any) -> Any:
        with self._lock:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            self._fail(context, lambda: None)
            entitlement = self._entitlement(request.customer_id, request.feature_id)
            return quota_pb2.GetEntitlementResponse(entitlement=entitlement, catalog_version=7)

    def GetEntitlements(self, request: Any, context: Any) -> Any:
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: None)
            if request.customer_id == "gone":
                return quota_pb2.GetEntitlementsResponse(
                    customer_id="gone", denied_reason=quota_pb2.REASON_CUSTOMER_ARCHIVED
                )
            features = [self._entitlement(request.customer_id, feature) for feature in self.limits]
            return quota_pb2.GetEntitlementsResponse(
                customer_id=request.customer_id,
                plan_id="free",
                entitlements=[
                    *features,
                    quota_pb2.Entitlement(
                        feature_id="support",
                        feature_type=quota_pb2.FEATURE_TYPE_CONFIG,
                        allowed=True,
                        reason=quota_pb2.REASON_FEATURE_ENABLED,
                        value="community",
                    ),
                    *self.granted,
                ],
                catalog_version=7,
                resource_id=request.resource_id,
            )

    def _arrive(self) -> None:
        with self._lock:
            self.begun += 1
        self.hold.wait(10)

    def _fail(self, context: Any, count: Any) -> None:
        if not self.failures:
            return
        failure = self.failures.popleft()
        if failure.counted:
            count()
        context.set_trailing_metadata(failure.trailers)
        context.abort(failure.code, failure.message)

    def _result(self, request: Any) -> Any:
        failures = self.item_failures.get(request.customer_id)
        if failures:
            failure = failures.popleft()
            error = quota_pb2.Error(
                code=failure.code.value[0], reason=failure.reason, message=failure.message
            )
            if failure.retry_after:
                error.retry_after.FromMilliseconds(int(failure.retry_after))
            return quota_pb2.BatchResult(error=error)
        return quota_pb2.BatchResult(response=self._decide(request))

    def _decide(self, request: Any) -> Any:
        if request.idempotency_key and request.idempotency_key in self.answers:
            answer = quota_pb2.CheckAndConsumeResponse()
            answer.CopyFrom(self.answers[request.idempotency_key])
            answer.replayed = True
            return answer
        answer = self._count(request)
        if request.idempotency_key:
            self.answers[request.idempotency_key] = answer
        return answer

    def _count(self, request: Any) -> Any:
        limit = self.limits.get(request.feature_id)
        if limit is None:
            return quota_pb2.CheckAndConsumeResponse(
                reason=quota_pb2.REASON_FEATURE_NOT_FOUND, catalog_version=7
            )
        key = (request.customer_id, request.feature_id)
        allowed = 0 <= self.used[key] + request.quantity <= limit
        check_only = request.mode == quota_pb2.MODE_CHECK_ONLY
        granted = request.quantity if allowed and not check_only else 0
        self.used[key] += granted
        answer = quota_pb2.CheckAndConsumeResponse(
            allowed=allowed,
            reason=quota_pb2.REASON_WITHIN_LIMIT if allowed else quota_pb2.REASON_LIMIT_EXCEEDED,
            granted=granted,
            limit=limit,
            used=self.used[key],
            remaining=limit - self.used[key],
            resets_at=None if request.feature_id == "seats" else RESETS_AT,
            retry_after=None if allowed else timedelta(seconds=37.5),
            catalog_version=7,
        )
        answer.MergeFrom(self.more)
        if not request.explain:
            answer.ClearField("explanation")
        return answer

    def _entitlement(self, customer_id: str, feature_id: str) -> Any:
        limit = self.limits.get(feature_id)
        if limit is None:
            return quota_pb2.Entitlement(
                feature_id=feature_id, reason=quota_pb2.REASON_FEATURE_NOT_FOUND
            )
        used = self.used[customer_id, feature_id]
        gauge = feature_id == "seats"
        resets_at = None if gauge else RESETS_AT
        status = quota_pb2.LimitStatus(
            limit=limit,
            used=used,
            remaining=limit - used,
            per="" if gauge else "month",
            resets_at=resets_at,
        )
        return quota_pb2.Entitlement(
            feature_id=feature_id,
            feature_type=quota_pb2.FEATURE_TYPE_METERED,
            gauge=gauge,
            unit=feature_id.removesuffix("s").removeprefix("api-"),
            allowed=used < limit,
            reason=(
                quota_pb2.REASON_WITHIN_LIMIT if used < limit else quota_pb2.REASON_LIMIT_EXCEEDED
            ),
            limit=limit,
            used=used,
            remaining=limit - used,
            resets_at=resets_at,
            limits=[status],
        )


class FakeServer:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.quota = FakeQuota()
        self.admin = FakeAdmin()
        self._server = grpc.server(ThreadPoolExecutor(8))
        add_QuotaServiceServicer_to_server(self.quota, self._server)  # type: ignore[no-untyped-call]
        add_AdminServiceServicer_to_server(self.admin, self._server)  # type: ignore[no-untyped-call]
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        """Refuse connections from here on."""
        self.quota.hold.set()
        self._server.stop(None).wait()


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """A server for one test."""
    server = FakeServer()
    try:
        yield server
    finally:
        server.stop()
