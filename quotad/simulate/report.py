"""What a simulation found, as one value: for the terminal, for JSON and for the page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from quotad.decision import Reason
from quotad.replay.report import OTHERS, DeniedCustomers, SkippedLine
from quotad.simulate.tally import Counts, Pair, Tally, Timeline

NO_PLAN = "(none)"
"""How the plan of customers without one is shown."""

NOT_PLANS = {NO_PLAN, OTHERS}
"""What may stand for a plan in a row."""


class CatalogName(msgspec.Struct, frozen=True):
    """Which catalog was tried."""

    path: str
    digest: str
    default_plan: str | None


class CallGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that have something in common, and what became of them.

    `before` and `newly_*` are of a comparison with an old catalog; else null and 0.
    """

    plan_id: str | None = None
    """As the new catalog has it; null: of all plans."""
    feature_id: str | None = None
    decimals: int = 0
    """Of a credit pool: its amounts are in units of 10^-decimals."""
    decisions: int
    after: Counts
    before: Counts | None
    newly_denied: int
    newly_allowed: int


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time, and what became of its calls."""

    start: datetime
    after: Counts
    before: Counts | None
    newly_denied: int
    newly_allowed: int


class CustomerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with many denials."""

    customer_id: str
    plan_id: str
    denied: int
    denied_before: int | None
    newly_denied: int


class CustomerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers something happened to, at least once."""

    denied: int
    denied_before: int | None
    newly_denied: int
    newly_allowed: int
    exact: bool
    """False: there were too many to count every one, and this is a lower bound."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a simulation."""

    catalog: CatalogName
    against: CatalogName | None
    lines: int
    """Read."""
    decided: int
    skipped: int
    skipped_lines: list[SkippedLine]
    """The first few."""
    late: int
    """Lines too far out of order; decided at the time of the line before them."""
    first: datetime | None
    """Time of the first call."""
    last: datetime | None
    total: CallGroup
    plans: list[CallGroup]
    """Busiest first, as the others."""
    features: list[CallGroup]
    cells: list[CallGroup]
    """By plan and feature."""
    step_seconds: int
    timeline: list[Stretch]
    reasons: dict[str, int]
    """Denials by reason, most first."""
    reasons_before: dict[str, int] | None
    customers: CustomerCounts
    top_denied: list[CustomerRow]
    """By newly denied calls where two catalogs are compared, else by denied ones."""
    notes: list[str]
    """What a reader of the numbers should know."""
    seconds: float
    lines_per_second: int
    stopped: str
    """Why it ended before the end of the log; empty when it did not."""


