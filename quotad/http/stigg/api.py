"""What Stigg's calls are answered from, and the reads that several of them share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.decision import ConsumeRequest, Decision
from quotad.engine.shared import Granted
from quotad.errors import NotFound, QuotadError
from quotad.held import Because, Setting
from quotad.history import LOCAL
from quotad.http.stigg.entitlements import StiggEntitlements
from quotad.ids import check_id
from quotad.ledger import Taker
from quotad.model import Feature
from quotad.operations.customers import CustomerOperations
from quotad.operations.finding import FindingOperations
from quotad.operations.usage import UsageOperations
from quotad.records import StoredCustomer
from quotad.tokens.access import EVERYTHING, Access

STIGG, GRAPHQL = "stigg", "graphql"
"""As entries of the ledger name these edges."""


class StiggDecides(Protocol):
    """What is needed of `quotad.operations.decisions.DecisionOperations`."""

    def decide(self, requests: Sequence[ConsumeRequest]) -> list[Decision | QuotadError]:
        """Decide a batch; one entry per request."""
        ...

    def act_for(self, taker: Taker) -> None:
        """Take what comes next for somebody's doing."""
        ...

    def set_usage(self, setting: Setting, because: Because) -> Decision:
        """Set what was used of one limit."""
        ...

    def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> tuple[Feature | None, Decision]:
        """What asking for one unit of a feature would be answered; None: no such feature."""
        ...

    def entitlements(self, customer_id: str, resource_id: str = "") -> Granted:
        """Everything a customer is entitled to."""
        ...


class StiggApi(msgspec.Struct, frozen=True):
    """The operations that calls are made of; for all threads."""

    customers: CustomerOperations
    finding: FindingOperations
    usage: UsageOperations
    decides: Callable[[], AbstractContextManager[StiggDecides]]
    """Lends what decides for as long as the context lasts."""
    newest: Callable[[], Snapshot]
    """The catalog in force."""
    clock: Clock
    actor: str = LOCAL
    """Whose doing writes are."""
    access: Access = EVERYTHING
    """What the caller may do. Whatever calls name, it is checked where a customer is looked at."""
    edge: str = STIGG
    """Over which it came."""

    def by(self, actor: str, access: Access, edge: str = STIGG) -> "StiggApi":
        """Return the operations as those of a caller, whose doing its writes are."""
        return msgspec.structs.replace(
            self, customers=self.customers.by(actor), actor=actor, access=access, edge=edge
        )

    @contextmanager
    def lend(self) -> Iterator[StiggDecides]:
        """Have what decides for the caller for as long as the context lasts."""
        with self.decides() as decides:
            decides.act_for((self.access.name, self.edge))
            yield decides

    def of(
        self, customer_id: str | None, feature_id: str = "", resource_id: str = ""
    ) -> CustomerOperations:
        """Return what reads and writes a customer; None: many.

        Raises:
            InvalidRequest: an id is of a form that none can have.
            PermissionDenied: the caller's token does not cover it, or not the feature.
        """
        if customer_id is not None:
            check_id(customer_id, "customer_id")
        if feature_id:
            check_id(feature_id, "feature_id")
        if resource_id:
            check_id(resource_id, "resource_id")
        if self.access.scoped:
            self.access.check_covers(customer_id, feature_id)
        return self.customers

    def entitlements(
        self, customer_id: str, resource_id: str | None = None, feature_id: str = ""
    ) -> StiggEntitlements:
        """Read what a customer, or a resource of it, may use.

        Args:
            customer_id: whose.
            resource_id: of the resource; empty or None: of the customer.
            feature_id: the only one that is looked at; empty: all are.

        Raises:
            PermissionDenied: the caller's token does not cover them.
        """
        resource_id = resource_id or ""
        self.of(customer_id, feature_id, resource_id)
        # Before it is read: a copy must not look newer than what was written after it was read.
        now_ms = self.clock.now_ms()
        with self.lend() as decides:
            granted = decides.entitlements(customer_id, resource_id)
        return StiggEntitlements(customer_id, resource_id, granted, now_ms)

    def customer(self, customer_id: str) -> StoredCustomer | None:
        """Read a customer; None: it was never provisioned."""
        try:
            return self.of(customer_id).get(customer_id)
        except NotFound:
            return None
