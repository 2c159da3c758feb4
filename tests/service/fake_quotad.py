"""A quotad server for tests of clients: the generated services over counters in a dictionary.

It decides simply (one limit per feature) and fails on demand. Not a test of the server.
"""

import json
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from quotad.v1 import admin_pb2, quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from quotad.v1.quota_pb2_grpc import QuotaServiceServicer, add_QuotaServiceServicer_to_server

RESETS_AT = datetime(2030, 1, 1, tzinfo=UTC)
STARTED_AT = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


class Fail(Exception):
    """What the next call answers instead of a decision."""

    def __init__(
        self, code: grpc.StatusCode, message: str, reason: str = "", *, counted: bool = False
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason
        self.counted = counted
        """Whether the quantity was taken all the same, as when an answer is lost on its way."""


UNAVAILABLE = Fail(grpc.StatusCode.UNAVAILABLE, "the store is away", "STORE_UNAVAILABLE")


class FakeQuota(QuotaServiceServicer):
    """Metered features with one hard limit each; unknown features are denied."""

    def __init__(self) -> None:
        self.limits = {"api-calls": 100, "bandwidth": 10**12, "seats": 3}
        self.used: Counter[tuple[str, str]] = Counter()
        self.requests: list[Any] = []
        """Every message received, in order."""
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
        self._lock = threading.Lock()

    def CheckAndConsume(self, request: Any, context: Any) -> Any:
        self.hold.wait(10)
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: self._decide(request))
            return self._decide(request)

    def BatchCheckAndConsume(self, request: Any, context: Any) -> Any:
        self.hold.wait(10)
        with self._lock:
            self.requests.append(request)
            self._fail(context, lambda: [self._decide(each) for each in request.requests])
            return quota_pb2.BatchCheckAndConsumeResponse(
                results=[self._result(each) for each in request.requests]
            )

    def GetEntitlement(self, request: Any, context: Any) -> Any:
        with self._lock:
            self.requests.append(request)
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

    def _fail(self, context: Any, count: Any) -> None:
        if not self.failures:
            return
        failure = self.failures.popleft()
        if failure.counted:
            count()
        if failure.reason:
            context.set_trailing_metadata((("quotad-reason", failure.reason),))
        context.abort(failure.code, failure.message)

    def _result(self, request: Any) -> Any:
        failures = self.item_failures.get(request.customer_id)
        if failures:
            failure = failures.popleft()
            return quota_pb2.BatchResult(
                error=quota_pb2.Error(
                    code=failure.code.value[0], reason=failure.reason, message=failure.message
                )
            )
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


class FakeAdmin(AdminServiceServicer):
    """Catalog versions in a list and customers in a dictionary."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.failures: deque[Fail] = deque()
        self.documents: list[dict[str, Any]] = [{"version": 1, "plans": {"free": {}}}]
        self.published_by = ["sidecar"]
        self.customers: dict[str, Any] = {}
        self.changes = [
            admin_pb2.CatalogChange(
                path="plans.free.entitlements.api-calls.limit", before="1000", after="2000"
            ),
            admin_pb2.CatalogChange(path="plans.team", after='{"extends":"free"}'),
            admin_pb2.CatalogChange(path="features.old", before='{"type":"boolean"}'),
        ]

    def PublishCatalog(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        in_force = len(self.documents)
        if request.HasField("expected_version") and request.expected_version != in_force:
            message = f"version {in_force} is in force, not {request.expected_version}"
            self._abort(context, Fail(grpc.StatusCode.ABORTED, message, "CONFLICT"))
        document = {"files": [file.name for file in request.files]}
        if document == self.documents[-1]:
            return admin_pb2.PublishCatalogResponse(
                outcome=admin_pb2.PublishCatalogResponse.OUTCOME_UNCHANGED,
                version=self._version(in_force),
            )
        return self._publish(document, request.published_by)

    def RollbackCatalog(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return self._publish(
            self.documents[self._known(request.version, context) - 1], request.published_by
        )

    def GetCatalog(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        number = request.version if request.HasField("version") else len(self.documents)
        return admin_pb2.GetCatalogResponse(
            version=self._version(self._known(number, context)),
            document=json.dumps(self.documents[number - 1]),
        )

    def ListCatalogVersions(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        newest = range(len(self.documents), 0, -1)
        return admin_pb2.ListCatalogVersionsResponse(
            versions=[self._version(number) for number in newest][: request.page_size or 50]
        )

    def DiffCatalog(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return admin_pb2.DiffCatalogResponse(
            version=self._version(len(self.documents)), changes=self.changes
        )

    def ProvisionCustomer(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        start = request.start if request.HasField("start") else STARTED_AT
        known = self.customers.get(request.customer_id)
        self.customers[request.customer_id] = admin_pb2.Customer(
            customer_id=request.customer_id,
            status=admin_pb2.CUSTOMER_STATUS_ACTIVE,
            subscriptions=[admin_pb2.Subscription(plan_id=request.plan_id, start=start)],
            epoch=known.epoch + 1 if known else 1,
            created_at=STARTED_AT,
            updated_at=STARTED_AT,
        )
        return self.customers[request.customer_id]

    def GetCustomer(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return self._customer(request.customer_id, context)

    def ListCustomers(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        ids = sorted(self.customers)
        first = int(request.page_token or 0)
        after = first + (request.page_size or 50)
        return admin_pb2.ListCustomersResponse(
            customers=[self.customers[each] for each in ids[first:after]],
            next_page_token=str(after) if after < len(ids) else "",
        )

    def ArchiveCustomer(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        customer.status = admin_pb2.CUSTOMER_STATUS_ARCHIVED
        return customer

    def GetStatus(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return admin_pb2.GetStatusResponse(
            server_version="0.1.0",
            ready=True,
            catalog=self._version(len(self.documents)),
            store="redis://127.0.0.1:6379/0",
            store_up=True,
            started_at=STARTED_AT,
            pid=4242,
            front="native",
            decisions={"WITHIN_LIMIT": 12345, "LIMIT_EXCEEDED": 678},
            cached_customers=1753,
        )

    def _received(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        if self.failures:
            self._abort(context, self.failures.popleft())

    def _abort(self, context: Any, failure: Fail) -> None:
        if failure.reason:
            context.set_trailing_metadata((("quotad-reason", failure.reason),))
        context.abort(failure.code, failure.message)

    def _known(self, number: int, context: Any) -> int:
        if not 1 <= number <= len(self.documents):
            message = f"catalog version {number} does not exist"
            self._abort(context, Fail(grpc.StatusCode.NOT_FOUND, message, "NOT_FOUND"))
        return number

    def _customer(self, customer_id: str, context: Any) -> Any:
        if customer_id not in self.customers:
            message = f"customer {customer_id!r} does not exist"
            self._abort(context, Fail(grpc.StatusCode.NOT_FOUND, message, "NOT_FOUND"))
        return self.customers[customer_id]

    def _publish(self, document: dict[str, Any], published_by: str) -> Any:
        self.documents.append(document)
        self.published_by.append(published_by)
        return admin_pb2.PublishCatalogResponse(
            outcome=admin_pb2.PublishCatalogResponse.OUTCOME_PUBLISHED,
            version=self._version(len(self.documents)),
            changes=self.changes,
        )

    def _version(self, number: int) -> Any:
        return admin_pb2.CatalogVersion(
            version=number,
            digest=f"{number:064x}",
            published_at=STARTED_AT + timedelta(days=number),
            published_by=self.published_by[number - 1],
            in_force=number == len(self.documents),
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
