"""QuotaService with a front and an engine that are not there: every call gets one answer."""

import pytest

from quotad.decision import Decision, Reason
from quotad.engine.insights import Notes
from quotad.errors import QuotadError
from quotad.fronts.interface import Call
from quotad.operations.decisions import DecisionOperations
from quotad.service.decode import RequestDecoder
from quotad.service.quota import METHODS, TOGETHER_MAX, QuotaService
from quotad.v1 import quota_pb2 as pb
from tests.given import Given, NoLists

CONSUME, BATCH, ENTITLEMENT = 0, 1, 2
FITS = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 5, False, False, 1, 4)
CANNOT_BE_WRITTEN = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 2**70, False, False, 1, 4)


def serving(*decisions: Decision) -> QuotaService:
    """A service whose engine has its decisions already."""
    return QuotaService(DecisionOperations(Given(*decisions), Notes(NoLists())), RequestDecoder())


def answers(calls: list[tuple[int, int]], *decisions: Decision) -> list[tuple[int, str]]:
    """Who is answered, and how, when such calls with so many requests are decided in this way."""
    service = serving(*decisions)
    one = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
    payloads = {
        CONSUME: one.SerializeToString(),
        BATCH: pb.BatchCheckAndConsumeRequest(requests=[one, one]).SerializeToString(),
        ENTITLEMENT: one.SerializeToString(),  # of the same first fields
    }
    parts = service.answer([Call(call_id, method, payloads[method]) for call_id, method in calls])
    return [
        (call_id, str(answer) if isinstance(answer, QuotadError) else "answered")
        for part in parts
        for call_id, answer in part
    ]


@pytest.mark.parametrize("bad", [CONSUME, BATCH], ids=lambda method: METHODS[method])
def test_an_answer_that_cannot_be_written_takes_no_other_call_with_it(bad: int) -> None:
    unwritten = [CANNOT_BE_WRITTEN] * (bad + 1)

    told = answers([(1, CONSUME), (2, bad), (3, BATCH)], FITS, *unwritten, FITS, FITS)

    failed = "internal error; the server's log has the details"
    assert {1: "answered", 2: failed, 3: "answered"} == dict(told)


def test_who_only_looks_comes_after_those_who_consume() -> None:
    told = answers([(1, ENTITLEMENT), (2, CONSUME), (3, ENTITLEMENT), (4, CONSUME)], *[FITS] * 4)

    assert [(i, "answered") for i in (2, 4, 1, 3)] == told


def test_no_answer_waits_for_what_asks_the_store_after_it() -> None:
    service = serving(FITS, FITS)
    body = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls").SerializeToString()

    parts = service.answer(
        [Call(1, ENTITLEMENT, body), Call(2, CONSUME, body), Call(3, CONSUME, b"\xff")]
    )

    assert [[3], [2], [1]] == [[call_id for call_id, _ in part] for part in parts]


def test_of_very_many_requests_the_first_are_answered_before_the_others_are_decided() -> None:
    one = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
    size = TOGETHER_MAX // 2
    many = pb.BatchCheckAndConsumeRequest(requests=[one] * size).SerializeToString()
    service = serving(*[FITS] * (3 * size + 1))

    batches = [Call(call_id, BATCH, many) for call_id in (1, 2, 3)]
    parts = service.answer([*batches, Call(4, CONSUME, one.SerializeToString())])

    assert [[1, 2], [4, 3]] == [[call_id for call_id, _ in part] for part in parts]
