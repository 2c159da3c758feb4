"""The calls of the admin service that are about customers."""

from typing import Any

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.errors import InvalidRequest
from quotad.history import CustomerChange
from quotad.operations.parts import AdminParts
from quotad.records import StoredCustomer
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.customer_message import customer_message, plain_value
from quotad.service.decode import moment
from quotad.service.encode import timestamp
from quotad.store.facets import Wanted
from quotad.v1 import admin_pb2 as pb


class CustomerCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def ProvisionCustomer(self, request: pb.ProvisionCustomerRequest, actor: str) -> pb.Customer:
        """Create the customer or change its plan."""
        wanted = Provision(
            request.plan_id,
            moment(request, "start"),
            request.subscription_id,
            request.resource_id,
            dict(request.addons),
            moment(request, "end"),
            moment(request, "anchor"),
            _trial(request.trial) if request.HasField("trial") else None,
            _profile(request),
            _unit_quantity(request),
            dict(request.subscription_external_ids),
        )
        customers = self._parts.customers.by(actor, request.comment)
        return self._message(customers.provision(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def UpdateCustomer(self, request: pb.UpdateCustomerRequest, actor: str) -> pb.Customer:
        """Change what the customer is known by."""
        customers = self._parts.customers.by(actor, request.comment)
        wanted = _profile(request)
        return self._message(customers.update(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def ChangeSubscription(self, request: pb.ChangeSubscriptionRequest, actor: str) -> pb.Customer:
        """Change plan, add-ons, units or revision, now or later."""
        wanted = Change(
            request.subscription_id,
            request.resource_id,
            request.plan_id,
            dict(request.addons.quantities) if request.HasField("addons") else None,
            request.latest_revision,
            _at_period_end(request.when),
            _unit_quantity(request),
        )
        change = self._parts.customers.by(actor, request.comment).change_subscription
        return self._message(change(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def CancelSubscription(self, request: pb.CancelSubscriptionRequest, actor: str) -> pb.Customer:
        """End a subscription, now or later."""
        wanted = Cancellation(
            request.subscription_id, request.resource_id, _at_period_end(request.when)
        )
        cancel = self._parts.customers.by(actor, request.comment).cancel_subscription
        return self._message(cancel(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def SetOverride(self, request: pb.SetOverrideRequest, actor: str) -> pb.Customer:
        """Give the customer this of a feature instead of everything else."""
        wanted = _new_entitlement(request, None)
        customers = self._parts.customers.by(actor, request.comment)
        return self._message(customers.set_override(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def RemoveOverride(self, request: pb.RemoveOverrideRequest, actor: str) -> pb.Customer:
        """Let the customer have again what it has without the override."""
        stored = self._parts.customers.by(actor, request.comment).remove_override(
            request.customer_id, request.feature_id, request.resource_id, if_epoch(request)
        )
        return self._message(stored)

    @mapped_write
    def GrantPromotion(self, request: pb.GrantPromotionRequest, actor: str) -> pb.Customer:
        """Give the customer this of a feature for a time, where it is more than the rest."""
        wanted = _new_entitlement(request, moment(request, "end"))
        grant = self._parts.customers.by(actor, request.comment).grant_promotion
        return self._message(grant(request.customer_id, wanted, if_epoch(request)))

    @mapped_write
    def RevokePromotion(self, request: pb.RevokePromotionRequest, actor: str) -> pb.Customer:
        """End a promotion now."""
        stored = self._parts.customers.by(actor, request.comment).revoke_promotion(
            request.customer_id, request.feature_id, request.resource_id, if_epoch(request)
        )
        return self._message(stored)

    @mapped_write
    def ArchiveCustomer(self, request: pb.ArchiveCustomerRequest, actor: str) -> pb.Customer:
        """Deny everything from here on."""
        return self._message(
            self._parts.customers.by(actor, request.comment).archive(
                request.customer_id, if_epoch(request)
            )
        )

    @mapped
    def GetCustomer(self, request: pb.GetCustomerRequest) -> pb.Customer:
        """A provisioned customer."""
        return self._message(self._parts.customers.get(request.customer_id))

    @mapped
    def ListCustomers(self, request: pb.ListCustomersRequest) -> pb.ListCustomersResponse:
        """A page of customers, or of those that are looked for."""
        page = self._parts.finding.find(_wanted(request), request.page_token, request.page_size)
        return pb.ListCustomersResponse(
            customers=[self._message(stored) for stored in page.customers],
            next_page_token=page.next_token,
        )

    @mapped
    def ListSeenCustomers(
        self, request: pb.ListSeenCustomersRequest
    ) -> pb.ListSeenCustomersResponse:
        """A page of customers on the default plan that were never provisioned."""
        page = self._parts.finding.list_seen(
            request.id_prefix, request.page_token, request.page_size
        )
        return pb.ListSeenCustomersResponse(
            customers=[
                pb.SeenCustomer(customer_id=each.customer_id, seen_at=timestamp(each.seen_ms))
                for each in page.customers
            ],
            next_page_token=page.next_token,
        )

    @mapped
    def ListCustomerChanges(
        self, request: pb.ListCustomerChangesRequest
    ) -> pb.ListCustomerChangesResponse:
        """The latest writes of a customer."""
        found = self._parts.history.of_customer(request.customer_id, request.page_size)
        return pb.ListCustomerChangesResponse(changes=map(_change, found))

    @mapped_write
    def RollbackCustomer(
        self, request: pb.RollbackCustomerRequest, actor: str
    ) -> pb.RollbackCustomerResponse:
        """Make a customer what it was before a write."""
        done = self._parts.rollbacks.roll_back(
            request.customer_id,
            request.epoch,
            if_epoch(request),
            actor=actor,
            comment=request.comment,
            dry_run=request.dry_run,
        )
        return pb.RollbackCustomerResponse(
            customer=self._message(done.customer),
            changes=done.changes,
            undone=map(_change, done.undone),
        )

    def _message(self, stored: StoredCustomer) -> pb.Customer:
        return customer_message(self._parts.customers.show(stored))


def _change(change: CustomerChange) -> pb.CustomerChange:
    return pb.CustomerChange(
        changed_at=timestamp(change.epoch),
        actor=change.actor,
        call=change.call,
        changes=change.changes,
        epoch=change.epoch,
        comment=change.comment,
        undoable=change.undoable,
    )


def if_epoch(request: Any) -> int | None:
    """The epoch that a write expects its customer to be at; None: any."""
    return int(request.if_epoch) if request.HasField("if_epoch") else None


def _profile(request: pb.ProvisionCustomerRequest | pb.UpdateCustomerRequest) -> Profile:
    return Profile(
        request.name if request.HasField("name") else None,
        request.email if request.HasField("email") else None,
        request.timezone if request.HasField("timezone") else None,
        dict(request.metadata),
        dict(request.external_ids),
    )


def _unit_quantity(
    request: pb.ProvisionCustomerRequest | pb.ChangeSubscriptionRequest,
) -> int | None:
    return request.unit_quantity if request.HasField("unit_quantity") else None


def _wanted(request: pb.ListCustomersRequest) -> Wanted:
    if request.status not in pb.CustomerStatus.values():
        raise InvalidRequest(f"status: {request.status} is not one this server knows")
    archived = None
    if request.status != pb.CUSTOMER_STATUS_UNSPECIFIED:
        archived = request.status == pb.CUSTOMER_STATUS_ARCHIVED
    return Wanted(
        request.id_prefix,
        request.name,
        request.plan_id,
        archived,
        request.email,
        request.external_id,
        in_trial=request.in_trial,
    )


def _new_entitlement(
    request: pb.SetOverrideRequest | pb.GrantPromotionRequest, end_ms: int | None
) -> NewEntitlement:
    if not request.HasField("entitlement"):
        raise InvalidRequest(
            'entitlement: missing; write it as a catalog does, such as {"limit": 5, "per": "day"}'
        )
    return NewEntitlement(
        request.feature_id,
        plain_value(request.entitlement),
        request.resource_id,
        end_ms,
        moment(request, "start"),
    )


def _trial(message: pb.Trial) -> Trial:
    end_ms = moment(message, "end", "trial.")
    if end_ms is None:
        raise InvalidRequest("trial.end: missing; say when the trial is over")
    if message.then not in pb.Trial.Then.values():
        raise InvalidRequest(f"trial.then: {message.then} is not one this server knows")
    return Trial(end_ms, message.then == pb.Trial.THEN_END, message.plan_id)


def _at_period_end(when: int) -> bool:
    if when not in pb.When.values():
        raise InvalidRequest(f"when: {when} is not one this server knows")
    return when == pb.WHEN_PERIOD_END
