"""The part of the admin client that is about customers: subscriptions, overrides and promotions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quotad.client import customers
from quotad.client.building import checked
from quotad.client.calls import Policy
from quotad.client.customer_finding import PAGE_MAX, CustomerFinding
from quotad.client.customers import Customer, CustomerRollback, Erasure, Trial, When
from quotad.client.messages import value
from quotad.v1 import admin_pb2 as pb

ERASE_S = 600.0
"""How long erasing a customer may take."""


class CustomerAdmin(CustomerFinding):
    """Mixed into the admin client, which makes the calls.

    A write may name the epoch that it expects the customer to be at, as read before (`if_epoch`).
    When the customer was written in between it fails with the `code` FAILED_PRECONDITION.
    """

    _write: Policy

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
        if_epoch: int | None = None,
        name: str | None = None,
        unit_quantity: int | None = None,
        email: str | None = None,
        timezone: str | None = None,
        metadata: Mapping[str, str] | None = None,
        external_ids: Mapping[str, str] | None = None,
        subscription_external_ids: Mapping[str, str] | None = None,
        comment: str = "",
    ) -> Customer:
        """Create the customer or put its subscription on a plan; brings an archived one back.

        Args:
            customer_id: of the customer.
            plan_id: which plan.
            start: when the subscription starts (as all times, UTC without a time zone); without
                it a new one starts now and a known one keeps its start.
            subscription_id: sets several of one customer apart.
            resource_id: what of the customer's it is for; empty: the customer itself.
            addons: quantity by add-on.
            end: when it ends; without it, never.
            anchor: what its billing periods are aligned to; without it the start.
            trial: it starts with this trial.
            if_epoch: write only while the customer is at this epoch; 0: while it has no record.
            name: for people; None: stays, empty: none any more.
            unit_quantity: what is bought of the plan, such as 50 seats; None: as it is, or 1.
            email: as of `update_customer`, and so are the next three.
            timezone: see there.
            metadata: see there.
            external_ids: see there.
            subscription_external_ids: of the subscription, by system.
            comment: why, for the history; at most 1,024 bytes.
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
            if_epoch=if_epoch,
            name=name,
            unit_quantity=unit_quantity,
            email=email,
            timezone=timezone,
            metadata=metadata,
            external_ids=external_ids,
            subscription_external_ids=subscription_external_ids,
            comment=comment,
        )
        return self._write_customer("ProvisionCustomer", request)

    def update_customer(
        self,
        customer_id: str,
        *,
        name: str | None = None,
        email: str | None = None,
        timezone: str | None = None,
        metadata: Mapping[str, str] | None = None,
        external_ids: Mapping[str, str] | None = None,
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Change what a customer is known by; None stays, an empty text is none any more.

        A customer without a record gets one, with the default plan as its subscription.

        Args:
            customer_id: of the customer.
            name: for people.
            email: of the customer.
            timezone: of the tz database, `Europe/Berlin`.
            metadata: for callers; keys that are left out stay, an empty value removes one.
            external_ids: ids in other systems, by system: {"stripe": "cus_1"}; as with metadata.
            if_epoch: as of `provision`.
            comment: as of `provision`.
        """
        request = checked(
            pb.UpdateCustomerRequest,
            customer_id=customer_id,
            name=name,
            email=email,
            timezone=timezone,
            metadata=metadata,
            external_ids=external_ids,
            if_epoch=if_epoch,
            comment=comment,
        )
        return self._write_customer("UpdateCustomer", request)

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
        if_epoch: int | None = None,
        unit_quantity: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Change a subscription; replaces a change that still waits.

        Args:
            customer_id: of the customer.
            plan_id: the plan from then on; empty: stays.
            addons: all add-ons from then on; None: stay.
            latest_revision: move to the latest revision of the plan.
            when: "now", or "period-end" of the billing period under way.
            subscription_id: which of the customer's.
            resource_id: what of the customer's it is for.
            if_epoch: as of `provision`.
            unit_quantity: how many units from then on; None: stays.
            comment: as of `provision`.
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
            if_epoch=if_epoch,
            unit_quantity=unit_quantity,
            comment=comment,
        )
        return self._write_customer("ChangeSubscription", request)

    def cancel_subscription(
        self,
        customer_id: str,
        *,
        when: When = "now",
        subscription_id: str = "",
        resource_id: str = "",
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """End a subscription, "now" or at the "period-end"; takes back what still waits."""
        request = checked(
            pb.CancelSubscriptionRequest,
            customer_id=customer_id,
            subscription_id=subscription_id,
            resource_id=resource_id,
            when=customers.when(when),
            if_epoch=if_epoch,
            comment=comment,
        )
        return self._write_customer("CancelSubscription", request)

    def set_override(
        self,
        customer_id: str,
        feature_id: str,
        entitlement: object,
        *,
        start: datetime | None = None,
        resource_id: str = "",
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Set what the customer has of a feature in place of everything else.

        Args:
            customer_id: of the customer.
            feature_id: of which feature.
            entitlement: as a catalog spells it: True, "email", "unlimited", {"limit": 5000,
                "per": "month"}. False revokes. A limit without "per" keeps the window of the
                entitlement that it replaces.
            start: from when on; without it, now. One that it replaces ends at once.
            resource_id: only for this resource; empty: for the customer and its resources
                without one of their own.
            if_epoch: as of `provision`.
            comment: as of `provision`.
        """
        request = checked(
            pb.SetOverrideRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            entitlement=value("entitlement", entitlement),
            if_epoch=if_epoch,
            start=start,
            comment=comment,
        )
        return self._write_customer("SetOverride", request)

    def remove_override(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Let the customer have of a feature what its subscriptions grant again."""
        request = checked(
            pb.RemoveOverrideRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            if_epoch=if_epoch,
            comment=comment,
        )
        return self._write_customer("RemoveOverride", request)

    def grant_promotion(
        self,
        customer_id: str,
        feature_id: str,
        entitlement: object,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        resource_id: str = "",
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Give the customer more of a feature for a time; granting again replaces.

        Args:
            customer_id: of the customer.
            feature_id: of which feature.
            entitlement: as of `set_override`, but not False. It counts where it is more than the
                rest.
            start: from when on; without it, now.
            end: until when; without it, until it is revoked.
            resource_id: only for this resource; empty: for the customer and all its resources.
            if_epoch: as of `provision`.
            comment: as of `provision`.
        """
        request = checked(
            pb.GrantPromotionRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            entitlement=value("entitlement", entitlement),
            end=end,
            if_epoch=if_epoch,
            start=start,
            comment=comment,
        )
        return self._write_customer("GrantPromotion", request)

    def revoke_promotion(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        if_epoch: int | None = None,
        comment: str = "",
    ) -> Customer:
        """Take a promotion back."""
        request = checked(
            pb.RevokePromotionRequest,
            customer_id=customer_id,
            feature_id=feature_id,
            resource_id=resource_id,
            if_epoch=if_epoch,
            comment=comment,
        )
        return self._write_customer("RevokePromotion", request)

    def archive(
        self, customer_id: str, *, if_epoch: int | None = None, comment: str = ""
    ) -> Customer:
        """Deny everything until the customer is provisioned again; usage is kept."""
        request = checked(
            pb.ArchiveCustomerRequest, customer_id=customer_id, if_epoch=if_epoch, comment=comment
        )
        return self._write_customer("ArchiveCustomer", request)

    def rollback_customer(
        self,
        customer_id: str,
        epoch: int,
        *,
        if_epoch: int | None = None,
        comment: str = "",
        dry_run: bool = False,
    ) -> CustomerRollback:
        """Make a customer what it was before one of its latest writes; usage stays.

        Args:
            customer_id: of the customer.
            epoch: of the write that is undone, as `changes` lists it, and with it all after it.
            if_epoch: of the latest write that is undone; without it only the latest of all is.
            comment: why, for the history.
            dry_run: write nothing, and return what would be different.
        """
        steps = customers.roll_back(self._write, customer_id, epoch, if_epoch, comment, dry_run)
        return self._connection.run(steps)

    def erase(
        self,
        customer_id: str,
        *,
        erased_by: str = "",
        if_epoch: int | None = None,
        timeout: float = ERASE_S,
    ) -> Erasure:
        """Erase record, usage and idempotency keys of a customer for good; may be repeated.

        Args:
            customer_id: of the customer; also of one that was never provisioned.
            erased_by: free text for the history.
            if_epoch: as of `provision`.
            timeout: seconds; the server walks through all keys of its store.
        """
        request = checked(
            pb.EraseCustomerRequest,
            customer_id=customer_id,
            erased_by=erased_by,
            if_epoch=if_epoch,
        )
        policy = Policy(timeout_s=timeout, retries=0)
        answer = self._call(policy, "EraseCustomer", request)
        return customers.erasure(answer.erasure, answer)

    def erasures(self, limit: int = 50) -> tuple[Erasure, ...]:
        """The newest erasures, at most 1,000."""
        request = checked(pb.ListErasuresRequest, page_size=min(limit, PAGE_MAX))
        answer = self._call(self._read, "ListErasures", request)
        return tuple(customers.erasure(each) for each in answer.erasures)

    def _write_customer(self, method: str, request: Any) -> Customer:
        return customers.customer(self._call(self._write, method, request))
