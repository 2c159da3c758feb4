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


class LedgerEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was counted or denied of one feature in one call."""

    id: str
    """`<shard>-<time>-<number>-<place>`: the record in the stream of its shard, and the place of
    the charge in it; stable."""
    at_ms: int
    """When, by the store's clock (Unix ms)."""
    verb: str
    """`consume`, `record`, `refund`, `reserve`, `settle` or `set`."""
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
    catalog_version: int = 0
    counters: dict[str, int] = {}
    """By the ending of its usage key, what each counter got."""
