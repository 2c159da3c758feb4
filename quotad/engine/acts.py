"""What has a part in the ledger beside charges: leases and journals, as their scripts carry it out.

charges   format 2: `NotedActs` in msgpack, an array
became    a list with a number for each step of the script: `DONE` where it was carried out, `LATE`
          where no counter of its period was kept any more; of a lease, whose only step is done,
          then what each of its counters had before
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.engine.shared import Shared
from quotad.journal import JournalEntry
from quotad.ledger import Taker
from quotad.store.keys import escape
from quotad.store.lease_record import Lease
from quotad.store.ledger import NOT_NOTED, LedgerWords

ACTS_FORMAT = 2

DONE, LATE = 1, 3
"""What of a step is noted; the numbers are those of the scripts."""


LEASED = "lend", "return"
"""The verbs of leases."""


class NotedAct(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What was done to one feature; new fields go to the end and have defaults."""

    step: int
    """Place of its step among those of the script."""
    verb: str
    customer_id: str
    feature_id: str
    quantity: int
    resource_id: str = ""
    key: str = ""
    occurred_ms: int = 0
    counters: dict[str, int] = {}
    """By the ending of its usage key after that of the customer, what each counter got."""
    actor: str = ""
    edge: str = ""


class NotedActs(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a script call has noted."""

    format: int
    catalog_version: int
    acts: tuple[NotedAct, ...]


_encode = msgspec.msgpack.Encoder().encode


def describe_acts(catalog_version: int, acts: Sequence[NotedAct]) -> bytes:
    """What the record of a script call has of its acts."""
    return _encode(NotedActs(ACTS_FORMAT, catalog_version, tuple(acts)))


def describe_entries(snapshot: Snapshot, entries: Sequence[JournalEntry]) -> bytes:
    """The same of entries of a journal, which are a step each; empty: none of them is noted."""
    acts = [
        NotedAct(
            step,
            "fallback",
            entry.customer_id,
            feature_id,
            quantity,
            resource_id,
            entry.key,
            entry.at_ms,
            _counters_of(entry, place),
            *entry.taker,
        )
        for step, entry in enumerate(entries)
        for place, (feature_id, resource_id, quantity) in enumerate(entry.items)
        if snapshot.noting(feature_id)
    ]
    return describe_acts(snapshot.version, acts) if acts else b""


def _counters_of(entry: JournalEntry, place: int) -> dict[str, int]:
    """What counters of an entry got of one of its features; those of pools are the first one's."""
    starts = [
        f"{escape(resource_id)}:{escape(feature_id)}:" for feature_id, resource_id, _ in entry.items
    ]
    found: dict[str, int] = {}
    for counter in entry.counters:
        of = [at for at, start in enumerate(starts) if counter.suffix.startswith(start)]
        if place in (of or [0])[:1]:
            found[counter.suffix] = counter.amount
    return found


def describe_lease(
    shared: Shared,
    snapshot: Snapshot,
    whose: tuple[str, Taker],
    change: tuple[str, Lease, int],
) -> LedgerWords:
    """What the ledger is to have of a change of a lease, whose units count as used.

    Args:
        shared: what engines share.
        snapshot: the catalog.
        whose: the customer, and whose doing it is.
        change: id, the lease, and what is taken for it; negative: returned.
    """
    (customer_id, (actor, edge)), (lease_id, lease, quantity) = whose, change
    kept = shared.settings.ledger
    if kept is None or not quantity or not snapshot.noting(lease.feature_id):
        return NOT_NOTED
    start = escape(lease.resource_id) if lease.resource_id else ""
    act = NotedAct(
        0,
        LEASED[quantity < 0],
        customer_id,
        lease.feature_id,
        quantity,
        lease.resource_id,
        lease_id,
        0,
        {start + suffix: quantity for suffix in lease.counters},
        actor,
        edge,
    )
    described = describe_acts(snapshot.version, [act])
    return (*kept.of_shard(shared.views.keys.shards), described)
