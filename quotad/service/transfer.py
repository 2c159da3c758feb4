"""The calls of the admin service that are about customers in bulk."""

from quotad.operations.parts import AdminParts
from quotad.service.admin_parts import mapped, mapped_write
from quotad.v1 import admin_pb2 as pb


class TransferCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def ImportCustomers(
        self, request: pb.ImportCustomersRequest, actor: str
    ) -> pb.ImportCustomersResponse:
        """Write many customers, each as in its row; bad rows are reported and left out."""
        done = self._parts.transfer.import_rows(request.rows, request.dry_run, actor)
        return pb.ImportCustomersResponse(
            problems=[
                pb.ImportCustomersResponse.Problem(row=row, message=message)
                for row, message in done.problems.items()
            ],
            written=done.written,
            unchanged=done.unchanged,
        )

    @mapped
    def ExportCustomers(self, request: pb.ExportCustomersRequest) -> pb.ExportCustomersResponse:
        """A page of customers as rows."""
        page = self._parts.transfer.export_rows(request.page_token, request.page_size)
        return pb.ExportCustomersResponse(rows=page.rows, next_page_token=page.next_token)
