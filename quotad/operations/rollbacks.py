"""Bringing a customer back to what it was before one of its latest writes."""

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.customers.described import described
from quotad.customers.rolling_back import rolled_back
from quotad.engine import Snapshots
from quotad.errors import InvalidRequest, NotFound, StaleEpoch
from quotad.history import CustomerChange
from quotad.ids import check_id
from quotad.operations.customers import CustomerOperations, check_if_epoch
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store.changes import CHANGES_MAX, ChangeLists
from quotad.store.customers import check_epoch


class Rollback(msgspec.Struct, frozen=True):
    """A customer that was brought back, or would be."""

    customer: StoredCustomer
    """After it; with the epoch of before where nothing was written."""
    changes: tuple[str, ...]
    """What is different, in words; empty: nothing."""
    undone: tuple[CustomerChange, ...] = ()
    """The writes that are undone, the latest first; of the latest that are kept."""


class RollbackOperations(msgspec.Struct, frozen=True):
    """Brings customers back; for all threads."""

    customers: CustomerOperations
    lists: ChangeLists
    snapshots: Snapshots
    clock: Clock

    def roll_back(
        self,
        customer_id: str,
        epoch: int,
        if_epoch: int | None = None,
        *,
        actor: str = "",
        comment: str = "",
        dry_run: bool = False,
    ) -> Rollback:
        """Make a customer what it was before a write: that one and all after it are undone.

        Args:
            customer_id: of the customer.
            epoch: that the write made.
            if_epoch: of the latest write that is undone: the customer must be at it. None: only the
                latest write of all is undone.
            actor: whose doing it is.
            comment: why, for the history.
            dry_run: write nothing; without `if_epoch` as if all after it were to be undone.

        Raises:
            InvalidRequest: an id or an epoch is of the wrong shape, the comment is too long, the
                write made the customer, or the catalog lacks what it had before.
            NotFound: the customer has no record, or what it was before is not kept.
            StaleEpoch: the customer was written again.
            NotReady: no catalog was published yet.
            Conflict: others kept writing the customer.
            StoreUnavailable: the store refused or timed out.
        """
        check_id(customer_id, "customer_id")
        check_if_epoch(if_epoch)
        now = self.customers.get(customer_id)
        assert now.record is not None
        if if_epoch is None and now.epoch != epoch and not dry_run:
            raise StaleEpoch(
                f"if_epoch: {customer_id!r} was written again since; give {now.epoch} to undo what"
                " came after it as well",
                now.epoch,
            )
        expected = now.epoch if if_epoch is None else if_epoch
        check_epoch(customer_id, now, expected)
        changes = self.lists.latest(customer_id, CHANGES_MAX)
        before = self._before(customer_id, epoch, changes)
        undone = tuple(each for each in changes if each.epoch >= epoch)
        snapshot = self.snapshots.newest()
        after = rolled_back(now.record, before, snapshot, self.clock.now_ms())
        lines = described(now.record, after, snapshot)
        if dry_run:
            return Rollback(StoredCustomer(now.epoch, after), lines, undone)

        def make(record: CustomerRecord, _: None, again: Snapshot, now_ms: int) -> CustomerRecord:
            return rolled_back(record, before, again, now_ms)

        customers = self.customers.by(actor, comment)
        return Rollback(customers.roll_back(customer_id, make, expected), lines, undone)

    def _before(
        self, customer_id: str, epoch: int, changes: list[CustomerChange]
    ) -> CustomerRecord:
        """What the customer was before a write."""
        before = self.lists.record_before(customer_id, epoch)
        if before is not None:
            return before
        if any(each.epoch == epoch and "created" in each.changes for each in changes):
            raise InvalidRequest(
                f"epoch: {customer_id!r} was created by that write; archive or erase it instead"
            )
        raise NotFound(
            f"epoch: what {customer_id!r} was before a write with the epoch {epoch} is not kept;"
            " that of the latest writes is, where a server of this release made them"
        )
