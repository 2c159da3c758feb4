"""Open holds of customers, reservations and leases: what is held, and until when.

What a hold is about is taken from the counters as by any charge, under its own key, which also
remembers the counters; this is the list by which it finds its way back when its holder does not
come. Written before it is taken, and removed after it is settled, so that a server may die in
between.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

import msgspec

from quotad.errors import StoreError, StoreUnavailable, TooManyOpen
from quotad.held import HeldItem, HoldKind
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import CustomerKeys, KeySpace, escape
from quotad.store.lease_record import LEASED, read_lease
from quotad.store.router import Link
from quotad.store.shard_map import with_tag

HOLDS_MAX = 10_000
"""Reservations that one customer may have open."""

READ_MAX = 500
"""Ended holds of one customer that are looked at in one go."""

_FULL, _TOO_LATE, _ENDED, _NOT_OPEN = -1, -5, -1, 0

TAKEN, SETTLED = "\x02", "\x03"
"""Begin the keys that a reservation takes and is settled under; no caller's key has them."""

UNDONE = "\x01"
"""The same of the key that the refund of what was taken under a key is remembered under."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """What is held of one customer, all of it or nothing."""

    items: tuple[HeldItem, ...]
    made_ms: int
    """Unix time of the periods that it is taken from."""
    kind: int = HoldKind.RESERVATION
    """A `HoldKind`."""
    counters: tuple[str, ...] = ()
    """Endings of the usage keys of a lease; what a reservation takes remembers its own."""


class OpenHold(msgspec.Struct, frozen=True, gc=False):
    """A hold that is not settled."""

    customer_id: str
    hold_id: str
    hold: Hold
    ends_ms: int
    """Unix time."""


class FoundHold(msgspec.Struct, frozen=True, gc=False):
    """What is known of a reservation."""

    opened: OpenHold | None
    """None: it is not open."""
    taken: bytes
    """As kept under its key; empty: nothing."""
    settled: bytes
    """As kept under that key; empty: it is not settled."""


class _OneHeld(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Format 1 of a record: a reservation of one feature."""

    feature_id: str
    quantity: int
    made_ms: int
    resource_id: str = ""


