"""Charges as values: what is to be counted, for which customer, in which limits.

The engine plans them and `counters` settles them. How counters are kept is known here alone: how
their keys are spelled, how long they live, and the words that the script reads of a limit.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import chain
from typing import Protocol

import msgspec

from quotad.ledger import Noting
from quotad.model import Anchor, Unit, Window
from quotad.store.keys import CustomerKeys, escape, usage_suffix
from quotad.store.packed import packed

CONSUME = "consume"
CHECK = "check"
CONSUME_ONCE = "consume_once"
"""As CONSUME, and what is taken is remembered under an idempotency key."""
TAKE_LEFT, TAKE_LEFT_ONCE = "take_left", "take_left_once"
"""As CONSUME and CONSUME_ONCE, of what there is room for, if that is less."""
SETTLE_ONCE = "settle_once"
"""As CONSUME_ONCE, and that nothing had to be taken is remembered, too."""

PLAIN_ARGS = 2
"""Words of a limit: cap and expiry (Unix ms; 0: never; below 0: ms after the latest take)."""
DETAILED_ARGS = 5
"""The same, and the weight of the quantity, when a window that opens at first use would close (Unix
ms; 0: no such window), and now (Unix ms)."""

MONTHLY = (Unit.MONTH, Unit.YEAR)
MONTH_ENDS_MS = 3 * 86_400_000
"""Anchors on different days may agree on where a month starts and not on where it ends: from 28
February it is 28 March or 31 March. The counter of both lives as long as the longer one."""

CLOCK_CHANGES_MS = 3 * 3_600_000
"""A day may start at the same moment in two time zones and be longer in one of them, where clocks
change. A limit that is given the other zone keeps its counter."""

SHORT = (Unit.SECOND, Unit.MINUTE)
"""Windows that leave many counters behind, so that each is kept for a short time only."""


class ChargeStatus(IntEnum):
    """What became of a charge; the numbers are those of the script, but for the last two."""

    DENIED = 0
    ALLOWED = 1
    REPLAYED = 2
    STALE_CATALOG = -1
    STALE_CUSTOMER = -2
    MISMATCH = -3
    STALE_CLOCK = -4
    TOO_LATE = -5
    DAMAGED = -6
    UNSETTLED = -7
    """The store has not answered; it may have been settled all the same."""
    UNSENT = -8
    """The store was not there, and it was not sent."""


class Retention(msgspec.Struct, frozen=True, gc=False):
    """How long counters are kept that may not be needed any more, in milliseconds."""

    usage_ms: int = 60_000
    """After the period has ended; covers clocks that disagree."""
    short_ms: int = 5_000
    """The same of windows of seconds and minutes. Servers take over the store's time every few
    seconds, and one that is further behind is stopped by the script and asks for the time again."""
    unprovisioned_ms: int = 0
    """After the latest use of a counter without a period, of a customer without a record; 0: for
    ever."""


class PeriodLimit(msgspec.Struct, frozen=True, gc=False):
    """A limit in one of its periods: a counter, and what it may come to."""

    feature_id: str
    """Whose counter it is."""
    cap: int
    """What usage never passes."""
    period_id: str
    window: Window | None = None
    """None: lifetime."""
    ends_ms: int | None = None
    """Unix time; None: never. Of a window that opens at first use: if it opens now."""
    weight: int = 1
    """Units of the counter that one of the quantity takes."""
    generation: int = 0
    """How often a change of plan has reset the counter."""
    history_ms: int = 0
    """How long usage of an ended period stays to be read, where the window has a history."""

    @property
    def opens(self) -> bool:
        """Whether its window opens at first use."""
        return self.window is not None and self.window.anchor is Anchor.FIRST_USE


class CounterSet(msgspec.Struct, frozen=True, gc=False):
    """The limits of a charge as the script reads them; made once per period, not once per call."""

    suffixes: tuple[str, ...] = ()
    """Endings of the usage keys, one per limit."""
    words: tuple[int, ...] = (0, PLAIN_ARGS)
    """Number of limits, words per limit, and these."""
    noting: int = Noting.NOTHING
    """What goes into the ledger, a `Noting`; or `ANY_OUTCOME`."""


ANY_OUTCOME = 3
"""Goes into the ledger whatever was taken: the denial was planned already."""

DRAWN_OUTCOME = 6
"""The same of a share of calls: plus the level of a `Noting`."""

NO_COUNTERS = CounterSet()
"""Of a charge that only looks whether catalog and customer have changed."""


def lay_out(
    limits: Sequence[PeriodLimit],
    retention: Retention,
    provisioned: bool,
    now_ms: int,
    noting: int = Noting.NOTHING,
) -> CounterSet:
    """Lay out the limits that a charge must have room in, all of them.

    Args:
        limits: each of a separate counter.
        retention: how long the counters are kept.
        provisioned: whether the customer has a record; else lifetime counters expire.
        now_ms: Unix time.
        noting: what of it goes into the ledger.
    """
    idle_ms = 0 if provisioned else retention.unprovisioned_ms
    # Weights of 1 and windows of the calendar are not worth three more words.
    detailed = any(limit.weight != 1 or limit.opens for limit in limits)
    words: list[int] = []
    for limit in limits:
        words += (limit.cap, _expires_ms(limit, retention, idle_ms))
        if detailed:
            closes_ms = limit.ends_ms if limit.opens else None
            words += (limit.weight, closes_ms or 0, now_ms)
    suffixes = [usage_suffix(one.feature_id, one.period_id, one.generation) for one in limits]
    size = DETAILED_ARGS if detailed else PLAIN_ARGS
    return CounterSet(tuple(suffixes), (len(limits), size, *words), noting)


def is_kept(limit: PeriodLimit, retention: Retention, now_ms: int) -> bool:
    """Whether a counter of this period is there for a while longer."""
    expires_ms = _expires_ms(limit, retention, 0)
    return expires_ms <= 0 or expires_ms > now_ms + retention.short_ms


def expires_ms(limit: PeriodLimit, retention: Retention, provisioned: bool) -> int:
    """When the usage key of a limit expires (Unix ms); 0: never; below 0: so long after the latest
    take (ms).

    Args:
        limit: which.
        retention: how long counters are kept.
        provisioned: whether the customer has a record.
    """
    return _expires_ms(limit, retention, 0 if provisioned else retention.unprovisioned_ms)


def _expires_ms(limit: PeriodLimit, retention: Retention, idle_ms: int) -> int:
    window, ends_ms = limit.window, limit.ends_ms
    if window is None or ends_ms is None:
        return -idle_ms
    kept_ms = retention.short_ms if window.unit in SHORT else retention.usage_ms
    if window.historic:
        kept_ms = max(kept_ms, limit.history_ms)
    return ends_ms + kept_ms + _slack_ms(window)


def _slack_ms(window: Window) -> int:
    """How much longer than its period a counter may be needed, as that of another window with the
    same start."""
    if window.anchor is Anchor.SUBSCRIPTION and window.unit in MONTHLY:
        return MONTH_ENDS_MS
    exact = window.unit in SHORT or (window.unit is Unit.HOUR and window.count == 1)
    return 0 if exact or window.anchor is Anchor.FIRST_USE else CLOCK_CHANGES_MS


class Once(msgspec.Struct, frozen=True, gc=False):
    """What makes a charge idempotent."""

    key: str
    """As the caller gave it."""
    fingerprint: str
    """16 characters that differ when the parameters of the call do."""
    memo: bytes
    """What the caller needs to return the decision again."""
    ttl_ms: int


ChargeQuantity = int | tuple[int, ...]
"""To take of all limits of a charge, negative: to give back; or what to take of each of them."""


class Charge(msgspec.Struct, frozen=True, gc=False):
    """What one request is to count, all of it or nothing."""

    keys: CustomerKeys
    epoch: int
    """Of the customer, that it was planned with."""
    quantity: ChargeQuantity
    """See `join` for one of each limit."""
    verb: str
    counters: CounterSet = NO_COUNTERS
    once: Once | None = None
    """Only with the verbs that end so."""
    names: bytes = b""
    """Its keys as they travel, of one that is kept and settled many times: see `kept`. Empty: they
    are spelled from the rest."""
    epoch_word: bytes = b""
    """The same of its epoch."""

    def key_names(self) -> list[str]:
        """Keys whose values it depends on, its customer's aside."""
        names = [self.keys.usage + suffix for suffix in self.counters.suffixes]
        if self.once is not None:
            names.append(self.keys.decision + escape(self.once.key))
        return names


