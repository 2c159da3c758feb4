"""The streams of the ledger: one per shard, a record per call of a script, read back here."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from quotad.ledger import LedgerKept
from quotad.store.connection import Store
from quotad.store.events import EventId, read_id
from quotad.store.keys import KeySpace

LedgerWords = tuple[int, int, bytes]
"""How many records a stream keeps, for how long (ms), and what a record is to have of a call."""

NOT_NOTED: LedgerWords = (0, 0, b"")
"""Of a call that is not to be noted."""


CATALOGS, TOKENS, WEBHOOKS = -1, -2, -3
"""What stand for shards of the streams of what is of none: publishes, and writes of tokens and of
receivers of webhooks."""

BESIDE = {CATALOGS: "catalogs", TOKENS: "tokens", WEBHOOKS: "webhooks"}
"""Their names, as ids of records and parts of exports have them."""


class LedgerRecord(NamedTuple):
    """A record as it is stored."""

    shard: int
    position: EventId
    charges: bytes
    """What the server has described of them."""
    became: bytes
    """What the script has returned of them."""
    passed: int = 0
    """Records before it that were passed over."""
    drawn: int = 0
    """Up to which `Noting.level` its denials were drawn to be noted."""

    @property
    def id(self) -> str:
        """Stable, and of this record alone."""
        shard = BESIDE.get(self.shard, self.shard)
        return f"{shard}-{self.position.ms}-{self.position.number}"

    @property
    def at_ms(self) -> int:
        """When it was written, by the store's clock (Unix ms)."""
        return self.position.ms


class Mask(NamedTuple):
    """What stands for an erased customer in the ledger."""

    until_ms: int
    """In entries up to then (Unix ms): later ones are of a customer that came back."""
    pseudonym: str


Masks = Mapping[bytes, Mask]
"""By `digest_of`."""


DIGEST_BYTES = 16


def digest_of(customer_id: str) -> bytes:
    """What an erased customer is looked up by: the masks do not hold its id."""
    return blake2b(customer_id.encode(), digest_size=DIGEST_BYTES).digest()


