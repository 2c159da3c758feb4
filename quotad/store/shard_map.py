"""Where the customers of a store are: in how many shards, of which names, and what moves.

Shards with numbers, as earlier releases have made them, can be moved into fewer ones with names,
one after the other: each as a whole, as its number leaves the same rest. `quotad:meta` has how far
that is, under a layout number that earlier releases refuse.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

NUMBERED, EVEN, MOVING = 1, 2, 3
"""How shards are named: see `shard_names`. Numbered are those of stores of earlier releases; while
they are moved there are both."""

CLOSED, MOVED = "moved:closing", "moved:away"
"""What stands in the place of a numbered shard's tag of the catalog, which no decision is planned
on: while it is copied, and from then on. Every script that works on a shard refuses it then."""

STEP_MARK = "~"
"""Stands before the number of a step at the end of a tag, of one server, while shards move."""

_NUMBER = re.compile("[0-9]{1,15}")


class ShardMap(msgspec.Struct, frozen=True):
    """How the customers of a store are spread."""

    shards: int
    """Of those that customers are in, once all have moved."""
    layout: int
    former: int = 0
    """How many shards with numbers the store has had before; 0: none."""
    moved: int = 0
    """How many of them have moved, the first ones."""
    closed: bool = False
    """Whether the next one is being copied, and takes nothing."""
    step: int = 0
    """Grows whenever something has changed."""
    ended_ms: int = 0
    """When the last one has moved (Unix ms); 0: it has not."""

    @property
    def moving(self) -> bool:
        """Whether some have not moved yet."""
        return self.layout == MOVING

    @property
    def gone(self) -> int:
        """How many of the former shards take nothing any more."""
        return self.moved + self.closed

    def fields(self) -> dict[str, int]:
        """What `quotad:meta` has of it."""
        if self.moving:  # releases that cannot read this know `shards` as it was
            return {
                "layout": MOVING,
                "shards": self.former,
                "to": self.shards,
                "moved": self.moved,
                "closed": int(self.closed),
                "step": self.step,
            }
        found = {"layout": self.layout, "shards": self.shards}
        if self.former:
            found |= {"former": self.former, "step": self.step, "ended": self.ended_ms}
        return found


FIELDS = ("layout", "shards", "to", "moved", "closed", "step", "former", "ended")


def read_map(found: Mapping[str, str | None]) -> ShardMap | None:
    """The map that the fields of `quotad:meta` have; None: they make no sense."""
    numbers = {name: int(text) for name, text in found.items() if text and _NUMBER.fullmatch(text)}
    layout, shards = numbers.get("layout", 0), numbers.get("shards", 0)
    if not 0 < shards < 100_000:
        return None
    step = numbers.get("step", 0)
    if layout in (NUMBERED, EVEN):
        former = numbers.get("former", 0) if layout == EVEN else 0
        return ShardMap(shards, layout, former, former, False, step, numbers.get("ended", 0))
    to, moved = numbers.get("to", 0), numbers.get("moved", 0)
    if layout != MOVING or not to or shards % to or moved > shards:
        return None
    return ShardMap(to, MOVING, shards, moved, bool(numbers.get("closed")), step)


def tag_and_step(tag: str) -> tuple[str, str]:
    """The tag of a catalog, and with which step it was written; empty: with none."""
    base, mark, step = tag.partition(STEP_MARK)
    return base, mark + step


def is_marked(tag: str) -> bool:
    """Whether it stands for a shard that takes nothing any more."""
    return tag.startswith("moved:")


def tag_of_shard(name: str) -> str:
    """The key of the tag of the catalog in the shard of a key."""
    return f"{start_of_shard(name)}catalog"


def start_of_shard(name: str) -> str:
    """What all keys start with that are of the shard of a key."""
    return name[: name.index("}") + 2]


def with_tag(names: Sequence[str]) -> tuple[str, ...]:
    """Keys of a shard, and that of its tag, for a script that refuses a shard that has moved."""
    return (*names, tag_of_shard(names[0]))
