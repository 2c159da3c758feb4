"""What customers have used, in the periods under way and in those of a month."""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from quotad.clock import Clock
from quotad.engine import Snapshots
from quotad.engine.demand import Demand
from quotad.entitlements.counted import CountedPeriod, CountedPeriods
from quotad.errors import InvalidRequest
from quotad.held import Correction
from quotad.ids import check_id
from quotad.model import Anchor, Feature, MeterKind
from quotad.operations.insights import metered_named
from quotad.operations.pages import page_size
from quotad.store import Customers
from quotad.store.usage import CounterName, CounterValue, UsageStore

PAGE_COUNTERS_MAX = 5_000
"""Most counters that a page of several customers looks at."""

COUNTERS_MAX = 20_000
"""Most counters of one customer that an answer looks at; what is found fits into a message."""


class PeriodUsage(msgspec.Struct, frozen=True):
    """What a customer, or a resource of it, has used of a feature in one period."""

    customer_id: str
    resource_id: str
    feature: Feature
    per: str
    """The window as a catalog spells it; empty: a lifetime."""
    start_ms: int | None
    """Unix time; None: of a lifetime, or of a window that opens at first use."""
    end_ms: int | None
    used: int
    """In units of 10^-decimals of the feature."""
    denied: int = 0
    """What there was no room for, in the same units."""


class FoundUsage(msgspec.Struct, frozen=True):
    """Usage of some customers."""

    usage: list[PeriodUsage]
    next_token: str
    """Of the page after it; empty: there is none."""


class UsageOperations(msgspec.Struct, frozen=True):
    """Reads usage; for all threads."""

    customers: Customers
    counters: UsageStore
    snapshots: Snapshots
    clock: Clock
    demand: Demand
    """Of this worker."""

    def of_customer(self, customer_id: str, feature_id: str = "", month: str = "") -> FoundUsage:
        """Return the usage of one customer, also of one without a record.

        Args:
            customer_id: whose.
            feature_id: of which feature; empty: of every metered one.
            month: `2026-10`: of periods that start in it, on the clock of their time zone, as far
                as they are kept; empty: of the periods under way.

        Raises:
            InvalidRequest: of the wrong shape, without usage, or more counters than one answer has.
            NotFound: there is no such feature.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        check_id(customer_id, "customer_id")
        periods = self._periods(feature_id, month)
        record = self.customers.get(customer_id).record
        return FoundUsage(
            self._read([(customer_id, _bounded(customer_id, periods.of(record)))]), ""
        )

    def page(
        self, feature_id: str = "", month: str = "", token: str = "", size: int = 0
    ) -> FoundUsage:
        """Return the usage of a page of the customers with a record, by shard, then by id.

        Args:
            feature_id: as of `of_customer`, and so is `month`.
            month: see there.
            token: of the page before; empty: the first page.
            size: most customers of the page, 0: the default; where they have many counters,
                fewer.

        Raises:
            InvalidRequest: also where the token is of no page, or the size is out of range.
            NotFound: as of `of_customer`, and so are the others.
            NotReady: see there.
            StoreUnavailable: see there.
        """
        periods = self._periods(feature_id, month)
        page = self.customers.list_page(token, page_size(size))
        wanted: list[tuple[str, list[CountedPeriod]]] = []
        room, next_token = PAGE_COUNTERS_MAX, page.next_token
        for stored in page.customers:
            if stored.record is None:
                continue
            customer_id = stored.record.customer_id
            its = _bounded(customer_id, periods.of(stored.record))
            room -= _counters(its)
            if room < 0 and wanted:
                next_token = self.customers.token_after(wanted[-1][0])
                break
            wanted.append((customer_id, its))
        return FoundUsage(self._read(wanted), next_token)

    def corrections_of(self, customer_id: str, size: int = 0) -> list[Correction]:
        """The latest corrections of what a customer has used, the newest first.

        Raises:
            InvalidRequest: of the wrong shape.
            StoreUnavailable: the store refused or timed out.
        """
        check_id(customer_id, "customer_id")
        return self.counters.corrections.latest(customer_id, page_size(size))

    def _periods(self, feature_id: str, month: str) -> CountedPeriods:
        snapshot = self.snapshots.newest()
        named = metered_named(snapshot, feature_id)
        if feature_id and snapshot.features[feature_id].kind is MeterKind.CONCURRENCY:
            raise InvalidRequest(
                f"feature_id: {feature_id!r} limits what is in flight, and has no usage by period;"
                " GetEntitlement and ListSlots answer what is held"
            )
        named = [x for x in named if snapshot.features[x].kind is not MeterKind.CONCURRENCY]
        return CountedPeriods(snapshot, named, self.clock.now_ms(), month)

    def _read(self, wanted: Sequence[tuple[str, list[CountedPeriod]]]) -> list[PeriodUsage]:
        """Read counters; periods in which nothing was used or denied are left out."""
        names = [
            CounterName(
                customer_id, its.resource_id, its.feature.feature_id, its.period.period_id, n
            )
            for customer_id, periods in wanted
            for its in periods
            for n in range(its.generations)
        ]
        self.demand.flush(self.clock.now_ms())
        values = iter(self.counters.read(names))
        return [
            usage
            for customer_id, periods in wanted
            for its in periods
            if (usage := _usage(customer_id, its, values)) is not None
        ]


def _usage(
    customer_id: str, its: CountedPeriod, values: Iterator[CounterValue | None]
) -> PeriodUsage | None:
    """What was used and denied in a period, before and after resets; None: nothing.

    Takes as many values as the period has counters.
    """
    period, window = its.period, its.window
    found = [value for value in islice(values, its.generations) if value is not None]
    denied = sum(value.denied for value in found)
    start_ms, end_ms = period.start_ms, period.end_ms
    if window is not None and window.anchor is Anchor.FIRST_USE:
        # Of one that has closed the counter is there until it opens again.
        found = [value for value in found if (value.closes_ms or 0) > (start_ms or 0)]
        start_ms, end_ms = None, max((value.closes_ms or 0 for value in found), default=None)
    used = sum(value.used for value in found)
    if not used and not denied:
        return None
    per = "" if window is None else window.per
    return PeriodUsage(
        customer_id, its.resource_id, its.feature, per, start_ms, end_ms, used, denied
    )


def _counters(periods: Sequence[CountedPeriod]) -> int:
    return sum(each.generations for each in periods)


def _bounded(customer_id: str, periods: list[CountedPeriod]) -> list[CountedPeriod]:
    if _counters(periods) > COUNTERS_MAX:
        raise InvalidRequest(
            f"feature_id: {customer_id!r} may have more than {COUNTERS_MAX:,} counters of all"
            " features; ask for one feature"
        )
    return periods
