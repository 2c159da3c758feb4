"""The calls of the admin service that are about customers."""

from collections.abc import Callable, Iterable
from typing import Any

from quotad.catalog import Snapshot
from quotad.customers.overrides import (
    NewEntitlement,
    grant_promotion,
    remove_override,
    revoke_promotion,
    set_override,
)
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    Trial,
    archive,
    cancel_subscription,
    change_subscription,
    provision,
)
from quotad.errors import InvalidRequest, NotFound
from quotad.ids import check_id, check_name
from quotad.model import CustomerRecord, StoredCustomer
from quotad.operations.pages import page_size
from quotad.service.admin_parts import AdminParts, mapped
from quotad.service.customer_message import customer_message, plain_value
from quotad.service.encode import timestamp
from quotad.service.finding import find_customers
from quotad.service.leftovers import forget_outlived, lasting
from quotad.v1 import admin_pb2 as pb

SECONDS_MAX = 253_402_300_799
"""9999-12-31 23:59:59, where calendars end."""


class CustomerCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def ProvisionCustomer(self, request: pb.ProvisionCustomerRequest) -> pb.Customer:
        """Create the customer or change its plan."""
        check_id(request.customer_id, "customer_id")
        check_id(request.plan_id, "plan_id")
        _check_names(request, request.addons)
        wanted = Provision(
            request.plan_id,
            _moment(request, "start"),
            request.subscription_id,
            request.resource_id,
            dict(request.addons),
            _moment(request, "end"),
            _moment(request, "anchor"),
            _trial(request.trial) if request.HasField("trial") else None,
            request.name if request.HasField("name") else None,
        )
        check_name(request.name)
        snapshot, now_ms = self._parts.snapshots.newest(), self._parts.clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            record = before or CustomerRecord(request.customer_id)
            return provision(record, wanted, snapshot, now_ms)

        return self._write(request, change)

    @mapped
    def ChangeSubscription(self, request: pb.ChangeSubscriptionRequest) -> pb.Customer:
        """Change plan, add-ons or revision, now or later."""
        _check_names(request, request.addons.quantities)
        if request.plan_id:
            check_id(request.plan_id, "plan_id")
        wanted = Change(
            request.subscription_id,
            request.resource_id,
            request.plan_id,
            dict(request.addons.quantities) if request.HasField("addons") else None,
            request.latest_revision,
            _at_period_end(request.when),
        )
        return self._change(
            request,
            lambda record, snapshot, now_ms: change_subscription(record, wanted, snapshot, now_ms),
        )

    @mapped
    def CancelSubscription(self, request: pb.CancelSubscriptionRequest) -> pb.Customer:
        """End a subscription, now or later."""
        _check_names(request)
        wanted = Cancellation(
            request.subscription_id, request.resource_id, _at_period_end(request.when)
        )
        return self._change(
            request,
            lambda record, snapshot, now_ms: cancel_subscription(record, wanted, snapshot, now_ms),
        )

    @mapped
    def SetOverride(self, request: pb.SetOverrideRequest) -> pb.Customer:
        """Give the customer this of a feature instead of everything else."""
        wanted = _new_entitlement(request, None)
        return self._change(
            request,
            lambda record, snapshot, now_ms: set_override(record, wanted, snapshot, now_ms),
        )

    @mapped
    def RemoveOverride(self, request: pb.RemoveOverrideRequest) -> pb.Customer:
        """Let the customer have again what it has without the override."""
        named = _feature_of(request)
        return self._change(
            request, lambda record, _, now_ms: remove_override(record, *named, now_ms)
        )

    @mapped
    def GrantPromotion(self, request: pb.GrantPromotionRequest) -> pb.Customer:
        """Give the customer this of a feature for a time, where it is more than the rest."""
        wanted = _new_entitlement(request, _moment(request, "end"))
        return self._change(
            request,
            lambda record, snapshot, now_ms: grant_promotion(record, wanted, snapshot, now_ms),
        )

    @mapped
    def RevokePromotion(self, request: pb.RevokePromotionRequest) -> pb.Customer:
        """End a promotion now."""
        named = _feature_of(request)
        return self._change(
            request, lambda record, _, now_ms: revoke_promotion(record, *named, now_ms)
        )

    @mapped
    def GetCustomer(self, request: pb.GetCustomerRequest) -> pb.Customer:
        """A provisioned customer."""
        check_id(request.customer_id, "customer_id")
        stored = self._parts.customers.get(request.customer_id)
        if stored.record is None:
            raise _never_provisioned(request.customer_id)
        return self._message(stored)

    @mapped
    def ListCustomers(self, request: pb.ListCustomersRequest) -> pb.ListCustomersResponse:
        """A page of customers, or of those that are looked for."""
        parts = self._parts
        page = find_customers(parts.customers, parts.index, request, parts.clock.now_ms())
        return pb.ListCustomersResponse(
            customers=[self._message(stored) for stored in page.customers],
            next_page_token=page.next_token,
        )

    @mapped
    def ListSeenCustomers(
        self, request: pb.ListSeenCustomersRequest
    ) -> pb.ListSeenCustomersResponse:
        """A page of customers on the default plan that were never provisioned."""
        size, seen = page_size(request.page_size), self._parts.seen
        if request.id_prefix:
            check_id(request.id_prefix, "id_prefix")
        seen.noted.flush(self._parts.clock.now_ms())  # or it would be behind by seconds
        page = seen.store.page(request.id_prefix, request.page_token, size)
        return pb.ListSeenCustomersResponse(
            customers=[
                pb.SeenCustomer(customer_id=each.customer_id, seen_at=timestamp(each.seen_ms))
                for each in page.customers
            ],
            next_page_token=page.next_token,
        )

    @mapped
    def ArchiveCustomer(self, request: pb.ArchiveCustomerRequest) -> pb.Customer:
        """Deny everything from here on."""
        check_id(request.customer_id, "customer_id")
        now_ms = self._parts.clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            if before is None:
                raise _never_provisioned(request.customer_id)
            return archive(before, now_ms)

        return self._write(request, change)

    def _change(
        self,
        request: Any,
        made: Callable[[CustomerRecord, Snapshot, int], CustomerRecord],
    ) -> pb.Customer:
        """Write what is made of a provisioned customer with the catalog in force."""
        check_id(request.customer_id, "customer_id")
        snapshot, now_ms = self._parts.snapshots.newest(), self._parts.clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            if before is None:
                raise _never_provisioned(request.customer_id, "; provision it first")
            return made(before, snapshot, now_ms)

        return self._write(request, change)

    def _write(
        self, request: Any, change: Callable[[CustomerRecord | None], CustomerRecord]
    ) -> pb.Customer:
        """Write a customer, where its epoch is the one that the request expects, if any."""
        parts, customer_id = self._parts, request.customer_id
        overwritten: CustomerRecord | None = None

        def watched(before: CustomerRecord | None) -> CustomerRecord:
            nonlocal overwritten
            overwritten = before
            return change(before)

        kept = lasting(parts.snapshots.peek)
        stored = parts.customers.update(customer_id, watched, kept, expected_epoch(request))
        parts.views.drop(customer_id)
        forget_outlived(parts.customers, overwritten, stored.record, parts.snapshots.peek)
        return self._message(stored)

    def _message(self, stored: StoredCustomer) -> pb.Customer:
        parts = self._parts
        return customer_message(stored, parts.snapshots.peek, parts.clock.now_ms())