def moment(at_ms: int) -> datetime:
    """A Unix time as a date."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def total_row(tally: Tally, compared: bool) -> CallGroup:
    """All calls together."""
    together = Pair()
    for pair in tally.cells.values():
        together.merge(pair)
    return _row(together, compared)


def plan_rows(tally: Tally, compared: bool) -> list[CallGroup]:
    """Calls by plan."""
    rows = [
        _row(pair, compared, plan_id=plan_id or NO_PLAN)
        for plan_id, pair in _grouped(tally, 0).items()
    ]
    return sorted(rows, key=_busiest)


def feature_rows(tally: Tally, compared: bool, decimals: Mapping[str, int]) -> list[CallGroup]:
    """Calls by feature.

    Args:
        tally: what was counted.
        compared: whether there is an old catalog.
        decimals: by feature id, where they are not 0.
    """
    rows = [
        _row(pair, compared, feature_id=feature_id)
        for feature_id, pair in _grouped(tally, 1).items()
    ]
    return sorted((_with_decimals(row, decimals) for row in rows), key=_busiest)


def cell_rows(tally: Tally, compared: bool, decimals: Mapping[str, int]) -> list[CallGroup]:
    """Calls by plan and feature; arguments as of `feature_rows`."""
    rows = [
        _row(pair, compared, plan_id=plan_id or NO_PLAN, feature_id=feature_id)
        for (plan_id, feature_id), pair in tally.cells.items()
    ]
    return sorted((_with_decimals(row, decimals) for row in rows), key=_busiest)


def stretches(timeline: list[tuple[int, Pair]], compared: bool) -> list[Stretch]:
    """Calls by time."""
    return [
        Stretch(
            start=moment(start_ms),
            after=pair.new,
            before=pair.old if compared else None,
            newly_denied=pair.newly_denied,
            newly_allowed=pair.newly_allowed,
        )
        for start_ms, pair in timeline
    ]


Columns = list[tuple[str, list[str]]]
"""What a table shows of rows: names of columns and their numbers, one per row."""


def columns_of(rows: Sequence[CallGroup]) -> Columns:
    """What was allowed and denied, and what changes."""
    columns = [("decisions", [row.decisions for row in rows])]
    before = [row.before.denied for row in rows if row.before is not None]
    if not before:
        columns.append(("allowed", [row.after.allowed for row in rows]))
    columns.append(("denied", [row.after.denied for row in rows]))
    if before:
        columns += [
            ("before", before),
            ("newly denied", [row.newly_denied for row in rows]),
            ("newly allowed", [row.newly_allowed for row in rows]),
        ]
    return [(name, [f"{number:,}" for number in numbers]) for name, numbers in columns]


def soft_columns_of(rows: Sequence[CallGroup]) -> Columns:
    """What limits would have denied and did not; only what there is any of."""
    columns: Columns = []
    for name, read in _SOFT.items():
        # Amounts of several features are of several units.
        if name == "overage" and any(row.feature_id is None for row in rows):
            continue
        after = [(read(row.after), row) for row in rows]
        before = [(read(row.before), row) for row in rows if row.before is not None]
        if any(number for number, _ in after + before):
            decimals = name == "overage"
            columns += [
                (title, [_amount(number, row.decimals * decimals) for number, row in numbers])
                for title, numbers in ((name, after), ("before", before))
                if numbers
            ]
    return columns


_SOFT: dict[str, Callable[[Counts], int]] = {
    "would deny": lambda counts: counts.would_deny,
    "over soft limit": lambda counts: counts.over_limit,
    "overage": lambda counts: counts.overage,
}


def _amount(number: int, decimals: int) -> str:
    """In whole units, with what is behind the point."""
    whole, rest = divmod(number, 10**decimals)
    return f"{whole:,}.{rest:0{decimals}}" if decimals else f"{whole:,}"


def coarser(report: Simulation, stretches_max: int) -> list[Stretch]:
    """The timeline of a report in a bounded number of stretches."""
    timeline = Timeline(stretches_max, report.step_seconds)
    for each in report.timeline:
        pair = Pair(each.after, each.before or Counts(), each.newly_denied, each.newly_allowed)
        timeline.add(int(each.start.timestamp()) * 1000, pair)
    return stretches(timeline.all(), report.against is not None)


def reasons(counted: dict[int, int]) -> dict[str, int]:
    """Denials by the word of their reason."""
    return {
        Reason(number).name: count
        for number, count in sorted(counted.items(), key=lambda each: -each[1])
    }


def customers(tally: Tally, compared: bool) -> CustomerCounts:
    """How many customers."""
    counted = (tally.denied, tally.denied_before, tally.newly_denied, tally.newly_allowed)
    return CustomerCounts(
        denied=len(tally.denied),
        denied_before=len(tally.denied_before) if compared else None,
        newly_denied=len(tally.newly_denied),
        newly_allowed=len(tally.newly_allowed),
        exact=all(each.exact for each in counted),
    )


def top_customers(tally: Tally, plan_ids: dict[str, str], compared: bool) -> list[CustomerRow]:
    """The customers that would complain.

    Args:
        tally: what was counted.
        plan_ids: the plan of each of `most_denied`.
        compared: whether there is an old catalog.
    """
    return [
        CustomerRow(
            customer_id=each.customer_id,
            plan_id=plan_ids[each.customer_id] or NO_PLAN,
            denied=tally.denied.count(each.customer_id),
            denied_before=tally.denied_before.count(each.customer_id) if compared else None,
            newly_denied=tally.newly_denied.count(each.customer_id),
        )
        for each in most_denied(tally, compared).top()
    ]


def most_denied(tally: Tally, compared: bool) -> DeniedCustomers:
    """The counts that the top customers are taken from."""
    return tally.newly_denied if compared else tally.denied


def _grouped(tally: Tally, part: int) -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for key, pair in tally.cells.items():
        found.setdefault(key[part], Pair()).merge(pair)
    return found


def _row(
    pair: Pair, compared: bool, plan_id: str | None = None, feature_id: str | None = None
) -> CallGroup:
    return CallGroup(
        plan_id=plan_id,
        feature_id=feature_id,
        decisions=pair.new.decisions,
        after=pair.new,
        before=pair.old if compared else None,
        newly_denied=pair.newly_denied,
        newly_allowed=pair.newly_allowed,
    )


def _with_decimals(row: CallGroup, decimals: Mapping[str, int]) -> CallGroup:
    return msgspec.structs.replace(row, decimals=decimals.get(row.feature_id or "", 0))


def _busiest(row: CallGroup) -> tuple[int, str, str]:
    return (-row.decisions, row.plan_id or "", row.feature_id or "")
