"""Calls that wait in one client travel as one `BatchCheckAndConsume`: what threads and tasks share.

No timer: a call that finds a lane free leaves at once; those that come meanwhile leave together
when a message has been answered. There are two lanes, each with one message under way, so that a
client works on the answers to one while a server works on the other. Calls of a customer are under
way in one message at a time, so they are decided in the order in which they were made, but for
those that are tried again.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from quotad.client import errors
from quotad.client.errors import QuotaError, QuotaServerError
from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb

LANES = 2
"""More have fewer calls in each message, and each message costs as much as several calls."""

REQUEST_BYTES_MAX = 2048
"""A larger request travels alone: 1,000 of these stay below the largest message a server takes."""

DECIDES = "CheckAndConsume"
"""The method whose calls travel together."""

LOOK_MAX = 2 * BATCH_MAX
"""How many of the calls that wait are looked at for one message."""

_SERVICE = "/quotad.v1.QuotaService/"


def _framed(size: int) -> bytes:
    """What comes before a request of this size in BatchCheckAndConsumeRequest.requests = 1."""
    return bytes((0x0A, size) if size < 128 else (0x0A, size & 127 | 128, size >> 7))


_HEADS = [_framed(size) for size in range(REQUEST_BYTES_MAX + 1)]


class BytesStub:
    """The two methods that coalesced calls travel by, of requests that are serialised already.

    To serialise each by itself costs less than to copy all of them into a message first.
    """

    def __init__(self, channel: Any) -> None:
        self.CheckAndConsume = channel.unary_unary(
            f"{_SERVICE}CheckAndConsume",
            response_deserializer=pb.CheckAndConsumeResponse.FromString,
            _registered_method=True,
        )
        self.BatchCheckAndConsume = channel.unary_unary(
            f"{_SERVICE}BatchCheckAndConsume",
            response_deserializer=pb.BatchCheckAndConsumeResponse.FromString,
            _registered_method=True,
        )


def shared(request: pb.CheckAndConsumeRequest) -> bytes | None:
    """A request that may travel with others: neither it nor its answer makes a batch too large.
    None: it may not."""
    if request.explain:
        return None
    payload = request.SerializeToString()
    return payload if len(payload) <= REQUEST_BYTES_MAX else None


class WaitingCall(Protocol):
    """A call that waits to be sent."""

    @property
    def customer_id(self) -> str:
        """Whose it is."""

    @property
    def payload(self) -> bytes:
        """Its request."""

    def has_given_up(self) -> bool:
        """Whether nothing waits for its answer any more."""


_Call = TypeVar("_Call", bound=WaitingCall)
_L = TypeVar("_L", bound="Lane")


class Lane:
    """A place for one message under way."""

    __slots__ = ("customers", "size")

    def __init__(self) -> None:
        self.size = 0
        """Calls of its message, also while their callers are woken; 0: it is free."""
        self.customers: set[str] = set()
        """Of its message, until that is answered."""

    def free(self) -> None:
        """Let other calls have it."""
        self.size = 0
        self.customers.clear()


class CallQueue(Generic[_Call, _L]):
    """Calls in the order in which they were made, and the lanes that they leave by.

    While a lane is free, all that waits is of customers in the other one.
    """

    def __init__(self, one: _L, other: _L) -> None:
        self.waiting: deque[_Call] = deque()
        self.lanes = one, other

    def other(self, lane: _L) -> _L:
        """The lane beside one."""
        one, other = self.lanes
        return other if lane is one else one

    def claim(self, customer_id: str) -> _L | None:
        """Return a free lane for a call that leaves at once, held from now on; None: it waits."""
        one, other = self.lanes
        if one.size:
            if other.size or customer_id in one.customers:
                return None
            one = other
        elif customer_id in other.customers:
            return None
        one.size = 1
        one.customers.add(customer_id)
        return one

    def claim_for_rest(self, lane: _L) -> _L | None:
        """Return the other lane, held from now on, if it is free and calls wait for it."""
        other = self.other(lane)
        if other.size or not self.waiting:
            return None
        other.size = 1
        return other

    def take(self, lane: _L) -> list[_Call]:
        """Fill the message of a lane; it is free when there is nothing for it.

        It has half of all calls, so that the next message has as many, and those that cannot be in
        the other: its customers'.
        """
        waiting, customers = self.waiting, lane.customers
        customers.clear()
        under_way = self.other(lane)
        elsewhere = under_way.customers
        half = min((len(waiting) + under_way.size + 1) // 2, BATCH_MAX)
        taken: list[_Call] = []
        left: list[_Call] = []
        for _ in range(min(len(waiting), LOOK_MAX)):
            call = waiting.popleft()
            if call.has_given_up():
                continue
            customer_id = call.customer_id
            if customer_id in elsewhere:
                left.append(call)
            elif len(taken) < half:
                customers.add(customer_id)
                taken.append(call)
            elif customer_id in customers and len(taken) < BATCH_MAX:
                taken.append(call)
            else:
                left.append(call)
        if left:
            waiting.extendleft(reversed(left))
        lane.size = len(taken)
        return taken


def message_of(calls: Sequence[WaitingCall]) -> tuple[str, bytes]:
    """The method and the message that some calls travel by."""
    if len(calls) == 1:
        return "CheckAndConsume", calls[0].payload
    parts: list[bytes] = []
    for call in calls:
        payload = call.payload
        parts += (_HEADS[len(payload)], payload)
    return "BatchCheckAndConsume", b"".join(parts)


def outcomes_of(answer: Any, size: int) -> Sequence[Any]:
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
