"""Customer records and their epochs, and the list of customers."""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import msgspec

from quotad.errors import Conflict, InvalidRequest, StaleEpoch, StoreError
from quotad.history import CustomerChange
from quotad.ledger import LEDGER_KEPT, LedgerKept
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store import scripts
from quotad.store.changes import kept_before, listed, written_most
from quotad.store.connection import Store
from quotad.store.events import kept
from quotad.store.facets import facets
from quotad.store.keys import CustomerKeys, KeySpace, ledger_key
from quotad.store.ledger import NOT_NOTED
from quotad.store.moves import Moves
from quotad.store.noted_changes import noted_change
from quotad.store.records import encode_customer, names_of, parse_customers, parse_epoch
from quotad.store.router import Link
from quotad.store.shard_commands import ShardCommands
from quotad.store.shard_map import with_tag

_CONFLICT = -1
_TRIES_MAX = 10

_CHUNK = 128
"""Customers per round trip of a bulk write: the cost of a trip is shared by many, and between two
decisions of others the store is busy for about a millisecond."""

_UNLINKED_AT_ONCE = 1000


Rewrite = Callable[[CustomerRecord | None], CustomerRecord]
"""From a customer's record, None where there is none, to what is to be stored."""

Note = Callable[[CustomerRecord | None, CustomerRecord], CustomerChange]
"""From a record, None where there was none, and what is written over it to what the history has."""


