import random
import time
from collections.abc import Sequence

import msgspec
import pytest

from quotad.errors import ScriptContractError
from quotad.model import QUANTITY_MAX, USED_MAX
from quotad.store import Charge, ChargeStatus, CounterSet, KeySpace, Once, Settlement
from quotad.store.charges import CHECK, CONSUME, CONSUME_ONCE, kept
from quotad.store.counters import KEPT_MIN, spell, spell_kept, spell_lone
from tests.raw import raw
from tests.store.conftest import FAR_MS, NOW_MS, TAG, DetailedLimit, Scripted, plain


def once(charge: Charge, key: str = "k", fingerprint: str = "f" * 16) -> Charge:
    """The same charge under an idempotency key."""
    kept = Once(key, fingerprint, b"memo|with a bar", 60_000)
    return msgspec.structs.replace(charge, verb=CONSUME_ONCE, once=kept)


class Notes:
    """Describes charges by which they are."""

    kept = (100, 60_000)

    def describe(self, places: Sequence[int]) -> bytes:
        return f"{places[0]} to {places[-1]}".encode()


def as_bytes(word: str | bytes | int) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


def keep(charge: Charge) -> Charge:
    """The same charge, as an engine keeps it."""
    names, epoch_word = kept(charge.keys, charge.epoch, charge.counters)
    return msgspec.structs.replace(charge, names=names, epoch_word=epoch_word)


Asked = tuple[int | tuple[int, ...], str, CounterSet]
"""Of a charge: quantity, verb, counters."""


# used before, quantity, caps -> status, used afterwards
TABLE = [
    ([0], 1, [1], ChargeStatus.ALLOWED, [1]),
    ([1], 1, [1], ChargeStatus.DENIED, [1]),
    ([9], 1, [10], ChargeStatus.ALLOWED, [10]),
    ([9], 2, [10], ChargeStatus.DENIED, [9]),
    ([0], 5, [4], ChargeStatus.DENIED, [0]),
    ([0], 1, [0], ChargeStatus.DENIED, [0]),
    ([0], 0, [0], ChargeStatus.ALLOWED, [0]),
    ([7], 0, [5], ChargeStatus.DENIED, [7]),
    ([7], 0, [7], ChargeStatus.ALLOWED, [7]),
    ([0, 0], 3, [5, 3], ChargeStatus.ALLOWED, [3, 3]),
    ([0, 1], 3, [5, 3], ChargeStatus.DENIED, [0, 1]),
    ([4, 0], 3, [5, 3], ChargeStatus.DENIED, [4, 0]),
    ([1, 2, 3], 1, [2, 3, 4], ChargeStatus.ALLOWED, [2, 3, 4]),
    ([1, 2, 4], 1, [2, 3, 4], ChargeStatus.DENIED, [1, 2, 4]),
    ([5], -2, [9], ChargeStatus.ALLOWED, [3]),
    ([5], -5, [9], ChargeStatus.ALLOWED, [0]),
    ([5], -9, [9], ChargeStatus.ALLOWED, [0]),
    ([0], -1, [9], ChargeStatus.ALLOWED, [0]),
    ([9], -1, [3], ChargeStatus.ALLOWED, [8]),
    ([0], QUANTITY_MAX, [QUANTITY_MAX], ChargeStatus.ALLOWED, [QUANTITY_MAX]),
    ([USED_MAX - QUANTITY_MAX], QUANTITY_MAX, [USED_MAX], ChargeStatus.ALLOWED, [USED_MAX]),
    ([USED_MAX], 1, [USED_MAX], ChargeStatus.DENIED, [USED_MAX]),
    ([USED_MAX - 1], -QUANTITY_MAX, [1], ChargeStatus.ALLOWED, [USED_MAX - 1 - QUANTITY_MAX]),
]


@pytest.mark.parametrize(("before", "quantity", "caps", "status", "after"), TABLE)
def test_all_limits_have_room_and_are_counted_or_nothing_changes(
    scripted: Scripted,
    before: list[int],
    quantity: int,
    caps: list[int],
    status: ChargeStatus,
    after: list[int],
) -> None:
    for name, used in zip("abc", before, strict=False):
        raw(scripted.store).set(f"{scripted.keys.usage}:{name}", used)

    settled = scripted.settle(scripted.charge(quantity, *caps))

    assert [Settlement(status, before)] == settled
    left = scripted.used()
    assert after == [left.get(name, 0) for name in "abc"[: len(after)]]