class LedgerStreams:
    """The streams of one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    @property
    def shards(self) -> int:
        """How many there are, those that have moved among them: their streams stay."""
        return len(self._keys.shard_ledgers)

    def now_ms(self) -> int:
        """Unix time of the store.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return self._store.time_ms()

    def were(self, shards: int) -> bool:
        """Whether there have been so many, each as it is known now."""
        return shards in (self.shards, self._keys.spread.former)

    def of_customer(self, customer_id: str) -> list[int]:
        """Those that may have entries of a customer.

        On one server a script call settles charges of many shards, and its record is in that of the
        first of them. On a cluster it is in that of the customer: before it moved, and after, which
        may be further than this process knows.
        """
        if self._store.whole:
            return list(range(self.shards))
        grain, spread = self._keys.grain(customer_id), self._keys.spread
        return [grain, spread.former + grain % spread.shards] if spread.former else [grain]

    def read(
        self,
        positions: Mapping[int, EventId | None],
        most: int = 100,
        newest_first: bool = False,
        wanted: Callable[[bytes], bool] | None = None,
    ) -> dict[int, list[LedgerRecord]]:
        """Records of some shards, in order.

        Args:
            positions: by shard, after which record, or with `newest_first` before which; None:
                from the first in that order.
            most: of each shard.
            newest_first: the latest first; else the oldest.
            wanted: by what is described of its charges, whether a record is; the last of a shard
                is always there, to go on from it. None: all are.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        commands = []
        for shard, at in positions.items():
            edge = "" if at is None else f"({at.ms}-{at.number}"
            ends = (edge or "+", "-") if newest_first else (edge or "-", "+")
            verb = "XREVRANGE" if newest_first else "XRANGE"
            commands.append((verb, self._name(shard), *ends, "COUNT", most))
        found = self._store.execute_many(commands, or_none=True) if commands else []
        return {
            shard: _chosen(shard, raw or (), wanted)
            for shard, raw in zip(positions, found, strict=True)
        }

    def _name(self, shard: int) -> str:
        if shard >= 0:
            return self._keys.shard_ledgers[shard]
        beside = {CATALOGS: self._keys.catalog_ledger, TOKENS: self._keys.token_ledger}
        return beside.get(shard, self._keys.webhook_ledger)

    def full(self, kept: LedgerKept) -> int:
        """How many streams hold as many records as are kept, and so drop the oldest.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        commands = [("XLEN", name) for name in self._keys.shard_ledgers]
        found = self._store.execute_many(commands, or_none=True)
        most, _ = kept.of_shard(self._keys.shards)
        return sum((length or 0) >= most for length in found)

    def mask(self, customer_id: str, mask: Mask, kept_ms: int) -> None:
        """Have a customer masked in what is noted of it, if there may be a ledger of it.

        Args:
            customer_id: whose id is not to be read again.
            mask: what is read instead.
            kept_ms: how long records are kept; 0: for ever, as in an archive.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be masked.
        """
        streams = [self._keys.shard_ledgers[shard] for shard in self.of_customer(customer_id)]
        if kept_ms and not any(self._store.execute_many([("EXISTS", name) for name in streams])):
            return
        name = self._keys.shard_masks[self._keys.shard(customer_id)]
        text = f"{mask.until_ms}:{mask.pseudonym}"
        kept: tuple[object, ...] = ("PEXPIRE", name, kept_ms) if kept_ms else ("PERSIST", name)
        commands = [("HSET", name, digest_of(customer_id), text), kept]
        self._store.execute_many(commands, atomic=True)

    def masks(self, shards: Sequence[int]) -> Masks:
        """Who is masked in some shards.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        commands = [("HGETALL", self._keys.shard_masks[shard]) for shard in shards if shard >= 0]
        found: dict[bytes, Mask] = {}
        for raw in self._store.execute_many(commands, or_none=True):
            for digest, text in zip((raw or [])[::2], (raw or [])[1::2], strict=True):
                until, _, pseudonym = text.decode().partition(":")
                found[digest] = Mask(int(until), pseudonym)
        return found

    def ends(self, shards: Sequence[int], newest: bool = False) -> dict[int, EventId]:
        """Where the oldest records of streams are, or the newest; without empty streams.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        found = self.read(dict.fromkeys(shards), 1, newest)
        return {shard: records[0].position for shard, records in found.items() if records}

    def cut(self, shards: Sequence[int]) -> dict[int, EventId]:
        """Where streams end, at one moment of the server that has them; without empty streams.

        What comes later on one server comes behind it in every stream.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        commands = [
            ("XREVRANGE", self._keys.shard_ledgers[n], "+", "-", "COUNT", 1) for n in shards
        ]
        found = self._store.execute_many(commands, atomic=self._store.whole, or_none=True)
        return {
            shard: read_id(newest[0][0])
            for shard, newest in zip(shards, found, strict=True)
            if newest
        }


def _chosen(
    shard: int, found: Sequence[Any], wanted: Callable[[bytes], bool] | None
) -> list[LedgerRecord]:
    """The records of a shard that are wanted, and the last."""
    if wanted is None:
        return [_record(shard, each) for each in found]
    records: list[LedgerRecord] = []
    last, after = len(found) - 1, 0
    for place, each in enumerate(found):
        # Nearly all have it there, and nearly all are passed over.
        fields = each[1]
        if place == last or fields[0] != b"charges" or wanted(fields[1]):
            records.append(_record(shard, each, place - after))
            after = place + 1
    return records


def _record(shard: int, raw: Sequence[Any], passed: int = 0) -> LedgerRecord:
    fields = raw[1]
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    return LedgerRecord(
        shard,
        read_id(raw[0]),
        named.get(b"charges", b""),
        named.get(b"became", b""),
        passed,
        int(named.get(b"drawn", 0)),
    )
