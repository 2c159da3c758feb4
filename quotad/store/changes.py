"""The latest writes of customers: whose each was, and what it changed.

Listed by the script that writes the customer, so that none is lost; bounded, and erased with it.
Each shard has a list of its latest, which leads to those of the customers. What a record was before
a write is kept beside them, of fewer writes and for a shorter time.
"""

import msgspec

from quotad.history import CustomerChange
from quotad.records import CustomerRecord
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.moves import Moves
from quotad.store.records import decode_customer
from quotad.store.shard_commands import ShardCommands

CHANGES_MAX = 100
"""Writes that are kept of one customer, the latest."""

WRITTEN_MAX = 50_000
"""Writes of all customers that are listed, the latest; about 100 bytes each."""

KEPT_MS = 400 * 86_400_000
"""How long they are kept after the latest of them: 13 months."""

BEFORE_MAX = 10
"""Writes of one customer of which the record before is kept, the latest."""

BEFORE_BYTES_MAX = 64 * 1024
"""Of those records in all."""

BEFORE_KEPT_MS = 90 * 86_400_000
"""How long they are kept after the latest write."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CustomerChange).decode


def listed(change: CustomerChange | None) -> tuple[bytes, int, int]:
    """The words of a script that lists a change; None: it lists none."""
    return b"" if change is None else _encode(change), CHANGES_MAX, KEPT_MS


def written_most(shards: int) -> int:
    """How many writes one of so many shards lists."""
    return max(WRITTEN_MAX // shards, 100)


def kept_before() -> tuple[int, int, int]:
    """The words of a script that keeps what a record was before it is written."""
    return BEFORE_MAX, BEFORE_BYTES_MAX, BEFORE_KEPT_MS


class WritesPage(msgspec.Struct, frozen=True):
    """A stretch of the writes of all customers."""

    writes: list[tuple[str, CustomerChange]]
    """Whose, and what; the newest first. Without those that are not kept any more."""
    next_before: int | None
    """The epoch that the next page goes on below; None: there is none."""


class ChangeLists:
    """The latest writes of the customers of one store, to be read."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._commands = ShardCommands(store, keys)
        self._moves = Moves(store, keys)

    def latest(self, customer_id: str, most: int) -> list[CustomerChange]:
        """The latest writes of a customer, the newest first; what cannot be read is left out.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        found = self._store.execute_many(self._words(customer_id, most), or_none=True)
        return _read(*found)

    def record_before(self, customer_id: str, epoch: int) -> CustomerRecord | None:
        """What a customer was before one of its writes; None: that is not kept, or cannot be read.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        words = ("HGET", self._keys.before(customer_id), str(epoch))
        (found,) = self._store.execute_many([words], or_none=True)
        try:
            return None if found is None else decode_customer(found)
        except (ValueError, KeyError):  # what msgspec raises is a ValueError
            return None

    def before(self, epoch: int | None, most: int) -> WritesPage:
        """The latest writes of all customers with an epoch below one, the newest first; None: the
        latest of all. A few more where several have the epoch of the last.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        high = "+inf" if epoch is None else f"({epoch}"
        commands = [
            ("ZREVRANGEBYSCORE", key, high, "-inf", "LIMIT", 0, 2 * most)
            for key in self._keys.shard_written[self._keys.places.start :]
        ]
        written: list[tuple[int, str]] = []
        for members in self._store.execute_many(commands, or_none=True):
            for member in members or []:
                at, _, customer = member.partition(b":")
                written.append((int(at), customer.decode()))
        written.sort(key=lambda each: (-each[0], each[1]))
        if len(written) > most:  # those of one moment are not torn apart
            written = [each for each in written if each[0] >= written[most - 1][0]]
        changes = self._of({customer_id for _, customer_id in written})
        found = [
            (customer_id, changes[customer_id, at])
            for at, customer_id in written
            if (customer_id, at) in changes
        ]
        return WritesPage(found, written[-1][0] if len(written) >= most else None)

    def forget(self, customer_id: str) -> None:
        """Take a customer that is erased out of the list of its shard.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        key = self._keys.shard_written[self._keys.shard(customer_id)]
        (members,) = self._store.execute_many([("ZRANGE", key, 0, -1)], or_none=True)
        named = customer_id.encode()
        its = [each for each in members or [] if each.partition(b":")[2] == named]
        if its:
            self._commands.run(
                lambda: [("ZREM", self._keys.shard_written[self._keys.shard(customer_id)], *its)]
            )

    def _of(self, customer_ids: set[str]) -> dict[tuple[str, int], CustomerChange]:
        """Every listed write of some customers, by customer and epoch."""
        ids = sorted(customer_ids)
        commands = [words for each in ids for words in self._words(each, CHANGES_MAX)]
        found = self._store.execute_many(commands, or_none=True) if commands else []
        return {
            (customer_id, change.epoch): change
            for customer_id, raw, kept in zip(ids, found[::2], found[1::2], strict=True)
            for change in _read(raw, kept)
        }

    def _words(self, customer_id: str, most: int) -> tuple[tuple[object, ...], ...]:
        """The commands that `_read` reads the answers of."""
        keys = self._keys
        return (
            ("LRANGE", keys.changes(customer_id), 0, most - 1),
            ("HKEYS", keys.before(customer_id)),
        )


def _read(found: list[bytes] | None, kept_before: list[bytes] | None) -> list[CustomerChange]:
    changes, kept_of = [], set(kept_before or ())
    for raw in found or []:
        epoch, _, kept = raw.partition(b":")
        try:
            change = _decode(kept)
            undoable = epoch in kept_of
            changes.append(msgspec.structs.replace(change, epoch=int(epoch), undoable=undoable))
        except (msgspec.MsgspecError, ValueError):
            continue
    return changes
