"""The nouns of the ledger: what is noted of a feature, and an entry as readers see it."""

from enum import IntEnum

import msgspec


class Noting(IntEnum):
    """What of a feature goes into the ledger; stored with entries."""

    NOTHING = 0
    TAKEN = 1
    """What is counted or given back."""
    ALL = 2
    """Denials as well."""

    @property
    def word(self) -> str:
        """As the setting spells it."""
        return next(word for word, noting in NOTING_WORDS.items() if noting is self)


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


class LedgerEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was counted or denied of one feature in one call."""

    id: str
    """`<shard>-<time>-<number>-<place>`: the record in the stream of its shard, and the place of
    the charge in it; stable."""
    at_ms: int
    """When, by the store's clock (Unix ms)."""
    verb: str
    """`consume`, `record`, `refund`, `reserve`, `settle`, `set`, `acquire`, `lend`, `return` or
    `fallback`."""
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


class EntryPage(msgspec.Struct, frozen=True):
    """A stretch of the ledger."""

    entries: list[LedgerEntry]
    """In the order of their time."""
    gaps: list[LedgerGap]
    position: str
    """Where to go on, also later."""
    more: bool
    """Whether there is more now."""
