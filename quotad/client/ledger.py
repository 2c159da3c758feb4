"""The ledger from Python: what was counted and denied, page by page, as steps of the calls."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.messages import read
from quotad.v1 import admin_pb2 as pb


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted or denied of one feature in one call."""

    id: str
    """Stable."""
    at: datetime
    """By the store's clock; UTC."""
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
    """The limit that decided; None: unlimited, or none."""
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


class LostLines(msgspec.Struct, frozen=True, kw_only=True):
    """What of a shard cannot be read."""

    shard: int
    since: datetime
    until: datetime
    why: str
    """`dropped`: records may be gone; `unreadable`: one of a newer release, or damaged."""


class LedgerPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the ledger."""

    entries: tuple[LedgerLine, ...]
    """In the order of their time."""
    gaps: tuple[LostLines, ...]
    position: str
    """Where to go on, also later and on another server."""
    more: bool
    """Whether there is more now."""


def page(policy: Policy, wanted: Mapping[str, Any]) -> Steps[LedgerPage]:
    """Read a page.

    Args:
        policy: of the call.
        wanted: as of `AdminClient.ledger_page`.
    """
    request = checked(
        pb.ListLedgerRequest,
        customer_id=wanted["customer_id"],
        feature_id=wanted["feature_id"],
        reason=wanted["reason"],
        since=wanted["since"],
        until=wanted["until"],
        position=wanted["position"],
        page_size=wanted["size"],
        newest_first=wanted["newest_first"],
        from_now=wanted["from_now"],
        denied_only=wanted["denied_only"],
        verb=wanted["verb"],
        with_changes=wanted["with_changes"],
    )
    answer = yield from retried(policy, "ListLedger", request)
    return LedgerPage(
        entries=tuple([read(LedgerLine, each) for each in answer.entries]),
        gaps=tuple([read(LostLines, each) for each in answer.gaps]),
        position=answer.position,
        more=answer.more,
    )
