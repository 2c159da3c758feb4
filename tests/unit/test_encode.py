from datetime import UTC, datetime
from typing import Any

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quotad.catalog import Source, compile_snapshot, parse
from quotad.decision import (
    AllTaken,
    ConsumeAllDecision,
    Decision,
    EntitlementSource,
    Explanation,
    LimitStatus,
    Reason,
    SourceKind,
)
from quotad.engine.shared import Granted
from quotad.entitlements.resolve import resolve
from quotad.errors import IdempotencyMismatch, InvalidRequest, QuotadError, StoreUnavailable
from quotad.model import USED_MAX
from quotad.service import encode
from quotad.service.wire import all_bytes, batch_bytes, decision_bytes, each_bytes
from quotad.v1 import quota_pb2 as pb

SIZES = (1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, USED_MAX)
amounts = st.one_of(st.sampled_from([0, *SIZES]), st.integers(0, USED_MAX))
times = st.none() | st.integers(0, 253_402_300_799_000)
texts = st.text(max_size=5) | st.just("x" * 300)
statuses = st.builds(
    LimitStatus,
    st.none() | amounts,
    st.booleans(),
    amounts,
    amounts,
    amounts,
    st.sampled_from(["", "month", "5 hours"]),
    times,
    st.booleans(),
    st.none() | amounts,
    st.sampled_from(["", "credits", "x" * 256]),
    st.integers(0, 6),
)
sources = st.builds(
    EntitlementSource,
    st.sampled_from([int(kind) for kind in SourceKind]),
    texts,
    st.booleans(),
    texts,
    st.integers(0, 9),
    st.integers(0, 9),
    texts,
    texts,
    times,
    texts,
)
explanations = st.builds(
    Explanation, st.lists(sources, max_size=2).map(tuple), amounts, texts, times
)
NOTHING_MORE = Decision(True, 1)


def marked(decision: Decision) -> Decision:
    """As the engine marks what has one of the fields that few have."""
    rare = ["value", "values", "variant", "would_deny", "pool_id", "decimals", "explanation"]
    rare.append("is_fallback")
    more = any(getattr(decision, name) != getattr(NOTHING_MORE, name) for name in rare) or any(
        status.shadow or status.overage_limit is not None or status.pool_id or status.decimals
        for status in decision.limits
    )
    return msgspec.structs.replace(decision, detailed=more)


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
    value=texts,
    replayed=st.booleans(),
    values=st.lists(texts, max_size=3).map(tuple),
    variant=texts,
    would_deny=st.booleans(),
    pool_id=texts,
    decimals=st.integers(0, 6),
    explanation=st.none() | explanations,
    is_fallback=st.booleans(),
).map(marked)
plain_decisions = decisions.map(
    lambda decision: msgspec.structs.replace(
        decision,
        value="",
        values=(),
        variant="",
        would_deny=False,
        pool_id="",
        decimals=0,
        explanation=None,
        is_fallback=False,
        limits=tuple(
            msgspec.structs.replace(
                status, shadow=False, overage_limit=None, pool_id="", decimals=0
            )
            for status in decision.limits
        ),
        detailed=False,
    )
)


