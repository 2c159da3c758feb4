"""Slots of what is in flight, for threads."""

from collections.abc import Sequence
from datetime import datetime

from quotad.client import slots
from quotad.client.calls import Consumption, Items
from quotad.client.running import Runs
from quotad.client.slot import Heartbeats, LiveSlot, WantedSlot
from quotad.client.slots import AcquiredSlot, HeldSlot


class SlotCalls(Runs):
    """The calls of `Client` about slots."""

    _beats: Heartbeats

    def slot(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        slot_id: str | None = None,
        ttl: float = 60.0,
        resource_id: str = "",
        also: Items = (),
    ) -> LiveSlot:
        """A slot to be held while a block runs: `with client.slot("acme", "exports"):`.

        It is extended in the background and released at the end of the block, which is not entered
        where there is no slot: `QuotaDenied`. `lost` of the slot is true when it has ended
        meanwhile, as when no server could be reached for `ttl`.

        Args:
            customer_id: the customer that has something in flight.
            feature_id: a feature of `kind: concurrency`.
            quantity: how much of its limit the slot holds.
            slot_id: the caller's own, which makes a repeat of this call safe; None: one is made.
            ttl: seconds until it ends when its holder dies, 1 to 86,400.
            resource_id: what of the customer's it is for; empty: the customer itself.
            also: what is counted with it, as of `consume_all`; at most 15.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        wanted = WantedSlot(consumption, slot_id, ttl, also)
        return LiveSlot(self._policy, wanted, self._run, self._beats)

    def acquire_slot(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        slot_id: str | None = None,
        ttl: float = 60.0,
        resource_id: str = "",
        also: Items = (),
    ) -> AcquiredSlot:
        """Hold a slot of a feature that limits what is in flight, and count what comes with it.

        All of it or nothing; a denial is a value. The caller extends and releases the slot.

        Args:
            customer_id: the customer that has something in flight.
            feature_id: a feature of `kind: concurrency`.
            quantity: how much of its limit the slot holds.
            slot_id: the caller's own, which makes a repeat of this call safe; None: one is made.
            ttl: seconds until it ends by itself, 1 to 86,400.
            resource_id: what of the customer's it is for; empty: the customer itself.
            also: what is counted with it, as of `consume_all`; at most 15.

        Raises:
            QuotaError: the call was wrong, or no server could decide it. A slot may be held all
                the same; it ends by itself.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        steps = slots.acquire(self._policy, consumption, slot_id, ttl, also)
        return self._run(steps)

    def heartbeat(self, customer_id: str, slot_id: str, ttl: float = 60.0) -> datetime:
        """Let a slot end a number of seconds from now, never earlier than before; returns when.

        Raises:
            QuotaError: it was released, has ended, is unknown, or no server could do it.
        """
        return self._run(slots.heartbeat(self._policy, customer_id, slot_id, ttl))

    def release_slot(self, customer_id: str, slot_id: str) -> bool:
        """Free a slot; returns whether it was held, and not released or ended before.

        Raises:
            QuotaError: it is unknown, or no server could do it.
        """
        return self._run(slots.release(self._policy, customer_id, slot_id))

    def list_slots(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> Sequence[HeldSlot]:
        """The slots of a feature that a customer holds now, those that end first.

        Raises:
            QuotaError: the call was wrong, or no server could answer it.
        """
        steps = slots.list_slots(self._policy, customer_id, feature_id, resource_id)
        return self._run(steps)
