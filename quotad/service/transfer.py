"""The calls of the admin service that are about customers in bulk."""

from collections.abc import Sequence

from quotad.catalog import Snapshot
from quotad.customers.drafts import Draft, carried_out
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.errors import InvalidRequest
from quotad.model import BATCH_MAX, CustomerRecord
from quotad.operations.leftovers import forget_outlived, lasting
from quotad.operations.pages import page_size
from quotad.service.admin_parts import AdminParts, mapped
from quotad.store import Written
from quotad.v1 import admin_pb2 as pb

_CONFLICT = "is being written by others; import it again"


class TransferCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def ImportCustomers(self, request: pb.ImportCustomersRequest) -> pb.ImportCustomersResponse:
        """Write many customers, each as its row says; bad rows are reported and left out."""
        if len(request.rows) > BATCH_MAX:
            raise InvalidRequest(f"rows: {len(request.rows)} of them; at most {BATCH_MAX}")
        snapshot = self._parts.snapshots.newest()
        now_ms = self._parts.clock.now_ms()
        drafts, problems = _read(request.rows, snapshot, now_ms)
        made = [_Made(draft, snapshot, now_ms) for draft in drafts.values()]
        changes = [(each.draft.customer_id, each.change) for each in made]
        customers = self._parts.store
        if request.dry_run:
            outcomes = customers.compare_many(changes)
        else:
            outcomes = customers.write_many(changes, lasting(snapshot))
        for row, each, outcome in zip(drafts, made, outcomes, strict=True):
            if outcome is Written.CONFLICT:
                problems[row] = f"customer_id: {each.draft.customer_id!r} {_CONFLICT}"
            elif outcome is Written.WRITTEN and not request.dry_run:
                self._parts.views.drop(each.draft.customer_id)
                forget_outlived(customers, each.before, each.after, snapshot)
        return pb.ImportCustomersResponse(
            problems=[
                pb.ImportCustomersResponse.Problem(row=row, message=message)
                for row, message in sorted(problems.items())
            ],
            written=outcomes.count(Written.WRITTEN),
            unchanged=outcomes.count(Written.UNCHANGED),
        )

    @mapped
    def ExportCustomers(self, request: pb.ExportCustomersRequest) -> pb.ExportCustomersResponse:
        """A page of customers as rows."""
        snapshot = self._parts.snapshots.newest()
        now_ms = self._parts.clock.now_ms()
        page = self._parts.store.list_page(request.page_token, page_size(request.page_size))
        return pb.ExportCustomersResponse(
            rows=[
                write_row(stored.record, snapshot, now_ms)
                for stored in page.customers
                if stored.record is not None
            ],
            next_page_token=page.next_token,
        )


def _read(
    rows: Sequence[bytes], snapshot: Snapshot, now_ms: int
) -> tuple[dict[int, Draft], dict[int, str]]:
    """The rows that can be written, and what is wrong with the others, by index."""
    reader = RowReader(snapshot, now_ms)
    drafts: dict[int, Draft] = {}
    problems: dict[int, str] = {}
    known: dict[str, int] = {}
    for row, data in enumerate(rows):
        try:
            draft = reader.read(data)
        except InvalidRequest as error:
            problems[row] = str(error)
            continue
        first = known.setdefault(draft.customer_id, row)
        if first == row:
            drafts[row] = draft
        else:
            problems[row] = f"customer_id: {draft.customer_id!r} is in row {first} already"
    return drafts, problems


class _Made:
    """What became of one customer's record."""

    __slots__ = ("_now_ms", "_snapshot", "after", "before", "draft")

    def __init__(self, draft: Draft, snapshot: Snapshot, now_ms: int) -> None:
        self.draft = draft
        self._snapshot = snapshot
        self._now_ms = now_ms
        self.before: CustomerRecord | None = None
        self.after: CustomerRecord | None = None

    def change(self, before: CustomerRecord | None) -> CustomerRecord:
        """The record after; called again where others have written in between."""
        self.before = before
        self.after = carried_out(self.draft, before, self._snapshot, self._now_ms)
        return self.after
