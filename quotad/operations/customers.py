"""Writes of customers, and what follows each of them: views, and counters put out of use."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.customers import overrides, profile, subscriptions
from quotad.customers.described import described
from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile, check_external_ids, check_profile
from quotad.customers.subscriptions import Cancellation, Change, Provision
from quotad.engine import Snapshots, ViewCache
from quotad.errors import InvalidRequest, NotFound
from quotad.history import LOCAL, CustomerChange, check_comment
from quotad.ids import check_id
from quotad.operations.leftovers import forget_outlived, lasting
from quotad.operations.shown_customers import ShownCustomer, shown
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store import Customers
from quotad.store.customers import Note

W = TypeVar("W")

Make = Callable[[CustomerRecord, W, Snapshot, int], CustomerRecord]
"""From a customer, what is wanted, the catalog in force and the time to the customer after it."""


class CustomerOperations:
    """Writes customers with the catalog in force; for all threads.

    Every write takes the epoch that the customer must be at: None for any, 0 for no record. Each
    returns the customer as stored, and raises:

        InvalidRequest: an id or the epoch is of the wrong shape, or the catalog has no such thing.
        NotFound: the customer was never provisioned, or has nothing of that kind.
        NotReady: no catalog was published yet.
        StaleEpoch: the customer is at another epoch than expected.
        Conflict: others kept writing the same customer in between.
        StoreUnavailable: the store refused or timed out.

    Args:
        store: of the records.
        snapshots: of the catalog.
        views: of this worker.
        clock: for the times in records.
        actor: whose doing writes are; see `by`.
        comment: why they are made, for the history.
    """

    def __init__(
        self,
        store: Customers,
        snapshots: Snapshots,
        views: ViewCache,
        clock: Clock,
        actor: str = LOCAL,
        comment: str = "",
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._views = views
        self._clock = clock
        self._actor = actor
        self._comment = comment

    def by(self, actor: str, comment: str = "") -> "CustomerOperations":
        """Return the operations as those of a caller, whose doing its writes are.

        Args:
            actor: whose.
            comment: why they are made, for the history.

        Raises:
            InvalidRequest: the comment is too long.
        """
        check_comment(comment)
        parts = (self._store, self._snapshots, self._views, self._clock)
        return CustomerOperations(*parts, actor, comment)

    def provision(
        self, customer_id: str, wanted: Provision, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Create the customer or change its plan."""
        check_id(customer_id, "customer_id")
        check_id(wanted.plan_id, "plan_id")
        _check_names(wanted.subscription_id, wanted.resource_id, wanted.addons)
        if wanted.trial is not None and wanted.trial.plan_id:
            check_id(wanted.trial.plan_id, "trial.plan_id")
        check_profile(wanted.profile)
        check_external_ids(wanted.external_ids, "subscription_external_ids")
        snapshot, now_ms = self._snapshots.newest(), self._clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            record = before or CustomerRecord(customer_id)
            return subscriptions.provision(record, wanted, snapshot, now_ms)

        return self._write("ProvisionCustomer", customer_id, change, if_epoch)

    def update(
        self, customer_id: str, wanted: Profile, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Change what the customer is known by; creates it on the default plan, if need be."""
        check_id(customer_id, "customer_id")
        check_profile(wanted)
        snapshot, now_ms = self._snapshots.newest(), self._clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            record = before or CustomerRecord(customer_id)
            return profile.update(record, wanted, snapshot, now_ms)

        return self._write("UpdateCustomer", customer_id, change, if_epoch)

    def change_subscription(
        self, customer_id: str, wanted: Change, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Change plan, add-ons, units or revision, now or later."""
        _check_names(wanted.subscription_id, wanted.resource_id, wanted.addons or ())
        if wanted.plan_id:
            check_id(wanted.plan_id, "plan_id")
        return self._change(
            "ChangeSubscription", customer_id, subscriptions.change_subscription, wanted, if_epoch
        )

    def cancel_subscription(
        self, customer_id: str, wanted: Cancellation, if_epoch: int | None = None
    ) -> StoredCustomer:
        """End a subscription, now or later."""
        _check_names(wanted.subscription_id, wanted.resource_id)
        return self._change(
            "CancelSubscription", customer_id, subscriptions.cancel_subscription, wanted, if_epoch
        )

    def set_override(
        self, customer_id: str, wanted: NewEntitlement, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Give the customer this of a feature instead of everything else."""
        _check_feature(wanted.feature_id, wanted.resource_id)
        return self._change(
            "SetOverride", customer_id, overrides.set_override, wanted, if_epoch, new=True
        )

    def remove_override(
        self, customer_id: str, feature_id: str, resource_id: str, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Let the customer have again what it has without the override."""
        _check_feature(feature_id, resource_id)

        def made(record: CustomerRecord, _: None, __: Snapshot, now_ms: int) -> CustomerRecord:
            return overrides.remove_override(record, feature_id, resource_id, now_ms)

        return self._change("RemoveOverride", customer_id, made, None, if_epoch)

    def grant_promotion(
        self, customer_id: str, wanted: NewEntitlement, if_epoch: int | None = None
    ) -> StoredCustomer:
        """Give the customer this of a feature for a time, where it is more than the rest."""
        _check_feature(wanted.feature_id, wanted.resource_id)
        return self._change(
            "GrantPromotion", customer_id, overrides.grant_promotion, wanted, if_epoch, new=True
        )

    def revoke_promotion(
        self, customer_id: str, feature_id: str, resource_id: str, if_epoch: int | None = None
    ) -> StoredCustomer:
        """End a promotion now."""
        _check_feature(feature_id, resource_id)

        def made(record: CustomerRecord, _: None, __: Snapshot, now_ms: int) -> CustomerRecord:
            return overrides.revoke_promotion(record, feature_id, resource_id, now_ms)

        return self._change("RevokePromotion", customer_id, made, None, if_epoch)

    def archive(self, customer_id: str, if_epoch: int | None = None) -> StoredCustomer:
        """Deny everything from here on; works without a catalog."""
        check_id(customer_id, "customer_id")
        now_ms = self._clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            if before is None:
                raise _never_provisioned(customer_id)
            return subscriptions.archive(before, now_ms)

        return self._write("ArchiveCustomer", customer_id, change, if_epoch)

    def unarchive(self, customer_id: str) -> StoredCustomer:
        """Give back what was archived, as it would be otherwise; works without a catalog."""
        check_id(customer_id, "customer_id")
        now_ms = self._clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            if before is None:
                raise _never_provisioned(customer_id)
            return subscriptions.unarchive(before, now_ms)

        return self._write("UnarchiveCustomer", customer_id, change, None)

    def roll_back(self, customer_id: str, make: Make[None], if_epoch: int) -> StoredCustomer:
        """Make a customer what it was before a write; see `RollbackOperations`."""
        return self._change("RollbackCustomer", customer_id, make, None, if_epoch)

    def get(self, customer_id: str) -> StoredCustomer:
        """Return a provisioned customer."""
        check_id(customer_id, "customer_id")
        stored = self._store.get(customer_id)
        if stored.record is None:
            raise _never_provisioned(customer_id)
        return stored

    def show(self, stored: StoredCustomer) -> ShownCustomer:
        """Return a customer with a record as it is shown now."""
        return shown(stored, self._snapshots.peek, self._clock.now_ms())

    def _change(
        self,
        call: str,
        customer_id: str,
        made: Make[W],
        wanted: W,
        if_epoch: int | None,
        *,
        new: bool = False,
    ) -> StoredCustomer:
        """Write what is made of a customer with the catalog in force.

        Args:
            call: the operation, for the history.
            customer_id: of the customer.
            made: makes it.
            wanted: what is asked for.
            if_epoch: as of every write.
            new: whether a customer without a record may be one on the default plan.
        """
        check_id(customer_id, "customer_id")
        snapshot, now_ms = self._snapshots.newest(), self._clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            if before is None:
                if not new or snapshot.default_plan is None:
                    raise _never_provisioned(customer_id, "; provision it first")
                before = CustomerRecord(customer_id)
            return made(before, wanted, snapshot, now_ms)

        return self._write(call, customer_id, change, if_epoch)

    def _write(
        self,
        call: str,
        customer_id: str,
        change: Callable[[CustomerRecord | None], CustomerRecord],
        if_epoch: int | None,
    ) -> StoredCustomer:
        """Write a customer, where its epoch is the expected one, if any."""
        overwritten: CustomerRecord | None = None

        def watched(before: CustomerRecord | None) -> CustomerRecord:
            nonlocal overwritten
            overwritten = before
            return replace(change(before), updated_by=self._actor)

        check_if_epoch(if_epoch)
        snapshots = self._snapshots
        note = noted(self._actor, call, snapshots.peek, self._comment)
        stored = self._store.update(customer_id, watched, lasting(snapshots.peek), if_epoch, note)
        self._views.drop(customer_id)
        forget_outlived(self._store, overwritten, stored.record, snapshots.peek)
        return stored


def noted(actor: str, call: str, snapshot: Snapshot | None, comment: str = "") -> Note:
    """What the history has of writes.

    Args:
        actor: whose doing they are.
        call: the operation.
        snapshot: the catalog in force.
        comment: why they are made.
    """

    def note(before: CustomerRecord | None, after: CustomerRecord) -> CustomerChange:
        lines = described(before, after, snapshot)
        return CustomerChange(actor, call, lines, comment=comment)

    return note


def check_if_epoch(if_epoch: int | None) -> None:
    """Refuse an expected epoch that no customer can be at; None: any epoch will do.

    Raises:
        InvalidRequest: it is below 0.
    """
    if if_epoch is not None and if_epoch < 0:
        raise InvalidRequest(
            f"if_epoch: {if_epoch} is no epoch; give the one that was read, 0 for no record"
        )


def _never_provisioned(customer_id: str, way_out: str = "") -> NotFound:
    return NotFound(f"customer_id: {customer_id!r} was never provisioned{way_out}")


def _check_names(subscription_id: str, resource_id: str, addons: Iterable[str] = ()) -> None:
    """Check the ids of a subscription, both of which may be empty, and of its add-ons."""
    for addon_id in addons:
        check_id(addon_id, "addons")
    for field, text in (("subscription_id", subscription_id), ("resource_id", resource_id)):
        if text:
            check_id(text, field)


def _check_feature(feature_id: str, resource_id: str) -> None:
    check_id(feature_id, "feature_id")
    if resource_id:
        check_id(resource_id, "resource_id")
