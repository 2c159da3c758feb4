"""The calls of the admin service that are about customers."""

from collections.abc import Callable

from quotad.entitlements.subscriptions import Provision, archive, provision
from quotad.errors import InvalidRequest, NotFound
from quotad.model import CustomerRecord, StoredCustomer
from quotad.service.admin_parts import AdminParts, mapped, page_size
from quotad.service.decode import check_id
from quotad.service.encode import timestamp
from quotad.v1 import admin_pb2 as pb

SECONDS_MAX = 253_402_300_799
"""9999-12-31 23:59:59, where calendars end."""


class CustomerCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def ProvisionCustomer(self, request: pb.ProvisionCustomerRequest) -> pb.Customer:
        """Create the customer or change its plan."""
        customer_id, plan_id = request.customer_id, request.plan_id
        check_id(customer_id, "customer_id")
        check_id(plan_id, "plan_id")
        parts = self._parts
        # The plan may have been published a moment ago, on another server.
        parts.snapshots.refresh(parts.snapshots.peek)
        snapshot = parts.snapshots.current()
        now_ms = parts.clock.now_ms()
        wanted = Provision(plan_id, _start_ms(request))

        def change(before: CustomerRecord | None) -> CustomerRecord:
            return provision(before or CustomerRecord(customer_id), wanted, snapshot, now_ms)

        return self._write(customer_id, change)

    @mapped
    def GetCustomer(self, request: pb.GetCustomerRequest) -> pb.Customer:
        """A provisioned customer."""
        check_id(request.customer_id, "customer_id")
        return _customer(self._existing(request.customer_id))

    @mapped
    def ListCustomers(self, request: pb.ListCustomersRequest) -> pb.ListCustomersResponse:
        """A page of customers."""
        page = self._parts.customers.list_page(request.page_token, page_size(request.page_size))
        return pb.ListCustomersResponse(
            customers=[_customer(c) for c in page.customers], next_page_token=page.next_token
        )

    @mapped
    def ArchiveCustomer(self, request: pb.ArchiveCustomerRequest) -> pb.Customer:
        """Deny everything from here on."""
        check_id(request.customer_id, "customer_id")
        self._existing(request.customer_id)
        now_ms = self._parts.clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            return archive(before or CustomerRecord(request.customer_id), now_ms)

        return self._write(request.customer_id, change)

    def _existing(self, customer_id: str) -> StoredCustomer:
        stored = self._parts.customers.get(customer_id)
        if stored.record is None:
            raise NotFound(f"customer_id: {customer_id!r} was never provisioned")
        return stored

    def _write(
        self, customer_id: str, change: Callable[[CustomerRecord | None], CustomerRecord]
    ) -> pb.Customer:
        stored = self._parts.customers.update(customer_id, change)
        self._parts.views.drop(customer_id)
        return _customer(stored)


def _start_ms(request: pb.ProvisionCustomerRequest) -> int | None:
    if not request.HasField("start"):
        return None
    if not 0 <= request.start.seconds <= SECONDS_MAX:
        raise InvalidRequest("start: must be a moment from 1970-01-01 to 9999-12-31")
    return request.start.seconds * 1000 + request.start.nanos // 1_000_000


def _customer(stored: StoredCustomer) -> pb.Customer:
    record = stored.record
    assert record is not None
    status = pb.CUSTOMER_STATUS_ARCHIVED if record.archived else pb.CUSTOMER_STATUS_ACTIVE
    return pb.Customer(
        customer_id=record.customer_id,
        status=status,
        subscriptions=[
            pb.Subscription(plan_id=s.plan_id, start=timestamp(s.start_ms))
            for s in record.subscriptions
        ],
        epoch=stored.epoch,
        created_at=timestamp(record.created_ms),
        updated_at=timestamp(record.updated_ms),
    )
