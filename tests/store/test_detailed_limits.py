"""Limits with a weight (credit pools) and windows that open at first use."""

import random

import msgspec
import pytest

from quotad.model import QUANTITY_MAX, USED_MAX
from quotad.store import Charge, ChargeStatus, Once, Settlement
from quotad.store.charges import CHECK, CONSUME_ONCE
from tests.raw import raw
from tests.store.conftest import FAR_MS, NOW_MS, DetailedLimit, Scripted

HOUR = 3_600_000


def opening(cap: int, closes_at: int = NOW_MS + HOUR, weight: int = 1) -> DetailedLimit:
    return DetailedLimit(cap, weight, closes_at, closes_at + 60_000)


def once(charge: Charge, key: str = "k") -> Charge:
    return msgspec.structs.replace(
        charge, verb=CONSUME_ONCE, once=Once(key, "f" * 16, b"memo|1@2,3", 60_000)
    )


def stored(scripted: Scripted, name: str = "a") -> bytes | None:
    value: bytes | None = raw(scripted.store).get(f"{scripted.keys.usage}:{name}")
    return value


# used before of own and pool, quantity, weight, caps -> status, used afterwards
POOLS = [
    ([0, 0], 1, 5, [10, 10], ChargeStatus.ALLOWED, [1, 5]),
    ([1, 5], 1, 5, [10, 10], ChargeStatus.ALLOWED, [2, 10]),
    ([1, 6], 1, 5, [10, 10], ChargeStatus.DENIED, [1, 6]),
    ([10, 0], 1, 5, [10, 10], ChargeStatus.DENIED, [10, 0]),
    ([0, 10], 0, 5, [10, 10], ChargeStatus.ALLOWED, [0, 10]),
    ([0, 11], 0, 5, [10, 10], ChargeStatus.DENIED, [0, 11]),
    ([0, 0], 3, 250, [10, 750], ChargeStatus.ALLOWED, [3, 750]),
    ([0, 0], 3, 250, [10, 749], ChargeStatus.DENIED, [0, 0]),
    ([0, 0], 9, 10**15, [USED_MAX, USED_MAX], ChargeStatus.ALLOWED, [9, USED_MAX]),
    ([0, 1], 9, 10**15, [USED_MAX, USED_MAX], ChargeStatus.DENIED, [0, 1]),
    ([0, 0], QUANTITY_MAX, 10**15, [USED_MAX, USED_MAX], ChargeStatus.DENIED, [0, 0]),
    ([0, 123], 1, USED_MAX - 123, [9, USED_MAX], ChargeStatus.ALLOWED, [1, USED_MAX]),
]


@pytest.mark.parametrize(("before", "quantity", "weight", "caps", "status", "after"), POOLS)
def test_a_weighted_limit_takes_the_weight_of_each_unit_or_nothing_changes(
    scripted: Scripted,
    before: list[int],
    quantity: int,
    weight: int,
    caps: list[int],
    status: ChargeStatus,
    after: list[int],
) -> None:
    for name, used in zip("ab", before, strict=True):
        if used:
            raw(scripted.store).set(f"{scripted.keys.usage}:{name}", used)

    settled = scripted.settle(
        scripted.detailed(quantity, DetailedLimit(caps[0]), DetailedLimit(caps[1], weight))
    )

    assert [Settlement(status, before, closes=[0, 0])] == settled
    left = scripted.used()
    assert after == [left.get(name, 0) for name in "ab"]


def test_plain_and_weighted_charges_of_one_call_share_a_counter(scripted: Scripted) -> None:
    settled = scripted.settle(
        scripted.charge(1, 10),
        scripted.detailed(1, DetailedLimit(10, 4)),
        scripted.charge(2, 10),
        scripted.detailed(1, DetailedLimit(10, 4)),
        scripted.detailed(1, DetailedLimit(10, 3)),
    )

    assert [(1, [0]), (1, [1]), (1, [5]), (0, [7]), (1, [7])] == [
        (s.status, s.used) for s in settled
    ]
    assert {"a": 10} == scripted.used()


def test_a_weighted_counter_keeps_its_end(scripted: Scripted) -> None:
    for limit in (DetailedLimit(9, 2), DetailedLimit(9, 3)):
        scripted.settle(scripted.detailed(1, limit))
    scripted.settle(scripted.detailed(1, DetailedLimit(1), DetailedLimit(9, expires_at=0)))

    name = f"{scripted.keys.usage}:"
    assert FAR_MS == raw(scripted.store).pexpiretime(name + "a")
    assert {"a": 5} == scripted.used()
    scripted.settle(scripted.detailed(1, DetailedLimit(9), DetailedLimit(9, expires_at=0)))
    assert -1 == raw(scripted.store).pexpiretime(name + "b")


