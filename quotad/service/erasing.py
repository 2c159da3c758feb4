"""The calls of the admin service that are about erasing customers."""

from quotad.operations.parts import AdminParts
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.customers import if_epoch
from quotad.service.encode import timestamp
from quotad.store.erasures import Erasure
from quotad.v1 import admin_pb2 as pb


class ErasingCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def EraseCustomer(
        self, request: pb.EraseCustomerRequest, actor: str
    ) -> pb.EraseCustomerResponse:
        """Erase a customer for good."""
        erasure = self._parts.erasing.erase(
            request.customer_id, request.erased_by or actor, if_epoch(request)
        )
        return pb.EraseCustomerResponse(
            erasure=_message(erasure),
            nonce=erasure.nonce,
            had_record=erasure.had_record,
            counters=erasure.counters,
            idempotency_keys=erasure.idempotency_keys,
        )

    @mapped
    def ListErasures(self, request: pb.ListErasuresRequest) -> pb.ListErasuresResponse:
        """The newest erasures."""
        newest = self._parts.erasing.newest(request.page_size)
        return pb.ListErasuresResponse(erasures=map(_message, newest))


def _message(erasure: Erasure) -> pb.Erasure:
    return pb.Erasure(
        erased_at=timestamp(erasure.erased_ms), erased_by=erasure.erased_by, proof=erasure.proof
    )
