"""Decisions written to the wire by hand, with exactly the bytes that protobuf would write.

Building and serialising a response message takes several times as long as everything else that is
done for a call in Python, and nested messages are dearer still. What answers share (verdict, limit,
version) is serialised once by protobuf and kept; numbers and times are written here.
tests/unit/test_encode.py proves the bytes equal to those that protobuf writes.

The format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec

from quotad.decision import AllTaken, ConsumeAllDecision, Decision
from quotad.errors import AnswerTooLarge, QuotadError
from quotad.fronts.interface import MESSAGE_BYTES_MAX
from quotad.service import encode
from quotad.service.wire_fields import LAST, MORE, TABLE_SIZE, table, text_field, time_field, varint
from quotad.service.wire_limits import limit_details, limit_status
from quotad.v1 import quota_pb2 as pb

EXPLANATION_BYTES_MAX = MESSAGE_BYTES_MAX // 2
"""Of one answer. Its values and limits need the rest at most."""

_GRANTED = table(b"\x18")  # = 3
_USED = table(b"\x38")  # = 7
_REMAINING = table(b"\x40")  # = 8
_FOUR_GROUPS, _SIX_GROUPS = 1 << 28, 1 << 42
_USED_MORE = [b"\x38" + more for more in MORE]
_REMAINING_MORE = [b"\x40" + more for more in MORE]
"""The same fields of numbers of three or four groups: the first two of them."""

_latest: tuple[Decision, bytes, bytes] = Decision(False, -1), b"", b""
"""What was around the answer written last, and that: of a lone caller it is nearly always the same.
Replaced as a whole, so that threads share it without a lock."""


def each_bytes(
    answers: Iterable[Decision | QuotadError], failed: Callable[[Exception], QuotadError]
) -> list[bytes | QuotadError]:
    """Each decision as `decision_bytes` and `all_bytes` write it; errors as they are.

    Answers of a batch are mostly about one limit, and then differ by two numbers. What is around
    these is written once for answers in a row that have it in common. Limits and times are
    compared by identity, as answers have them from the same terms; others are written again.

    Args:
        answers: of a batch.
        failed: returns the error of one that cannot be written: others are to be given.
    """
    global _latest
    written: list[bytes | QuotadError] = []
    add, join = written.append, b"".join
    like, head, tail = _latest
    for answer in answers:
        try:
            if type(answer) is not Decision:
                if type(answer) is AllTaken:
                    add(_taken_bytes(answer))
                else:
                    add(all_bytes(answer) if isinstance(answer, ConsumeAllDecision) else answer)  # type: ignore[arg-type]
                continue
            used, left = answer.used, answer.remaining
            if (
                answer.limits
                or answer.overage
                or answer.replayed
                or answer.detailed
                or used >= _FOUR_GROUPS
            ):
                add(decision_bytes(answer))
                continue
            if (
                answer.limit is not like.limit
                or answer.resets_at_ms is not like.resets_at_ms
                or answer.granted != like.granted
                or answer.reason != like.reason
                or answer.catalog_version != like.catalog_version
                or answer.soft_limit is not like.soft_limit
                or answer.allowed is not like.allowed
                or answer.unlimited is not like.unlimited
                or answer.retry_after_ms != like.retry_after_ms
            ):
                head, tail = _around(answer)
                like = answer
                _latest = like, head, tail
            if used < TABLE_SIZE:
                first = _USED[used]
            else:
                first = _USED_MORE[used & 16383] + LAST[used >> 14]
            if left < TABLE_SIZE:
                add(join((head, first, _REMAINING[left], tail)))
            elif left < _FOUR_GROUPS:
                add(join((head, first, _REMAINING_MORE[left & 16383], LAST[left >> 14], tail)))
            elif left < _SIX_GROUPS:
                low, high = _REMAINING_MORE[left & 16383], left >> 14
                add(join((head, first, low, MORE[high & 16383], LAST[high >> 14], tail)))
            else:
                add(join((head, first, b"\x40", varint(left), tail)))
        except Exception as error:  # noqa: BLE001 (others in the batch must not pay for it)
            add(failed(error))
    return written


def _around(answer: Decision) -> tuple[bytes, bytes]:
    """What comes before `used` and after `remaining` in the answer of a plain decision."""
    verdict, limit, version = _shared(
        answer.allowed,
        answer.reason,
        answer.limit,
        answer.unlimited,
        answer.soft_limit,
        answer.catalog_version,
    )
    granted, resets_at_ms, retry_after_ms = (
        answer.granted,
        answer.resets_at_ms,
        answer.retry_after_ms,
    )
    head = verdict + (b"\x18" + varint(granted) if granted else b"") + limit  # granted = 3
    tail = time_field(b"\x52", resets_at_ms) if resets_at_ms is not None else b""  # resets_at = 10
    if retry_after_ms is not None:
        tail += time_field(b"\x5a", retry_after_ms)  # retry_after = 11
    return head, tail + version


def decision_bytes(answer: Decision) -> bytes:
    """A CheckAndConsumeResponse."""
    granted, used, remaining = answer.granted, answer.used, answer.remaining
    verdict, limit, version = _shared(
        answer.allowed,
        answer.reason,
        answer.limit,
        answer.unlimited,
        answer.soft_limit,
        answer.catalog_version,
    )
    parts = [
        verdict,
        _GRANTED[granted] if 0 <= granted < TABLE_SIZE else b"\x18" + varint(granted),
        limit,
        _USED[used] if used < TABLE_SIZE else b"\x38" + varint(used),
        _REMAINING[remaining] if remaining < TABLE_SIZE else b"\x40" + varint(remaining),
    ]
    if answer.overage:
        parts.append(b"\x48" + varint(answer.overage))  # overage = 9
    if answer.resets_at_ms is not None:
        parts.append(time_field(b"\x52", answer.resets_at_ms))  # resets_at = 10
    if answer.retry_after_ms is not None:
        parts.append(time_field(b"\x5a", answer.retry_after_ms))  # retry_after = 11
    if answer.limits:
        parts.extend(map(limit_details if answer.detailed else limit_status, answer.limits))
    if answer.replayed:
        parts.append(b"\x68\x01")  # replayed = 13
    parts.append(version)
    if answer.detailed:
        _add_details(parts, answer)
    return b"".join(parts)


def all_bytes(answer: ConsumeAllDecision) -> bytes:
    """A CheckAndConsumeAllResponse that a client takes: a large one leaves out sources and
    values of its items."""
    retry_after_ms = answer.retry_after_ms
    head = _shared_all(
        answer.allowed, answer.reason, answer.stopped_by, answer.replayed, answer.catalog_version
    )
    if answer.is_fallback:
        head += b"\x40\x01"  # is_fallback = 8
    payload = _all(head, retry_after_ms, answer.items)
    if len(payload) > MESSAGE_BYTES_MAX:
        lighter = [
            msgspec.structs.replace(_without_sources(item) or item, values=())
            for item in answer.items
        ]
        payload = _all(head, retry_after_ms, lighter)
    return payload


_VERDICT = pb.CheckAndConsumeResponse(allowed=True, reason=pb.REASON_WITHIN_LIMIT)
_TAKEN = [b"\x22" + LAST[size] + _VERDICT.SerializeToString() for size in range(128)]
"""What an item starts with that was taken from a hard limit, items = 4, by its bytes; there are
fewer than that."""

_latest_taken: tuple[AllTaken, bytes, list[tuple[int, bytes, bytes, int]]]
_latest_taken = AllTaken(False, -1), b"", []
"""As `_latest`, of an answer on several features: what it starts with, and by item the limit, that
as it is written, what is after `remaining`, and how many bytes these take with the verdict."""


def _taken_bytes(answer: AllTaken) -> bytes:
    """As `all_bytes` of it in full."""
    global _latest_taken
    like, head, items = _latest_taken
    version = answer.catalog_version
    if answer.hard is not like.hard or version != like.catalog_version:
        reason, items = answer.reason, []
        head = _shared_all(True, reason, None, False, version)
        for limit, resets_at_ms in answer.hard:
            verdict, middle, end = _shared(True, reason, limit, False, False, version)
            if resets_at_ms is not None:
                end = time_field(b"\x52", resets_at_ms) + end  # resets_at = 10
            items.append((limit, middle, end, len(verdict) + len(middle) + len(end)))
        _latest_taken = answer, head, items
    parts = [head]
    numbers = zip(items, answer.amounts, answer.before)  # noqa: B905 (it costs; they are as many)
    for (limit, middle, end, size), amount, before in numbers:
        used = before + amount
        left = limit - used
        taken = _GRANTED[amount] if amount < TABLE_SIZE else b"\x18" + varint(amount)
        if used < TABLE_SIZE:
            first = _USED[used]
        elif used < _FOUR_GROUPS:
            first = _USED_MORE[used & 16383] + LAST[used >> 14]
        else:
            first = b"\x38" + varint(used)
        if left < TABLE_SIZE:
            second = _REMAINING[left]
        elif left < _FOUR_GROUPS:
            second = _REMAINING_MORE[left & 16383] + LAST[left >> 14]
        elif left < _SIX_GROUPS:
            high = left >> 14
            second = _REMAINING_MORE[left & 16383] + MORE[high & 16383] + LAST[high >> 14]
        else:
            second = b"\x40" + varint(left)
        size += len(taken) + len(first) + len(second)
        parts += (_TAKEN[size], taken, middle, first, second, end)
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _shared_all(
    allowed: bool, reason: int, stopped_by: int | None, replayed: bool, catalog_version: int
) -> bytes:
    """Fields 1 to 3, 6 and 7, serialised."""
    message = pb.CheckAndConsumeAllResponse(
        allowed=allowed,
        reason=reason,  # type: ignore[arg-type]
        stopped_by=stopped_by,
        replayed=replayed,
        catalog_version=catalog_version,
    )
    return message.SerializeToString()


def _all(head: bytes, retry_after_ms: int | None, items: Sequence[Decision]) -> bytes:
    parts = [head]
    if retry_after_ms is not None:
        parts.append(time_field(b"\x2a", retry_after_ms))  # retry_after = 5
    for item in items:
        inner = decision_bytes(item)
        parts += (b"\x22", varint(len(inner)), inner)  # items = 4
    return b"".join(parts)


def batch_bytes(answers: Sequence[Decision | QuotadError]) -> bytes:
    """A BatchCheckAndConsumeResponse that a client takes: units that are counted must not be lost
    with an answer that cannot arrive."""
    payload = _batch(answers)
    return payload if len(payload) <= MESSAGE_BYTES_MAX else _fitted(answers)


def _fitted(answers: Sequence[Decision | QuotadError]) -> bytes:
    """The same, made to fit: from the end on sources are left out of explanations, and if that is
    not enough, answers that took nothing and are large (by their values) are an error instead."""
    results = [_batch([answer]) for answer in answers]
    size = sum(map(len, results))
    for lighten in (_without_sources, _without_values):
        for i in range(len(answers) - 1, -1, -1):
            if size <= MESSAGE_BYTES_MAX:
                break
            lighter = lighten(answers[i])
            if lighter is not None:
                result = _batch([lighter])
                size += len(result) - len(results[i])
                results[i] = result
    return b"".join(results)


def _without_sources(answer: Decision | QuotadError) -> Decision | None:
    if not isinstance(answer, Decision) or answer.explanation is None:
        return None
    lighter = msgspec.structs.replace(answer.explanation, sources=(), left_out=True)
    return msgspec.structs.replace(answer, explanation=lighter)


def _without_values(answer: Decision | QuotadError) -> QuotadError | None:
    if not isinstance(answer, Decision) or not answer.values:
        return None
    return AnswerTooLarge(
        f"the answers of this batch are larger than {MESSAGE_BYTES_MAX} bytes; ask for this one in"
        " a smaller batch"
    )


def _batch(answers: Sequence[Decision | QuotadError]) -> bytes:
    parts: list[bytes] = []
    for written in each_bytes(answers, _raise):
        if isinstance(written, bytes):
            tag, inner = b"\x0a", written  # BatchResult.response = 1
        else:
            tag, inner = b"\x12", encode.error(written).SerializeToString()  # BatchResult.error = 2
        size = varint(len(inner))
        # BatchCheckAndConsumeResponse.results = 1
        parts += (b"\x0a", varint(1 + len(size) + len(inner)), tag, size, inner)
    return b"".join(parts)


def _raise(error: Exception) -> QuotadError:
    raise error


def _add_details(parts: list[bytes], answer: Decision) -> None:
    """Field 14, and 16 and above, which few answers have."""
    if answer.is_fallback:
        parts.insert(-1, b"\x70\x01")  # is_fallback = 14, before catalog_version
    if answer.explanation is not None:
        inner = encode.explanation(answer.explanation).SerializeToString()
        if len(inner) > EXPLANATION_BYTES_MAX:
            lighter = msgspec.structs.replace(answer.explanation, sources=(), left_out=True)
            inner = encode.explanation(lighter).SerializeToString()
        parts += (b"\x82\x01", varint(len(inner)), inner)  # explanation = 16
    if answer.value:
        parts.append(text_field(b"\x8a\x01", answer.value))  # value = 17
    for value in answer.values:
        parts.append(text_field(b"\x92\x01", value))  # values = 18
    if answer.variant:
        parts.append(text_field(b"\x9a\x01", answer.variant))  # variant = 19
    if answer.would_deny:
        parts.append(b"\xa0\x01\x01")  # would_deny = 20
    if answer.pool_id:
        parts.append(text_field(b"\xaa\x01", answer.pool_id))  # pool_id = 21
    if answer.decimals:
        parts.append(b"\xb0\x01" + varint(answer.decimals))  # decimals = 22
    if answer.reserved:
        parts.append(b"\xb8\x01" + varint(answer.reserved))  # reserved = 23
    if answer.leased:
        parts.append(b"\xc0\x01" + varint(answer.leased))  # leased = 24


@lru_cache(maxsize=4096)
def _shared(
    allowed: bool,
    reason: int,
    limit: int | None,
    unlimited: bool,
    soft_limit: bool,
    catalog_version: int,
) -> tuple[bytes, bytes, bytes]:
    """Fields 1 and 2, 4 to 6, and 15, serialised."""
    message = pb.CheckAndConsumeResponse
    parts = (
        message(allowed=allowed, reason=reason),  # type: ignore[arg-type]
        message(limit=limit, unlimited=unlimited, soft_limit=soft_limit),
        message(catalog_version=catalog_version),
    )
    verdict, middle, version = (part.SerializeToString() for part in parts)
    return verdict, middle, version
