"""Erasing a customer: its record, everything counted and remembered of it, and a proof that it was.

What stays is the proof in the history of its shard, without the customer's id, and for a while the
number of the epoch, under a key that expires. The ledger keeps what was consumed, names an erased
customer by `Erasure.pseudonym`, and drops the records that hold its id when they are old enough.
"""

import hashlib
import secrets
import time
from collections.abc import Collection

import msgspec

from quotad.errors import Conflict
from quotad.history import CustomerChange
from quotad.ledger import LEDGER_KEPT, LedgerKept
from quotad.store import lists, scripts
from quotad.store.changes import ChangeLists
from quotad.store.connection import Store
from quotad.store.customers import Customers, check_epoch
from quotad.store.events import kept
from quotad.store.facets import facets
from quotad.store.keys import CustomerKeys, KeySpace, denied_key, ledger_key, slot_starts
from quotad.store.ledger import LedgerStreams, Mask
from quotad.store.moves import Moves
from quotad.store.nearby import NearbyStore
from quotad.store.noted_changes import noted_change
from quotad.store.shard_commands import ShardCommands
from quotad.store.shard_map import with_tag

HISTORY_MAX = 1_000
"""Erasures that the history of one shard keeps, the newest."""

EPOCH_KEPT_MS = 30 * 86_400_000
"""How long the epoch of an erased customer stays. Epochs are times: one of before could be given
again only by a store whose clock is set back further than this."""

_CONFLICT = -1
_TRIES_MAX = 10
_PAUSE_S = 0.001
"""Between two steps of a walk through the store's keys, so that decisions have their turn."""


class Erasure(msgspec.Struct, frozen=True, omit_defaults=True):
    """The erasure of a customer; the history has it without `nonce` and counts."""

    erased_ms: int
    """Unix time."""
    proof: str
    """See `proof_of`."""
    erased_by: str = ""
    nonce: str = ""
    """Only for the erasing caller: with it and the customer's id the proof is worked out again."""
    had_record: bool = False
    counters: int = 0
    idempotency_keys: int = 0

    @property
    def pseudonym(self) -> str:
        """What stands for the customer where its id may not stay."""
        return f"erased-{self.proof[:16]}"


def proof_of(customer_id: str, erased_ms: int, erased_by: str, nonce: str) -> str:
    """SHA-256 of customer, time and author of an erasure, in hexadecimal.

    The nonce keeps others from trying ids until one of them fits.
    """
    text = "\n".join((nonce, customer_id, str(erased_ms), erased_by))
    return hashlib.sha256(text.encode()).hexdigest()


