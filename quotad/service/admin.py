"""AdminService: put together, and the status. Not hot: plain servicer methods in threads."""

import os

from quotad import __version__
from quotad.operations.catalogs import Version
from quotad.service.admin_parts import AdminParts, mapped
from quotad.service.catalogs import CatalogCalls, version_message
from quotad.service.customers import CustomerCalls
from quotad.service.encode import timestamp
from quotad.service.erasing import ErasingCalls
from quotad.service.insights import insights
from quotad.service.transfer import TransferCalls
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import admin_pb2_grpc

SERVICE = "quotad.v1.AdminService"


class AdminServicer(
    CatalogCalls, CustomerCalls, ErasingCalls, TransferCalls, admin_pb2_grpc.AdminServiceServicer
):
    """The servicer; one for all threads."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    @mapped
    def GetInsights(self, request: pb.GetInsightsRequest) -> pb.GetInsightsResponse:
        """Who is near a limit or past it."""
        return insights(self._parts.insights, self._parts.snapshot(), request)

    @mapped
    def GetStatus(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """How this worker is; answers without the store."""
        parts = self._parts
        problem = parts.health.problem or parts.snapshots.problem
        published = parts.snapshots.published
        return pb.GetStatusResponse(
            server_version=__version__,
            ready=not problem,
            not_ready_reason=problem,
            catalog=None if published is None else version_message(Version(published, True)),
            store=parts.store_address,
            store_up=parts.health.up,
            started_at=timestamp(parts.started_ms),
            pid=os.getpid(),
            front=parts.front,
            decisions=parts.decisions(),
            cached_customers=len(parts.views),
            store_warnings=[*parts.safety.warnings, *filter(None, [parts.health.clock_warning])],
        )
