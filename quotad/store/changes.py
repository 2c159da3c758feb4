"""The latest writes of customers: whose each was, and what it changed.

Listed by the script that writes the customer, so that none is lost; bounded, and erased with it.
"""

import msgspec

from quotad.history import CustomerChange
from quotad.store.connection import Store
from quotad.store.keys import KeySpace

CHANGES_MAX = 100
"""Writes that are kept of one customer, the latest."""

KEPT_MS = 400 * 86_400_000
"""How long they are kept after the latest of them: 13 months."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CustomerChange).decode


def listed(change: CustomerChange | None) -> tuple[bytes, int, int]:
    """The words of a script that lists a change; None: it lists none."""
    return b"" if change is None else _encode(change), CHANGES_MAX, KEPT_MS


class ChangeLists:
    """The latest writes of the customers of one store, to be read."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    def latest(self, customer_id: str, most: int) -> list[CustomerChange]:
        """The latest writes of a customer, the newest first; what cannot be read is left out.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        words = ("LRANGE", self._keys.changes(customer_id), 0, most - 1)
        (found,) = self._store.execute_many([words], or_none=True)
        changes = []
        for raw in found or []:
            epoch, _, kept = raw.partition(b":")
            try:
                changes.append(msgspec.structs.replace(_decode(kept), epoch=int(epoch)))
            except (msgspec.MsgspecError, ValueError):
                continue
        return changes