def _never_provisioned(customer_id: str, way_out: str = "") -> NotFound:
    return NotFound(f"customer_id: {customer_id!r} was never provisioned{way_out}")


def expected_epoch(request: Any) -> int | None:
    """The epoch that a write expects its customer to be at; None: any.

    Raises:
        InvalidRequest: it is below 0.
    """
    if not request.HasField("if_epoch"):
        return None
    if request.if_epoch < 0:
        raise InvalidRequest(
            f"if_epoch: {request.if_epoch} is no epoch; give the one that was read, 0 for no record"
        )
    return int(request.if_epoch)


def _check_names(request: Any, addons: Iterable[str] = ()) -> None:
    """Check the ids of a subscription, both of which may be empty, and of its add-ons."""
    for addon_id in addons:
        check_id(addon_id, "addons")
    for field in ("subscription_id", "resource_id"):
        if getattr(request, field):
            check_id(getattr(request, field), field)


def _feature_of(request: Any) -> tuple[str, str]:
    check_id(request.feature_id, "feature_id")
    if request.resource_id:
        check_id(request.resource_id, "resource_id")
    return request.feature_id, request.resource_id


def _new_entitlement(
    request: pb.SetOverrideRequest | pb.GrantPromotionRequest, end_ms: int | None
) -> NewEntitlement:
    feature_id, resource_id = _feature_of(request)
    if not request.HasField("entitlement"):
        raise InvalidRequest(
            'entitlement: missing; write it as a catalog does, such as {"limit": 5, "per": "day"}'
        )
    return NewEntitlement(feature_id, plain_value(request.entitlement), resource_id, end_ms)


def _trial(message: pb.Trial) -> Trial:
    end_ms = _moment(message, "end", "trial.")
    if end_ms is None:
        raise InvalidRequest("trial.end: missing; say when the trial is over")
    if message.then not in pb.Trial.Then.values():
        raise InvalidRequest(f"trial.then: {message.then} is not one this server knows")
    if message.plan_id:
        check_id(message.plan_id, "trial.plan_id")
    return Trial(end_ms, message.then == pb.Trial.THEN_END, message.plan_id)


def _at_period_end(when: int) -> bool:
    if when not in pb.When.values():
        raise InvalidRequest(f"when: {when} is not one this server knows")
    return when == pb.WHEN_PERIOD_END


def _moment(message: Any, field: str, prefix: str = "") -> int | None:
    """A time in Unix milliseconds; None: absent."""
    if not message.HasField(field):
        return None
    time = getattr(message, field)
    if not (0 <= time.seconds <= SECONDS_MAX and 0 <= time.nanos < 1_000_000_000):
        raise InvalidRequest(f"{prefix}{field}: must be a moment from 1970-01-01 to 9999-12-31")
    return int(time.seconds * 1000 + time.nanos // 1_000_000)
