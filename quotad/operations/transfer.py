"""Importing and exporting customers in bulk, as rows."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.customers.drafts import Draft, carried_out
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.decision import BATCH_MAX
from quotad.engine import Snapshots, ViewCache
from quotad.errors import InvalidRequest
from quotad.history import LOCAL
from quotad.operations.customers import noted
from quotad.operations.leftovers import forget_outlived, lasting
from quotad.operations.pages import page_size
from quotad.records import CustomerRecord
from quotad.store import Customers, Written

_CONFLICT = "is being written by others; import it again"


class Imported(msgspec.Struct, frozen=True):
    """What an import did."""

    problems: dict[int, str]
    """By index, in order, what is wrong with the rows that were left out."""
    written: int
    unchanged: int


class Exported(msgspec.Struct, frozen=True):
    """A page of customers as rows."""

    rows: list[bytes]
    next_token: str
    """Of the page after it; empty: there is none."""


class TransferOperations(msgspec.Struct, frozen=True):
    """Reads and writes customers in bulk with the catalog in force; for all threads."""

    store: Customers
    snapshots: Snapshots
    views: ViewCache
    clock: Clock

    def import_rows(
        self, rows: Sequence[bytes], dry_run: bool = False, actor: str = LOCAL
    ) -> Imported:
        """Write many customers, each as in its row; bad rows are reported and left out.

        Args:
            rows: JSON, one customer each.
            dry_run: only check them, and compare them with what is stored.
            actor: whose doing it is.

        Raises:
            InvalidRequest: too many rows.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out; importing again is safe.
        """
        if len(rows) > BATCH_MAX:
            raise InvalidRequest(f"rows: {len(rows)} of them; at most {BATCH_MAX}")
        snapshot, now_ms = self.snapshots.newest(), self.clock.now_ms()
        drafts, problems = _read(rows, snapshot, now_ms)
        made = [_Made(draft, snapshot, now_ms, actor) for draft in drafts.values()]
        changes = [(each.draft.customer_id, each.change) for each in made]
        if dry_run:
            outcomes = self.store.compare_many(changes)
        else:
            note = noted(actor, "ImportCustomers", snapshot)
            outcomes = self.store.write_many(changes, lasting(snapshot), note)
        for row, each, outcome in zip(drafts, made, outcomes, strict=True):
            if outcome is Written.CONFLICT:
                problems[row] = f"customer_id: {each.draft.customer_id!r} {_CONFLICT}"
            elif outcome is Written.WRITTEN and not dry_run:
                self.views.drop(each.draft.customer_id)
                forget_outlived(self.store, each.before, each.after, snapshot)
        return Imported(
            dict(sorted(problems.items())),
            outcomes.count(Written.WRITTEN),
            outcomes.count(Written.UNCHANGED),
        )

    def export_rows(self, token: str = "", size: int = 0) -> Exported:
        """Return a page of customers as rows.

        Args:
            token: of the page before; empty: the first page.
            size: most customers of the page; 0: the default.

        Raises:
            InvalidRequest: the token is of no page, or the size is out of range.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        snapshot, now_ms = self.snapshots.newest(), self.clock.now_ms()
        page = self.store.list_page(token, page_size(size))
        rows = [
            write_row(stored.record, snapshot, now_ms)
            for stored in page.customers
            if stored.record is not None
        ]
        return Exported(rows, page.next_token)


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

    __slots__ = ("_actor", "_now_ms", "_snapshot", "after", "before", "draft")

    def __init__(self, draft: Draft, snapshot: Snapshot, now_ms: int, actor: str) -> None:
        self._actor = actor
        self.draft = draft
        self._snapshot = snapshot
        self._now_ms = now_ms
        self.before: CustomerRecord | None = None
        self.after: CustomerRecord | None = None

    def change(self, before: CustomerRecord | None) -> CustomerRecord:
        """The record after; called again where others have written in between."""
        self.before = before
        after = carried_out(self.draft, before, self._snapshot, self._now_ms)
        self.after = after if after is before else replace(after, updated_by=self._actor)
        return self.after
