"""AdminService: put together, and the status. Not hot: plain servicer methods in threads."""

from quotad.operations.parts import AdminParts
from quotad.service.admin_parts import mapped
from quotad.service.auditing import AuditingCalls
from quotad.service.catalogs import CatalogCalls, version_message
from quotad.service.customers import CustomerCalls
from quotad.service.encode import timestamp
from quotad.service.erasing import ErasingCalls
from quotad.service.guard import Guard
from quotad.service.insights import InsightCalls
from quotad.service.ledger import LedgerCalls
from quotad.service.tokens import TokenCalls
from quotad.service.transfer import TransferCalls
from quotad.service.webhooks import WebhookCalls
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import admin_pb2_grpc

SERVICE = "quotad.v1.AdminService"


class AdminServicer(
    AuditingCalls,
    CatalogCalls,
    CustomerCalls,
    ErasingCalls,
    InsightCalls,
    LedgerCalls,
    TokenCalls,
    TransferCalls,
    WebhookCalls,
    admin_pb2_grpc.AdminServiceServicer,
):
    """The servicer; one for all threads.

    Args:
        parts: what it is answered from.
        guard: looks at every call; None: all are answered.
    """

    def __init__(self, parts: AdminParts, guard: Guard | None = None) -> None:
        self._parts = parts
        self._guard = guard

    @mapped
    def GetStatus(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """How this worker is; answers without the store."""
        status = self._parts.worker.status()
        return pb.GetStatusResponse(
            server_version=status.server_version,
            ready=not status.not_ready_reason,
            not_ready_reason=status.not_ready_reason,
            catalog=None if status.catalog is None else version_message(status.catalog),
            store=status.store,
            store_up=status.store_up,
            started_at=timestamp(status.started_ms),
            pid=status.pid,
            front=status.front,
            decisions=status.decisions,
            cached_customers=status.cached_customers,
            store_warnings=status.store_warnings,
        )