class Erasures:
    """Erases customers of one store, and lists erasures."""

    def __init__(
        self,
        store: Store,
        keys: KeySpace,
        customers: Customers,
        nearby: NearbyStore,
        ledger: LedgerKept = LEDGER_KEPT,
        archived: bool = False,
    ) -> None:
        self._store = store
        self._keys = keys
        self._customers = customers
        self._nearby = nearby
        self._changes = ChangeLists(store, keys)
        self._ledger = LedgerStreams(store, keys)
        self._ledger_kept = ledger
        self._archived = archived
        self._moves = Moves(store, keys)
        self._commands = ShardCommands(store, keys)
        self._script = scripts.load("erase_customer")

    def erase(
        self,
        customer_id: str,
        feature_ids: Collection[str],
        erased_by: str = "",
        if_epoch: int | None = None,
    ) -> Erasure:
        """Erase a customer, also one without a record; may be repeated.

        The record is gone first, and no server decides with it from then on. Looking for counters
        and idempotency keys walks through all keys of the store, beside everything else.

        Args:
            customer_id: of the customer.
            feature_ids: features whose lists of customers near a limit are looked into.
            erased_by: free text for the history.
            if_epoch: erase only while the customer is at this epoch; 0: while it has no record.

        Raises:
            StaleEpoch: the customer is at another epoch.
            Conflict: others kept writing the same customer in between.
            StoreUnavailable: the store refused or timed out; some of it may be erased.
        """
        had_record = self._moves.again(
            lambda: self._erase_record(self._keys.customer(customer_id), erased_by, if_epoch)
        )
        counters, remembered = self._moves.again(lambda: self._erase_counted(customer_id))
        self._changes.forget(customer_id)
        self._nearby.forget_customer(customer_id, feature_ids)
        erased_ms, nonce = self._store.time_ms(), secrets.token_hex(16)
        proof = proof_of(customer_id, erased_ms, erased_by, nonce)
        erasure = Erasure(erased_ms, proof, erased_by, nonce, had_record, counters, remembered)
        mask = Mask(erased_ms, erasure.pseudonym)
        self._ledger.mask(customer_id, mask, 0 if self._archived else self._ledger_kept.ms)
        self._remember(customer_id, erasure)
        return erasure

    def latest(self, size: int) -> list[Erasure]:
        """The newest erasures of all shards, the latest first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        keys = [self._keys.erased(shard) for shard in self._keys.places]
        listed = lists.latest(self._store, keys, size)
        found = [_decode(each) for members in listed for each in members]
        return sorted(found, key=lambda each: (-each.erased_ms, each.proof))[:size]

    def _erase_record(self, keys: CustomerKeys, erased_by: str, if_epoch: int | None) -> bool:
        """Remove the record and move the epoch; returns whether there was a record."""
        customer_id = keys.customer_id
        names = [keys.record, keys.epoch, keys.customers, keys.index]
        names += [self._keys.seen(self._keys.shard(customer_id)), keys.events]
        names.append(ledger_key(keys))
        change = CustomerChange(erased_by, "EraseCustomer", ("erased for good",))
        noted = noted_change(self._ledger_kept, self._keys.shards, change, customer_id)
        bounds = (EPOCH_KEPT_MS, *kept(self._keys.shards), erased_by, *noted)
        for _ in range(_TRIES_MAX):
            before, readable = self._customers.get_if_readable(customer_id)
            if if_epoch is not None:
                check_epoch(customer_id, before, if_epoch)
            words = [before.epoch, customer_id, *bounds, *facets(before.record)]
            if self._store.run(self._script, with_tag(names), words) != _CONFLICT:
                return before.record is not None or not readable
        raise Conflict(f"customer_id: {customer_id!r} is being written by others; try again")

    def _erase_counted(self, customer_id: str) -> tuple[int, int]:
        """Remove what is counted and remembered; returns how many counters and keys there were.

        Raises:
            ShardMoved: the customer is in another shard by now, where some of it is left.
        """
        keys, shard = self._keys.customer(customer_id), self._keys.shard(customer_id)
        others = (denied_key(keys.usage), *slot_starts(keys))
        counters, remembered, *_ = self._unlink(shard, keys.usage, keys.decision, *others)
        kept = [self._keys.corrections(customer_id), self._keys.changes(customer_id)]
        kept += (self._keys.before(customer_id), self._keys.rebuilt(customer_id))
        names = [keys.holds, keys.hold_ends, *kept]
        self._commands.run_here([("UNLINK", name) for name in names])
        return counters, remembered

    def _unlink(self, shard: int, *starts: str) -> list[int]:
        """Delete the keys of a shard with one of these starts; returns how many had each."""
        counts = [0] * len(starts)
        for names in self._store.scan(self._keys.of_shard(shard)):
            for number, start in enumerate(starts):
                mine = [name.decode() for name in names if name.startswith(start.encode())]
                if mine:
                    unlinked = self._commands.run_here([("UNLINK", each) for each in mine])
                    counts[number] += sum(unlinked)
            time.sleep(_PAUSE_S)
        return counts

    def _remember(self, customer_id: str, erasure: Erasure) -> None:
        kept = Erasure(erasure.erased_ms, erasure.proof, erasure.erased_by)
        note = (kept.erased_ms, _encode(kept))
        lists.put_in_shards(
            self._commands,
            lambda: {self._keys.erased(self._keys.shard(customer_id)): note},
            HISTORY_MAX,
        )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Erasure).decode
