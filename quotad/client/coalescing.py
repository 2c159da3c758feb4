"""Calls that wait in one client travel as one `BatchCheckAndConsume`: what threads and tasks share.

No timer: a call that finds nothing under way leaves at once; those that come meanwhile leave
together when it has been answered. A client has two lanes, each with one message under way, so that
it works on the answers to one while a server works on the other. All calls of a customer are in one
lane, so they are decided in the order in which they were made, but for those that are tried again.
"""

from typing import Any
from zlib import crc32

from quotad.client import errors
from quotad.client.calls import Attempt
from quotad.client.errors import QuotaError, QuotaServerError
from quotad.v1 import quota_pb2 as pb

LANES = 2
"""More have fewer calls in each message, and each message costs as much as several calls."""

REQUEST_BYTES_MAX = 2048
"""A larger request travels alone: 1,000 of these stay below the largest message a server takes."""


def may_share(call: Attempt) -> bool:
    """Whether a call may travel with others: neither it nor its answer makes a batch too large."""
    return (
        call.method == "CheckAndConsume"
        and not call.request.explain
        and call.request.ByteSize() <= REQUEST_BYTES_MAX
    )


def lane_of(request: pb.CheckAndConsumeRequest) -> int:
    """The number of the lane that a customer's calls are in."""
    return crc32(request.customer_id.encode()) % LANES


def message_of(requests: list[pb.CheckAndConsumeRequest]) -> tuple[str, Any]:
    """The method and the message that some requests travel by."""
    if len(requests) == 1:
        return "CheckAndConsume", requests[0]
    return "BatchCheckAndConsume", pb.BatchCheckAndConsumeRequest(requests=requests)


def outcomes_of(answer: Any, size: int) -> list[Any]:
    """By request, its response or the QuotaError of it alone."""
    if isinstance(answer, pb.CheckAndConsumeResponse):
        return [answer]
    if len(answer.results) != size:
        message = f"{len(answer.results)} results for {size} requests"
        return [QuotaServerError(message, code="INTERNAL")] * size
    return [
        errors.from_result(result.error) if result.HasField("error") else result.response
        for result in answer.results
    ]


def out_of_time(sent: bool) -> QuotaError:
    """The error of a call that is not answered within its time."""
    problem = "the timeout ran out"
    if not sent:
        problem += " before the call was sent; nothing is taken"
    return errors.from_code("DEADLINE_EXCEEDED", problem)


def closed() -> QuotaError:
    """The error of a call whose client is closed before it is answered."""
    return errors.from_code("CANCELLED", "the client was closed")
