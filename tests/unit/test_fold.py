import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, LimitStatus, Mode, Reason
from quotad.engine.fold import fold
from quotad.engine.memos import encode_memo, fingerprint, replay
from quotad.engine.meters import LimitTerms
from quotad.model import QUANTITY_MAX, USED_MAX
from quotad.store import ChargeStatus, Settlement

NOW = 1_800_000_000_000
MINUTE = LimitTerms(10, False, "minute", NOW + 30_000)
HOUR = LimitTerms(100, False, "hour", NOW + 1_800_000)
LIFE = LimitTerms(1000, False, "", None)
SOFT = LimitTerms(50, True, "day", NOW + 7_200_000)
OPEN = LimitTerms(None, False, "month", NOW + 86_400_000)


def status(term: LimitTerms, used: int) -> LimitStatus:
    limit = term.limit
    remaining = 0 if limit is None else max(limit - used, 0)
    overage = max(used - limit, 0) if term.soft and limit is not None else 0
    return LimitStatus(limit, term.soft, used, remaining, overage, term.per, term.resets_at_ms)


def told(
    terms: tuple[LimitTerms, ...],
    used: tuple[int, ...],
    quantity: int = 1,
    *,
    allowed: bool = True,
    mode: Mode = Mode.NORMAL,
    every: bool = False,
) -> Decision:
    request = ConsumeRequest("acme", "calls", quantity, mode, every_limit=every)
    settlement = Settlement(ChargeStatus.ALLOWED if allowed else ChargeStatus.DENIED, used)
    return fold(terms, request, settlement, NOW, 7)


# terms, used before, quantity -> reason, limit that is told, used, remaining, overage
ALLOWED = [
    ((MINUTE,), (0,), 1, Reason.WITHIN_LIMIT, 10, 1, 9, 0),
    ((MINUTE,), (9,), 1, Reason.WITHIN_LIMIT, 10, 10, 0, 0),
    ((MINUTE,), (10,), 0, Reason.WITHIN_LIMIT, 10, 10, 0, 0),
    ((LIFE,), (0,), 1000, Reason.WITHIN_LIMIT, 1000, 1000, 0, 0),
    ((SOFT,), (49,), 1, Reason.WITHIN_LIMIT, 50, 50, 0, 0),
    ((SOFT,), (49,), 2, Reason.OVER_SOFT_LIMIT, 50, 51, 0, 1),
    ((SOFT,), (60,), 5, Reason.OVER_SOFT_LIMIT, 50, 65, 0, 15),
    ((SOFT,), (60,), 0, Reason.OVER_SOFT_LIMIT, 50, 60, 0, 10),
    ((OPEN,), (5,), 5, Reason.UNLIMITED, None, 10, 0, 0),
    ((OPEN,), (USED_MAX - QUANTITY_MAX,), QUANTITY_MAX, Reason.UNLIMITED, None, USED_MAX, 0, 0),
    ((MINUTE,), (4,), -3, Reason.WITHIN_LIMIT, 10, 1, 9, 0),
    ((MINUTE,), (4,), -9, Reason.WITHIN_LIMIT, 10, 0, 10, 0),
    ((MINUTE,), (14,), -1, Reason.WITHIN_LIMIT, 10, 13, 0, 0),
    ((OPEN,), (4,), -9, Reason.UNLIMITED, None, 0, 0, 0),
    # Several: the one with least remaining.
    ((MINUTE, HOUR), (0, 0), 1, Reason.WITHIN_LIMIT, 10, 1, 9, 0),
    ((MINUTE, HOUR), (0, 95), 1, Reason.WITHIN_LIMIT, 100, 96, 4, 0),
    ((HOUR, MINUTE, LIFE), (95, 2, 999), 1, Reason.WITHIN_LIMIT, 1000, 1000, 0, 0),
    ((OPEN, LIFE), (5, 5), 1, Reason.WITHIN_LIMIT, 1000, 6, 994, 0),
    ((OPEN, OPEN), (5, 6), 1, Reason.UNLIMITED, None, 6, 0, 0),
    ((MINUTE, SOFT), (0, 48), 1, Reason.WITHIN_LIMIT, 50, 49, 1, 0),
    # Several, and a soft one was passed: that one, or the one that was passed farthest.
    ((MINUTE, SOFT), (9, 50), 1, Reason.OVER_SOFT_LIMIT, 50, 51, 0, 1),
    (
        (SOFT, LimitTerms(5, True, "", None)),
        (60, 30),
        1,
        Reason.OVER_SOFT_LIMIT,
        5,
        31,
        0,
        26,
    ),
]


@pytest.mark.parametrize("every", [False, True], ids=["usual", "every limit"])
@pytest.mark.parametrize(
    ("terms", "before", "quantity", "reason", "limit", "used", "remaining", "overage"), ALLOWED
)
def test_an_allowed_charge(
    every: bool,
    terms: tuple[LimitTerms, ...],
    before: tuple[int, ...],
    quantity: int,
    reason: Reason,
    limit: int | None,
    used: int,
    remaining: int,
    overage: int,
) -> None:
    decision = told(terms, before, quantity, every=every)

    assert (True, reason, 7) == (decision.allowed, decision.reason, decision.catalog_version)
    assert (limit, used, remaining, overage) == (
        decision.limit,
        decision.used,
        decision.remaining,
        decision.overage,
    )
    at = [t.limit for t in terms].index(limit)
    assert used - before[at] == decision.granted
    assert terms[at].resets_at_ms == decision.resets_at_ms
    assert terms[at].soft == decision.soft_limit
    assert all(t.limit is None for t in terms) == decision.unlimited
    assert decision.retry_after_ms is None
    after = [max(b + quantity, 0) for b in before]
    statuses = tuple(status(t, u) for t, u in zip(terms, after, strict=True))
    assert (statuses if every or len(terms) > 1 else ()) == decision.limits


