"""Which customers a list shows: all of them, or those that a search is for."""

from quotad.entitlements.phases import phases_in_force
from quotad.errors import InvalidRequest
from quotad.ids import check_id, check_name
from quotad.model import CustomerRecord
from quotad.operations.pages import page_size
from quotad.store import CustomerIndex, CustomerPage, Customers, Wanted
from quotad.store.facets import folded, found_by
from quotad.v1 import admin_pb2 as pb


def find_customers(
    customers: Customers, index: CustomerIndex, request: pb.ListCustomersRequest, now_ms: int
) -> CustomerPage:
    """A page of the customers that a request asks for.

    Raises:
        InvalidRequest: what it asks for is not fit for a search.
        StoreUnavailable: the store refused or timed out.
    """
    size = page_size(request.page_size)
    wanted = _wanted(request)
    if wanted == Wanted():
        return customers.list_page(request.page_token, size)
    return index.search(
        wanted, lambda record: is_wanted(record, wanted, now_ms), request.page_token, size
    )


def is_wanted(record: CustomerRecord, wanted: Wanted, now_ms: int) -> bool:
    """Whether a customer is all that is looked for."""
    if wanted.archived not in (None, record.archived):
        return False
    if not record.customer_id.startswith(wanted.id_prefix):
        return False
    if wanted.name:
        start = folded(wanted.name)
        if not any(text.startswith(start) for text in found_by(record.name)):
            return False
    if not wanted.plan_id:
        return True
    return any(
        phase.plan_id == wanted.plan_id
        for resource_id in {phase.resource_id for phase in record.subscriptions}
        for phase in phases_in_force(record, now_ms, resource_id)
    )


def _wanted(request: pb.ListCustomersRequest) -> Wanted:
    if request.id_prefix:
        check_id(request.id_prefix, "id_prefix")
    if request.plan_id:
        check_id(request.plan_id, "plan_id")
    check_name(request.name)
    if request.name and not folded(request.name):
        raise InvalidRequest("name: has nothing but spaces; say how the name starts")
    if request.status not in pb.CustomerStatus.values():
        raise InvalidRequest(f"status: {request.status} is not one this server knows")
    archived = None
    if request.status != pb.CUSTOMER_STATUS_UNSPECIFIED:
        archived = request.status == pb.CUSTOMER_STATUS_ARCHIVED
    return Wanted(request.id_prefix, folded(request.name), request.plan_id, archived)