class Written(Enum):
    """What a bulk write did with one customer."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    """Others kept writing it in between; nothing was written."""


class CustomerPage(msgspec.Struct, frozen=True):
    """A stretch of the list of customers."""

    customers: list[StoredCustomer]
    next_token: str
    """Empty: no more."""


class Customers:
    """The customers of one store."""

    def __init__(self, store: Store, keys: KeySpace, ledger: LedgerKept = LEDGER_KEPT) -> None:
        self._store = store
        self._ledger = ledger
        self._keys = keys
        self._moves = Moves(store, keys)
        self._script = scripts.load("write_customer")
        self._change = ShardCommands(store, keys)

    def get_many(self, customer_ids: Sequence[str]) -> list[StoredCustomer]:
        """Read customers in one round trip, in the order asked.

        Record and epoch of one customer are of one moment.

        Raises:
            StoreUnavailable: the store refused or timed out.
            Damaged: a record cannot be read.
        """
        found: list[StoredCustomer] = []
        for one in self.try_many(customer_ids):
            if isinstance(one, StoreError):
                raise one
            found.append(one)
        return found

    def try_many(self, customer_ids: Sequence[str]) -> list[StoredCustomer | StoreError]:
        """As `get_many`; a record that cannot be read is an error in its place."""
        if not customer_ids:
            return []
        self._moves.look_while_moving()
        keys = [self._keys.customer(customer_id) for customer_id in customer_ids]
        return parse_customers(keys, self._store.read(names_of(keys)))

    def get_readable(self, customer_ids: Sequence[str]) -> list[StoredCustomer]:
        """As `get_many`, without those that have no record, or none that can be read: a list
        continues behind them, and behind customers erased since it was begun."""
        return [
            found
            for found in self.try_many(customer_ids)
            if not isinstance(found, StoreError) and found.record is not None
        ]

    def get_many_over(
        self, link: Link, customers: Sequence[CustomerKeys], deadline: float
    ) -> list[StoredCustomer | StoreError]:
        """As `get_many`, over a connection of the caller's own and by a monotonic deadline; a
        record that cannot be read is an error in its place."""
        return parse_customers(customers, link.read_each(names_of(customers), deadline))

    def get(self, customer_id: str) -> StoredCustomer:
        """Read one customer."""
        return self.get_many([customer_id])[0]

    def get_if_readable(self, customer_id: str) -> tuple[StoredCustomer, bool]:
        """Read one customer, without its record where that cannot be read; and whether it can."""
        (found,) = self.try_many([customer_id])
        if not isinstance(found, StoreError):
            return found, True
        keys = self._keys.customer(customer_id)
        (epoch,) = self._store.read([keys.epoch])  # of another type: nothing
        return StoredCustomer(parse_epoch(keys, epoch), None), False

    def update(
        self,
        customer_id: str,
        change: Rewrite,
        lasting: Sequence[str] = (),
        if_epoch: int | None = None,
        note: Note | None = None,
    ) -> StoredCustomer:
        """Replace a record by what `change` makes of it, and move the epoch.

        When it returns, every later decision on every server is made with the new record.

        Args:
            customer_id: whose.
            change: from the record before to the one after.
            lasting: endings of usage keys that expire without a record, and not with one; see
                `usage_suffix`.
            if_epoch: write only while the customer is at this epoch; 0: while it has no record.
            note: what the customer's history has of it; None: nothing.

        Raises:
            StaleEpoch: the customer is at another epoch.
            Conflict: others kept writing the same customer in between.
            StoreUnavailable: the store refused or timed out; the write may have happened.
        """
        for _ in range(_TRIES_MAX):
            before = self.get(customer_id)
            if if_epoch is not None:
                check_epoch(customer_id, before, if_epoch)
            record = change(before.record)
            words = self._words(before, record, note)
            epoch = self._moves.again(
                lambda before=before, words=words: self._store.run(  # type: ignore[misc]
                    self._script, self._written(customer_id, before, lasting), words
                )
            )
            if epoch != _CONFLICT:
                return StoredCustomer(epoch, record)
        raise Conflict(f"customer_id: {customer_id!r} is being written by others; try again")

    def write_many(
        self,
        changes: Sequence[tuple[str, Rewrite]],
        lasting: Sequence[str] = (),
        note: Note | None = None,
    ) -> list[Written]:
        """Replace records by what each change makes of them; many in one round trip.

        Nothing is taken back when an error ends it: those written until then stay written.

        Args:
            changes: customer id and change; one that returns the very record it was given has
                nothing to write, and the epoch stays. No customer may be in it twice.
            lasting: as of `update`.
            note: see there.

        Raises:
            StoreUnavailable: the store refused or timed out; any of them may have been written.
        """
        outcomes: list[Written] = []
        for start in range(0, len(changes), _CHUNK):
            chunk = changes[start : start + _CHUNK]
            tried = self._try_many(chunk, lasting, note)
            for _ in range(_TRIES_MAX - 1):
                lost = [i for i, outcome in enumerate(tried) if outcome is Written.CONFLICT]
                if not lost:
                    break
                again = self._try_many([chunk[i] for i in lost], lasting, note)
                for i, outcome in zip(lost, again, strict=True):
                    tried[i] = outcome
            outcomes += tried
        return outcomes

    def _try_many(
        self, changes: Sequence[tuple[str, Rewrite]], lasting: Sequence[str], note: Note | None
    ) -> list[Written]:
        outcomes = [Written.UNCHANGED] * len(changes)
        calls: dict[int, tuple[str, StoredCustomer, list[Any]]] = {}
        stored = self.get_many([customer_id for customer_id, _ in changes])
        for i, ((customer_id, change), before) in enumerate(zip(changes, stored, strict=True)):
            record = change(before.record)
            if record is not before.record:
                calls[i] = (customer_id, before, self._words(before, record, note))
        if calls:
            epochs = self._moves.each_again(
                lambda some: self._store.run_many(
                    self._script,
                    [(self._written(each, was, lasting), words) for each, was, words in some],
                    or_moved=True,
                ),
                list(calls.values()),
            )
            for i, epoch in zip(calls, epochs, strict=True):
                outcomes[i] = Written.CONFLICT if epoch == _CONFLICT else Written.WRITTEN
        return outcomes

    def compare_many(self, changes: Sequence[tuple[str, Rewrite]]) -> list[Written]:
        """What `write_many` would do now; writes nothing."""
        stored = self.get_many([customer_id for customer_id, _ in changes])
        return [
            Written.UNCHANGED if change(before.record) is before.record else Written.WRITTEN
            for (_, change), before in zip(changes, stored, strict=True)
        ]

    def _written(
        self, customer_id: str, before: StoredCustomer, lasting: Sequence[str]
    ) -> Sequence[str]:
        """The keys of a write."""
        keys = self._keys.customer(customer_id)
        changes = self._keys.changes(keys.customer_id)
        names = [keys.record, keys.epoch, keys.customers, keys.index, keys.events, changes]
        names.append(self._keys.shard_written[self._keys.shard(keys.customer_id)])
        names += [self._keys.before(keys.customer_id), ledger_key(keys)]
        if before.record is None:
            names += [keys.usage + ending for ending in lasting]
        return with_tag(names)

    def _words(
        self, before: StoredCustomer, record: CustomerRecord, note: Note | None
    ) -> list[Any]:
        """The arguments of a write."""
        found_by = facets(record)
        stale = facets(before.record) - found_by
        head = [
            before.epoch,
            encode_customer(record),
            record.customer_id,
            *kept(self._keys.shards),
            record.updated_by,
        ]
        change = None if note is None else note(before.record, record)
        noted = NOT_NOTED
        if change is not None:
            noted = noted_change(self._ledger, self._keys.shards, change, record.customer_id)
        written_max = written_most(self._keys.shards)
        bounds = (*listed(change), written_max, *kept_before())
        return [*head, *bounds, *noted, len(stale), *stale, *found_by]

    def forget_usage(self, customer_id: str, resource_id: str, endings: Sequence[str]) -> None:
        """Delete counters that no decision looks at any more.

        Args:
            customer_id: whose they are.
            resource_id: what of the customer's they are of; empty: the customer itself.
            endings: of the keys; see `usage_suffix`.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been deleted.
        """
        for at in range(0, len(endings), _UNLINKED_AT_ONCE):
            some = endings[at : at + _UNLINKED_AT_ONCE]
            self._change.run(
                lambda some=some: [  # type: ignore[misc]
                    ("UNLINK", self._keys.customer(customer_id, resource_id).usage + ending)
                    for ending in some
                ]
            )

    def list_page(self, token: str, size: int) -> CustomerPage:
        """List customers by shard, then by id, without those whose record is lost or damaged.

        Args:
            token: where the page before ended; empty for the first.
            size: most customers to return, at least 1.

        Raises:
            InvalidRequest: the token is not one that a page ended with.
        """
        shard, after = read_token(token, self._keys)
        ids: list[str] = []
        while shard < self._keys.places.stop and len(ids) < size:
            wanted = size - len(ids)
            low = b"(" + after.encode() if after else b"-"
            found = self._store.execute(
                "ZRANGEBYLEX", self._keys.shard_customers[shard], low, b"+", "LIMIT", 0, wanted
            )
            ids += [raw.decode() for raw in found]
            if len(found) < wanted:
                shard, after = shard + 1, ""
            else:
                after = ids[-1]
        more = shard < self._keys.places.stop
        return CustomerPage(self.get_readable(ids), f"{shard}:{after}" if more else "")

    def token_after(self, customer_id: str) -> str:
        """The token of the page that starts after a customer."""
        return f"{self._keys.shard(customer_id)}:{customer_id}"


def read_token(token: str, keys: KeySpace) -> tuple[int, str]:
    """Shard and customer id that a page ended with; those of the start for an empty token, and
    where the shard has moved.

    Raises:
        InvalidRequest: it is not one that a page ended with.
    """
    shard, colon, after = (token or "0:").partition(":")
    places = keys.places
    if not colon or not re.fullmatch("[0-9]{1,9}", shard) or int(shard) >= places.stop:
        raise InvalidRequest(f"page_token: {token[:40]!r} is not one that this server gave")
    return (int(shard), after) if int(shard) in places else (places.start, "")


def check_epoch(customer_id: str, stored: StoredCustomer, wanted: int) -> None:
    """Refuse a write that expects another state.

    Raises:
        StaleEpoch: the customer is not at the epoch, or for 0 has a record.
    """
    epoch = stored.epoch if stored.record is not None else 0
    if wanted not in (epoch, stored.epoch):
        found = f"is at epoch {epoch}" if epoch else "has no record"
        raise StaleEpoch(
            f"if_epoch: {customer_id!r} {found}, not {wanted}; read it and decide again", epoch
        )