def test_a_check_counts_nothing(scripted: Scripted) -> None:
    charges = [scripted.charge(q, 3, verb=CHECK) for q in (3, 4)]
    statuses = [settlement.status for settlement in scripted.settle(*charges)]

    assert [ChargeStatus.ALLOWED, ChargeStatus.DENIED] == statuses
    assert {} == scripted.used()


def test_charges_of_one_call_see_each_other(scripted: Scripted) -> None:
    settled = scripted.settle(*[scripted.charge(2, 5) for _ in range(4)])

    assert [(1, [0]), (1, [2]), (0, [4]), (0, [4])] == [(s.status, s.used) for s in settled]
    assert {"a": 4} == scripted.used()


def test_a_gauge_goes_down_and_up_within_one_call(scripted: Scripted) -> None:
    quantities = (3, -1, 2, -9, 5)

    settled = scripted.settle(*[scripted.charge(q, 4) for q in quantities])

    assert [(1, [0]), (1, [3]), (1, [2]), (1, [4]), (0, [0])] == [
        (s.status, s.used) for s in settled
    ]
    assert {} == scripted.used()


def test_a_counter_expires_when_its_period_has_ended(scripted: Scripted) -> None:
    scripted.settle(scripted.charge(1, 9), scripted.charge(1, 9))
    scripted.settle(scripted.charge(1, 9))

    assert FAR_MS == raw(scripted.store).pexpiretime(f"{scripted.keys.usage}:a")


def test_a_counter_without_an_end_never_expires(scripted: Scripted) -> None:
    charge = Charge(scripted.keys, 0, 1, "consume", plain((9, 0)))

    scripted.settle(charge, charge)

    assert -1 == raw(scripted.store).pexpiretime(f"{scripted.keys.usage}:a")


HOUR_MS = 3_600_000


def of_a_lifetime(scripted: Scripted, detailed: bool, idle_ms: int, quantity: int = 1) -> Charge:
    """A charge on a counter without a period, kept so long after its latest use; 0: for ever."""
    if detailed:
        return scripted.detailed(quantity, DetailedLimit(9, weight=2, expires_at=-idle_ms))
    return Charge(scripted.keys, 0, quantity, "consume", plain((9, -idle_ms)))


@pytest.mark.parametrize("detailed", [False, True])
def test_a_counter_may_expire_some_time_after_its_latest_use(
    scripted: Scripted, detailed: bool
) -> None:
    name = f"{scripted.keys.usage}:a"
    charge = of_a_lifetime(scripted, detailed, HOUR_MS)
    for used in (1, 2):
        scripted.settle(charge)

        assert used * (2 if detailed else 1) == scripted.used()["a"]
        assert 0 <= HOUR_MS - raw(scripted.store).pttl(name) < 60_000
        raw(scripted.store).pexpire(name, 100_000)
    scripted.settle(msgspec.structs.replace(charge, verb=CHECK))
    assert 100_000 >= raw(scripted.store).pttl(name)


@pytest.mark.parametrize("detailed", [False, True])
def test_a_counter_that_would_have_expired_is_kept_from_the_next_use_on(
    scripted: Scripted, detailed: bool
) -> None:
    scripted.settle(
        of_a_lifetime(scripted, detailed, HOUR_MS), of_a_lifetime(scripted, detailed, 0)
    )

    assert -1 == raw(scripted.store).pexpiretime(f"{scripted.keys.usage}:a")
    assert (4 if detailed else 2) == scripted.used()["a"]


@pytest.mark.parametrize("keyed", [False, True])
def test_a_charge_on_a_period_that_is_long_over_is_refused(scripted: Scripted, keyed: bool) -> None:
    past_ms = int(raw(scripted.store).time()[0]) * 1000 - 1
    late = Charge(scripted.keys, 0, 1, "consume", plain((9, FAR_MS), (9, past_ms)))
    late = once(late) if keyed else late

    settled = scripted.settle(late, scripted.charge(1, 9), late)

    assert [(-4, ()), (1, [0]), (-4, ())] == [(s.status, s.used) for s in settled]
    assert {"a": 1} == scripted.used()
    # What has no need to make a counter needs no time.
    assert [ChargeStatus.DENIED] == [s.status for s in scripted.settle(scripted.charge(9, 9))]
    check = Charge(scripted.keys, 0, 1, "check", plain((9, past_ms), names="b"))
    assert [ChargeStatus.ALLOWED] == [s.status for s in scripted.settle(check)]


