"""The part of the admin client that reads customers: one, those looked for, those only seen."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from quotad.client import customers
from quotad.client.blocking import Connection
from quotad.client.building import checked
from quotad.client.calls import Policy
from quotad.client.customers import Customer, CustomerEdit, CustomerPage, SeenCustomer
from quotad.decision import BATCH_MAX
from quotad.v1 import admin_pb2 as pb

PAGE_MAX = BATCH_MAX
"""Most items that one list call returns."""


class CustomerFinding(ABC):
    """Mixed into the admin client, which makes the calls."""

    _connection: Connection
    _read: Policy

    @abstractmethod
    def _call(self, policy: Policy, method: str, request: Any) -> Any:
        """Make one call.

        Raises:
            QuotaError: it failed.
        """

    def customer(self, customer_id: str) -> Customer:
        """One customer."""
        request = checked(pb.GetCustomerRequest, customer_id=customer_id)
        return customers.customer(self._call(self._read, "GetCustomer", request))

    def customers(
        self,
        page_size: int = PAGE_MAX,
        *,
        id_prefix: str = "",
        name: str = "",
        plan_id: str = "",
        status: str = "",
        email: str = "",
        external_id: str = "",
        in_trial: bool = False,
    ) -> Iterator[Customer]:
        """Customers, by shard, then by id; fetched page by page as they are asked for.

        Args:
            page_size: how many are fetched at once.
            id_prefix: only those whose id starts so.
            name: only those whose name, or the rest of it from some word on, starts so.
            plan_id: only those with a subscription to it in force.
            status: only "active" or "archived" ones.
            email: only those with this one, in any case.
            external_id: only those that have it, or a subscription with it, in any other system.
            in_trial: only those of which a trial is under way, of the plan where one is given.
        """
        token = ""
        while True:
            page = self.customer_page(
                min(page_size, PAGE_MAX),
                token,
                id_prefix=id_prefix,
                name=name,
                plan_id=plan_id,
                status=status,
                email=email,
                external_id=external_id,
                in_trial=in_trial,
            )
            yield from page.customers
            token = page.next_token
            if not token:
                return

    def customer_page(
        self,
        page_size: int = 50,
        page_token: str = "",
        *,
        id_prefix: str = "",
        name: str = "",
        plan_id: str = "",
        status: str = "",
        email: str = "",
        external_id: str = "",
        in_trial: bool = False,
    ) -> CustomerPage:
        """One page of `customers`.

        Args:
            page_size: most customers on it, at most 1,000.
            page_token: `next_token` of the page before, of the same search.
            id_prefix: as of `customers`, and so are the others.
            name: see there.
            plan_id: see there.
            status: see there.
            email: see there.
            external_id: see there.
            in_trial: see there.
        """
        request = checked(
            pb.ListCustomersRequest,
            page_size=page_size,
            page_token=page_token,
            id_prefix=id_prefix,
            name=name,
            plan_id=plan_id,
            status=customers.status(status),
            email=email,
            external_id=external_id,
            in_trial=in_trial,
        )
        answer = self._call(self._read, "ListCustomers", request)
        return CustomerPage(
            customers=tuple(map(customers.customer, answer.customers)),
            next_token=answer.next_page_token,
        )

    def changes(self, customer_id: str, limit: int = 50) -> tuple[CustomerEdit, ...]:
        """The latest writes of a customer, the newest first: whose, and what they changed.

        Args:
            customer_id: whose.
            limit: most of them; 100 are kept.
        """
        return self._connection.run(customers.changes(self._read, customer_id, limit))

    def seen(self, id_prefix: str = "") -> Iterator[SeenCustomer]:
        """Customers that calls were about and that were never provisioned, by shard, then by id.

        Args:
            id_prefix: only those whose id starts so.
        """
        token = ""
        while True:
            request = checked(
                pb.ListSeenCustomersRequest,
                page_size=PAGE_MAX,
                page_token=token,
                id_prefix=id_prefix,
            )
            answer = self._call(self._read, "ListSeenCustomers", request)
            yield from map(customers.seen, answer.customers)
            token = answer.next_page_token
            if not token:
                return
