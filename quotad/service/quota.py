"""QuotaService: a batch of calls in, decided together, answered one by one."""

import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec

from quotad.decision import ConsumeRequest, Decision
from quotad.errors import QuotadError, StoreUnavailable, internal_error
from quotad.fronts.interface import Answer, Call
from quotad.history import LOCAL
from quotad.ledger import Taker, Takers
from quotad.operations.decisions import DecisionOperations
from quotad.service import decode, encode, leases, reservations, slots
from quotad.service.decode_all import known_all, read_all
from quotad.service.encode_items import settled_bytes
from quotad.service.wire import batch_bytes, decision_bytes, each_bytes
from quotad.v1 import quota_pb2 as pb

SERVICE = "quotad.v1.QuotaService"
METHODS = tuple(
    f"/{SERVICE}/{name}"
    for name in (
        "CheckAndConsume",
        "BatchCheckAndConsume",
        "GetEntitlement",
        "GetEntitlements",
        "Refund",
        "Reserve",
        "Commit",
        "Release",
        "Extend",
        "CheckAndConsumeAll",
        "AcquireLease",
        "RenewLease",
        "ReleaseLease",
        "AcquireSlot",
        "Heartbeat",
        "ReleaseSlot",
        "ListSlots",
        "SetUsage",
    )
)
"""Paths of the hot methods, in the order that `Call` counts them."""

_CONSUME, _BATCH, _ENTITLEMENT, _ENTITLEMENTS, _REFUND = range(5)
_SET_USAGE = METHODS.index(f"/{SERVICE}/SetUsage")
_ALL = METHODS.index(f"/{SERVICE}/CheckAndConsumeAll")

TOGETHER = frozenset((_CONSUME, _BATCH, _ALL))
"""Methods whose calls are decided together."""

_HOLDS = {
    METHODS.index(f"/{SERVICE}/{name}"): answer
    for name, answer in (
        ("Reserve", reservations.reserve),
        ("Commit", reservations.commit),
        ("Release", reservations.release),
        ("Extend", reservations.extend),
        ("AcquireLease", leases.acquire),
        ("RenewLease", leases.renew),
        ("ReleaseLease", leases.release),
        ("AcquireSlot", slots.acquire),
        ("Heartbeat", slots.heartbeat),
        ("ReleaseSlot", slots.release),
        ("ListSlots", slots.list_slots),
    )
}

TOGETHER_MAX = 1000
"""Most requests decided in one go; a batch call counts with all of its requests."""

GRPC = "grpc"
"""As entries of the ledger name this edge."""

UNNAMED = Takers((("", GRPC),))
"""Of calls without a token."""

_log = logging.getLogger("quotad.service")


class _BatchCall(msgspec.Struct, frozen=True, gc=False):
    """A BatchCheckAndConsume."""

    call_id: int
    requests: list[ConsumeRequest]
    refused: decode.Refusals
    taker: Taker

    def answer(self, decided: list[Decision | QuotadError]) -> bytes | QuotadError:
        """The answer to it."""
        for place, error in self.refused.items():  # in order, so that each gets its place
            decided.insert(place, error)
        first = decided[0] if decided else None
        if isinstance(first, StoreUnavailable) and all(each is first for each in decided):
            # One failure of the store for all: an error of the call, so that clients retry it.
            return first
        return batch_bytes(decided)


CheckRequest = Callable[[ConsumeRequest], None]
"""Raises QuotadError for a request that the token of its call does not give."""

Checked = tuple[CheckRequest | None, str]
"""What looks at the requests of a call, None: nothing need; and the name of its token."""

CheckCall = Callable[[Call], Checked]
"""Raises QuotadError for a call whose token does not give it; as `Guard.check`."""

NameCaller = Callable[[Call], str]
"""Returns the actor of a call."""


