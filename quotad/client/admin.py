"""The admin service from Python: catalogs, customers, status; for the command line and scripts.

Reads are retried when no server answers. Writes are not: the caller looks up whether one happened.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from quotad.client import auditing, catalogs, customers, ledger, status, usage
from quotad.client.admin_aio import AsyncAdminClient
from quotad.client.auditing import CounterAudit, UsageAuditPage
from quotad.client.blocking import Connected, Connection
from quotad.client.building import checked
from quotad.client.calls import Policy, retried
from quotad.client.catalogs import (
    ApplyTo,
    CatalogChange,
    CatalogDiff,
    CatalogDocument,
    CatalogFile,
    CatalogVersion,
    Publication,
)
from quotad.client.customer_admin import CustomerAdmin
from quotad.client.customer_finding import PAGE_MAX
from quotad.client.customers import (
    Correction,
    Customer,
    CustomerEdit,
    CustomerPage,
    CustomerRollback,
    CustomerUsage,
    Erasure,
    FeatureInsights,
    Override,
    Promotion,
    SeenCustomer,
    Subscription,
    Trial,
    Usage,
    UsagePage,
)
from quotad.client.ledger import LedgerLine, LedgerPage, LostLines
from quotad.client.status import ServerStatus
from quotad.client.token_admin import TokenAdmin
from quotad.client.tokens import MadeToken, Token
from quotad.client.transfer import Transfer
from quotad.client.usage_aio import AsyncUsageClient
from quotad.client.webhook_admin import WebhookAdmin
from quotad.client.webhooks import MadeWebhook, Webhook, WebhookTry
from quotad.v1 import admin_pb2 as pb
from quotad.v1.admin_pb2_grpc import AdminServiceStub

__all__ = [
    "AdminClient",
    "AsyncAdminClient",
    "AsyncUsageClient",
    "CatalogChange",
    "CatalogDiff",
    "CatalogDocument",
    "CatalogFile",
    "CatalogVersion",
    "Correction",
    "CounterAudit",
    "Customer",
    "CustomerEdit",
    "CustomerPage",
    "CustomerRollback",
    "CustomerUsage",
    "Erasure",
    "FeatureInsights",
    "LedgerLine",
    "LedgerPage",
    "LostLines",
    "MadeToken",
    "MadeWebhook",
    "Override",
    "Promotion",
    "Publication",
    "SeenCustomer",
    "ServerStatus",
    "Subscription",
    "Token",
    "Trial",
    "Usage",
    "UsageAuditPage",
    "UsagePage",
    "Webhook",
    "WebhookTry",
]


SMALL_BYTES = 16 * 1024
"""Largest catalog that is checked and compared in a moment."""

CATALOG_TIMEOUT_S = 120.0
"""How long a larger one is waited for, and every publish: it waits for all servers and for other
publishers. A server gives up before."""


class AdminClient(CustomerAdmin, TokenAdmin, WebhookAdmin, Connected):
    """Administers a quotad server.

    Args:
        address: HOST:PORT, `unix:PATH`, or several: `ipv4:IP:PORT,IP:PORT`.
        timeout: seconds that one call may take, all its tries together; a publish, a rollback, and
            comparing a catalog of more than 16 KiB may take 120.
        retries: further tries of a read after UNAVAILABLE.
        credentials: for TLS; without them the connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.
        token: as `quotad tokens create` has printed it, where the server asks for one.

    Every method raises a QuotaError when its call fails; NOT_FOUND, ABORTED (a lost
    compare-and-set) and FAILED_PRECONDITION (another epoch than `if_epoch`) arrive as a
    QuotaServerError with that `code`.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 5.0,
        retries: int = 2,
        credentials: Any = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        token: str = "",
    ) -> None:
        self._read = Policy(timeout_s=timeout, retries=retries)
        self._write = Policy(timeout_s=timeout, retries=0)
        self._publish = Policy(timeout_s=max(timeout, CATALOG_TIMEOUT_S), retries=0)
        self._connection = Connection(
            address, AdminServiceStub, credentials, channel_options, token=token
        )
        self.transfer = Transfer(self._connection, self._read)
        """Customers in bulk: import and export."""

    def publish(
        self,
        files: Sequence[CatalogFile],
        *,
        expected_version: int | None = None,
        published_by: str = "",
        apply_to: ApplyTo | None = None,
        comment: str = "",
    ) -> Publication:
        """Publish a whole catalog; content already in force is a no-op.

        Args:
            files: the plan files, together one catalog.
            expected_version: publish only while this version is in force.
            published_by: free text for the history.
            apply_to: which customers get changed plans: "all" on them, or "new" subscriptions
                only; None: as each plan states, all by default.
            comment: why, for the history.
        """
        request = checked(
            pb.PublishCatalogRequest,
            files=catalogs.files(files),
            expected_version=expected_version,
            published_by=published_by,
            apply_to=catalogs.apply_to(apply_to),
            comment=comment,
        )
        return catalogs.publication(self._send(self._publish, "PublishCatalog", request))

    def rollback(self, version: int, *, published_by: str = "", comment: str = "") -> Publication:
        """Publish the content of an earlier version as a new version."""
        request = checked(
            pb.RollbackCatalogRequest, version=version, published_by=published_by, comment=comment
        )
        return catalogs.publication(self._call(self._publish, "RollbackCatalog", request))

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
        answer = self._send(self._read, "DiffCatalog", request)
        return CatalogDiff(
            version=catalogs.version(answer.version),
            changes=catalogs.changes(answer.changes),
            changes_count=max(answer.changes_count, len(answer.changes)),
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

    def insights(self, feature_id: str = "", size: int = 10) -> tuple[FeatureInsights, ...]:
        """The customers furthest above their limits, and those nearest to them.

        Args:
            feature_id: of one feature; empty: of every metered one, in the catalog's order.
            size: most customers per list, at most 100.
        """
        return self._connection.run(usage.insights(self._read, feature_id, size))

    def usage(
        self, customer_id: str = "", *, feature_id: str = "", month: str = ""
    ) -> Iterator[Usage]:
        """What customers have used; fetched page by page as asked for.

        Args:
            customer_id: one customer, also without a record; empty: every one that has one.
            feature_id: of one feature; empty: of every metered one.
            month: `2026-10`: of the periods that start in it, as far as the feature's
                `usage_history` has kept them; empty: of the periods under way.
        """
        token = ""
        while True:
            page = self.usage_page(
                customer_id, feature_id=feature_id, month=month, token=token, size=PAGE_MAX
            )
            yield from page.usage
            token = page.next_token
            if not token:
                return

    def usage_page(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        month: str = "",
        token: str = "",
        size: int = 50,
    ) -> UsagePage:
        """What the customers of one page have used, to go on from it later.

        Args:
            customer_id: as of `usage`, and so are the next two.
            feature_id: see there.
            month: see there.
            token: of the page before; empty: the first one.
            size: most customers, at most 1,000; fewer where they have many counters.
        """
        return self._connection.run(
            usage.page(self._read, customer_id, feature_id, month, token, size)
        )

    def ledger_page(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        reason: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        position: str = "",
        size: int = 50,
        newest_first: bool = False,
        from_now: bool = False,
        denied_only: bool = False,
        verb: str = "",
        with_changes: bool = False,
    ) -> LedgerPage:
        """A page of what was counted of ledgered features, and denied where that is noted.

        Args:
            customer_id: of one customer; empty: of all.
            feature_id: of one feature; empty: of any.
            reason: of a decision, such as `LIMIT_EXCEEDED`; empty: any.
            since: None: from the oldest that is kept on.
            until: without those from then on.
            position: of the page before, with the same filters and order; empty: the first page.
            size: entries of a page, about; at most 1,000.
            newest_first: else the oldest first.
            from_now: without a position: none of those that are there, only the position behind
                them.
            denied_only: without what was counted.
            verb: as of entries; empty: any but `change`.
            with_changes: without a verb: writes by admins as well.
        """
        wanted = {
            "customer_id": customer_id,
            "feature_id": feature_id,
            "reason": reason,
            "since": since,
            "until": until,
            "position": position,
            "size": size,
            "newest_first": newest_first,
            "from_now": from_now,
            "denied_only": denied_only,
            "verb": verb,
            "with_changes": with_changes,
        }
        return self._connection.run(ledger.page(self._read, wanted))

    def audit_usage(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        token: str = "",
        since: datetime | None = None,
    ) -> UsageAuditPage:
        """Compare counters of the periods under way with the ledger; a page may take minutes.

        Args:
            customer_id: of one customer; empty: of all that the ledger has.
            feature_id: of one feature; empty: of all that are ledgered.
            token: of the page before; empty: the first one.
            since: from when on the archive is read; None: of the last day.
        """
        return self._connection.run(
            auditing.audit(self._read, (customer_id, feature_id, token, since))
        )

    def rebuild_usage(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        token: str = "",
        since: datetime | None = None,
        apply: bool = False,
        reason: str = "",
        actor: str = "",
    ) -> UsageAuditPage:
        """Bring counters that differ back to the ledger, or only find them.

        Args:
            customer_id: as of `audit_usage`, and so are the next three.
            feature_id: see there.
            token: see there.
            since: see there.
            apply: else nothing is written.
            reason: why, kept among the customers' corrections.
            actor: whose doing it is, kept there.
        """
        wanted = (customer_id, feature_id, token, since)
        return self._connection.run(auditing.rebuild(self._write, wanted, apply, (reason, actor)))

    def corrections(self, customer_id: str, limit: int = 50) -> tuple[Correction, ...]:
        """The latest corrections of what a customer has used, the newest first.

        Args:
            customer_id: whose.
            limit: most of them; 100 are kept.
        """
        request = checked(pb.ListCorrectionsRequest, customer_id=customer_id, page_size=limit)
        answer = self._call(self._read, "ListCorrections", request)
        return tuple(customers.correction(each) for each in answer.corrections)

    def status(self) -> ServerStatus:
        """How the worker is that answers."""
        answer = self._call(self._read, "GetStatus", pb.GetStatusRequest())
        return status.server_status(answer)

    def _send(self, policy: Policy, method: str, request: Any) -> Any:
        """Send files, in parts if they are too large for one message."""
        parts = catalogs.parts(request)
        if request.ByteSize() > SMALL_BYTES:
            policy = msgspec.structs.replace(policy, timeout_s=self._publish.timeout_s)
        if len(parts) == 1:
            return self._call(policy, method, request)
        return self._call(policy, f"{method}Parts", parts)

    def _call(self, policy: Policy, method: str, request: Any) -> Any:
        return self._connection.run(retried(policy, method, request))