def test_a_detailed_charge_on_a_period_that_is_long_over_is_refused(scripted: Scripted) -> None:
    past_ms = int(raw(scripted.store).time()[0]) * 1000 - 1
    charges = [
        scripted.detailed(1, DetailedLimit(9, weight=2, expires_at=past_ms), DetailedLimit(9)),
        scripted.detailed(
            1, DetailedLimit(9, closes_at=past_ms, expires_at=past_ms), now=past_ms - 9
        ),
    ]

    assert [ChargeStatus.STALE_CLOCK] * 2 == [s.status for s in scripted.settle(*charges)]
    assert {} == scripted.used()


def test_a_decision_is_returned_again_also_when_its_period_is_over(scripted: Scripted) -> None:
    charge = once(scripted.charge(1, 9))
    scripted.settle(charge)

    (again,) = scripted.settle(msgspec.structs.replace(charge, counters=plain((9, 1))))

    assert ChargeStatus.REPLAYED == again.status


def test_another_catalog_or_epoch_than_planned_with_is_refused(scripted: Scripted) -> None:
    charge = scripted.charge(1, 9)

    stale = Settlement(ChargeStatus.STALE_CATALOG, memo=TAG.encode())
    assert [stale] == scripted.settle(charge, tag="2.abc")
    raw(scripted.store).set(scripted.keys.epoch, 4)
    assert [Settlement(ChargeStatus.STALE_CUSTOMER)] == scripted.settle(charge)
    older = scripted.charge(1, 9, epoch=3)
    assert [Settlement(ChargeStatus.STALE_CUSTOMER)] == scripted.settle(older)
    assert {} == scripted.used()
    newest = scripted.charge(1, 9, epoch=4)
    assert [Settlement(ChargeStatus.ALLOWED, [0])] == scripted.settle(newest)


def test_an_answer_without_counters_is_refused_when_stale(scripted: Scripted) -> None:
    charge = scripted.charge(1)

    assert [Settlement(ChargeStatus.ALLOWED, [])] == scripted.settle(charge)
    raw(scripted.store).set(scripted.keys.epoch, 1)
    assert [Settlement(ChargeStatus.STALE_CUSTOMER)] == scripted.settle(charge)


def test_the_first_decision_under_an_idempotency_key_is_returned_again(scripted: Scripted) -> None:
    charge = once(scripted.charge(2, 5, 9))
    replay = Settlement(ChargeStatus.REPLAYED, memo=b"10,0|memo|with a bar")

    assert [Settlement(ChargeStatus.ALLOWED, [0, 0]), replay] == scripted.settle(charge, charge)
    assert [replay] == scripted.settle(charge)
    assert {"a": 2, "b": 2} == scripted.used()


@pytest.mark.parametrize(
    ("quantity", "caps", "status"),
    [(6, [5], ChargeStatus.DENIED), (1, [], ChargeStatus.ALLOWED), (0, [5], ChargeStatus.ALLOWED)],
    ids=["denied", "without counters", "of nothing"],
)
def test_what_takes_nothing_is_not_kept_under_its_key(
    scripted: Scripted, quantity: int, caps: list[int], status: ChargeStatus
) -> None:
    charge = once(scripted.charge(quantity, *caps))

    assert [status] * 2 == [s.status for s in scripted.settle(charge, charge)]
    assert not raw(scripted.store).exists(f"{scripted.keys.decision}k")
    other = once(scripted.charge(2, 5), fingerprint="g" * 16)
    assert [Settlement(ChargeStatus.ALLOWED, [0])] == scripted.settle(other)
    assert [Settlement(ChargeStatus.MISMATCH)] == scripted.settle(charge)


@pytest.mark.parametrize("stored", ["0", "03", "03,9", "1"])
def test_what_took_nothing_on_an_earlier_server_is_judged_afresh(
    scripted: Scripted, stored: str
) -> None:
    name = f"{scripted.keys.decision}k"
    raw(scripted.store).set(name, f"{'f' * 16}{stored}|memo of a denial", px=60_000)

    settled = scripted.settle(*[once(scripted.charge(2, 5))] * 2)

    assert [ChargeStatus.ALLOWED, ChargeStatus.REPLAYED] == [s.status for s in settled]
    assert {"a": 2} == scripted.used()


