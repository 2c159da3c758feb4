"""The nouns of the ledger: what is noted of a feature, and an entry as readers see it."""

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum

import msgspec

Taker = tuple[str, str]
"""Whose doing something is, and over which edge: the name of a token, and `grpc`, `http`, ..."""

NOBODY: Taker = ("", "")
"""The server itself: what has ended is given back by whichever meets it."""


class Takers(msgspec.Struct, gc=False):
    """Whose doing the requests of a batch are; looked at where something of it is noted."""

    who: Sequence[Taker] = (NOBODY,)
    starts: Sequence[int] = (0,)
    """From which place on each of them."""

    def at(self, place: int) -> Taker:
        """Whose the request at a place is."""
        return self.who[bisect_right(self.starts, place) - 1]

    def of(self, places: Sequence[int]) -> "Takers":
        """Those of some of the requests, which are a batch of their own."""
        return Takers(list(map(self.at, places)), range(len(places)))

    def then(self, place: int, taker: Taker) -> "Takers":
        """The same, with another from a place on, behind which there is none yet."""
        if taker == self.who[-1]:
            return self
        if self.starts[-1] == place:
            return Takers([*self.who[:-1], taker], self.starts)
        return Takers([*self.who, taker], [*self.starts, place])


NO_TAKERS = Takers()
"""Of what the server does itself."""


CHANGE = "change"
"""The verb of what admins write."""

REBUILD = "rebuild"
"""The verb of what has brought a counter back to the ledger, and counted nothing."""

VERBS = (
    *("consume", "record", "refund", "reserve", "settle", "set", "acquire", "lend", "return"),
    *("fallback", REBUILD, CHANGE),
)


class Noting(IntEnum):
    """What of a feature goes into the ledger; stored with entries."""

    NOTHING = 0
    TAKEN = 1
    """What is counted or given back."""
    ALL = 2
    """Denials as well."""
    TENTH = 4
    """What is counted or given back, and of denials those of one call of the script in 10; 3 is
    what scripts know beside."""
    HUNDREDTH = 5
    THOUSANDTH = 6

    @property
    def denials(self) -> float:
        """The share of denials that is noted."""
        if self in _DRAWN:
            return _DRAWN[self]
        return float(self is Noting.ALL)

    @property
    def level(self) -> int:
        """Of a share: one in so many powers of ten."""
        return max(self - 3, 0)

    @property
    def word(self) -> str:
        """As the setting spells it."""
        return next(word for word, noting in NOTING_WORDS.items() if noting is self)


_DRAWN = {Noting.TENTH: 0.1, Noting.HUNDREDTH: 0.01, Noting.THOUSANDTH: 0.001}

SHARES = {share: noting for noting, share in _DRAWN.items()}
"""Shares of denials that can be noted."""

NOTING_WORDS = {"false": Noting.NOTHING, "true": Noting.TAKEN, "all": Noting.ALL}
"""As settings spell it; a catalog writes the first two without quotes."""


class LedgerKept(msgspec.Struct, frozen=True):
    """How much of a ledger the store keeps until it is dropped, the oldest first."""

    records_max: int = 1_000_000
    """Of all shards together; one of each call of a script."""
    ms: int = 24 * 3_600_000

    def of_shard(self, shards: int) -> tuple[int, int]:
        """How many records the stream of one of so many shards keeps, and for how long (ms)."""
        return max(self.records_max // shards, 1), self.ms


LEDGER_KEPT = LedgerKept()


class CounterLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit of an entry as it stands after it."""

    limit: int
    used: int
    per: str
    """As a catalog spells the window; empty: a lifetime."""
    resets_at_ms: int | None = None
    pool_id: str = ""
    """The credit pool whose limit it is; the amounts are then of the pool."""
    decimals: int = 0
    """Amounts are whole numbers of 10^-decimals."""


class LedgerEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was counted or denied of one feature in one call."""

    id: str
    """`<shard>-<time>-<number>-<place>`: the record in the stream of its shard, and the place of
    the charge in it; stable."""
    at_ms: int
    """When, by the store's clock (Unix ms)."""
    verb: str
    """`consume`, `record`, `refund`, `reserve`, `settle`, `set`, `acquire`, `lend`, `return`,
    `fallback` or `rebuild`; `change`: a write by an admin, without feature, quantity and reason."""
    customer_id: str
    feature_id: str
    quantity: int
    """What was counted; negative: given back; of a denial what was asked for."""
    allowed: bool
    reason: str
    """As of the decision."""
    resource_id: str = ""
    key: str = ""
    """The idempotency key; of a reservation its id."""
    limit: int | None = None
    """The limit that decided, and below its state after the call."""
    used: int = 0
    remaining: int = 0
    pool_id: str = ""
    """The credit pool whose limit decided; the amounts above are then of the pool."""
    resets_at_ms: int | None = None
    occurred_ms: int = 0
    """When it happened, where that is not when it was counted."""
    late: bool = False
    """No counter of its period was kept any more: it is counted nowhere else."""
    catalog_version: int = 0
    counters: dict[str, int] = {}
    """By the ending of its usage key, what each counter got."""
    came_to: dict[str, int] = {}
    """By the same, what each has then, where that is known."""
    closes: dict[str, int] = {}
    """By the same, when the window closes, of those that open at first use (Unix ms)."""
    limits: dict[str, CounterLimit] = {}
    """By the same, the limits that there are, of a denial as well."""
    actor: str = ""
    """Name of the token that it was asked for with; empty: there was none."""
    edge: str = ""
    """Where it was asked for: `grpc`, `http`, `authorize`, `graphql`, `stigg` or `dashboard`;
    empty: by the server itself, such as what has ended."""
    call: str = ""
    """Of a write the operation: `ProvisionCustomer`, `PublishCatalog`, `CreateToken`, ..."""
    changes: tuple[str, ...] = ()
    """What it changed, from what to what, in words."""
    comment: str = ""
    """Why, as whoever made it wrote it."""
    epoch: int = 0
    """Of a customer, that the write has made: its history has what it was before by that."""


class LedgerGap(msgspec.Struct, frozen=True):
    """What of a shard cannot be read."""

    shard: int
    from_ms: int
    """After what was there (Unix ms)."""
    until_ms: int
    """Before what comes next."""
    why: str
    """`dropped`: records may be gone, as more came than are kept. `unreadable`: a record of a newer
    release, or a damaged one."""


class WantedEntries(msgspec.Struct, frozen=True, gc=False):
    """Which entries to read, and where to go on."""

    customer_id: str = ""
    feature_id: str = ""
    reason: str = ""
    """As of a decision; empty: any."""
    since_ms: int | None = None
    """None: from the oldest that is kept on."""
    until_ms: int | None = None
    """Without those from then on; None: all."""
    position: str = ""
    """Of an earlier page with the same filters and order; empty: the first page."""
    size: int = 0
    """Of a page, about; 0: the default."""
    newest_first: bool = False
    from_now: bool = False
    """Without a position: nothing of what is there; only the position behind it."""
    denied_only: bool = False
    verb: str = ""
    """As of entries; empty: any but `change`."""
    with_changes: bool = False
    """Without a verb: writes by admins as well."""

    @property
    def changes(self) -> bool:
        """Whether writes by admins are wanted."""
        return self.verb == CHANGE or (self.with_changes and not self.verb)


class EntryPage(msgspec.Struct, frozen=True):
    """A stretch of the ledger."""

    entries: list[LedgerEntry]
    """In the order of their time."""
    gaps: list[LedgerGap]
    position: str
    """Where to go on, also later."""
    more: bool
    """Whether there is more now."""
