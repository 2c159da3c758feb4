"""What a process does when it meets a shard that has moved, or is being moved: look, and try again.

No process is told before. A script that works on a shard refuses it where its tag of the catalog
is a mark (`shard_map.CLOSED`, `MOVED`), and whoever is refused reads `quotad:meta` anew. On one
server a script settles charges of many shards and looks at the tag of one of them, so there all
tags have the number of the step at their end, which grows with every shard that closes or opens.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from quotad.backoff import pause_s
from quotad.errors import ShardMoved
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.meta import look_at_layout
from quotad.store.refusals import MOVING
from quotad.store.shard_map import STEP_MARK, ShardMap, is_marked, tag_and_step

WAIT_S = 2.0
"""How long what is no decision is tried again while its shard is being moved."""

STUCK_S = 1.0
"""How long a decision does not wait, after one has waited for the same shard in vain."""

PAUSE_MIN_S, PAUSE_MAX_S = 0.002, 0.02

KEPT_S = 60.0
"""How long after the last shard has moved keys are compared that were spelled before."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Moves:
    """Where the shards of one store are, as far as this process knows; any thread may ask.

    Args:
        store: which.
        keys: of the store.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self.keys = keys
        self._known: tuple[ShardMap | None, str, frozenset[str]] = (None, "", frozenset())
        self._ended: float | None = None
        """When this process has heard that all shards have moved (monotonic s)."""
        self._stuck: tuple[int, float] = (-1, 0.0)
        """A shard that was waited for in vain, and until when (monotonic s) it is not again."""

    @property
    def spread(self) -> ShardMap:
        """How customers are spread."""
        return self.keys.spread

    @property
    def step(self) -> str:
        """What stands behind the tags of catalogs, besides those of shards that are gone."""
        return self._now()[1]

    @property
    def gone(self) -> frozenset[str]:
        """The keys of the tags of shards that take nothing any more."""
        return self._now()[2]

    def _now(self) -> tuple[ShardMap | None, str, frozenset[str]]:
        spread = self.keys.spread
        known = self._known
        if known[0] is not spread:
            step = f"{STEP_MARK}{spread.step}" if self._store.whole and spread.moving else ""
            gone = frozenset(self.keys.catalogs_gone)
            known = self._known = (spread, step, gone)
        return known

    def look(self) -> ShardMap:
        """Read where the shards are by now.

        Raises:
            StoreError: the store refused or timed out.
        """
        return look_at_layout(self._store, self.keys)

    def calm_down(self, forget: Callable[[], object]) -> None:
        """Let keys be used unseen again, once all shards have moved a while ago.

        Args:
            forget: drops keys that are kept in memory.
        """
        spread = self.keys.spread
        if spread.moving or not self.keys.moving:
            return
        if self._ended is None:
            self._ended = time.monotonic()
        elif time.monotonic() - self._ended > KEPT_S:  # no call is on its way for so long
            forget()
            self.keys.moving, self._ended = False, None

    def look_while_moving(self) -> None:
        """As `look`, if shards are being moved: for those who read what no script looks at."""
        if self.keys.spread.moving:
            self.look()

    def concerns(self, tag: str, planned: str) -> bool:
        """Whether a decision was refused because shards have moved, and not for its catalog; this
        process knows where they are then.

        Args:
            tag: that the decision was refused by.
            planned: of the catalog that it was planned on.

        Raises:
            StoreError: the store refused or timed out.
        """
        if is_marked(tag):
            self.look()
            return True
        base, step = tag_and_step(tag)
        if step != self.step:
            self.look()
        return bool(step) and base == planned

    def is_closed(self, customer_id: str) -> bool:
        """Whether the shard of a customer is being copied."""
        spread = self.keys.spread
        return spread.closed and self.keys.grain(customer_id) == spread.moved

    def wait(self, ends: float) -> bool:
        """Wait until no shard is closed; returns whether that is so.

        Args:
            ends: monotonic time (s) by which to return.

        Raises:
            StoreError: the store refused or timed out.
        """
        spread, tries = self.keys.spread, 0
        place = spread.moved
        if self._stuck[0] == place and time.monotonic() < self._stuck[1]:
            return not self.look().closed
        while spread.closed and spread.moved == place:
            left_s = ends - time.monotonic()
            if left_s <= 0:
                self._stuck = (place, time.monotonic() + STUCK_S)
                return False
            time.sleep(min(left_s, pause_s(tries, PAUSE_MIN_S, PAUSE_MAX_S)))
            tries += 1
            spread = self.look()
        return True

    def each_again(
        self, do: Callable[[Sequence[_Item]], Sequence[_Result | None]], items: Sequence[_Item]
    ) -> list[_Result]:
        """Do something with each of some items; again with those whose shard has moved.

        Args:
            do: spells the keys that it works on, each time; returns None for an item whose shard is
                in another place.
            items: what to do it with.

        Raises:
            ShardMoved: one is being moved for longer than this waits.
        """
        found: list[_Result | None] = [None] * len(items)
        left = list(range(len(items)))

        def run() -> None:
            for place, result in zip(list(left), do([items[i] for i in left]), strict=True):
                found[place] = result
            left[:] = [i for i in left if found[i] is None]
            if left:
                raise ShardMoved(MOVING)

        self.again(run)
        return [each for each in found if each is not None]

    def again(self, do: Callable[[], _Result]) -> _Result:
        """Do something, and again where a shard has moved that it works on.

        Args:
            do: spells the keys that it works on, each time.

        Raises:
            ShardMoved: it is being moved for longer than this waits.
        """
        ends = time.monotonic() + WAIT_S
        while True:
            try:
                return do()
            except ShardMoved:
                self.look()
                if not self.wait(ends) or time.monotonic() > ends:
                    raise
                time.sleep(PAUSE_MIN_S)
