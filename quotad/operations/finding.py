"""Which customers a list shows: all of them, those that a search is for, those only seen."""

import msgspec

from quotad.clock import Clock
from quotad.customers.profile import check_email
from quotad.engine.seen import Seen
from quotad.entitlements.phases import is_over, phases_in_force
from quotad.errors import InvalidRequest
from quotad.ids import check_id, check_name
from quotad.operations.pages import page_size
from quotad.records import CustomerRecord
from quotad.store import CustomerIndex, CustomerPage, Customers, Wanted
from quotad.store.facets import external_ids, folded, found_by
from quotad.store.seen import SeenPage, SeenStore


class FindingOperations(msgspec.Struct, frozen=True):
    """Lists customers, a page at a time; for all threads.

    Sizes are of a page, 0 for the default; tokens are of the page before, empty for the first.
    Both raise InvalidRequest where these or what is looked for are of the wrong shape, and
    StoreUnavailable.
    """

    store: Customers
    index: CustomerIndex
    seen: SeenStore
    noted: Seen
    """Of this worker."""
    clock: Clock

    def find(self, wanted: Wanted, token: str = "", size: int = 0) -> CustomerPage:
        """Return a page of the customers that are looked for."""
        size = page_size(size)
        if wanted.id_prefix:
            check_id(wanted.id_prefix, "id_prefix")
        if wanted.plan_id:
            check_id(wanted.plan_id, "plan_id")
        if wanted.external_id:
            check_id(wanted.external_id, "external_id")
        if wanted.promotion_of:
            check_id(wanted.promotion_of, "promotion_of")
        check_email(wanted.email)
        check_name(wanted.name)
        name = folded(wanted.name)
        if wanted.name and not name:
            raise InvalidRequest("name: has nothing but spaces; say how the name starts")
        if wanted == Wanted():
            return self.store.list_page(token, size)
        wanted, now_ms = msgspec.structs.replace(wanted, name=name), self.clock.now_ms()
        return self.index.search(
            wanted, lambda record: is_wanted(record, wanted, now_ms), token, size
        )

    def list_seen(self, id_prefix: str = "", token: str = "", size: int = 0) -> SeenPage:
        """Return a page of customers on the default plan that were never provisioned."""
        size = page_size(size)
        if id_prefix:
            check_id(id_prefix, "id_prefix")
        self.noted.flush(self.clock.now_ms())  # or it would be behind by seconds
        return self.seen.page(id_prefix, token, size)


def is_wanted(record: CustomerRecord, wanted: Wanted, now_ms: int) -> bool:
    """Whether a customer is all that is looked for."""
    if wanted.archived not in (None, record.archived):
        return False
    if not record.customer_id.startswith(wanted.id_prefix):
        return False
    if wanted.email and folded(wanted.email) != folded(record.email):
        return False
    if wanted.external_id and wanted.external_id not in external_ids(record):
        return False
    if wanted.name:
        start = folded(wanted.name)
        if not any(text.startswith(start) for text in found_by(record.name)):
            return False
    if (wanted.promoted or wanted.promotion_of) and not any(
        wanted.promotion_of in ("", each.feature_id) and not is_over(each, now_ms)
        for each in record.promotions
    ):
        return False
    if not (wanted.plan_id or wanted.in_trial):
        return True
    in_force = [
        phase
        for resource_id in {phase.resource_id for phase in record.subscriptions}
        for phase in phases_in_force(record, now_ms, resource_id)
    ]
    return any(
        wanted.plan_id in ("", phase.plan_id) and (phase.trial or not wanted.in_trial)
        for phase in in_force
    )