def test_what_was_taken_on_an_earlier_server_is_returned_again(scripted: Scripted) -> None:
    name = f"{scripted.keys.decision}k"
    raw(scripted.store).set(name, f"{'f' * 16}13,0|memo", px=60_000)

    assert [Settlement(ChargeStatus.REPLAYED, memo=b"13,0|memo")] == scripted.settle(
        once(scripted.charge(2, 5, 5))
    )


def test_an_idempotency_key_with_other_parameters_is_a_mismatch(scripted: Scripted) -> None:
    scripted.settle(once(scripted.charge(2, 5)))

    other = once(scripted.charge(1, 5), fingerprint="g" * 16)

    assert [Settlement(ChargeStatus.MISMATCH)] == scripted.settle(other)
    assert {"a": 2} == scripted.used()


def test_large_usage_is_returned_again_digit_by_digit(scripted: Scripted) -> None:
    raw(scripted.store).set(f"{scripted.keys.usage}:a", USED_MAX - 7)
    charge = once(scripted.charge(3, USED_MAX))

    scripted.settle(charge)

    assert f"1{USED_MAX - 7}|".encode() in scripted.settle(charge)[0].memo


def test_an_idempotency_key_expires_after_its_time(scripted: Scripted) -> None:
    scripted.settle(once(scripted.charge(1, 5)))

    left = raw(scripted.store).pttl(f"{scripted.keys.decision}k")
    assert 0 < left <= 60_000


def test_a_stale_charge_does_not_take_the_idempotency_key(scripted: Scripted) -> None:
    scripted.settle(once(scripted.charge(1, 5)), tag="2.abc")

    assert [Settlement(ChargeStatus.ALLOWED, [0])] == scripted.settle(once(scripted.charge(1, 5)))


def test_more_charges_than_one_call_can_take_are_settled_in_order(scripted: Scripted) -> None:
    settled = scripted.settle(*[scripted.charge(1, 2500, 9000) for _ in range(3000)])

    assert [1] * 2500 + [0] * 500 == [s.status for s in settled]
    assert {"a": 2500, "b": 2500} == scripted.used()


def test_a_flushed_script_cache_goes_unnoticed(scripted: Scripted) -> None:
    scripted.settle(scripted.charge(1, 9))
    raw(scripted.store).script_flush()

    assert [Settlement(ChargeStatus.ALLOWED, [1])] == scripted.settle(scripted.charge(1, 9))


