from hypothesis import example, given
from hypothesis import strategies as st

from quotad.model import USED_MAX, Decision, LimitStatus, Reason
from quotad.service import encode
from quotad.service.wire import decision_bytes
from quotad.v1 import quota_pb2 as pb

SIZES = (1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, USED_MAX)
amounts = st.one_of(st.sampled_from([0, *SIZES]), st.integers(0, USED_MAX))
times = st.none() | st.integers(0, 253_402_300_799_000)
statuses = st.builds(
    LimitStatus,
    st.none() | amounts,
    st.booleans(),
    amounts,
    amounts,
    amounts,
    st.sampled_from(["", "month", "5 hours"]),
    times,
)
decisions = st.builds(
    Decision,
    allowed=st.booleans(),
    reason=st.sampled_from([int(reason) for reason in Reason]),
    catalog_version=st.integers(0, 2**62),
    granted=st.one_of(amounts, st.integers(-USED_MAX, -1)),
    limit=st.none() | amounts,
    unlimited=st.booleans(),
    soft_limit=st.booleans(),
    used=amounts,
    remaining=amounts,
    overage=amounts,
    resets_at_ms=times,
    retry_after_ms=times,
    limits=st.lists(statuses, max_size=3).map(tuple),
    value=st.text(max_size=5) | st.just("x" * 300),
    replayed=st.booleans(),
)


@given(decisions)
@example(Decision(True, int(Reason.WITHIN_LIMIT), 1, 1, 100, False, False, 1, 99))
def test_an_answer_written_by_hand_has_the_bytes_that_protobuf_would_write(
    answer: Decision,
) -> None:
    assert encode.decision(answer).SerializeToString() == decision_bytes(answer)


@given(decisions)
def test_a_message_carries_every_field_of_the_decision(answer: Decision) -> None:
    message = pb.CheckAndConsumeResponse.FromString(decision_bytes(answer))

    assert answer.allowed == message.allowed
    assert answer.reason == message.reason
    assert answer.granted == message.granted
    assert answer.limit == (message.limit if message.HasField("limit") else None)
    assert answer.unlimited == message.unlimited
    assert answer.soft_limit == message.soft_limit
    assert (answer.used, answer.remaining) == (message.used, message.remaining)
    assert answer.overage == message.overage
    assert answer.value == message.value
    assert answer.replayed == message.replayed
    assert answer.catalog_version == message.catalog_version
    assert len(answer.limits) == len(message.limits)
    for ms, name in ((answer.resets_at_ms, "resets_at"), (answer.retry_after_ms, "retry_after")):
        sent = getattr(message, name)
        assert ms == (sent.ToMilliseconds() if message.HasField(name) else None)