def test_a_window_opens_with_the_first_that_is_counted(scripted: Scripted) -> None:
    late = opening(3, NOW_MS + 2 * HOUR)
    settled = scripted.settle(
        scripted.detailed(1, opening(3), verb=CHECK),
        scripted.detailed(0, opening(3)),
        scripted.detailed(4, opening(3)),
        scripted.detailed(2, opening(3)),
        scripted.detailed(1, late, now=NOW_MS + HOUR - 1),
        scripted.detailed(1, late, now=NOW_MS + HOUR - 1),
    )

    end = NOW_MS + HOUR
    assert [
        Settlement(1, [0], closes=[0]),
        Settlement(1, [0], closes=[0]),
        Settlement(0, [0], closes=[0]),
        Settlement(1, [0], closes=[end]),
        Settlement(1, [2], closes=[end]),
        Settlement(0, [3], closes=[end]),
    ] == settled
    assert f"3@{end}".encode() == stored(scripted)
    assert end + 60_000 == raw(scripted.store).pexpiretime(f"{scripted.keys.usage}:a")


def test_a_window_that_has_closed_opens_again(scripted: Scripted) -> None:
    scripted.settle(scripted.detailed(3, opening(3)))
    now, end = NOW_MS + HOUR, NOW_MS + 3 * HOUR

    check = scripted.settle(scripted.detailed(3, opening(3, end), now=now, verb=CHECK))
    taken = scripted.settle(scripted.detailed(2, opening(3, end), now=now))

    assert [Settlement(1, [0], closes=[0])] == check
    assert [Settlement(1, [0], closes=[end])] == taken
    assert f"2@{end}".encode() == stored(scripted)
    assert end + 60_000 == raw(scripted.store).pexpiretime(f"{scripted.keys.usage}:a")


def test_a_denied_charge_opens_no_window(scripted: Scripted) -> None:
    settled = scripted.settle(scripted.detailed(1, opening(5), DetailedLimit(0)))

    assert [Settlement(0, [0, 0], closes=[0, 0])] == settled
    assert stored(scripted) is None


def test_a_pool_may_have_a_window_that_opens_at_first_use(scripted: Scripted) -> None:
    settled = scripted.settle(*[scripted.detailed(2, opening(1000, weight=250))] * 3)

    assert [(1, [0]), (1, [500]), (0, [1000])] == [(s.status, s.used) for s in settled]
    assert f"1000@{NOW_MS + HOUR}".encode() == stored(scripted)


def test_a_repeated_idempotency_key_has_the_window_of_the_first_time(
    scripted: Scripted,
) -> None:
    first = once(scripted.detailed(2, opening(5), DetailedLimit(9, 3)))
    later = once(scripted.detailed(2, opening(5, NOW_MS + 9 * HOUR), now=NOW_MS + 8 * HOUR))
    end = NOW_MS + HOUR
    replay = Settlement(ChargeStatus.REPLAYED, memo=f"10@{end},0@0|memo|1@2,3".encode())

    assert [Settlement(1, [0, 0], closes=[end, 0]), replay] == scripted.settle(first, first)
    assert [replay] == scripted.settle(later)
    assert f"2@{end}".encode() == stored(scripted)


def test_a_denial_of_a_closed_window_is_not_kept(scripted: Scripted) -> None:
    denied = once(scripted.detailed(6, opening(5)))

    assert [Settlement(0, [0], closes=[0])] * 2 == scripted.settle(denied, denied)
    assert not raw(scripted.store).exists(f"{scripted.keys.decision}k")


def test_large_usage_of_a_window_is_kept_digit_by_digit(scripted: Scripted) -> None:
    charge = scripted.detailed(1, opening(USED_MAX, weight=USED_MAX - 7))

    scripted.settle(charge)

    assert f"{USED_MAX - 7}@{NOW_MS + HOUR}".encode() == stored(scripted)
    assert [USED_MAX - 7] == scripted.settle(charge)[0].used


def test_random_detailed_charges_agree_with_a_model_in_plain_python(scripted: Scripted) -> None:
    rng = random.Random(20261124)
    pool = 0
    window, closes_at = 0, 0
    now = NOW_MS
    for _ in range(150):
        batch: list[Charge] = []
        expected = []
        now += rng.choice((0, 1, 20 * 60_000, HOUR))
        for _ in range(rng.randrange(1, 20)):
            weight, quantity = rng.choice((1, 3, 250)), rng.choice((0, 1, 1, 2, 7))
            caps = [rng.randrange(0, 60), rng.randrange(0, 50_000)]
            check = rng.random() < 0.2
            limits = (opening(caps[0], now + HOUR), DetailedLimit(caps[1], weight))
            batch.append(
                scripted.detailed(quantity, *limits, now=now, verb=CHECK if check else "consume")
            )
            if closes_at <= now:
                window, closes_at = 0, 0
            before = [window, pool]
            allowed = window + quantity <= caps[0] and pool + quantity * weight <= caps[1]
            if allowed and not check and quantity:
                window, pool = window + quantity, pool + quantity * weight
                closes_at = closes_at or now + HOUR
            expected.append(Settlement(int(allowed), before, closes=[closes_at, 0]))
        assert expected == scripted.settle(*batch)