def test_kept_charges_take_the_words_that_they_are_spelled_with_otherwise() -> None:
    rng, space = random.Random(20261127), KeySpace("q", shards=4)
    limits = [plain((cap, FAR_MS)) for cap in (3, 7)] + [plain((7, FAR_MS), names="b")]
    limits.append(msgspec.structs.replace(limits[0], noting=2))
    one: list[Asked] = [
        (quantity, CONSUME, limit) for quantity in (1, 1, 1, 40) for limit in limits
    ]
    two, three = (plain(*[(9, FAR_MS)] * count) for count in (2, 3))
    noted = msgspec.structs.replace(three, noting=1)
    together: list[Asked] = [
        ((1, 0), CONSUME, two),
        ((4, 4), CONSUME, two),
        ((1, 900, 7), CONSUME, three),
        ((1, 900, 7), CONSUME, noted),
    ]
    # As many keys as a call may have are reached by charges on one counter alone.
    for size, asked in [
        *((size, one) for size in (1, 2, 60, 2500)),
        *((size, together[:2]) for size in (1, 60)),
        *((size, one + together) for size in (2, 60, 500)),
    ]:
        charges = [
            keep(
                Charge(
                    space.customer(f"é:{rng.randrange(9)}"),
                    rng.choice([0, 1_900_000_000_000]),
                    *rng.choice(asked),
                )
            )
            for _ in range(size)
        ]
        for start in (0, 2000)[: 1 + size // 2000]:
            for notes in (None, Notes()):
                words, *rest = spell((TAG, 77), charges, start, notes)
                packed, *packed_rest = spell_kept((TAG, 77), charges, start, notes)

                assert [as_bytes(word) for word in words] == packed[:]
                assert (len(words), rest) == (len(packed), packed_rest)


@pytest.mark.parametrize("quantity", [1, 40, (40,)])
def test_a_lone_kept_charge_takes_the_words_that_it_is_spelled_with_otherwise(
    quantity: int | tuple[int, ...],
) -> None:
    counters = plain((7, FAR_MS))
    charge = Charge(KeySpace("q").customer("é:1"), 1_900_000_000_000, quantity, CONSUME, counters)

    assert spell((TAG, 77), [charge], 0) == spell_lone((TAG, 77), [keep(charge)], 0)


def test_kept_charges_are_settled_in_order(scripted: Scripted) -> None:
    charges = [keep(scripted.charge(1, 2500))] * 3000 + [keep(scripted.charge(2, 2502))]

    settled = scripted.settle(*charges)

    assert [1] * 2500 + [0] * 500 + [1] == [s.status for s in settled]
    assert {"a": 2502} == scripted.used()


def test_kept_charges_on_many_counters_are_settled_in_as_many_calls_as_they_need(
    scripted: Scripted,
) -> None:
    several = msgspec.structs.replace(scripted.charge(1, *[900] * 8), quantity=(1, 2, *[0] * 6))
    charges = [keep(several), keep(scripted.charge(1, 900))] * 500

    settled = scripted.settle(*charges)

    assert [1] * 900 == [s.status for s in settled[:900]]
    assert [(used, used) for used in range(0, 900, 2)] == [
        tuple(s.used[:2]) for s in settled[:900:2]
    ]
    assert {"a": 900, "b": 900} == scripted.used()


def test_a_stale_charge_among_kept_ones_on_several_counters_changes_no_other(
    scripted: Scripted,
) -> None:
    good = msgspec.structs.replace(scripted.charge(1, 9, 9), quantity=(1, 2))
    stale = msgspec.structs.replace(good, epoch=7)

    settled = scripted.settle(*[keep(each) for each in (good, stale, good, good)])

    assert [1, ChargeStatus.STALE_CUSTOMER, 1, 1] == [s.status for s in settled]
    assert [(0, 0), (), (1, 2), (2, 4)] == [tuple(s.used) for s in settled]
    assert {"a": 3, "b": 6} == scripted.used()


def test_kept_charges_are_settled_in_order_with_others(scripted: Scripted) -> None:
    charges = [keep(scripted.charge(1, 4)), scripted.charge(1, 4, 2)] * KEPT_MIN

    settled = scripted.settle(*charges)

    assert [1, 1, 1, 1, 0, 0, 0, 0] == [s.status for s in settled]
    assert {"a": 4, "b": 2} == scripted.used()


def test_a_flushed_script_cache_goes_unnoticed_by_kept_charges(scripted: Scripted) -> None:
    charges = [keep(scripted.charge(2, 9))] * KEPT_MIN
    scripted.settle(*charges)
    raw(scripted.store).script_flush()

    assert [Settlement(ChargeStatus.DENIED, [8])] * KEPT_MIN == scripted.settle(*charges)


def test_arguments_that_do_not_match_the_keys_are_a_broken_contract(scripted: Scripted) -> None:
    two = plain((9, 0), (9, 0))
    charge = Charge(scripted.keys, 0, 1, CHECK, CounterSet((":a",), two.words))

    settled, error = scripted.counters.settle(TAG, [charge], time.monotonic() + 5)

    assert [Settlement(ChargeStatus.UNSETTLED)] == settled
    assert isinstance(error, ScriptContractError)


DAMAGED_USAGE = [b"", b"x", b"1.5", b"12abc", b"nan", b"inf", b"7@99"]


@pytest.mark.parametrize("value", DAMAGED_USAGE)
@pytest.mark.parametrize("verb", [CONSUME, CHECK])
def test_a_damaged_counter_fails_its_own_charges_only(
    scripted: Scripted, value: bytes, verb: str
) -> None:
    client, usage = raw(scripted.store), scripted.keys.usage
    client.set(f"{usage}:b", value)
    other = Charge(scripted.keys, 0, 1, verb, plain((9, 0), names="c"))

    settled = scripted.settle(
        scripted.charge(1, 9, verb=verb), scripted.charge(1, 9, 9, verb=verb), other
    )

    counts = int(verb == CONSUME)
    assert [(1, [0]), (-6, ()), (1, [0])] == [(s.status, s.used) for s in settled]
    assert value == client.get(f"{usage}:b")
    assert counts == int(client.get(f"{usage}:a") or 0) == int(client.get(f"{usage}:c") or 0)


@pytest.mark.parametrize("quantity", [1, -1])
def test_a_counter_of_another_type_fails_its_own_charges_only(
    scripted: Scripted, quantity: int
) -> None:
    client, usage = raw(scripted.store), scripted.keys.usage
    client.rpush(f"{usage}:b", "x")
    client.set(f"{usage}:a", 3)
    detailed = scripted.detailed(quantity, DetailedLimit(9), DetailedLimit(9, closes_at=FAR_MS))

    settled = scripted.settle(
        scripted.charge(quantity, 9), scripted.charge(quantity, 9, 9), detailed
    )

    assert [1, -6, -6] == [s.status for s in settled]
    assert 3 + quantity == int(client.get(f"{usage}:a"))
    assert [b"x"] == client.lrange(f"{usage}:b", 0, -1)


@pytest.mark.parametrize("value", [b"5", b"x@1", b"1@", b"@", b"1@x"])
def test_a_damaged_window_fails_its_own_charges_only(scripted: Scripted, value: bytes) -> None:
    raw(scripted.store).set(f"{scripted.keys.usage}:a", value)
    other = Charge(scripted.keys, 0, 1, CONSUME, plain((9, 0), names="c"))

    settled = scripted.settle(scripted.detailed(1, DetailedLimit(9, closes_at=NOW_MS + 9)), other)

    assert [-6, 1] == [s.status for s in settled]
    assert value == raw(scripted.store).get(f"{scripted.keys.usage}:a")


@pytest.mark.parametrize("value", ["1e1", "010", " 10", "10.0", "0xa", f"{'0' * 20}10"])
def test_usage_that_is_a_number_otherwise_written_is_counted_on(
    scripted: Scripted, value: str
) -> None:
    client, usage = raw(scripted.store), scripted.keys.usage
    client.set(f"{usage}:a", value, pxat=FAR_MS)
    client.set(f"{usage}:b", 7, pxat=FAR_MS)

    settled = scripted.settle(*[scripted.charge(1, 12, 12)] * 3)

    assert [(1, [10, 7]), (1, [11, 8]), (0, [12, 9])] == [(s.status, s.used) for s in settled]
    assert {"a": 12, "b": 9} == scripted.used()
    assert [FAR_MS] * 2 == [client.pexpiretime(f"{usage}:{name}") for name in "ab"]


def test_a_damaged_epoch_is_as_an_absent_one(scripted: Scripted) -> None:
    for value in (b"x", b"", b"-1", b"1.5", b"007", b"9" * 16):
        raw(scripted.store).set(scripted.keys.epoch, value)
        for epoch, status in ((0, ChargeStatus.ALLOWED), (7, ChargeStatus.STALE_CUSTOMER)):
            assert [status] == [s.status for s in scripted.settle(scripted.charge(0, epoch=epoch))]
    raw(scripted.store).delete(scripted.keys.epoch)
    raw(scripted.store).rpush(scripted.keys.epoch, "x")
    assert [ChargeStatus.ALLOWED] == [s.status for s in scripted.settle(scripted.charge(0))]


def test_random_charges_agree_with_a_model_in_plain_python(scripted: Scripted) -> None:
    rng = random.Random(20261123)
    model: dict[str, int] = {}
    for _ in range(150):
        batch = []
        expected = []
        for _ in range(rng.randrange(1, 20)):
            caps = [rng.randrange(0, 60) for _ in range(rng.randrange(0, 4))]
            quantity = rng.choice([0, 1, 1, 1, 2, 5, 17, -1, -4, -30])
            check = rng.random() < 0.2
            batch.append(scripted.charge(quantity, *caps, verb=CHECK if check else "consume"))
            before = [model.get("abc"[i], 0) for i in range(len(caps))]
            room = all(u + quantity <= cap for u, cap in zip(before, caps, strict=True))
            allowed = quantity < 0 or room
            expected.append(Settlement(int(allowed), before))
            if allowed and not check:
                for i, used in enumerate(before):
                    model["abc"[i]] = max(used + quantity, 0)
        assert expected == scripted.settle(*batch)
        assert {name: used for name, used in model.items() if used} == scripted.used()
