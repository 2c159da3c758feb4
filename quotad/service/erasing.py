"""The calls of the admin service that are about erasing customers."""

from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import FeatureType
from quotad.operations.customers import check_if_epoch
from quotad.operations.pages import page_size
from quotad.service.admin_parts import AdminParts, mapped
from quotad.service.customers import if_epoch
from quotad.service.encode import timestamp
from quotad.store.erasures import Erasure
from quotad.v1 import admin_pb2 as pb

ERASED_BY_BYTES_MAX = 256


class ErasingCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def EraseCustomer(self, request: pb.EraseCustomerRequest) -> pb.EraseCustomerResponse:
        """Erase a customer for good."""
        check_id(request.customer_id, "customer_id")
        erased_by = request.erased_by
        if len(erased_by.encode()) > ERASED_BY_BYTES_MAX or not (erased_by + " ").isprintable():
            raise InvalidRequest(
                f"erased_by: must be printable, and at most {ERASED_BY_BYTES_MAX} bytes long"
            )
        parts, snapshot = self._parts, self._parts.snapshots.peek
        features = () if snapshot is None else snapshot.features.values()
        metered = [each.feature_id for each in features if each.type is FeatureType.METERED]
        check_if_epoch(if_epoch(request))
        erasure = parts.erasures.erase(request.customer_id, metered, erased_by, if_epoch(request))
        parts.views.drop(request.customer_id)
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
        latest = self._parts.erasures.latest(page_size(request.page_size))
        return pb.ListErasuresResponse(erasures=map(_message, latest))


def _message(erasure: Erasure) -> pb.Erasure:
    return pb.Erasure(
        erased_at=timestamp(erasure.erased_ms), erased_by=erasure.erased_by, proof=erasure.proof
    )