# terms, used before, quantity -> limit that is told, retry after
DENIED = [
    ((MINUTE,), (10,), 1, 10, 30_000),
    ((MINUTE,), (4,), 7, 10, 30_000),
    ((MINUTE,), (4,), 11, 10, None),
    ((MINUTE,), (12,), 0, 10, 30_000),
    ((LIFE,), (1000,), 1, 1000, None),
    ((OPEN,), (USED_MAX,), 1, None, 86_400_000),
    # Of several full ones, the one that frees last.
    ((MINUTE, HOUR), (10, 5), 1, 10, 30_000),
    ((MINUTE, HOUR), (5, 100), 1, 100, 1_800_000),
    ((MINUTE, HOUR), (10, 100), 1, 100, 1_800_000),
    ((HOUR, MINUTE), (100, 10), 1, 100, 1_800_000),
    ((MINUTE, LIFE), (10, 1000), 1, 1000, None),
    ((LIFE, MINUTE), (1000, 10), 1, 1000, None),
    # Waiting for the hour does not make room for eleven in a minute.
    ((MINUTE, HOUR), (0, 95), 11, 10, None),
    # Soft and unlimited ones have room.
    ((SOFT, MINUTE, OPEN), (70, 10, 5), 1, 10, 30_000),
]


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.CHECK_ONLY])
@pytest.mark.parametrize(("terms", "before", "quantity", "limit", "retry"), DENIED)
def test_a_denied_charge(
    mode: Mode,
    terms: tuple[LimitTerms, ...],
    before: tuple[int, ...],
    quantity: int,
    limit: int | None,
    retry: int | None,
) -> None:
    decision = told(terms, before, quantity, allowed=False, mode=mode)

    assert (False, Reason.LIMIT_EXCEEDED, 0) == (
        decision.allowed,
        decision.reason,
        decision.granted,
    )
    assert (limit, retry) == (decision.limit, decision.retry_after_ms)
    at = [t.limit for t in terms].index(limit)
    assert (before[at], terms[at].resets_at_ms) == (decision.used, decision.resets_at_ms)
    statuses = tuple(status(t, u) for t, u in zip(terms, before, strict=True))
    assert (statuses if len(terms) > 1 else ()) == decision.limits


def test_waiting_is_never_shown_as_less_than_nothing() -> None:
    past = LimitTerms(10, False, "minute", NOW - 1)

    assert 0 == told((past,), (10,), allowed=False).retry_after_ms


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("terms", [(MINUTE,), (MINUTE, HOUR)])
@pytest.mark.parametrize("quantity", [3, -3, 0])
def test_a_check_shows_what_is_used_now(
    terms: tuple[LimitTerms, ...], quantity: int, every: bool
) -> None:
    before = (4,) * len(terms)

    decision = told(terms, before, quantity, mode=Mode.CHECK_ONLY, every=every)

    assert (True, 0, 4, 6) == (
        decision.allowed,
        decision.granted,
        decision.used,
        decision.remaining,
    )


def test_a_check_shows_that_a_soft_limit_would_be_passed() -> None:
    decision = told((SOFT,), (50,), 1, mode=Mode.CHECK_ONLY)

    assert (Reason.OVER_SOFT_LIMIT, 50, 0) == (decision.reason, decision.used, decision.overage)


@pytest.mark.parametrize(
    ("terms", "before", "quantity"),
    [
        ((MINUTE,), (4,), 3),
        ((MINUTE, HOUR, SOFT), (4, 5, 49), 3),
        ((OPEN,), (4,), -9),
    ],
)
def test_a_replay_returns_the_same_from_the_memo(
    terms: tuple[LimitTerms, ...], before: tuple[int, ...], quantity: int
) -> None:
    request = ConsumeRequest("acme", "calls", quantity, idempotency_key="k")
    decision = fold(terms, request, Settlement(ChargeStatus.ALLOWED, before), NOW, 7)
    usage = ",".join(map(str, before))

    again = replay(request, f"1{usage}|".encode() + encode_memo(7, terms), NOW)

    assert msgspec.structs.replace(decision, replayed=True) == again


@pytest.mark.parametrize(
    "stored", [b"15,|", b"15@|", b"15x|", b"1|", b"15", b"15@1@2|", b"15,6@1|"]
)
@pytest.mark.parametrize("memo", [b"", b"\x02", encode_memo(7, (MINUTE,))])
def test_a_damaged_memo_is_no_decision(stored: bytes, memo: bytes) -> None:
    request = ConsumeRequest("acme", "calls", idempotency_key="k")

    assert replay(request, stored + memo, NOW) is None


def test_a_fingerprint_has_one_length_and_distinguishes_parameters() -> None:
    requests = [
        ConsumeRequest("acme", feature, quantity)
        for feature in ("a", "b", "1:a", "ü" * 128)
        for quantity in (0, 1, 11, -1, QUANTITY_MAX)
    ]

    prints = {fingerprint(request) for request in requests}

    assert {16} == {len(each) for each in prints}
    assert len(requests) == len(prints)
    # Of two customers it may be the same: the key is a customer's own.
    assert fingerprint(ConsumeRequest("x", "a")) == fingerprint(ConsumeRequest("y", "a"))
