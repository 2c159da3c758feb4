"""The tokens of a store: one hash, small enough to be read as a whole, with a count of its writes,
which is what servers ask for again and again."""

from collections.abc import Iterable

import msgspec

from quotad.history import CustomerChange
from quotad.ledger import LEDGER_KEPT, LedgerKept
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.noted_changes import noted_change
from quotad.tokens.record import TokenRecord

_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(TokenRecord).decode


class TokenStore:
    """Keeps tokens; for all threads. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace, ledger: LedgerKept = LEDGER_KEPT) -> None:
        self._store = store
        self._keys = keys
        self._ledger = ledger
        self._script = scripts.load("put_tokens")
        self._all, self._used, self._writes = keys.tokens

    def put(self, records: Iterable[TokenRecord], change: CustomerChange) -> None:
        """Write tokens, new ones and changed ones, together, and what has changed into the ledger.

        Args:
            records: the tokens.
            change: whose doing it is, and what it does.
        """
        parts = [part for each in records for part in (each.token_id, _encode(each))]
        noted = noted_change(self._ledger, self._keys.shards, change)
        names = [self._all, self._writes, self._keys.token_ledger]
        self._store.run(self._script, names, [*noted, *parts])

    def writes(self) -> int:
        """How often tokens were written."""
        return int(self._store.execute("GET", self._writes) or 0)

    def read(self) -> list[TokenRecord]:
        """Every token, revoked ones too; what cannot be read counts as not there."""
        answer = self._store.execute("HGETALL", self._all)
        found = []
        for raw in answer[1::2]:
            try:
                found.append(_read(raw))
            except msgspec.MsgspecError:
                continue
        return sorted(found, key=lambda each: (each.created_ms, each.token_id))

    def note_used(self, token_ids: Iterable[str], now_ms: int) -> None:
        """Write down that tokens were shown."""
        parts = [part for each in token_ids for part in (each, now_ms)]
        if parts:
            self._store.execute("HSET", self._used, *parts)

    def used(self) -> dict[str, int]:
        """When tokens were last shown, to some seconds (Unix ms)."""
        answer = self._store.execute("HGETALL", self._used)
        return {name.decode(): int(at) for name, at in zip(answer[::2], answer[1::2], strict=True)}
