"""Whose limits a call is about, read without deciding it."""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from quotad.fronts.interface import Call
from quotad.service.quota import METHODS
from quotad.v1 import quota_pb2 as pb

_REQUESTS = [getattr(pb, f"{path.rpartition('/')[2]}Request") for path in METHODS]


def customers_of(call: Call) -> Sequence[str]:
    """Return the customers that a call of the quota service is about; none of one of a wrong
    shape."""
    try:
        request = _REQUESTS[call.method].FromString(call.request)
    except DecodeError:
        return ()
    if isinstance(request, pb.BatchCheckAndConsumeRequest):
        return [each.customer_id for each in request.requests]
    customer_id: str = request.customer_id
    return (customer_id,)
