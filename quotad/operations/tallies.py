"""Counters added up from the ledger: what each should have by what was noted of it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from quotad.ledger import LedgerEntry
from quotad.operations.ledger import LedgerOperations
from quotad.store.events import EventId
from quotad.store.ledger import LedgerRecord, digest_of

COUNTERS_MAX = 100_000
"""Most counters that are added up at a time: some 50 MB."""

RECORDS_BETWEEN = 5_000
"""Records after which it is looked whether some were dropped before they were read."""

CLOCKS_MS = 60_000
"""How far clocks of a store's servers are apart at most."""

RECORDS_AT_ONCE = 4
"""Records after which other threads have their turn: some 2 ms."""

OPENING_SLACK_MS = 10_000
"""A window closes by the clock of a server and is noted by that of the store."""


class Moved(NamedTuple):
    """What one entry has of a counter."""

    shard: int
    """Of its stream: those of one stream are in order."""
    amount: int
    came_to: int | None
    closes_ms: int
    sets: bool
    """It states what was used, whatever was counted or lost before."""


class CounterTally:
    """What the ledger has of one counter."""

    __slots__ = (
        "_came_to", "_moment", "before", "closes_ms", "first_ms", "last_ms", "total"
    )  # fmt: skip

    def __init__(self, at_ms: int) -> None:
        self.first_ms = at_ms
        """Of the first entry, by the store's clock; so is the last."""
        self.last_ms = at_ms
        self.before: int | None = None
        """What it had before the first entry; None: not known."""
        self.total = 0
        """What it got since."""
        self.closes_ms = 0
        """Of a window that opens at first use: when it closes."""
        self._came_to: int | None = None
        self._moment: list[Moved] = []

    @property
    def expected(self) -> int:
        """What it should have; where nothing is known of the time before, as if there was none."""
        return (self.before or 0) + self.total

    def add(self, at_ms: int, moved: Moved) -> None:
        """Add what an entry has of it; those of one millisecond in any order."""
        if at_ms != self.last_ms:
            self.settle()
            self.last_ms = at_ms
        self._moment.append(moved)

    def settle(self) -> None:
        """Take over the entries of the last millisecond, in the order in which they came about;
        before anything is read here, which may be repeated."""
        for moved in _in_order(self._moment, self._came_to):
            self._take(moved)
        self._moment.clear()

    def _take(self, moved: Moved) -> None:
        amount, came_to, closes_ms = moved.amount, moved.came_to, moved.closes_ms
        if closes_ms != self.closes_ms and closes_ms:
            ended = self.last_ms >= self.closes_ms - OPENING_SLACK_MS
            if self.closes_ms and (ended or not (self.before or 0) + self.total):
                self.before, self.total, self.first_ms = 0, 0, self.last_ms
            self.closes_ms = closes_ms
        if moved.sets and came_to is not None:
            self.before, self.total = came_to, 0
        else:
            if self.before is None and came_to is not None:
                self.before = came_to - amount - self.total
            self.total += amount
        self._came_to = came_to


def _in_order(moment: list[Moved], came_to: int | None) -> Iterable[Moved]:
    """What moved a counter in one millisecond, in order; known streams have no common one.

    Args:
        moment: those of one stream in order.
        came_to: what the counter had before; None: not known.
    """
    if len(moment) < 2 or len({each.shard for each in moment}) == 1:
        return list(moment)
    left, order = list(moment), []
    if came_to is None:
        ends = {each.came_to for each in left}
        starts = [each for each in left if _was(each) not in ends]
        came_to = _was((starts or left)[0])
    while left:
        following = next((each for each in left if _was(each) == came_to), left[0])
        left.remove(following)
        order.append(following)
        came_to = following.came_to
    return order


def _was(moved: Moved) -> int | None:
    return None if moved.came_to is None else moved.came_to - moved.amount


