"""QuotaService: a batch of calls in, decided together, answered one by one."""

import logging
from collections.abc import Iterator, Sequence

from quotad.engine import Engine
from quotad.engine.insights import Notes
from quotad.engine.views import view_name
from quotad.errors import QuotadError, StoreUnavailable, internal_error
from quotad.fronts.interface import Answer, Call
from quotad.ids import check_id
from quotad.marks import FULL
from quotad.model import ConsumeRequest, Decision, Reason
from quotad.service import decode, encode
from quotad.service.wire import batch_bytes, decision_bytes
from quotad.v1 import quota_pb2 as pb

SERVICE = "quotad.v1.QuotaService"
METHODS = tuple(
    f"/{SERVICE}/{name}"
    for name in (
        "CheckAndConsume",
        "BatchCheckAndConsume",
        "GetEntitlement",
        "GetEntitlements",
    )
)
"""Paths of the hot methods, in the order that `Call` counts them."""

_CONSUME, _BATCH, _ENTITLEMENT, _ENTITLEMENTS = range(4)

TOGETHER_MAX = 1000
"""Most requests decided in one go; a batch call counts with all of its requests."""

_log = logging.getLogger("quotad.service")
_INTERNAL = internal_error()


class QuotaService:
    """Answers calls; of one thread."""

    def __init__(self, engine: Engine, notes: Notes, read: decode.Requests) -> None:
        self._engine = engine
        self._notes = notes
        self._read = read
        self.decisions = [0] * (max(Reason) + 1)
        """Decisions so far, by the number of their reason."""
        self.would_deny = 0
        """Of these, what a limit in shadow would have denied."""

    def close(self) -> None:
        """Close the connection to the store."""
        self._engine.close()

    def answer(self, calls: Sequence[Call]) -> Iterator[list[Answer]]:
        """Decide the calls together, and answer every one of them; in parts that may leave at once.

        Refusals come first, as they need no store. Those that only look come last: each asks the
        store by itself, and nobody's unit of work shall wait for that.
        """
        refusals: list[Answer] = []
        requests: list[ConsumeRequest] = []
        owners: list[tuple[int, int]] = []  # call id; number of requests, 0: a single one
        refused: dict[int, decode.Refusals] = {}  # by call id, of batches
        looks: list[Call] = []
        read = self._read
        for call in calls:
            call_id, method = call.call_id, call.method
            try:
                if method == _CONSUME:
                    requests.append(read.one(call.request))
                    owners.append((call_id, 0))
                elif method == _BATCH:
                    batch, wrong = read.batch(call.request)
                    if not batch:
                        refusals.append((call_id, batch_bytes(list(wrong.values()))))
                        continue
                    if wrong:
                        refused[call_id] = wrong
                    requests += batch
                    owners.append((call_id, len(batch)))
                else:
                    looks.append(call)
            except QuotadError as error:
                refusals.append((call_id, error))
            except Exception:  # noqa: BLE001 (no call may be left without an answer)
                _log.exception("a call failed")
                refusals.append((call_id, _INTERNAL))
            if len(requests) >= TOGETHER_MAX:
                yield refusals
                yield self._decide(requests, owners, refused)
                refusals, requests, owners, refused = [], [], [], {}
        if refusals:
            yield refusals
        if requests:
            yield self._decide(requests, owners, refused)
        for call in looks:
            yield [(call.call_id, self._look(call))]

    def _decide(
        self,
        requests: list[ConsumeRequest],
        owners: list[tuple[int, int]],
        refused: dict[int, decode.Refusals],
    ) -> list[Answer]:
        """Decide requests; returns the answers to the calls that they came in."""
        try:
            decided = self._engine.decide(requests)
        except Exception:  # noqa: BLE001 (no call may be left without an answer)
            _log.exception("a batch failed")
            return [(call_id, _INTERNAL) for call_id, _ in owners]
        answers: list[Answer] = []
        decisions, known = self.decisions, self._notes.known
        end = 0
        for call_id, size in owners:
            at = end
            end += size or 1
            # One by one: whatever is wrong with an answer, this thread has others to give.
            try:
                if size:
                    wrong = refused.get(call_id)
                    answers.append((call_id, self._batch(requests[at:end], decided[at:end], wrong)))
                    continue
                answer = decided[at]
                if type(answer) is not Decision:
                    answers.append((call_id, answer))  # type: ignore[arg-type]
                    continue
                decisions[answer.reason] += 1
                answers.append((call_id, decision_bytes(answer)))
                # As `near_features`, without the call, for the case of one limit.
                if answer.limits or (answer.limit and answer.remaining * FULL <= answer.limit):
                    request = requests[at]
                    name = request.customer_id
                    if answer.more or request.resource_id or name not in known[request.feature_id]:
                        self._note(request, answer)
            except Exception:  # noqa: BLE001 (no call may be left without an answer)
                _log.exception("an answer failed")
                answers.append((call_id, _INTERNAL))
        return answers

    def _note(self, request: ConsumeRequest, answer: Decision) -> None:
        """Look closer at a decision that may be about a limit of which most is used."""
        if answer.would_deny:
            self.would_deny += 1
        for told in answer.limits or (answer,):
            if told.limit and told.remaining * FULL <= told.limit:  # `is_near`, without the call
                break
        else:
            return
        name = request.customer_id
        if request.resource_id:
            name = view_name(name, request.resource_id)
        if name not in self._notes.known[request.feature_id]:
            self._notes.note(request, answer)

    def _batch(
        self,
        requests: list[ConsumeRequest],
        answers: list[Decision | QuotadError],
        refused: decode.Refusals | None,
    ) -> bytes | QuotadError:
        """The answer to a batch call."""
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Decision):
                self.decisions[answer.reason] += 1
                if answer.limits or (answer.limit and answer.remaining * FULL <= answer.limit):
                    self._note(request, answer)
        for place, error in (refused or {}).items():  # in order, so that each gets its place
            answers.insert(place, error)
        first = answers[0]
        if isinstance(first, StoreUnavailable) and all(a is first for a in answers):
            # One failure of the store for all: an error of the call, so that clients retry it.
            return first
        return batch_bytes(answers)

    def _look(self, call: Call) -> bytes | QuotadError:
        """The answer to a call that changes nothing."""
        look = self._entitlement if call.method == _ENTITLEMENT else self._entitlements
        try:
            return look(call.request)
        except QuotadError as error:
            return error
        except Exception:  # noqa: BLE001 (no call may be left without an answer)
            _log.exception("a call failed")
            return _INTERNAL

    def _entitlements(self, payload: bytes) -> bytes:
        request = decode.parse(pb.GetEntitlementsRequest, payload)
        check_id(request.customer_id, "customer_id")
        _check_resource(request.resource_id)
        granted = self._engine.entitlements(request.customer_id, request.resource_id)
        return encode.entitlements(
            request.customer_id, request.resource_id, granted
        ).SerializeToString()

    def _entitlement(self, payload: bytes) -> bytes:
        request = decode.parse(pb.GetEntitlementRequest, payload)
        check_id(request.customer_id, "customer_id")
        check_id(request.feature_id, "feature_id")
        _check_resource(request.resource_id)
        feature, answer = self._engine.entitlement(
            request.customer_id, request.feature_id, request.resource_id
        )
        return pb.GetEntitlementResponse(
            entitlement=encode.entitlement(request.feature_id, feature, answer),
            catalog_version=answer.catalog_version,
        ).SerializeToString()


def _check_resource(resource_id: str) -> None:
    if resource_id:
        check_id(resource_id, "resource_id")
