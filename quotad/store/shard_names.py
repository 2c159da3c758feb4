"""What stands in the braces of a shard's keys, by which a cluster finds their slot.

Two spellings: numbers, whose slots lie where they fall, of stores of earlier releases; and short
names that spread the shards evenly over the slots, so that nodes of a cluster have equal parts.
"""

from functools import cache
from itertools import count, product
from string import ascii_lowercase, digits

from quotad.store.hash_slots import SLOTS, slot_of


def numbers(shards: int) -> tuple[str, ...]:
    """Each shard's own number."""
    return tuple(map(str, range(shards)))


@cache
def even(shards: int) -> tuple[str, ...]:
    """By shard the first name whose slot is in the shard's part of the slots.

    What it returns is in the keys of every store, and never changes. None is a number, so that no
    key is of both spellings.
    """
    names: dict[int, str] = {}
    for length in count():
        for letters in product(ascii_lowercase, *[digits + ascii_lowercase] * length):
            name = "".join(letters)
            names.setdefault(slot_of.__wrapped__(name) * shards // SLOTS, name)
            if len(names) == shards:
                return tuple(names[shard] for shard in range(shards))
    raise AssertionError("there are names for every slot")
