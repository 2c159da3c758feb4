"""The call of the admin service that reads the ledger."""

from quotad.ledger import LedgerEntry, LedgerGap, WantedEntries
from quotad.operations.parts import AdminParts
from quotad.service.admin_parts import mapped
from quotad.service.decode import moment
from quotad.service.encode import timestamp
from quotad.v1 import admin_pb2 as pb


class LedgerCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def ListLedger(self, request: pb.ListLedgerRequest) -> pb.ListLedgerResponse:
        """A page of what was counted and denied."""
        wanted = WantedEntries(
            request.customer_id,
            request.feature_id,
            request.reason,
            moment(request, "since"),
            moment(request, "until"),
            request.position,
            request.page_size,
            request.newest_first,
            request.from_now,
            request.denied_only,
            request.verb,
            request.with_changes,
        )
        page = self._parts.ledger.read(wanted)
        return pb.ListLedgerResponse(
            entries=map(_entry, page.entries),
            gaps=map(_gap, page.gaps),
            position=page.position,
            more=page.more,
        )


def _entry(entry: LedgerEntry) -> pb.LedgerEntry:
    return pb.LedgerEntry(
        id=entry.id,
        at=timestamp(entry.at_ms),
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
        resets_at=timestamp(entry.resets_at_ms),
        pool_id=entry.pool_id,
        occurred_at=timestamp(entry.occurred_ms or None),
        catalog_version=entry.catalog_version,
        late=entry.late,
        actor=entry.actor,
        edge=entry.edge,
        call=entry.call,
        changes=entry.changes,
        comment=entry.comment,
        epoch=entry.epoch,
    )


def _gap(gap: LedgerGap) -> pb.LedgerGap:
    return pb.LedgerGap(
        shard=gap.shard,
        since=timestamp(gap.from_ms),
        until=timestamp(gap.until_ms),
        why=gap.why,
    )
