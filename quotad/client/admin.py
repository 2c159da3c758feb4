"""The admin service from Python: catalogs, customers, status; for the command line and scripts.

Reads are tried again when nobody answers. Writes are not: whether one happened is for the caller
to look up.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from quotad.client import catalogs, customers, status
from quotad.client.blocking import Connection
from quotad.client.calls import Policy, checked, retried
from quotad.client.catalogs import (
    ApplyTo,
    CatalogChange,
    CatalogDiff,
    CatalogDocument,
    CatalogFile,
    CatalogVersion,
    Publication,
)
from quotad.client.customers import (
    Customer,
    CustomerUsage,
    FeatureInsights,
    Override,
    Promotion,
    Subscription,
    Trial,
    When,
)
from quotad.client.messages import value
from quotad.client.status import ServerStatus
from quotad.client.transfer import Transfer
from quotad.model import BATCH_MAX
from quotad.v1 import admin_pb2 as pb
from quotad.v1.admin_pb2_grpc import AdminServiceStub

__all__ = [
    "AdminClient",
    "CatalogChange",
    "CatalogDiff",
    "CatalogDocument",
    "CatalogFile",
    "CatalogVersion",
    "Customer",
    "CustomerUsage",
    "FeatureInsights",
    "Override",
    "Promotion",
    "Publication",
    "ServerStatus",
    "Subscription",
    "Trial",
]

PAGE_MAX = BATCH_MAX
"""Most items that one list call returns."""


class AdminClient:
    """Administers a quotad server.

    Args:
        address: HOST:PORT, or `unix:PATH`.
        timeout: seconds that one call may take, all its tries together.
        retries: further tries of a read after UNAVAILABLE.
        credentials: for TLS; without them the connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.

    Every method raises a QuotaError when its call fails; NOT_FOUND and ABORTED (a lost
    compare-and-set) arrive as a QuotaServerError with that `code`.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 5.0,
        retries: int = 2,
        credentials: Any = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._read = Policy(timeout_s=timeout, retries=retries)
        self._write = Policy(timeout_s=timeout, retries=0)
        self._connection = Connection(address, AdminServiceStub, credentials, channel_options)
        self.transfer = Transfer(self._connection, self._read)
        """Customers in bulk: import and export."""

    def publish(
        self,
        files: Sequence[CatalogFile],
        *,
        expected_version: int | None = None,
        published_by: str = "",
        apply_to: ApplyTo | None = None,
    ) -> Publication:
        """Publish a whole catalog; content already in force is a no-op.

        Args:
            files: the plan files, together one catalog.
            expected_version: publish only while this version is in force.
            published_by: free text for the history.
            apply_to: whom changed plans are for: "all" customers on them, or "new" subscriptions
                only; None: as the plans say, and all where they do not.
        """
        request = checked(
            pb.PublishCatalogRequest,
            files=catalogs.files(files),
            expected_version=expected_version,
            published_by=published_by,
            apply_to=catalogs.apply_to(apply_to),
        )
        return catalogs.publication(self._call(self._write, "PublishCatalog", request))

    def rollback(self, version: int, *, published_by: str = "") -> Publication:
        """Publish the content of an earlier version as a new version."""
        request = checked(pb.RollbackCatalogRequest, version=version, published_by=published_by)
        return catalogs.publication(self._call(self._write, "RollbackCatalog", request))

    def diff(self, files: Sequence[CatalogFile], apply_to: ApplyTo | None = None) -> CatalogDiff:
        """What would change if these files were published.

        Args:
            files: the plan files, together one catalog.
            apply_to: as it would be given to `publish`.
        """
        request = checked(
            pb.DiffCatalogRequest,
            files=catalogs.files(files),
            apply_to=catalogs.apply_to(apply_to),
        )
        answer = self._call(self._read, "DiffCatalog", request)
        return CatalogDiff(
            version=catalogs.version(answer.version), changes=catalogs.changes(answer.changes)
        )

    def catalog(self, version: int | None = None) -> CatalogDocument:
        """One version with its content; without a number, the one in force."""
        request = checked(pb.GetCatalogRequest, version=version)
        answer = self._call(self._read, "GetCatalog", request)
        document = msgspec.json.decode(answer.document)
        return CatalogDocument(version=catalogs.version(answer.version), document=document)

    def history(self, limit: int = 50) -> tuple[CatalogVersion, ...]:
        """Published versions, newest first, at most 1,000."""
        request = checked(pb.ListCatalogVersionsRequest, page_size=min(limit, PAGE_MAX))
        answer = self._call(self._read, "ListCatalogVersions", request)
        return tuple(catalogs.version(version) for version in answer.versions)

    def provision(
        self,
        customer_id: str,
        plan_id: str,
        start: datetime | None = None,
        *,
        subscription_id: str = "",
        resource_id: str = "",
        addons: Mapping[str, int] | None = None,
        end: datetime | None = None,
        anchor: datetime | None = None,
        trial: Trial | None = None,
    ) -> Customer:
        """Create the customer or put its subscription on a plan; brings an archived one back.

        Args:
            customer_id: whom.
            plan_id: which plan.
            start: when the subscription starts (as all times, UTC without a time zone); without it a
                new one starts now and a known one keeps its start.
            subscription_id: sets several of one customer apart.
            resource_id: what of the customer's it is for; empty: the customer itself.
            addons: quantity by add-on.
            end: when it ends; without it, it goes on.
            anchor: what its billing periods are aligned to; without it the start.
            trial: it starts with this trial.
        """
        request = checked(
            pb.ProvisionCustomerRequest,
            customer_id=customer_id,
            plan_id=plan_id,
            start=start,
            subscription_id=subscription_id,
            resource_id=resource_id,
            addons=addons,
            end=end,
            anchor=anchor,
            trial=trial and customers.trial(trial),
        )
        return self._write_customer("ProvisionCustomer", request)

    def change_subscription(
        self,
        customer_id: str,
        plan_id: str = "",
        *,
        addons: Mapping[str, int] | None = None,
        latest_revision: bool = False,
        when: When = "now",
        subscription_id: str = "",
        resource_id: str = "",
    ) -> Customer:
        """Change a subscription; replaces a change that still waits.

        Args:
            customer_id: whose.
            plan_id: the plan from then on; empty: stays.
            addons: all add-ons from then on; None: stay.
            latest_revision: move to the latest revision of the plan.
            when: "now", or "period-end" of the billing period under way.
            subscription_id: which of the customer's.
            resource_id: what of the customer's it is for.
        """
        request = checked(
            pb.ChangeSubscriptionRequest,
            customer_id=customer_id,
            subscription_id=subscription_id,
            resource_id=resource_id,
            plan_id=plan_id,
            addons=None if addons is None else checked(pb.AddOns, quantities=addons),
            latest_revision=latest_revision,
            when=customers.when(when),
        )
        return self._write_customer("ChangeSubscription", request)

    def cancel_subscription(
        self,
        customer_id: str,
        *,
        when: When = "now",
        subscription_id: str = "",
        resource_id: str = "",
    ) -> Customer:
        """End a subscription, "now" or at the "period-end"; takes back what still waits."""
        request = checked(
            pb.CancelSubscriptionRequest,
            customer_id=customer_id,
            subscription_id=subscription_id,
            resource_id=resource_id,
            when=customers.when(when),
        )
        return self._write_customer("CancelSubscription", request)

    def set_override(
        self, customer_id: str, feature_id: str, entitlement: object, *, resource_id: str = ""
    ) -> Customer:
        """Say what the customer has of a feature instead of everything else.

        Args:
            customer_id: whose.
            feature_id: of which feature.
            entitlement: as a catalog spells it: True, "email", "unlimited", {"limit": 5000,
                "per": "month"}. False revokes. A limit without "per" keeps the window of the
                entitlement that it replaces.
            resource_id: only for this resource; empty: for the customer and its resources
                without one of their own.
        """
        request = checked(
            pb.SetOverrideRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            entitlement=value("entitlement", entitlement),
        )
        return self._write_customer("SetOverride", request)

    def remove_override(
        self, customer_id: str, feature_id: str, *, resource_id: str = ""
    ) -> Customer:
        """Let the customer have of a feature what its subscriptions grant again."""
        request = checked(
            pb.RemoveOverrideRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
        )
        return self._write_customer("RemoveOverride", request)

    def grant_promotion(
        self,
        customer_id: str,
        feature_id: str,
        entitlement: object,
        *,
        end: datetime | None = None,
        resource_id: str = "",
    ) -> Customer:
        """Give the customer more of a feature for a time; granting again replaces.

        Args:
            customer_id: whom.
            feature_id: of which feature.
            entitlement: as of `set_override`, but not False. It counts where it is more than the
                rest.
            end: until when; without it, until it is revoked.
            resource_id: only for this resource; empty: for the customer and all its resources.
        """
        request = checked(
            pb.GrantPromotionRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            entitlement=value("entitlement", entitlement),
            end=end,
        )
        return self._write_customer("GrantPromotion", request)

    def revoke_promotion(
        self, customer_id: str, feature_id: str, *, resource_id: str = ""
    ) -> Customer:
        """Take a promotion back."""
        request = checked(
            pb.RevokePromotionRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
        )
        return self._write_customer("RevokePromotion", request)

    def customer(self, customer_id: str) -> Customer:
        """One customer."""
        request = checked(pb.GetCustomerRequest, customer_id=customer_id)
        return customers.customer(self._call(self._read, "GetCustomer", request))

    def customers(self, page_size: int = PAGE_MAX) -> Iterator[Customer]:
        """Every customer, by shard, then by id; fetched page by page as they are asked for."""
        token = ""
        while True:
            request = pb.ListCustomersRequest(page_size=min(page_size, PAGE_MAX), page_token=token)
            answer = self._call(self._read, "ListCustomers", request)
            yield from map(customers.customer, answer.customers)
            token = answer.next_page_token
            if not token:
                return

    def archive(self, customer_id: str) -> Customer:
        """Deny everything until the customer is provisioned again; usage is kept."""
        request = checked(pb.ArchiveCustomerRequest, customer_id=customer_id)
        return self._write_customer("ArchiveCustomer", request)

    def insights(self, feature_id: str = "", size: int = 10) -> tuple[FeatureInsights, ...]:
        """Who is furthest above their limits, and who is nearest to them.

        Args:
            feature_id: of one feature; empty: of every metered one, in the catalog's order.
            size: most customers per list, at most 100.
        """
        request = checked(pb.GetInsightsRequest, feature_id=feature_id, size=size)
        answer = self._call(self._read, "GetInsights", request)
        return tuple(customers.insights(feature) for feature in answer.features)

    def status(self) -> ServerStatus:
        """How the worker is that answers."""
        answer = self._call(self._read, "GetStatus", pb.GetStatusRequest())
        return status.server_status(answer)

    def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._connection.close()

    def _write_customer(self, method: str, request: Any) -> Customer:
        return customers.customer(self._call(self._write, method, request))

    def _call(self, policy: Policy, method: str, request: Any) -> Any:
        return self._connection.run(retried(policy, method, request))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AdminClient({self._connection.address!r})"
