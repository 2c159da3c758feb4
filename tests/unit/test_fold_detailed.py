"""Decisions on limits that have more to them than most."""

import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.engine.fold import fold
from quotad.engine.memos import encode_memo, fingerprint, replay
from quotad.engine.meters import LimitDetails, LimitTerms
from quotad.model import USED_MAX
from quotad.store import ChargeStatus, Settlement

NOW = 1_800_000_000_000
HOUR_END, DAY_END = NOW + 1_800_000, NOW + 43_200_000
NOTHING = LimitDetails()
OWN = LimitTerms(10, False, "hour", HOUR_END, NOTHING)
POOL = LimitTerms(
    1000, False, "day", DAY_END, LimitDetails(pool_id="credits", decimals=2, weight=250)
)
OPEN_OWN = LimitTerms(None, False, "hour", HOUR_END, NOTHING)
SHADOW = LimitTerms(10, False, "hour", HOUR_END, LimitDetails(shadow=True))
STOPPED = LimitTerms(10, True, "hour", HOUR_END, LimitDetails(overage_limit=5))
FIRST = LimitTerms(10, False, "5 hours", None, LimitDetails(opens=True))
PLAIN = LimitTerms(100, False, "month", DAY_END)


def told(
    terms: tuple[LimitTerms, ...],
    used: tuple[int, ...],
    quantity: int = 1,
    *,
    mode: Mode = Mode.NORMAL,
    closes: tuple[int, ...] = (),
    explain: bool = False,
) -> Decision:
    """The decision on a charge that the script settles as it should."""
    request = ConsumeRequest("acme", "image", quantity, mode, explain=explain, every_limit=explain)
    return fold(terms, request, settled(terms, used, quantity, closes), NOW, 7)


def settled(
    terms: tuple[LimitTerms, ...], used: tuple[int, ...], quantity: int, closes: tuple[int, ...]
) -> Settlement:
    """What the script answers."""
    weights = [1 if term.details is None else term.details.weight for term in terms]
    room = all(u + quantity * w <= t.cap for t, u, w in zip(terms, used, weights, strict=True))
    status = ChargeStatus.ALLOWED if room or quantity < 0 else ChargeStatus.DENIED
    return Settlement(status, used, closes=closes or (0,) * len(terms))


# terms, used before, quantity -> reason, granted, what is told: limit, used, remaining, pool
PAID = [
    ((OWN, POOL), (0, 0), 1, Reason.WITHIN_LIMIT, 1, (1000, 250, 750, "credits")),
    ((OWN, POOL), (8, 0), 1, Reason.WITHIN_LIMIT, 1, (10, 9, 1, "")),
    # In units of the feature: two of its own left, and one that the pool can pay.
    ((OWN, POOL), (7, 500), 1, Reason.WITHIN_LIMIT, 1, (1000, 750, 250, "credits")),
    ((OWN, POOL), (9, 500), 1, Reason.WITHIN_LIMIT, 1, (10, 10, 0, "")),
    ((POOL,), (500,), 2, Reason.WITHIN_LIMIT, 2, (1000, 1000, 0, "credits")),
    ((OPEN_OWN, POOL), (70, 500), 1, Reason.WITHIN_LIMIT, 1, (1000, 750, 250, "credits")),
    ((OWN, POOL), (0, 1000), 0, Reason.WITHIN_LIMIT, 0, (1000, 1000, 0, "credits")),
    ((OWN, POOL), (10, 0), 1, Reason.LIMIT_EXCEEDED, 0, (10, 10, 0, "")),
    ((OWN, POOL), (0, 751), 1, Reason.INSUFFICIENT_CREDITS, 0, (1000, 751, 249, "credits")),
    ((POOL,), (751,), 1, Reason.INSUFFICIENT_CREDITS, 0, (1000, 751, 249, "credits")),
    ((OPEN_OWN, POOL), (5, 900), 1, Reason.INSUFFICIENT_CREDITS, 0, (1000, 900, 100, "credits")),
    # Both are full: the feature's own limit is named, whichever frees last.
    ((OWN, POOL), (10, 1000), 1, Reason.LIMIT_EXCEEDED, 0, (10, 10, 0, "")),
]


@pytest.mark.parametrize(("terms", "before", "quantity", "reason", "granted", "state"), PAID)
def test_a_feature_that_a_pool_pays_for(
    terms: tuple[LimitTerms, ...],
    before: tuple[int, ...],
    quantity: int,
    reason: Reason,
    granted: int,
    state: tuple[int, int, int, str],
) -> None:
    decision = told(terms, before, quantity)

    assert (reason, granted, 7) == (decision.reason, decision.granted, decision.catalog_version)
    assert (reason >= Reason.OVER_SOFT_LIMIT) == decision.allowed
    assert state == (decision.limit, decision.used, decision.remaining, decision.pool_id)
    assert (2 if decision.pool_id else 0) == decision.decimals
    assert (len(terms) > 1) == bool(decision.limits)
    taken = quantity if decision.allowed else 0
    for status, term, used in zip(decision.limits, terms, before, strict=False):
        assert term.details is not None
        assert (used + taken * term.details.weight, term.details.pool_id) == (
            status.used,
            status.pool_id,
        )


