"""Script calls of kept charges of a shard have the words that they are spelled with otherwise."""

import random

import msgspec
import pytest
from hiredis import Reader, pack_command

from quotad.errors import StoreUnavailable
from quotad.store import Charge, CounterSet, KeySpace, Settlement
from quotad.store.charges import CHECK, CONSUME, ChargeQuantity, kept
from quotad.store.counters import KEYS_MAX, spell
from quotad.store.shard_calls import ShardCalls, read_pairs

HEAD = ("7.c0ffee", 1_764_000_000_000)
LIMIT = CounterSet((":a",), (1, 2, 9, 0))
OTHER = CounterSet((":b",), (1, 2, 3, 1_900_000_000_000))
THREE = CounterSet((":a", ":b", ":c"), (3, 2, 9, 0, 9, 0, 900, 0))
NOTED = msgspec.structs.replace(LIMIT, noting=2)


class NoNotes:
    """Would put charges into the ledger."""

    kept = (100, 60_000)

    def describe(self, places: object) -> bytes:
        raise AssertionError(f"described: {places}")


def charge(
    name: str, limit: CounterSet = LIMIT, quantity: ChargeQuantity = 1, epoch: int = 0
) -> Charge:
    """One that is kept."""
    keys = KeySpace("q", shards=4).customer(name)
    return Charge(keys, epoch, quantity, CONSUME, limit, None, *kept(keys, epoch, limit))


def by_shard(charges: list[Charge]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, one in enumerate(charges):
        places.setdefault(one.keys.catalog, []).append(place)
    return places


def read(command: bytes) -> list[bytes]:
    reader = Reader()
    reader.feed(command)
    words: list[bytes] = reader.gets()
    return words


def test_charges_to_the_same_limits_are_spelled_as_otherwise() -> None:
    rng = random.Random(20261127)
    asked: list[tuple[CounterSet, ChargeQuantity]] = [(LIMIT, 1), (LIMIT, 40), (THREE, (1, 0, 900))]
    for limit, quantity in asked:
        charges = [
            charge(f"é:{rng.randrange(9)}", limit, quantity, rng.choice([0, 1_900]))
            for _ in range(60)
        ]
        places = by_shard(charges)
        calls = ShardCalls(HEAD, charges, None).spell(places, KEYS_MAX)

        for call, at in zip(calls, places.values(), strict=True):
            words, _, _ = spell(HEAD, [charges[place] for place in at], 0)
            assert call is not None
            assert words[1] == call.key
            command = call.behind("EVALSHA", "a" * 40)
            assert pack_command(("EVALSHA", "a" * 40, *words)) == command
            assert len(words) + 2 == len(read(command))


def test_shards_whose_charges_are_alike_are_spelled_in_a_batch_of_different_ones() -> None:
    charges = [charge("a"), charge("b", OTHER, 7), charge("a"), charge("b", OTHER, 7)]
    places = by_shard(charges)
    assert 2 == len(places)

    for call, at in zip(
        ShardCalls(HEAD, charges, None).spell(places, KEYS_MAX), places.values(), strict=True
    ):
        words, _, _ = spell(HEAD, [charges[place] for place in at], 0)
        assert call is not None
        assert pack_command(("EVAL", "x", *words)) == call.behind("EVAL", "x")


def test_other_charges_are_left_to_be_spelled_word_by_word() -> None:
    plain = charge("a")
    odd = [
        charge("a", OTHER),
        charge("a", quantity=2),
        charge("a", NOTED),
        msgspec.structs.replace(plain, names=b"", verb=CHECK),
    ]
    for other in odd:
        for charges in ([plain, other], [other, plain]):
            assert [None] == ShardCalls(HEAD, charges, NoNotes()).spell(by_shard(charges), KEYS_MAX)
    assert [None] == ShardCalls(HEAD, [charge("a", NOTED)], NoNotes()).spell({"k": [0]}, KEYS_MAX)
    assert [None] == ShardCalls(HEAD, [plain] * 9, None).spell({"k": list(range(9))}, 18)


def test_replies_are_read_where_every_charge_was_allowed_or_denied() -> None:
    settled = [Settlement(-7)] * 4

    assert read_pairs([1, 5, 0, 9], [3, 0], settled)
    assert read_pairs([0, 7], [1], settled)
    assert [(0, (9,)), (0, (7,)), (-7, ()), (1, (5,))] == [(s.status, s.used) for s in settled]


@pytest.mark.parametrize(
    "reply", [[-1, b"7.beef"], [-5], [-2], [b"odd", 1], [], StoreUnavailable("gone"), b"odd"]
)
def test_other_replies_are_left_to_be_read_word_by_word(reply: object) -> None:
    settled = [Settlement(-7)]

    assert not read_pairs(reply, [0], settled)
    assert [Settlement(-7)] == settled
