"""The ledger over HTTP: what was counted and denied, page by page."""

from datetime import datetime

import msgspec

from quotad.http.answers import moment
from quotad.http.fields import PageSize, moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.ledger import LedgerEntry, LedgerGap, WantedEntries
from quotad.tokens.roles import Right


class ListLedger(RequestFields, frozen=True, kw_only=True):
    """Which entries."""

    customer_id: str = ""
    """Empty: of all customers."""
    feature_id: str = ""
    """Empty: any."""
    reason: str = ""
    """Of a decision, such as `LIMIT_EXCEEDED`; empty: any."""
    since: datetime | None = None
    """Absent: from the oldest that is kept on."""
    until: datetime | None = None
    """Without those from then on."""
    page_size: PageSize = 0
    """A page may have some more or fewer."""
    position: str = ""
    """Of the page before, with the same filters and order; empty: the first page."""
    newest_first: bool = False
    """Else the oldest first."""
    from_now: bool = False
    """Without a position: none of those that are there, only the position behind them."""
    denied_only: bool = False
    verb: str = ""
    """As of entries; empty: any but `change`."""
    with_changes: bool = False
    """Without a verb: writes by admins as well."""


class LedgerEntryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted or denied of one feature in one call."""

    id: str
    """Stable."""
    at: datetime | None
    """By the store's clock."""
    verb: str
    """`consume`, `record`, `refund`, `reserve`, `settle`, `set`, `acquire`, `lend`, `return`,
    `fallback` or `rebuild`; `change`: a write by an admin."""
    customer_id: str
    resource_id: str
    feature_id: str
    quantity: int
    """Counted; negative: given back; of a denial what was asked for."""
    allowed: bool
    reason: str
    """As of the decision."""
    idempotency_key: str
    """Of a reservation its id."""
    limit: int | None
    """The limit that decided; null: unlimited, or none."""
    used: int
    """Of it, after the call."""
    remaining: int
    resets_at: datetime | None
    pool_id: str
    """The credit pool whose limit decided; the amounts above are then of the pool."""
    occurred_at: datetime | None
    """When it happened, where that is not when it was counted."""
    catalog_version: int
    late: bool
    """No counter of its period was kept any more: it is counted nowhere else."""
    actor: str
    """Name of the token that it was asked for with; empty: there was none."""
    edge: str
    """`grpc`, `http`, `authorize`, `graphql`, `stigg` or `dashboard`; empty: by the server itself,
    such as what has ended."""
    call: str
    """Of a write the operation: `ProvisionCustomer`, `PublishCatalog`, `CreateToken`, ..."""
    changes: tuple[str, ...]
    """What it changed, from what to what, in words."""
    comment: str
    """Why, as whoever made it wrote it."""
    epoch: int
    """Of a customer, that the write has made."""


class LedgerGapAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What of a shard cannot be read."""

    shard: int
    since: datetime | None
    until: datetime | None
    why: str
    """`dropped`: records may be gone; `unreadable`: one of a newer release, or damaged."""


class LedgerFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the ledger."""

    entries: tuple[LedgerEntryAnswer, ...]
    """In the order of their time."""
    gaps: tuple[LedgerGapAnswer, ...]
    position: str
    """Where to go on, also later and on another server."""
    more: bool
    """Whether there is more now."""


@in_thread
def find(call: HttpCall, wanted: ListLedger) -> HttpAnswer:
    """Return a page of the ledger."""
    page = call.context.parts.ledger.read(
        WantedEntries(
            wanted.customer_id,
            wanted.feature_id,
            wanted.reason,
            moment_ms(wanted.since, "since"),
            moment_ms(wanted.until, "until"),
            wanted.position,
            wanted.page_size,
            wanted.newest_first,
            wanted.from_now,
            wanted.denied_only,
            wanted.verb,
            wanted.with_changes,
        )
    )
    return HttpAnswer(
        LedgerFound(
            entries=tuple(map(_entry, page.entries)),
            gaps=tuple(map(_gap, page.gaps)),
            position=page.position,
            more=page.more,
        )
    )


def _entry(entry: LedgerEntry) -> LedgerEntryAnswer:
    return LedgerEntryAnswer(
        id=entry.id,
        at=moment(entry.at_ms),
        verb=entry.verb,
        customer_id=entry.customer_id,
        resource_id=entry.resource_id,
        feature_id=entry.feature_id,
        quantity=entry.quantity,
        allowed=entry.allowed,
        reason=entry.reason,
        idempotency_key=entry.key,
        limit=entry.limit,
        used=entry.used,
        remaining=entry.remaining,
        resets_at=moment(entry.resets_at_ms),
        pool_id=entry.pool_id,
        occurred_at=moment(entry.occurred_ms or None),
        catalog_version=entry.catalog_version,
        late=entry.late,
        actor=entry.actor,
        edge=entry.edge,
        call=entry.call,
        changes=entry.changes,
        comment=entry.comment,
        epoch=entry.epoch,
    )


def _gap(gap: LedgerGap) -> LedgerGapAnswer:
    return LedgerGapAnswer(
        shard=gap.shard, since=moment(gap.from_ms), until=moment(gap.until_ms), why=gap.why
    )


OPERATIONS = (
    Operation(
        name="ListLedger",
        method="GET",
        path="/v1/ledger",
        right=Right.READ,
        wanted=ListLedger,
        given=LedgerFound,
        act=find,
        about="Returns what was counted of ledgered features, and denied where that is noted.",
    ),
)
