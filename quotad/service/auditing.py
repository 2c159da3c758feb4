"""The calls of the admin service that compare counters with the ledger."""

from quotad.operations.parts import AdminParts
from quotad.operations.usage_audit import AuditedCounter, UsageAudit
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.decode import because, moment
from quotad.service.encode import timestamp
from quotad.service.quota import GRPC
from quotad.v1 import admin_pb2 as pb


class AuditingCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def AuditUsage(self, request: pb.AuditUsageRequest) -> pb.AuditUsageResponse:
        """A page of counters that differ from the ledger."""
        return _answer(
            self._parts.rebuilds.audits.audit(
                request.customer_id,
                request.feature_id,
                request.page_token,
                moment(request, "since"),
            )
        )

    @mapped_write
    def RebuildUsage(self, request: pb.RebuildUsageRequest, actor: str) -> pb.AuditUsageResponse:
        """Bring a page of counters back to the ledger."""
        apply = (because(request, actor), (actor, GRPC)) if request.apply else None
        return _answer(
            self._parts.rebuilds.rebuild(
                request.customer_id,
                request.feature_id,
                request.page_token,
                moment(request, "since"),
                apply,
            )
        )


def _answer(audit: UsageAudit) -> pb.AuditUsageResponse:
    return pb.AuditUsageResponse(
        counters=map(_counter, audit.counters),
        agreed=audit.agreed,
        next_page_token=audit.next_token,
    )


def _counter(counter: AuditedCounter) -> pb.AuditedCounter:
    name, feature = counter.name, counter.feature
    return pb.AuditedCounter(
        customer_id=name.customer_id,
        resource_id=name.resource_id,
        feature_id=name.feature_id,
        per=counter.per,
        start=timestamp(counter.start_ms),
        end=timestamp(counter.end_ms),
        counted=counter.counted,
        by_ledger=counter.by_ledger,
        difference=counter.difference,
        since=timestamp(counter.since_ms),
        doubt=counter.doubt or "",
        decimals=feature.decimals,
        unit=feature.unit,
        resets=name.generation,
        rebuilt=counter.rebuilt,
    )