def timestamp(ms: int | None) -> Timestamp | None:
    return None if ms is None else Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def message_of(answer: Decision) -> Any:
    """The message that protobuf is to serialise."""
    wait_ms = answer.retry_after_ms
    wait = None
    if wait_ms is not None:
        wait = Duration(seconds=wait_ms // 1000, nanos=wait_ms % 1000 * 1_000_000)
    told = answer.explanation
    return pb.CheckAndConsumeResponse(
        allowed=answer.allowed,
        reason=answer.reason,  # type: ignore[arg-type]
        granted=answer.granted,
        limit=answer.limit,
        unlimited=answer.unlimited,
        soft_limit=answer.soft_limit,
        used=answer.used,
        remaining=answer.remaining,
        overage=answer.overage,
        resets_at=timestamp(answer.resets_at_ms),
        retry_after=wait,
        limits=[limit_of(status) for status in answer.limits],
        replayed=answer.replayed,
        catalog_version=answer.catalog_version,
        explanation=None if told is None else encode.explanation(told),
        value=answer.value,
        values=answer.values,
        variant=answer.variant,
        would_deny=answer.would_deny,
        pool_id=answer.pool_id,
        decimals=answer.decimals,
        is_fallback=answer.is_fallback,
    )


def limit_of(status: LimitStatus) -> Any:
    return pb.LimitStatus(
        limit=status.limit,
        soft_limit=status.soft,
        used=status.used,
        remaining=status.remaining,
        overage=status.overage,
        per=status.per,
        resets_at=timestamp(status.resets_at_ms),
        shadow=status.shadow,
        overage_limit=status.overage_limit,
        pool_id=status.pool_id,
        decimals=status.decimals,
    )


def _fail(error: Exception) -> QuotadError:
    raise error


@given(decisions | plain_decisions)
@example(Decision(True, int(Reason.WITHIN_LIMIT), 1, 1, 100, False, False, 1, 99))
def test_an_answer_written_by_hand_has_the_bytes_that_protobuf_would_write(
    answer: Decision,
) -> None:
    assert message_of(answer).SerializeToString() == decision_bytes(answer)


@settings(max_examples=25)
@given(plain_decisions, plain_decisions, st.sampled_from(SIZES), st.sampled_from(SIZES))
def test_answers_in_a_row_that_differ_in_any_field_are_written_each_as_it_is(
    one: Decision, other: Decision, used: int, remaining: int
) -> None:
    one = msgspec.structs.replace(one, limits=(), replayed=False)
    row = [one, one, msgspec.structs.replace(one, used=used, remaining=remaining)]
    for field in one.__struct_fields__:
        row += [msgspec.structs.replace(one, **{field: getattr(other, field)}), one]
    for field in ("allowed", "soft_limit", "unlimited"):
        row += [msgspec.structs.replace(one, **{field: not getattr(one, field)}), one]

    assert [message_of(each).SerializeToString() for each in row] == each_bytes(row, _fail)


@given(
    st.lists(decisions | plain_decisions, max_size=4).map(tuple),
    st.booleans(),
    times,
    st.none() | st.integers(0, 15),
    st.booleans(),
)
def test_an_answer_on_several_features_has_the_bytes_that_protobuf_would_write(
    items: tuple[Decision, ...],
    allowed: bool,
    wait_ms: int | None,
    stopped_by: int | None,
    is_fallback: bool,
) -> None:
    answer = ConsumeAllDecision(
        allowed,
        int(Reason.LIMIT_EXCEEDED),
        7,
        retry_after_ms=wait_ms,
        is_fallback=is_fallback,
        items=items,
        stopped_by=stopped_by,
    )
    message = pb.CheckAndConsumeAllResponse(
        allowed=allowed,
        reason=pb.REASON_LIMIT_EXCEEDED,
        stopped_by=stopped_by,
        items=[message_of(item) for item in items],
        catalog_version=7,
        is_fallback=is_fallback,
    )
    if wait_ms is not None:
        message.retry_after.CopyFrom(
            Duration(seconds=wait_ms // 1000, nanos=wait_ms % 1000 * 10**6)
        )

    written = all_bytes(answer)

    # Fields may come in any order, and those of the whole do.
    assert message == pb.CheckAndConsumeAllResponse.FromString(written)
    for item in items:
        assert message_of(item).SerializeToString() in written


@given(
    st.lists(
        st.tuples(
            st.tuples(amounts, times),
            st.integers(0, 10**15),
            st.one_of(amounts, st.integers(0, 20_000)),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2**62),
)
def test_an_answer_in_short_has_the_bytes_of_the_same_in_full(
    items: list[tuple[tuple[int, int | None], int, int]], version: int
) -> None:
    hard, taken, before = zip(*items, strict=True)
    hard = tuple(
        [
            (limit + amount + used, at)
            for (limit, at), amount, used in zip(hard, taken, before, strict=True)
        ]
    )
    answer = AllTaken(
        True, int(Reason.WITHIN_LIMIT), version, hard=hard, amounts=taken, before=before
    )
    row = [
        answer,
        msgspec.structs.replace(answer, before=(0,) * len(items)),
        msgspec.structs.replace(answer, amounts=tuple([amount // 2 for amount in taken])),
        msgspec.structs.replace(answer, catalog_version=1),
        msgspec.structs.replace(answer, hard=tuple([(limit + 1, 5) for limit, _ in hard])),
        answer,
    ]

    assert [all_bytes(each.in_full()) for each in row] == each_bytes(row, _fail)


errors = st.sampled_from(
    [
        InvalidRequest("quantity: -1 is negative"),
        IdempotencyMismatch("idempotency_key: used before"),
        StoreUnavailable("x" * 20_000),
    ]
)


@given(st.lists(decisions | plain_decisions | errors, max_size=5))
def test_a_batch_written_by_hand_has_the_bytes_that_protobuf_would_write(
    answers: list[Decision | QuotadError],
) -> None:
    results = [
        pb.BatchResult(error=encode.error(answer))
        if isinstance(answer, QuotadError)
        else pb.BatchResult(response=message_of(answer))
        for answer in answers
    ]

    expected = pb.BatchCheckAndConsumeResponse(results=results).SerializeToString()
    assert expected == batch_bytes(answers)


@given(decisions | plain_decisions)
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
    assert answer.values == tuple(message.values)
    assert (answer.variant, answer.would_deny) == (message.variant, message.would_deny)
    assert (answer.pool_id, answer.decimals) == (message.pool_id, message.decimals)
    assert (answer.explanation is not None) == message.HasField("explanation")
    assert answer.replayed == message.replayed
    assert answer.catalog_version == message.catalog_version
    assert len(answer.limits) == len(message.limits)
    for ms, name in ((answer.resets_at_ms, "resets_at"), (answer.retry_after_ms, "retry_after")):
        sent = getattr(message, name)
        assert ms == (sent.ToMilliseconds() if message.HasField(name) else None)


def test_an_explanation_carries_every_field() -> None:
    ends_ms = int(datetime(2031, 2, 1, tzinfo=UTC).timestamp() * 1000)
    source = EntitlementSource(
        int(SourceKind.ADDON), "more", True, '{"add":5}', 2, 3, "main", "credits", ends_ms, "half"
    )

    message = encode.explanation(Explanation((source,), 7, "5 per month", ends_ms))

    assert (7, "5 per month", ends_ms) == (
        message.missing,
        message.denied_by,
        message.frees_at.ToMilliseconds(),
    )
    (sent,) = message.sources
    ends = sent.ends_at.ToMilliseconds()
    assert msgspec.structs.astuple(source) == (
        sent.kind,
        sent.source_id,
        sent.won,
        sent.grants,
        sent.revision,
        sent.quantity,
        sent.subscription_id,
        sent.feature_id,
        ends,
        sent.note,
    )


def test_an_entitlement_has_the_highest_mark_of_its_limits() -> None:
    statuses = tuple(
        LimitStatus(10, False, used, 10 - used, 0, per, None)
        for used, per in ((8, "day"), (10, "week"), (1, "month"))
    )
    answer = Decision(
        True, int(Reason.WITHIN_LIMIT), limits=statuses, variant="beta", pool_id="c", decimals=2
    )

    message = encode.entitlement("calls", None, answer)

    assert [80, 100, 0] == [limit.mark for limit in message.limits]
    assert (100, "beta", "c", 2) == (
        message.mark,
        message.variant,
        message.pool_id,
        message.decimals,
    )


def test_entitlements_have_the_names_of_features_and_plan() -> None:
    text = """
version: 1
default_plan: free
features: {calls: {type: metered, name: API calls}, mails: {type: metered}}
plans: {free: {name: Free of charge, entitlements: {calls: unlimited, mails: unlimited}}}
"""
    snapshot = compile_snapshot(parse([Source("a.yaml", text)]), 1)
    answer = Decision(True, Reason.UNLIMITED)
    granted = Granted(resolve(None, snapshot, 0), {"calls": answer, "mails": answer}, snapshot)

    message = encode.entitlements("acme", "", granted)

    assert ["API calls", ""] == [each.name for each in message.entitlements]
    assert "Free of charge" == message.plan_name