def test_waiting_helps_when_every_full_limit_has_reset() -> None:
    assert HOUR_END - NOW == told((OWN, POOL), (10, 0)).retry_after_ms
    assert DAY_END - NOW == told((OWN, POOL), (0, 1000)).retry_after_ms
    assert DAY_END - NOW == told((OWN, POOL), (10, 1000)).retry_after_ms
    # Five cost 1,250 of a pool of 1,000.
    assert told((OWN, POOL), (0, 0), 5).retry_after_ms is None


def test_a_check_takes_nothing_of_a_pool() -> None:
    decision = told((POOL,), (500,), 2, mode=Mode.CHECK_ONLY)

    assert (True, 0, 500) == (decision.allowed, decision.granted, decision.used)


def test_a_soft_pool_is_shown_when_it_is_passed() -> None:
    soft = LimitTerms(1000, True, "day", DAY_END, LimitDetails(pool_id="credits", weight=250))

    decision = told((OWN, soft), (0, 900))

    assert (Reason.OVER_SOFT_LIMIT, 1150, 150, "credits") == (
        decision.reason,
        decision.used,
        decision.overage,
        decision.pool_id,
    )


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.CHECK_ONLY])
@pytest.mark.parametrize(
    ("before", "quantity", "would_deny"),
    [(0, 1, False), (9, 1, False), (10, 1, True), (10, 0, False), (12, 0, True), (0, 11, True),
     (15, -1, False)],
)  # fmt: skip
def test_a_limit_in_shadow_shows_what_it_would_have_denied(
    before: int, quantity: int, would_deny: bool, mode: Mode
) -> None:
    decision = told((SHADOW,), (before,), quantity, mode=mode)

    after = before + quantity if mode is Mode.NORMAL else before
    assert (True, would_deny) == (decision.allowed, decision.would_deny)
    # Nothing is said as if the limit were in force, but its state is told.
    assert (Reason.UNLIMITED, None, True, after, 0) == (
        decision.reason,
        decision.limit,
        decision.unlimited,
        decision.used,
        decision.remaining,
    )
    (status,) = decision.limits
    assert (10, after, max(10 - after, 0), True) == (
        status.limit,
        status.used,
        status.remaining,
        status.shadow,
    )


def test_a_limit_in_shadow_leaves_the_word_to_those_in_force() -> None:
    terms = (SHADOW, LimitTerms(100, False, "day", DAY_END))

    allowed, denied = told(terms, (10, 50)), told(terms, (10, 100))

    assert (Reason.WITHIN_LIMIT, 100, 51, True) == (
        allowed.reason,
        allowed.limit,
        allowed.used,
        allowed.would_deny,
    )
    # It is denied all the same: the limit in shadow changes nothing.
    assert (Reason.LIMIT_EXCEEDED, 100, False) == (denied.reason, denied.limit, denied.would_deny)
    assert [True, False] == [status.shadow for status in denied.limits]


def test_a_limit_in_shadow_stops_at_the_ceiling_of_counters() -> None:
    decision = told((SHADOW,), (USED_MAX,))

    assert (False, Reason.LIMIT_EXCEEDED, False) == (
        decision.allowed,
        decision.reason,
        decision.would_deny,
    )


@pytest.mark.parametrize(
    ("before", "quantity", "reason", "used", "overage"),
    [
        (9, 1, Reason.WITHIN_LIMIT, 10, 0),
        (10, 1, Reason.OVER_SOFT_LIMIT, 11, 1),
        (10, 5, Reason.OVER_SOFT_LIMIT, 15, 5),
        (10, 6, Reason.LIMIT_EXCEEDED, 10, 0),
        (15, 1, Reason.LIMIT_EXCEEDED, 15, 5),
    ],
)
def test_a_soft_limit_stops_hard_at_the_end_of_its_overage(
    before: int, quantity: int, reason: Reason, used: int, overage: int
) -> None:
    decision = told((STOPPED,), (before,), quantity)

    assert (reason, 10, used, overage, True) == (
        decision.reason,
        decision.limit,
        decision.used,
        decision.overage,
        decision.soft_limit,
    )
    wait_ms = None if decision.allowed else HOUR_END - NOW
    assert wait_ms == decision.retry_after_ms
    (status,) = told((STOPPED,), (before,), quantity, explain=True).limits
    assert 5 == status.overage_limit


