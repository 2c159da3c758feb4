"""The latest corrections of what customers have used: who has set or taken back what, and why.

Bounded, and beside the counters: a correction is made although its note may be lost.
"""

import msgspec

from quotad.held import Correction
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.moves import Moves
from quotad.store.router import Link
from quotad.store.shard_map import with_tag

CORRECTIONS_MAX = 100
"""Corrections that are kept of one customer, the latest."""

KEPT_MS = 400 * 86_400_000
"""How long they are kept after the latest of them: 13 months."""

encode_correction = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Correction).decode


class CorrectionNotes:
    """Notes corrections over one connection; of one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._script = scripts.load("note_correction")

    def note(self, key: str, correction: Correction, deadline: float) -> None:
        """Note a correction; one that is noted already keeps its time.

        Args:
            key: of the customer's list.
            correction: what was done.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names, words = with_tag((key,)), (encode_correction(correction), CORRECTIONS_MAX, KEPT_MS)
        self._link.run(self._script, (len(names), *names, *words), deadline)


class CorrectionLists:
    """The corrections of one store, to be read."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._moves = Moves(store, keys)

    def latest(self, customer_id: str, most: int) -> list[Correction]:
        """The latest corrections of a customer, the newest first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        key = self._keys.corrections(customer_id)
        words = ("ZREVRANGE", key, 0, most - 1, "WITHSCORES")
        (listed,) = self._store.execute_many([words], or_none=True)
        listed = listed or []
        corrections = []
        for member, ms in zip(listed[::2], listed[1::2], strict=True):
            try:
                kept = _decode(member)
            except msgspec.DecodeError:
                continue
            corrections.append(msgspec.structs.replace(kept, corrected_ms=int(ms)))
        return corrections
