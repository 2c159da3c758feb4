"""QuotaService with a front and an engine that are not there: every call gets one answer."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from quotad.engine.insights import Notes
from quotad.errors import QuotadError
from quotad.fronts.interface import Call
from quotad.model import ConsumeRequest, Decision, Reason
from quotad.service.decode import Requests
from quotad.service.quota import METHODS, TOGETHER_MAX, QuotaService
from quotad.v1 import quota_pb2 as pb

CONSUME, BATCH, ENTITLEMENT = 0, 1, 2
FITS = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 5, False, False, 1, 4)
CANNOT_BE_WRITTEN = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 2**70, False, False, 1, 4)


class Given:
    """An engine that has its decisions already."""

    def __init__(self, *decisions: Decision) -> None:
        self._decisions = list(decisions)

    def decide(self, requests: Sequence[ConsumeRequest]) -> list[Decision]:
        return [self._decisions.pop(0) for _ in requests]

    def entitlement(self, *names: str) -> tuple[None, Decision]:
        return None, FITS


def answers(calls: list[tuple[int, int]], *decisions: Decision) -> list[tuple[int, str]]:
    """Who is answered, and how, when such calls with so many requests are decided in this way."""
    service = QuotaService(cast(Any, Given(*decisions)), Notes(cast(Any, None)), Requests())
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

    assert [1, 2, 3] == [call_id for call_id, _ in told]
    assert ["answered", "internal error; the server's log has the details", "answered"] == [
        answer for _, answer in told
    ]


def test_who_only_looks_comes_after_those_who_consume() -> None:
    told = answers([(1, ENTITLEMENT), (2, CONSUME), (3, ENTITLEMENT), (4, CONSUME)], FITS, FITS)

    assert [(i, "answered") for i in (2, 4, 1, 3)] == told


def test_no_answer_waits_for_what_asks_the_store_after_it() -> None:
    service = QuotaService(cast(Any, Given(FITS)), Notes(cast(Any, None)), Requests())
    body = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls").SerializeToString()

    parts = service.answer(
        [Call(1, ENTITLEMENT, body), Call(2, CONSUME, body), Call(3, CONSUME, b"\xff")]
    )

    assert [[3], [2], [1]] == [[call_id for call_id, _ in part] for part in parts]


def test_of_very_many_requests_the_first_are_answered_before_the_others_are_decided() -> None:
    decisions = [FITS] * (TOGETHER_MAX + 1)
    service = QuotaService(cast(Any, Given(*decisions)), Notes(cast(Any, None)), Requests())
    body = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls").SerializeToString()

    parts = service.answer([Call(i, CONSUME, body) for i in range(TOGETHER_MAX + 1)])

    assert [TOGETHER_MAX, 1] == [len(part) for part in parts if part]
