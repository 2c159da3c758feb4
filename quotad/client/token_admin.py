"""The part of the admin client that is about tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from quotad.client import tokens
from quotad.client.blocking import Connection
from quotad.client.calls import Policy
from quotad.client.tokens import MadeToken, Token


class TokenAdmin:
    """Mixed into the admin client, which has the connection; asks for a token of an admin."""

    _connection: Connection
    _read: Policy
    _write: Policy

    def create_token(
        self,
        name: str,
        role: str,
        *,
        customers: Sequence[str] = (),
        features: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> MadeToken:
        """Make a token. The first of a store is made by `quotad tokens create`.

        Args:
            name: for people; the actor of what is written with it.
            role: `consume`, `read`, `manage`, `publish`, `admin` or `client`.
            customers: only these; one that ends with `*`: all that begin so. Empty: all.
            features: as with customers.
            expires_at: UTC without a time zone; None: until it is revoked.
        """
        steps = tokens.create(self._write, name, role, customers, features, expires_at)
        return self._connection.run(steps)

    def tokens(self) -> tuple[Token, ...]:
        """Every token, the oldest first, also those that have ended."""
        return self._connection.run(tokens.find(self._read))

    def rotate_token(self, token_id: str, *, keep: timedelta = timedelta(days=1)) -> MadeToken:
        """Make a token with name, role and scopes of another.

        Args:
            token_id: of the one that is replaced.
            keep: how long that can still be used, at most 366 days.
        """
        return self._connection.run(tokens.rotate(self._write, token_id, tokens.kept_ms(keep)))

    def revoke_token(self, token_id: str) -> Token:
        """End a token; every server refuses it within 2 seconds."""
        return self._connection.run(tokens.revoke(self._write, token_id))