class _Held(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Format 2, of everything else, begins with its number: a server that knows format 1 alone
    reads no record and leaves the hold to others. New fields go to the end and have defaults."""

    kind: int
    made_ms: int
    items: tuple[HeldItem, ...]


_FORMAT_2 = b"\x02"

_to_bytes = msgspec.msgpack.Encoder().encode
_decode_one = msgspec.msgpack.Decoder(_OneHeld).decode
_decode_held = msgspec.msgpack.Decoder(_Held).decode


def _encode(hold: Hold) -> bytes:
    if len(hold.items) == 1:
        (item,) = hold.items
        return _to_bytes(_OneHeld(item.feature_id, item.quantity, hold.made_ms, item.resource_id))
    return _FORMAT_2 + _to_bytes(_Held(hold.kind, hold.made_ms, hold.items))


def _decode(record: bytes) -> Hold:
    if record.startswith(_FORMAT_2):
        held = _decode_held(record[1:])
        return Hold(held.items, held.made_ms, held.kind)
    one = _decode_one(record)
    return Hold((HeldItem(one.feature_id, one.quantity, one.resource_id),), one.made_ms)


def _of_lease(record: bytes) -> Hold:
    lease = read_lease(record)
    item = HeldItem(lease.feature_id, lease.quantity, lease.resource_id)
    return Hold((item,), lease.made_ms, HoldKind.LEASE, lease.counters)


class HoldsSeen:
    """Whether a store has ever held a reservation: one that has not pays nothing for them."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._key = keys.holds
        self._known = False
        """Whether it has, for certain."""
        self.any = False
        """Whether it may have."""

    def look(self) -> None:
        """Ask the store, until it has.

        Raises:
            StoreUnavailable: the store refused or timed out; not where that is one of several
                servers, whose customers alone are to go without.
        """
        if self._known:
            return
        try:
            self._known = self.any = self._store.read([self._key])[0] is not None
        except StoreUnavailable as error:
            if not error.partial:
                raise
            self.any = True

    def note(self) -> None:
        """Let every server know within a second, before the first reservation can have ended.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        if not self._known:
            self._store.execute("SET", self._key, 1)
            self._known = self.any = True


class Holds:
    """The lists of one store over one connection; of one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._open = scripts.load("open_hold")
        self._find = scripts.load("find_hold")
        self._extend = scripts.load("extend_hold")
        self._read = scripts.load("read_holds")
        self._close = scripts.load("close_holds")

    def open(
        self, keys: CustomerKeys, opened: OpenHold, deadline: float, not_after_ms: int
    ) -> OpenHold:
        """Write a reservation down; returns the one that holds something under this id, if any.

        Args:
            keys: of the customer.
            opened: the reservation.
            deadline: monotonic time in seconds by which the answer must be there.
            not_after_ms: moment of the store's clock from which on nothing is written.

        Raises:
            TooManyOpen: the customer has as many open as one may have.
            StoreUnavailable: the store refused or timed out.
        """
        record = _encode(opened.hold)
        words = (not_after_ms, opened.hold_id, record, opened.ends_ms, HOLDS_MAX)
        names = with_tag((keys.holds, keys.hold_ends, taken_key(keys, opened.hold_id)))
        answer = self._link.run(self._open, (len(names), *names, *words), deadline)
        if answer == _FULL:
            raise TooManyOpen(f"customer_id: {HOLDS_MAX:,} reservations are open; settle some")
        if answer == _TOO_LATE:
            raise StoreUnavailable("the store was too slow; nothing is held, try again")
        return _read_open(opened.customer_id, opened.hold_id, *answer) or opened

    def find(self, keys: CustomerKeys, hold_id: str, deadline: float) -> FoundHold:
        """What is known of a reservation of a customer.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        kept = (taken_key(keys, hold_id), settled_key(keys, hold_id))
        names = with_tag((keys.holds, keys.hold_ends, *kept))
        words = (len(names), *names, hold_id)
        record, ends, taken, settled = self._link.run(self._find, words, deadline)
        opened = _read_open(keys.customer_id, hold_id, record, ends) if record and ends else None
        return FoundHold(opened, taken, settled)

    def extend(
        self, keys: CustomerKeys, hold_id: str, times_ms: tuple[int, int, int], deadline: float
    ) -> int | None:
        """Let a reservation end later; returns when (Unix ms), None: it is not open any more.

        Args:
            keys: of the customer.
            hold_id: of the reservation.
            times_ms: not after; how long from now; how long it is remembered after its end.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        not_after_ms, ttl_ms, kept_ms = times_ms
        names = with_tag((keys.hold_ends, taken_key(keys, hold_id)))
        words = (len(names), *names, not_after_ms, hold_id, ttl_ms, kept_ms)
        ends = self._link.run(self._extend, words, deadline)
        if ends == _TOO_LATE:
            raise StoreUnavailable("the store was too slow; nothing is changed, try again")
        return None if ends in (_NOT_OPEN, _ENDED) else int(ends)

    def read(
        self, customers: Sequence[CustomerKeys], deadline: float, until_ms: float = inf
    ) -> list[OpenHold]:
        """Open reservations of customers, those that end first.

        Args:
            customers: whose.
            deadline: monotonic time in seconds by which the answer must be there.
            until_ms: only those that end by then (Unix ms), some of them when there are many.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        bounds = ("+inf", HOLDS_MAX) if until_ms == inf else (until_ms, READ_MAX)
        places = self._link.by_slot([keys.holds for keys in customers])
        calls: list[tuple[Any, ...]] = []
        for at in places:
            names = [n for i in at for n in (customers[i].holds, customers[i].hold_ends)]
            calls.append((len(names), *names, *bounds))
        found: list[OpenHold] = []
        for some, answer in zip(
            places, self._link.run_many(self._read, calls, deadline), strict=True
        ):
            if isinstance(answer, StoreError):
                raise answer
            for i, words in zip(some, answer, strict=True):
                found += _listed(customers[i], words)
        return found

    def close(
        self, keys: CustomerKeys, hold_ids: Sequence[str], deadline: float, lost: bool = False
    ) -> None:
        """Take holds off the list that are settled, or have taken nothing.

        Args:
            keys: of the customer.
            hold_ids: which.
            deadline: monotonic time in seconds by which the answer must be there.
            lost: also those that cannot be settled any more.

        Raises:
            StoreUnavailable: the store refused or timed out; they are found settled later.
        """
        names = [keys.holds, keys.hold_ends]
        for hold_id in hold_ids:
            names += (taken_key(keys, hold_id), settled_key(keys, hold_id))
        words = (len(names) + 1, *with_tag(names), int(lost), *hold_ids)
        self._link.run(self._close, words, deadline)

    def taken(
        self, holds: Iterable[tuple[CustomerKeys, str]], deadline: float
    ) -> list[bytes | None]:
        """What was taken for each hold; None: nothing was.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return self._link.read([taken_key(keys, hold_id) for keys, hold_id in holds], deadline)

    def held(
        self, keys: CustomerKeys, opened: Sequence[OpenHold], deadline: float
    ) -> list[bytes | None]:
        """What was taken for each hold of a customer; None: nothing was, or it is settled.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        found: list[bytes | None] = []
        for at in range(0, len(opened), READ_MAX):
            some = opened[at : at + READ_MAX]
            names = [taken_key(keys, each.hold_id) for each in some]
            names += [settled_key(keys, each.hold_id) for each in some]
            values = self._link.read(names, deadline)
            pairs = zip(values[: len(some)], values[len(some) :], strict=True)
            found += [None if settled else taken for taken, settled in pairs]
        return found


def taken_key(keys: CustomerKeys, hold_id: str) -> str:
    """Under which a reservation takes what it holds."""
    return keys.decision + escape(TAKEN + hold_id)


def settled_key(keys: CustomerKeys, hold_id: str) -> str:
    """Under which it is remembered what a reservation was settled by."""
    return keys.decision + escape(SETTLED + hold_id)


def _read_open(customer_id: str, hold_id: str, record: bytes, ends: bytes) -> OpenHold | None:
    """None: the record is lost or damaged, and what it has held is not known."""
    try:
        hold = _of_lease(record) if hold_id.startswith(LEASED) else _decode(record)
        return OpenHold(customer_id, hold_id, hold, int(float(ends)))
    except (msgspec.DecodeError, ValueError):
        return None


def _listed(keys: CustomerKeys, words: Sequence[bytes]) -> Iterable[OpenHold]:
    """The holds of a customer, as read_holds returns them."""
    for at in range(0, len(words), 3):
        opened = _read_open(keys.customer_id, words[at].decode(), words[at + 1], words[at + 2])
        if opened is not None:
            yield opened
