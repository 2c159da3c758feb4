"""The admin service of the fake server: catalogs in a list and customers in a dictionary."""

import json
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from quotad.v1 import admin_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceServicer

RESETS_AT = datetime(2030, 1, 1, tzinfo=UTC)
STARTED_AT = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


class Fail(Exception):
    """What the next call answers instead of a decision."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        *,
        counted: bool = False,
        retry_after: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason
        self.counted = counted
        """Whether the quantity was taken all the same, as when an answer is lost on its way."""
        self.retry_after = retry_after
        """How long the caller is asked to wait (ms)."""

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """What leaves with the status."""
        named = (("quotad-reason", self.reason), ("quotad-retry-after-ms", self.retry_after))
        return tuple((key, value) for key, value in named if value)


class FakeAdmin(AdminServiceServicer):
    """Catalog versions in a list and customers in a dictionary."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.patience_s: list[float] = []
        """How long the caller of each request would wait."""
        self.failures: deque[Fail] = deque()
        self.documents: list[dict[str, Any]] = [{"version": 1, "plans": {"free": {}}}]
        self.published_by = ["sidecar"]
        self.comments = [""]
        self.customers: dict[str, Any] = {}
        self.insights: list[admin_pb2.FeatureInsights] = []
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
        return self._publish(document, request)

    def RollbackCatalog(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return self._publish(self.documents[self._known(request.version, context) - 1], request)

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
        phase = admin_pb2.Subscription(
            plan_id=request.plan_id,
            start=start,
            subscription_id=request.subscription_id,
            resource_id=request.resource_id,
            revision=1,
            addons=request.addons,
            end=request.end if request.HasField("end") else None,
            anchor=request.anchor if request.HasField("anchor") else start,
            status=admin_pb2.SUBSCRIPTION_STATUS_ACTIVE,
        )
        phases = [phase]
        if request.HasField("trial"):
            then = admin_pb2.Subscription()
            then.CopyFrom(phase)
            then.start.CopyFrom(request.trial.end)
            then.plan_id = request.trial.plan_id or request.plan_id
            then.status = admin_pb2.SUBSCRIPTION_STATUS_SCHEDULED
            phase.end.CopyFrom(request.trial.end)
            phase.status = admin_pb2.SUBSCRIPTION_STATUS_IN_TRIAL
            phases += [then] if request.trial.then != admin_pb2.Trial.THEN_END else []
        others = [
            each
            for each in (known.subscriptions if known else [])
            if (each.subscription_id, each.resource_id)
            != (request.subscription_id, request.resource_id)
        ]
        self.customers[request.customer_id] = admin_pb2.Customer(
            customer_id=request.customer_id,
            status=admin_pb2.CUSTOMER_STATUS_ACTIVE,
            subscriptions=[*others, *phases],
            epoch=known.epoch + 1 if known else 1,
            created_at=STARTED_AT,
            updated_at=STARTED_AT,
            overrides=known.overrides if known else [],
            promotions=known.promotions if known else [],
            name=request.name,
        )
        return self.customers[request.customer_id]

    def ChangeSubscription(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        phase = customer.subscriptions[0]
        if request.when == admin_pb2.WHEN_PERIOD_END:
            phase.end.FromDatetime(RESETS_AT)
            phase = customer.subscriptions.add()
            phase.CopyFrom(customer.subscriptions[0])
            phase.ClearField("end")
            phase.start.FromDatetime(RESETS_AT)
            phase.status = admin_pb2.SUBSCRIPTION_STATUS_SCHEDULED
        phase.plan_id = request.plan_id or phase.plan_id
        phase.revision += request.latest_revision
        if request.HasField("addons"):
            phase.addons.clear()
            phase.addons.update(request.addons.quantities)
        return customer

    def CancelSubscription(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        phase = customer.subscriptions[0]
        if request.when == admin_pb2.WHEN_PERIOD_END:
            phase.end.FromDatetime(RESETS_AT)
        else:
            phase.end.FromDatetime(STARTED_AT)
            phase.status = admin_pb2.SUBSCRIPTION_STATUS_ENDED
        return customer

    def SetOverride(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        self._drop(customer.overrides, request)
        customer.overrides.add(
            feature_id=request.feature_id,
            resource_id=request.resource_id,
            entitlement=request.entitlement,
        )
        return customer

    def RemoveOverride(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        self._drop(customer.overrides, request)
        return customer

    def GrantPromotion(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        self._drop(customer.promotions, request)
        customer.promotions.add(
            feature_id=request.feature_id,
            resource_id=request.resource_id,
            entitlement=request.entitlement,
            end=request.end if request.HasField("end") else None,
        )
        return customer

    def RevokePromotion(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        self._drop(customer.promotions, request)
        return customer

    def GetInsights(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        return admin_pb2.GetInsightsResponse(
            features=[
                each
                for each in self.insights
                if not request.feature_id or each.feature_id == request.feature_id
            ]
        )

    def _drop(self, entries: Any, request: Any) -> None:
        """Take out what there is of the request's feature and resource."""
        for index, each in enumerate(entries):
            if (each.feature_id, each.resource_id) == (request.feature_id, request.resource_id):
                del entries[index]
                return

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

    def UpdateCustomer(self, request: Any, context: Any) -> Any:
        self._received(request, context)
        customer = self._customer(request.customer_id, context)
        customer.name, customer.email = request.name, request.email
        for key, text in request.metadata.items():
            customer.metadata[key] = text
        return customer

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
            store_warnings=["the store has no append-only file"],
        )

    def _received(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.patience_s.append(context.time_remaining())
        if self.failures:
            self._abort(context, self.failures.popleft())

    def _abort(self, context: Any, failure: Fail) -> None:
        context.set_trailing_metadata(failure.trailers)
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

    def _publish(self, document: dict[str, Any], request: Any) -> Any:
        self.documents.append(document)
        self.published_by.append(request.published_by)
        self.comments.append(request.comment)
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
            comment=self.comments[number - 1],
        )