def kept(keys: CustomerKeys, epoch: int, counters: CounterSet) -> tuple[bytes, bytes]:
    """What a charge to plain limits, without a key, is kept with: its `names`, its epoch word.

    Args:
        keys: of the customer.
        epoch: of the customer.
        counters: the limits.
    """
    names = packed(keys.epoch, *map(keys.usage.__add__, counters.suffixes))
    return names, packed(epoch) if epoch else _NO_EPOCH


_NO_EPOCH = packed(0)


def join(
    parts: Sequence[tuple[str, CounterSet]],
) -> tuple[CounterSet, list[tuple[int, ...]]]:
    """Join counters of one customer, so that one charge takes an amount of each, or nothing.

    Args:
        parts: resource and counters; empty: the customer's own.

    Returns:
        The counters, and by part which of them its limits are: two parts may share one.
    """
    size = max(counters.words[1] for _, counters in parts)
    limits: dict[str, Sequence[int]] = {}
    places: list[tuple[int, ...]] = []
    for resource_id, counters in parts:
        # The usage keys of a customer start as those of its resources do.
        prefix = escape(resource_id) if resource_id else ""
        _, own_size, *words = counters.words
        own = [prefix + suffix for suffix in counters.suffixes]
        for i, name in enumerate(own):
            limit = words[i * own_size : (i + 1) * own_size]
            limits.setdefault(name, [*limit, 1, 0, 0][:size])
        names = list(limits)
        places.append(tuple([names.index(name) for name in own]))
    joined = (len(limits), size, *chain(*limits.values()))
    noting = max([counters.noting for _, counters in parts], key=_widest)
    return CounterSet(tuple(limits), joined, noting), places


class PutsInLedger(Protocol):
    """What puts charges into the ledger."""

    @property
    def kept(self) -> tuple[int, int]:
        """How many records the stream of a shard keeps, and for how long (ms)."""
        ...

    def describe(self, places: Sequence[int]) -> bytes:
        """What the record of a script call has of its charges, beside what becomes of them.

        Args:
            places: of the charges, among all that are settled.
        """
        ...


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """The script's answer to one charge."""

    status: int
    """A `ChargeStatus`."""
    used: Sequence[int] = ()
    """Usage before the charge, per limit; of ALLOWED and DENIED."""
    memo: bytes = b""
    """Of REPLAYED, what the first charge under the key left; of STALE_CATALOG, the tag of the
    catalog in force, empty: none."""
    closes: Sequence[int] = ()
    """Of detailed limits, beside `used`: when the window that is open after the charge closes (Unix
    ms; 0: closed, or no window that opens at first use)."""


def _widest(noting: int) -> int:
    """Sorts what is noted: all denials are more than any share of them, and that than none."""
    return 100 if noting == Noting.ALL else 10 - noting if noting > Noting.ALL else noting