def test_a_window_that_opens_at_first_use_resets_by_its_counter() -> None:
    closes = NOW + 600_000

    opened = told((FIRST,), (0,), closes=(closes,))
    closed = told((FIRST,), (0,), mode=Mode.CHECK_ONLY)
    full = told((FIRST,), (10,), closes=(closes,))
    too_many = told((FIRST,), (0,), 11)

    assert (closes, 1) == (opened.resets_at_ms, opened.used)
    assert (None, 0, 10) == (closed.resets_at_ms, closed.used, closed.remaining)
    assert (closes, 600_000) == (full.resets_at_ms, full.retry_after_ms)
    assert (None, None) == (too_many.resets_at_ms, too_many.retry_after_ms)


def test_of_several_limits_the_first_shows_that_some_have_more() -> None:
    terms = (msgspec.structs.replace(PLAIN, details=NOTHING), FIRST)

    decision = told(terms, (5, 2), closes=(0, NOW + 9))

    assert [DAY_END, NOW + 9] == [status.resets_at_ms for status in decision.limits]


def test_the_variant_is_reported_with_every_answer() -> None:
    term = LimitTerms(10, False, "hour", HOUR_END, LimitDetails(variant="beta"))

    assert ["beta", "beta"] == [told((term,), (used,)).variant for used in (0, 10)]


# terms, used before, quantity -> missing, in words, when it frees
LACKING = [
    ((PLAIN,), (100,), 1, 1, "100 per month", DAY_END),
    ((PLAIN,), (90,), 11, 1, "100 per month", DAY_END),
    ((PLAIN,), (90,), 101, 91, "100 per month", None),
    ((LimitTerms(25_000, False, "", None),), (25_000,), 7, 7, "25,000", None),
    ((OWN, POOL), (0, 1000), 1, 250, "10.00 credits per day", DAY_END),
    ((OWN, POOL), (10, 1000), 2, 2, "10 per hour", HOUR_END),
    ((STOPPED,), (15,), 3, 3, "10 per hour and an overage of 5", HOUR_END),
    ((LimitTerms(None, False, "day", DAY_END),), (USED_MAX,), 2, 2,
     "9,000,000,000,000,000 per day, the most that is counted", DAY_END),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "before", "quantity", "missing", "words", "frees"), LACKING)
def test_a_denial_is_explained_by_what_was_missing(
    terms: tuple[LimitTerms, ...],
    before: tuple[int, ...],
    quantity: int,
    missing: int,
    words: str,
    frees: int | None,
) -> None:
    explanation = told(terms, before, quantity, explain=True).explanation

    assert explanation is not None
    assert (missing, words, frees) == (
        explanation.missing,
        explanation.denied_by,
        explanation.frees_at_ms,
    )
    assert told(terms, before, quantity).explanation is None


@pytest.mark.parametrize(
    ("terms", "before", "closes"),
    [
        ((OWN, POOL), (3, 500), (0, 0)),
        ((SHADOW,), (10,), ()),
        ((STOPPED,), (10,), ()),
        ((FIRST,), (4,), (NOW + 5,)),
    ],
)
def test_a_replay_returns_the_same_from_the_memo(
    terms: tuple[LimitTerms, ...], before: tuple[int, ...], closes: tuple[int, ...]
) -> None:
    request = ConsumeRequest("acme", "image", idempotency_key="k")
    first = settled(terms, before, 1, closes)
    decision = fold(terms, request, first, NOW, 7)
    pairs = zip(before, first.closes, strict=True)
    usage = ",".join(f"{used}@{closes}" for used, closes in pairs)

    again = replay(request, f"1{usage}|".encode() + encode_memo(7, terms), NOW)

    assert msgspec.structs.replace(decision, replayed=True) == again


def test_memos_of_an_older_server_are_still_read() -> None:
    # version, terms (limit, soft, per, resets_at_ms), reason, value
    request = ConsumeRequest("acme", "calls", idempotency_key="k")
    counted = msgspec.msgpack.encode([7, [[10, False, "hour", HOUR_END]], 0, ""])

    first = replay(request, b"13|" + counted, NOW)

    assert first is not None
    assert (True, 10, 4, HOUR_END) == (first.replayed, first.limit, first.used, first.resets_at_ms)


def test_a_fingerprint_distinguishes_resources_and_values() -> None:
    requests = [
        ConsumeRequest("acme", feature, resource_id=resource, requested_values=values)
        for feature in ("a", "a:b")
        for resource in ("", "b", "b c")
        for values in ((), ("b",), ("b", "c"), ("c", "b"), ("bc",))
    ]

    assert len(requests) == len({fingerprint(request) for request in requests})
    # As before there were any, so that keys stay good over an upgrade.
    assert "2d27ee064f67002e" == fingerprint(ConsumeRequest("acme", "calls", 5))


def test_a_window_that_is_not_open_yet_is_distinguished_from_a_limit_that_never_resets() -> None:
    closed = told((FIRST,), (0,), mode=Mode.CHECK_ONLY)
    opened = told((FIRST,), (0,), closes=(HOUR_END,))

    assert [("5 hours", None)] == [(each.per, each.resets_at_ms) for each in closed.limits]
    assert ((), HOUR_END) == (opened.limits, opened.resets_at_ms)
