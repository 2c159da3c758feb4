"""Tokens: made, listed, rotated, revoked."""

import msgspec

from quotad.clock import Clock
from quotad.errors import InvalidRequest, NotFound, PermissionDenied
from quotad.history import LOCAL, CustomerChange, bounded
from quotad.moments import written_time
from quotad.store.tokens import TokenStore
from quotad.tokens.record import NewToken, TokenRecord, WantedToken, made
from quotad.tokens.roles import TokenRole

TOKENS_MAX = 10_000
"""Most tokens of a store, revoked ones included: every server keeps them in memory."""

KEPT_MS = 86_400_000
"""How long a rotated token can still be used, where nothing else is asked for: a day."""

KEPT_MAX_MS = 366 * 86_400_000


class ShownToken(msgspec.Struct, frozen=True):
    """A token as it is listed, without its secret."""

    record: TokenRecord
    used_ms: int | None
    """When it was last shown, to some seconds; None: never."""
    live: bool


class TokenOperations(msgspec.Struct, frozen=True):
    """Makes and ends tokens; for all threads. All methods raise StoreUnavailable."""

    store: TokenStore
    clock: Clock
    on_store: bool = False
    """The caller has the store itself, and so may make the first token."""

    def create(self, wanted: WantedToken, actor: str = LOCAL) -> NewToken:
        """Make a token. The first one closes the store's servers to calls without one.

        Args:
            wanted: which.
            actor: whose doing it is.

        Raises:
            InvalidRequest: it cannot be made so, or the first would not be an admin's.
            PermissionDenied: the first is made on the store itself: a caller without a token could
                lock out all others.
        """
        records = self.store.read()
        now_ms = self.clock.now_ms()
        admin = any(each.role is TokenRole.ADMIN and each.is_live(now_ms) for each in records)
        if not admin and not self.on_store:
            raise PermissionDenied(
                "the first token is made on the store itself: `quotad tokens create --role admin`"
            )
        if not admin and wanted.role is not TokenRole.ADMIN:
            raise InvalidRequest(
                "role: the first token must have the role admin, or no one could make another"
            )
        if len(records) >= TOKENS_MAX:
            raise InvalidRequest(f"tokens: there are {TOKENS_MAX:,}, the most a store has")
        new = made(wanted, now_ms, actor)
        self.store.put([new.record], _change(actor, "CreateToken", f"made: {_words(new.record)}"))
        return new

    def list(self) -> "list[ShownToken]":
        """Every token, the oldest first, also those that were revoked or have expired."""
        used = self.store.used()
        return [self.shown(each, used.get(each.token_id)) for each in self.store.read()]

    def shown(self, record: TokenRecord, used_ms: int | None = None) -> ShownToken:
        """A token as it is listed now."""
        return ShownToken(record, used_ms, record.is_live(self.clock.now_ms()))

    def rotate(self, token_id: str, keep_ms: int = KEPT_MS, actor: str = LOCAL) -> NewToken:
        """Make a token like another, which ends after a while.

        Args:
            token_id: of the one that is to be replaced.
            keep_ms: how long both can be used.
            actor: whose doing it is.

        Raises:
            NotFound: there is no such token.
            InvalidRequest: it has ended already.
        """
        if not 0 <= keep_ms <= KEPT_MAX_MS:
            raise InvalidRequest("keep: must be 0 to 366 days")
        old, now_ms = self._found(token_id), self.clock.now_ms()
        if not old.is_live(now_ms):
            raise InvalidRequest(f"token_id: {token_id!r} has ended; create another")
        wanted = WantedToken(old.name, old.role, old.customers, old.features, old.expires_ms)
        new = made(wanted, now_ms, actor)
        same = msgspec.structs.replace(new.record, person=old.person_id)
        new = msgspec.structs.replace(new, record=same)
        until = now_ms + keep_ms
        ends = until if old.expires_ms is None else min(until, old.expires_ms)
        ended = msgspec.structs.replace(old, expires_ms=ends, ended_by=actor)
        rotated = (f"made: {_words(new.record)}", f"to end: {token_id} at {written_time(ends)}")
        self.store.put([ended, new.record], _change(actor, "RotateToken", *rotated))
        return new

    def revoke(self, token_id: str, actor: str = LOCAL) -> TokenRecord:
        """End a token; servers refuse it within 2 seconds.

        Args:
            token_id: of the token.
            actor: whose doing it is.

        Raises:
            NotFound: there is no such token.
            InvalidRequest: it is the last that could make another.
        """
        record, now_ms = self._found(token_id), self.clock.now_ms()
        if record.revoked_ms is not None:
            return record
        others = (each for each in self.store.read() if each.token_id != token_id)
        if record.role is TokenRole.ADMIN and not any(
            each.role is TokenRole.ADMIN and each.is_live(now_ms) for each in others
        ):
            raise InvalidRequest(
                f"token_id: {token_id!r} is the last with the role admin; create another first"
            )
        revoked = msgspec.structs.replace(record, revoked_ms=now_ms, ended_by=actor)
        self.store.put([revoked], _change(actor, "RevokeToken", f"revoked: {_words(record)}"))
        return revoked

    def _found(self, token_id: str) -> TokenRecord:
        for each in self.store.read():
            if each.token_id == token_id:
                return each
        raise NotFound(f"token_id: there is no token {token_id!r}; `quotad tokens list` has them")


def _change(actor: str, call: str, *lines: str) -> CustomerChange:
    return CustomerChange(actor, call, bounded(list(lines)))


def _words(record: TokenRecord) -> str:
    """A token in words, without its secret."""
    covers = [*record.customers, *record.features]
    of = f", for {', '.join(covers)}" if covers else ""
    return f"{record.token_id} {record.name!r}, {record.role}{of}"