class LedgerTallies:
    """Adds up the counters of some customers from the ledger; of one thread.

    There may be more counters than are added up at a time. Then they are those of the customers
    whose digests are lowest, as many as there is room for, and the others' turn comes next.

    Args:
        ledger: what is read.
        customer_id: of one customer; empty: of those that the ledger has.
        after: of those only whose digests are higher.
    """

    def __init__(self, ledger: LedgerOperations, customer_id: str, after: bytes = b"") -> None:
        self._ledger = ledger
        self._customer_id = customer_id
        self._after = after
        self._count = 0
        self._by_customer: dict[str, dict[str, CounterTally]] = {}
        self.up_to: bytes | None = None
        """The highest digest of them, if there are more; None: they are all."""
        self.at: dict[int, EventId] = {}
        """The last record that was read, by shard."""
        self.incomplete = False
        """Whether records were dropped before they were read, or cannot be read."""
        self._ahead: set[tuple[int, EventId]] = set()
        """What the archive had of after the first cut."""
        self._cut_ms = 0
        self.shards: Sequence[int] = range(ledger.streams.shards)
        if customer_id:
            self.shards = ledger.streams.of_customer(customer_id)

    def read(self, archived_since_ms: int | None) -> None:
        """Add up all that is there now.

        Args:
            archived_since_ms: from when on also of the archive (Unix ms); None: nothing of it.

        Raises:
            StoreUnavailable: the store refused or timed out, or a file cannot be read.
        """
        self._cut_ms = self._ledger.streams.now_ms() - CLOCKS_MS
        ends = self._ledger.streams.cut(self.shards)
        never = EventId(0, 0)
        self._add({shard: ends.get(shard, never) for shard in self.shards}, archived_since_ms)

    def read_up_to(self, ends: Mapping[int, EventId]) -> None:
        """Add what came since, up to these records of their streams and no further.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._add({shard: end for shard, end in ends.items() if shard in self.shards}, None)

    def customers(self) -> list[str]:
        """Whose counters they are, by digest."""
        return sorted(self._by_customer, key=digest_of)

    def tally(self, customer_id: str, ending: str) -> CounterTally | None:
        """What the ledger has of a counter, to be read; None: nothing.

        Args:
            customer_id: whose.
            ending: of its key.
        """
        tally = self._by_customer.get(customer_id, {}).get(ending)
        if tally is not None:
            tally.settle()
        return tally

    def _add(self, ends: Mapping[int, EventId], archived_since_ms: int | None) -> None:
        walk = self._ledger.walk(self.at, ends, self._customer_id, archived_since_ms)
        number = 0
        for number, (record, entries) in enumerate(walk, start=1):
            place = record.shard, record.position
            if isinstance(record, LedgerRecord):
                self.at[record.shard] = record.position
            elif record.position > ends[record.shard] and record.at_ms > self._cut_ms:
                self._ahead.add(place)
            if entries is None:
                self.incomplete = True
            if isinstance(record, LedgerRecord) and place in self._ahead:
                continue  # it was written, and archived, after the cut
            for entry in entries or ():
                self._note(entry, record.shard)
            if number % RECORDS_BETWEEN == 0:
                self._look()
            if number % RECORDS_AT_ONCE == 0:
                time.sleep(0)  # so that decisions do not wait for it
        if number:
            self._look()

    def _look(self) -> None:
        self.incomplete = self.incomplete or self._ledger.has_dropped(self.at)

    def _note(self, entry: LedgerEntry, shard: int) -> None:
        if not entry.counters or self._customer_id not in ("", entry.customer_id):
            return
        tallies = self._by_customer.get(entry.customer_id)
        if tallies is None:
            if not self._customer_id and not self._is_next(digest_of(entry.customer_id)):
                return
            tallies = self._by_customer[entry.customer_id] = {}
        sets = entry.verb == "set"
        for ending, amount in entry.counters.items():
            tally = tallies.get(ending)
            if tally is None:
                tally = tallies[ending] = CounterTally(entry.at_ms)
                self._count += 1
            came_to, closes_ms = entry.came_to.get(ending), entry.closes.get(ending, 0)
            tally.add(entry.at_ms, Moved(shard, amount, came_to, closes_ms, sets))
        if self._count > COUNTERS_MAX and len(self._by_customer) > 1:
            self._leave_half()

    def _is_next(self, digest: bytes) -> bool:
        return digest > self._after and (self.up_to is None or digest <= self.up_to)

    def _leave_half(self) -> None:
        """Leave the customers with the higher digests to the next time."""
        order = self.customers()
        half = len(order) // 2
        self.up_to = digest_of(order[half - 1])
        for customer_id in order[half:]:
            self._count -= len(self._by_customer.pop(customer_id))
