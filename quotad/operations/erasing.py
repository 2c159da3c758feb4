"""Erasing a customer for good, and the history of erasures."""

import msgspec

from quotad.engine import Snapshots, ViewCache
from quotad.entitlements.counted import metered
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.operations.customers import check_if_epoch
from quotad.operations.pages import page_size
from quotad.store.erasures import Erasure, Erasures

ERASED_BY_BYTES_MAX = 256


class ErasingOperations(msgspec.Struct, frozen=True):
    """Erases customers; for all threads."""

    store: Erasures
    snapshots: Snapshots
    views: ViewCache

    def erase(self, customer_id: str, erased_by: str = "", if_epoch: int | None = None) -> Erasure:
        """Erase a customer, also one without a record; works without a catalog.

        Args:
            customer_id: of the customer.
            erased_by: free text for the history.
            if_epoch: erase only while the customer is at this epoch; 0: while it has no record.

        Raises:
            InvalidRequest: the id, the text or the epoch is of the wrong shape.
            StaleEpoch: the customer is at another epoch.
            Conflict: others kept writing the same customer in between.
            StoreUnavailable: the store refused or timed out; some of it may be erased.
        """
        check_id(customer_id, "customer_id")
        if len(erased_by.encode()) > ERASED_BY_BYTES_MAX or not (erased_by + " ").isprintable():
            raise InvalidRequest(
                f"erased_by: must be printable, and at most {ERASED_BY_BYTES_MAX} bytes long"
            )
        check_if_epoch(if_epoch)
        snapshot = self.snapshots.peek
        counted = [] if snapshot is None else metered(snapshot)
        erasure = self.store.erase(customer_id, counted, erased_by, if_epoch)
        self.views.drop(customer_id)
        return erasure

    def newest(self, size: int = 0) -> list[Erasure]:
        """Return the newest erasures, the latest first; a size of 0: the default.

        Raises:
            InvalidRequest: the size is out of range.
            StoreUnavailable: the store refused or timed out.
        """
        return self.store.latest(page_size(size))