class QuotaService:
    """Answers calls; of one thread.

    Args:
        decisions: what decides.
        read: reads requests.
        check: looks at every call; None: all are answered.
        actor: names the caller of a correction.
    """

    def __init__(
        self,
        decisions: DecisionOperations,
        read: decode.RequestDecoder,
        check: CheckCall | None = None,
        actor: NameCaller = lambda _: LOCAL,
    ) -> None:
        self.decisions = decisions
        self._read = read
        self._check = check
        self._actor = actor

    def close(self) -> None:
        """Close the connection to the store."""
        self.decisions.close()

    def answer(self, calls: Sequence[Call]) -> Iterator[list[Answer]]:
        """Decide the calls together, and answer every one of them; in parts that may leave at once.

        Refusals come first, as they need no store. Calls that are not decided together come last:
        each asks the store by itself, and no unit of work has to wait for that.
        """
        refusals: list[Answer] = []
        ids: list[int] = []
        requests: list[ConsumeRequest] = []  # of the calls with these ids
        batches: list[_BatchCall] = []
        batched = 0
        others: list[tuple[Call, Taker]] = []
        taker = UNNAMED.who[0]  # of the call that was checked last
        takers = UNNAMED
        read, check, known = self._read, self._check, self._read.known
        shown, of_method, check_request = None, -1, None  # of the call that was checked last
        for call in calls:
            try:
                method, metadata = call.method, call.metadata
                # Once for calls in a row that show the same. They were taken at one moment, so
                # that a token which ends lets no call in that comes after it.
                if check is not None and (
                    method != of_method or (metadata is not shown and metadata != shown)
                ):
                    check_request, name = check(call)
                    shown, of_method = metadata, method if method in TOGETHER else -1
                    if name != taker[0]:
                        taker = (name, GRPC)
                        takers = takers.then(len(requests), taker)
                if method == _CONSUME:
                    request = known.get(call.request) or read.one(call.request)
                    if check_request is not None:
                        check_request(request)
                    requests.append(request)
                    ids.append(call.call_id)
                elif method == _BATCH:
                    batch = self._read_batch(call, check_request, taker)
                    if not batch.requests:
                        refusals.append((call.call_id, batch.answer([])))
                        continue
                    batches.append(batch)
                    batched += len(batch.requests)
                    if batched + len(ids) >= TOGETHER_MAX:
                        yield self._decide(ids, requests, batches, takers)
                        ids, requests, batches, batched = [], [], [], 0
                        takers = Takers((taker,))
                elif method == _ALL:
                    request = known_all().get(call.request) or read_all(call.request)
                    if check_request is not None:
                        check_request(request)
                    requests.append(request)
                    ids.append(call.call_id)
                else:
                    others.append((call, taker))
            except QuotadError as error:
                refusals.append((call.call_id, error))
            except Exception as error:  # noqa: BLE001 (no call may be left without an answer)
                refusals.append((call.call_id, _unforeseen(error)))
        if refusals:
            yield refusals
        if requests or batches:
            yield self._decide(ids, requests, batches, takers)
        for call, taker in others:
            self.decisions.act_for(taker)
            yield [(call.call_id, self._answer_one(call))]

    def _read_batch(
        self, call: Call, check_request: CheckRequest | None, taker: Taker
    ) -> _BatchCall:
        batch = _BatchCall(call.call_id, *self._read.batch(call.request), taker)
        if check_request is not None:
            for request in batch.requests:
                check_request(request)
        return batch

    def _decide(
        self,
        ids: list[int],
        requests: list[ConsumeRequest],
        batches: list[_BatchCall],
        takers: Takers,
    ) -> list[Answer]:
        """Decide calls of one request each, and batch calls; returns their answers."""
        for batch in batches:
            takers = takers.then(len(requests), batch.taker)
            requests += batch.requests
        try:
            decided = self.decisions.decide(requests, takers)
        except Exception as error:  # noqa: BLE001 (no call may be left without an answer)
            failed = _unforeseen(error)
            return [(call_id, failed) for call_id in (*ids, *(each.call_id for each in batches))]
        # Those of batches come after.
        answers: list[Answer] = list(
            zip(ids, each_bytes(decided[: len(ids)], _unforeseen), strict=True)
        )
        end = len(ids)
        for batch in batches:
            at, end = end, end + len(batch.requests)
            try:
                answers.append((batch.call_id, batch.answer(decided[at:end])))
            except Exception as error:  # noqa: BLE001
                answers.append((batch.call_id, _unforeseen(error)))
        if self.decisions.times.decided_ns:
            self.decisions.times.encoded()
        return answers

    def _answer_one(self, call: Call) -> bytes | QuotadError:
        """The answer to a call that is not decided with others."""
        try:
            if call.method in _HOLDS:
                return _HOLDS[call.method](self.decisions, call.request)
            act = {
                _ENTITLEMENT: self._entitlement,
                _ENTITLEMENTS: self._entitlements,
                _REFUND: self._refund,
                _SET_USAGE: self._set_usage,
            }[call.method]
            return act(call)
        except QuotadError as error:
            return error
        except Exception as error:  # noqa: BLE001 (no call may be left without an answer)
            return _unforeseen(error)

    def _refund(self, call: Call) -> bytes:
        message = decode.parse(pb.RefundRequest, call.request)
        request = decode.refund_request(message)
        why = decode.because(message, self._actor(call))
        return settled_bytes(self.decisions.refund(request, message.taken_under, why))

    def _set_usage(self, call: Call) -> bytes:
        message = decode.parse(pb.SetUsageRequest, call.request)
        setting, why = decode.set_usage_request(message), decode.because(message, self._actor(call))
        return decision_bytes(self.decisions.set_usage(setting, why))

    def _entitlements(self, call: Call) -> bytes:
        request = decode.parse(pb.GetEntitlementsRequest, call.request)
        customer_id, resource_id = request.customer_id, request.resource_id
        granted = self.decisions.entitlements(customer_id, resource_id)
        return encode.entitlements(customer_id, resource_id, granted).SerializeToString()

    def _entitlement(self, call: Call) -> bytes:
        request = decode.parse(pb.GetEntitlementRequest, call.request)
        asked = request.customer_id, request.feature_id, request.resource_id
        feature, answer = self.decisions.entitlement(*asked)
        price = self.decisions.overage_price(*asked)
        return pb.GetEntitlementResponse(
            entitlement=encode.entitlement(request.feature_id, feature, answer, price),
            catalog_version=answer.catalog_version,
        ).SerializeToString()


def _unforeseen(error: Exception) -> QuotadError:
    """Return the error of a call that failed by a bug: its text stays in the log."""
    _log.error("a call failed", exc_info=error)
    return internal_error()
