"""Leases of customers: tranches that are lent for local spending.

What a lease holds is on the customer's list of holds, beside its reservations, and counted as used
from the moment it is lent. Units move between counters and a lease in the same step in which its
record is written, so that a server may die at any time.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import msgspec

from quotad.errors import Damaged, ScriptContractError
from quotad.store import scripts
from quotad.store.charges import CounterSet
from quotad.store.holds import HOLDS_MAX
from quotad.store.keys import CustomerKeys, escape, ledger_key
from quotad.store.lease_record import LEASED, Lease, read_lease
from quotad.store.ledger import NOT_NOTED, LedgerWords
from quotad.store.router import Link
from quotad.store.shard_map import with_tag

REMEMBERED_MS = 600_000
"""How long the release of a lease can be repeated."""


class Released(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a lease is remembered by; stored."""

    granted: int
    spent: int


class FoundLease(msgspec.Struct, frozen=True, gc=False):
    """What is known of a lease."""

    lease: Lease | None
    """None: it is not open."""
    ends_ms: int
    """Unix time."""
    released: Released | None
    stored: bytes = b""
    """The record as it is stored."""


class LeaseStatus(IntEnum):
    """What became of it; the numbers are those of the script."""

    DONE = 1
    CHANGED = 0
    STALE_CATALOG = -1
    STALE_CUSTOMER = -2
    FULL = -3
    STALE_CLOCK = -4
    TOO_LATE = -5
    DAMAGED = -6
    NO_ROOM = -7


class LeaseStep(msgspec.Struct, frozen=True, gc=False):
    """One change of a lease, all of it or nothing."""

    lease_id: str
    found: FoundLease
    """As it was read."""
    lease: Lease | None
    """From now on; None: it is released."""
    ends_ms: int
    """From now on."""
    quantity: int
    """To take from every counter; negative: to give back."""
    counters: CounterSet
    released: Released | None = None
    catalog: str = ""
    """Tag of the catalog version that it was planned with; empty: it does not matter."""
    epoch: int = 0
    """The customer's, with a tag."""
    noted: LedgerWords = NOT_NOTED
    """What goes into the ledger if it is carried out."""


NO_LEASE = FoundLease(None, 0, None)

_encode = msgspec.msgpack.Encoder().encode
_decode_released = msgspec.msgpack.Decoder(Released).decode


class LeaseScripts:
    """Leases of one store over one connection; of one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._find = scripts.load("find_hold")
        self._settle = scripts.load("settle_lease")

    def find(self, keys: CustomerKeys, lease_id: str, deadline: float) -> FoundLease:
        """What is known of a lease of a customer.

        Raises:
            Damaged: what is stored of it cannot be read.
            StoreUnavailable: the store refused or timed out.
        """
        memory = released_key(keys, lease_id)
        names = with_tag((keys.holds, keys.hold_ends, memory, memory))
        words = (len(names), *names, LEASED + lease_id)
        record, ends, released, _ = self._link.run(self._find, words, deadline)
        return _read(lease_id, record, ends, released)

    def settle(
        self,
        keys: CustomerKeys,
        step: LeaseStep,
        times_ms: tuple[int, int],
        deadline: float,
    ) -> tuple[int, Sequence[int], FoundLease]:
        """Change a lease, if it is as it was read.

        Args:
            keys: of the customer or its resource.
            step: the change.
            times_ms: not after, in the store's time; and until when leases have ended for good.
            deadline: monotonic time in seconds by which the answer must be there.

        Returns:
            A `LeaseStatus`; of DONE, usage before per limit; of CHANGED, what there is.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be changed all the same.
        """
        not_after_ms, ended_ms = times_ms
        counters = step.counters
        names = [keys.catalog, keys.epoch, keys.holds, keys.hold_ends]
        names += [released_key(keys, step.lease_id), ledger_key(keys)]
        names += [keys.usage + suffix for suffix in counters.suffixes]
        record = b"" if step.lease is None else _encode(step.lease)
        memory = b"" if step.released is None else _encode(step.released)
        head = (
            not_after_ms,
            step.catalog,
            step.epoch,
            LEASED + step.lease_id,
            step.found.stored,
            record,
            step.ends_ms if record else REMEMBERED_MS,
            memory,
            step.quantity,
            HOLDS_MAX,
            ended_ms,
            LEASED,
            *step.noted,
        )
        words = (len(names) + 1, *with_tag(names), *head, *counters.words[2:])
        reply: list[Any] = self._link.run(self._settle, words, deadline)
        try:
            status = LeaseStatus(reply[0])
            if status == LeaseStatus.CHANGED:
                return status, (), _read(step.lease_id, *reply[1:])
        except (IndexError, ValueError, TypeError) as error:
            raise ScriptContractError(f"settle_lease: reply cannot be read: {error}") from error
        return status, reply[1:], NO_LEASE


def released_key(keys: CustomerKeys, lease_id: str) -> str:
    """Under which it is remembered what a lease came to."""
    return keys.decision + escape(LEASED + lease_id)


def _read(lease_id: str, record: bytes, ends: bytes, released: bytes) -> FoundLease:
    try:
        return FoundLease(
            read_lease(record) if record else None,
            int(float(ends or 0)),
            _decode_released(released) if released else None,
            record,
        )
    except (msgspec.DecodeError, ValueError):
        raise Damaged(f"what is kept of the lease {lease_id!r} is damaged in the store") from None
