"""Slots of features: the binding of the scripts that acquire, extend, release and read them.

Of each feature of a customer there is a set of slots, by when they end. Those that have ended do
not count, and are removed by the next one that is acquired: no process looks after them.
"""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from quotad.errors import ScriptContractError, StoreUnavailable, TooManyOpen
from quotad.slots import SLOT, SLOTS_MAX, OpenSlot
from quotad.store import scripts
from quotad.store.charges import (
    CONSUME,
    DETAILED_ARGS,
    Charge,
    ChargeStatus,
    CounterSet,
    Once,
    PutsInLedger,
    Settlement,
)
from quotad.store.counters import DETAILED, read_reply, spell
from quotad.store.keys import CustomerKeys, escape, slot_names
from quotad.store.router import Link
from quotad.store.shard_map import tag_of_shard, with_tag

_TOO_LATE = -5


class SlotOutcome(IntEnum):
    """What became of a slot; the numbers are those of lua/acquire_slot.lua."""

    FULL = 0
    HELD = 1
    REPLAYED = 2
    NOT_HELD = 3
    MISMATCH = -3
    ENDED = -8
    TOO_MANY = -9


class SlotToHold(msgspec.Struct, frozen=True, gc=False):
    """The slot that a charge is to be settled with."""

    keys: CustomerKeys
    """Of the customer, or of the resource that it is for."""
    feature_id: str
    slot_id: str
    quantity: int
    """0: none is to be held."""
    cap: int
    ttl_ms: int


class SlotScripts:
    """The slots of one store over one connection; of one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._acquire = scripts.load("acquire_slot")
        self._extend = scripts.load("extend_slot")
        self._release = scripts.load("release_slot")
        self._read = scripts.load("read_slots")
        self._list = scripts.load("list_slots")

    def acquire(
        self,
        catalog: str,
        charge: Charge,
        wanted: SlotToHold,
        deadline: float,
        not_after_ms: int,
        notes: PutsInLedger | None = None,
    ) -> tuple[int, Settlement, int, int]:
        """Acquire a slot and settle a charge with it, all or nothing.

        Args:
            catalog: tag of the catalog version that it was planned with.
            charge: what is counted with it; `once` is what is remembered of both.
            wanted: the slot.
            deadline: monotonic time in seconds by which the answer must be there.
            not_after_ms: moment of the store's clock from which on nothing is taken.
            notes: puts what is counted into the ledger, if it is to be.

        Returns:
            A `SlotOutcome`; the settlement of the charge, or of REPLAYED what is remembered; what
            slots held before; when this one ends, or enough of the others (Unix ms).

        Raises:
            TooManyOpen: there are as many slots as there may be.
            StoreUnavailable: the store refused or timed out; it may be held all the same.
        """
        once = charge.once
        assert isinstance(once, Once), "a slot has a record"
        counted = _alone(charge)
        (size, *words), _, _ = spell((catalog, not_after_ms), [counted], 0, notes)
        names = (*slot_names(wanted.keys, wanted.feature_id), record_name(charge.keys, once.key))
        slot = (wanted.slot_id, wanted.quantity, wanted.cap, SLOTS_MAX, wanted.ttl_ms)
        kept = (once.ttl_ms, once.fingerprint, once.memo)
        spelled = (*names, *words[:size], tag_of_shard(names[0]))
        reply = self._link.run(
            self._acquire, (len(spelled), *spelled, *slot, *kept, *words[size:]), deadline
        )
        try:
            outcome = reply[0]
            if outcome == SlotOutcome.REPLAYED:
                return outcome, Settlement(ChargeStatus.REPLAYED, memo=reply[1]), 0, int(reply[2])
            if outcome == SlotOutcome.TOO_MANY:
                raise TooManyOpen(
                    f"customer_id: {SLOTS_MAX:,} slots of {wanted.feature_id!r} are held; release"
                    " some"
                )
            if outcome in (SlotOutcome.MISMATCH, SlotOutcome.ENDED):
                return outcome, Settlement(ChargeStatus.MISMATCH), 0, 0
            settled: list[Settlement] = []
            read_reply(reply[3:], [counted], settled, DETAILED)
            return outcome, settled[0], reply[1], int(reply[2])
        except (IndexError, ValueError, TypeError) as error:
            raise ScriptContractError(f"acquire_slot: reply cannot be read: {error}") from error

    def extend(
        self,
        keys: CustomerKeys,
        feature_id: str,
        slot_id: str,
        times_ms: tuple[int, int, int],
        deadline: float,
    ) -> int:
        """Let a slot end later; returns when (Unix ms), 0: it is not held.

        Args:
            keys: of the customer, or of the resource that it is for.
            feature_id: of the slot.
            slot_id: of the slot.
            times_ms: not after; how long from now; how long it is remembered after its end.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names = with_tag((*slot_names(keys, feature_id), record_name(keys, SLOT + slot_id)))
        not_after_ms, ttl_ms, kept_ms = times_ms
        words = (len(names), *names, not_after_ms, slot_id, ttl_ms, kept_ms)
        ends_ms = int(self._link.run(self._extend, words, deadline))
        if ends_ms == _TOO_LATE:
            raise StoreUnavailable("the store was too slow; nothing is changed, try again")
        return ends_ms

    def release(self, keys: CustomerKeys, feature_id: str, slot_id: str, deadline: float) -> bool:
        """Free a slot; returns whether it was held.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be free all the same.
        """
        names = with_tag(slot_names(keys, feature_id))
        return bool(self._link.run(self._release, (len(names), *names, slot_id), deadline))

    def read(
        self,
        looks: Sequence[tuple[CustomerKeys, str, int, int]],
        deadline: float,
    ) -> list[tuple[int, int]]:
        """What slots of features hold, and when enough of them end (Unix ms; 0: see the script).

        Args:
            looks: keys, feature, cap and quantity of each; of one customer.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names = [name for keys, feature_id, *_ in looks for name in slot_names(keys, feature_id)]
        words = [word for _, _, cap, quantity in looks for word in (cap, quantity)]
        found = self._link.run(self._read, (len(names) + 1, *with_tag(names), *words), deadline)
        return [(int(found[at]), int(found[at + 1])) for at in range(0, len(found), 2)]

    def list(self, keys: CustomerKeys, feature_id: str, deadline: float) -> list[OpenSlot]:
        """The slots of a feature that are held, those that end first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names = with_tag(slot_names(keys, feature_id))
        found = self._link.run(self._list, (len(names), *names, SLOTS_MAX), deadline)
        return [
            OpenSlot(found[at].decode(), int(found[at + 1] or 1), int(float(found[at + 2])))
            for at in range(0, len(found), 3)
        ]


def record_name(keys: CustomerKeys, key: str) -> str:
    """Where it is kept what was taken under a key."""
    return keys.decision + escape(key)


def _alone(charge: Charge) -> Charge:
    """The charge as the script reads it: without a key, and with detailed limits."""
    count, size, *words = charge.counters.words
    limits = [words[at : at + size] for at in range(0, count * size, size)]
    detailed = [word for limit in limits for word in [*limit, 1, 0, 0][:DETAILED_ARGS]]
    laid = (count, DETAILED_ARGS, *detailed)
    counters = CounterSet(charge.counters.suffixes, laid, charge.counters.noting)
    return Charge(charge.keys, charge.epoch, charge.quantity, CONSUME, counters)
