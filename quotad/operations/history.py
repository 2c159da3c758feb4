"""The history of customers: whose doing each of the latest writes was, and what it changed."""

import msgspec

from quotad.history import CustomerChange
from quotad.ids import check_id
from quotad.operations.pages import page_size
from quotad.store.changes import ChangeLists, WritesPage


class HistoryOperations(msgspec.Struct, frozen=True):
    """Reads it; for all threads."""

    lists: ChangeLists

    def of_customer(self, customer_id: str, size: int = 0) -> list[CustomerChange]:
        """Return the latest writes of a customer, the newest first; a size of 0: the default.

        Raises:
            InvalidRequest: the id or the size is of the wrong shape.
            StoreUnavailable: the store refused or timed out.
        """
        check_id(customer_id, "customer_id")
        return self.lists.latest(customer_id, page_size(size))

    def of_all(self, before: int | None = None, size: int = 0) -> WritesPage:
        """Return the latest writes of all customers.

        Args:
            before: only those with an epoch below it; None: the latest.
            size: most of them, 0: the default; a few more of the moment of the last.

        Raises:
            InvalidRequest: the size is of the wrong shape.
            StoreUnavailable: the store refused or timed out.
        """
        return self.lists.before(before, page_size(size))
