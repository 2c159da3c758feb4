"""What customers have for a time and that ends soon: trials and promotions, found page by page."""

from collections.abc import Iterator

import msgspec

from quotad.entitlements.phases import phases_in_force
from quotad.records import CustomerRecord
from quotad.store import CustomerIndex
from quotad.store.facets import Wanted

PAGE = 500

_SEARCHES = (Wanted(in_trial=True), Wanted(promoted=True))


class EndingSoon(msgspec.Struct, frozen=True):
    """Something that ends soon."""

    customer_id: str
    resource_id: str
    end_ms: int
    """Unix time."""
    plan_id: str = ""
    """Of a trial."""
    feature_id: str = ""
    """Of a promotion."""


class EndingsCursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a search has got."""

    search: int = 0
    token: str = ""


class EndingOperations(msgspec.Struct, frozen=True):
    """Finds them; for all threads."""

    index: CustomerIndex

    def page(
        self, cursor: EndingsCursor, now_ms: int, within_ms: int
    ) -> tuple[list[EndingSoon], EndingsCursor | None]:
        """Return what ends soon of a page of customers, and where to go on; None: at the end.

        Args:
            cursor: `EndingsCursor()` for the first page.
            now_ms: Unix time.
            within_ms: how soon.

        Raises:
            InvalidRequest: the cursor is of a store with other shards.
            StoreUnavailable: the store refused or timed out.
        """
        wanted = _SEARCHES[cursor.search]
        until_ms = now_ms + within_ms
        of = _trials if wanted.in_trial else _promotions
        page = self.index.search(
            wanted, lambda record: any(of(record, now_ms, until_ms)), cursor.token, PAGE
        )
        found = [
            ending
            for stored in page.customers
            if stored.record is not None
            for ending in of(stored.record, now_ms, until_ms)
        ]
        if page.next_token:
            return found, EndingsCursor(cursor.search, page.next_token)
        after = cursor.search + 1
        return found, EndingsCursor(after) if after < len(_SEARCHES) else None


def _trials(record: CustomerRecord, now_ms: int, until_ms: int) -> Iterator[EndingSoon]:
    if record.archived:
        return
    for resource_id in sorted({phase.resource_id for phase in record.subscriptions}):
        for phase in phases_in_force(record, now_ms, resource_id):
            if phase.trial and phase.end_ms is not None and now_ms < phase.end_ms <= until_ms:
                yield EndingSoon(
                    record.customer_id, resource_id, phase.end_ms, plan_id=phase.plan_id
                )


def _promotions(record: CustomerRecord, now_ms: int, until_ms: int) -> Iterator[EndingSoon]:
    if record.archived:
        return
    for each in record.promotions:
        started = each.start_ms is None or each.start_ms <= now_ms
        if started and each.end_ms is not None and now_ms < each.end_ms <= until_ms:
            yield EndingSoon(
                record.customer_id, each.resource_id, each.end_ms, feature_id=each.feature_id
            )
