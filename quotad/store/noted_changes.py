"""What admin writes have in the ledger: whose each was, and what it changed from what to what.

    charges   format 3: `NotedChange` in msgpack, an array
    became    a list with the epoch or the version that the write has made

The script that carries a write out puts it there, whether or not a feature is in the ledger. What a
customer was before is kept in its history by that epoch, and what a catalog was by its version.
"""

import msgspec

from quotad.history import CustomerChange
from quotad.ledger import LedgerKept
from quotad.store.ledger import LedgerWords

CHANGE_FORMAT = 3


class NotedChange(msgspec.Struct, frozen=True, array_like=True):
    """What a write has noted; new fields go to the end and have defaults."""

    format: int
    customer_id: str
    """Empty: it is not about one."""
    change: CustomerChange
    of_catalog: bool = False
    """Whether what it has made is a version of the catalog, and not an epoch."""


_encode = msgspec.msgpack.Encoder().encode


def noted_change(
    kept: LedgerKept,
    shards: int,
    change: CustomerChange,
    customer_id: str = "",
    of_catalog: bool = False,
) -> LedgerWords:
    """What the script of a write is given to put into the ledger.

    Args:
        kept: how much of the ledger the store keeps.
        shards: that share it.
        change: whose it is, and what it changes.
        customer_id: that it is about; empty: none.
        of_catalog: whether it makes a version of the catalog.
    """
    described = _encode(NotedChange(CHANGE_FORMAT, customer_id, change, of_catalog))
    return (*kept.of_shard(shards), described)
