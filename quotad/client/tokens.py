"""The steps of the calls about tokens, and their answers as values."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.messages import number, read, word
from quotad.v1 import admin_pb2 as pb

ROLES = ("client", "consume", "read", "manage", "publish", "admin")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without what is secret."""

    token_id: str
    name: str
    role: str
    """`CLIENT`, `CONSUME`, `READ`, `MANAGE`, `PUBLISH` or `ADMIN`."""
    customers: tuple[str, ...]
    """The only ones that it is for; empty: all. One that ends with `*`: all that begin so."""
    features: tuple[str, ...]
    """As with customers."""
    created_at: datetime | None
    """UTC, as all times here."""
    expires_at: datetime | None
    """None: until it is revoked."""
    revoked_at: datetime | None
    used_at: datetime | None
    """When it was last shown, to some seconds; None: never."""
    live: bool
    """Neither revoked nor expired."""
    created_by: str = ""
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    ended_by: str = ""
    """Who has revoked or replaced it; empty: it was not."""


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made: the only moment at which its secret can be read."""

    token: Token
    secret: str
    """`qd_...`, as callers show it."""
    signing_key: str
    """Of a client token: what customers are proven with. Empty: it is none."""

    def __repr__(self) -> str:
        return f"MadeToken({self.token!r})"


def create(
    policy: Policy,
    name: str,
    role: str,
    customers: Sequence[str],
    features: Sequence[str],
    expires_at: datetime | None,
) -> Steps[MadeToken]:
    """Make a token."""
    request = checked(
        pb.CreateTokenRequest,
        name=name,
        role=number(pb.TokenRole, "token_role", role.lower(), ROLES),
        customers=customers,
        features=features,
        expires_at=expires_at,
    )
    return _new((yield from retried(policy, "CreateToken", request)))


def find(policy: Policy) -> Steps[tuple[Token, ...]]:
    """Read all tokens."""
    answer = yield from retried(policy, "ListTokens", pb.ListTokensRequest())
    return tuple(map(_token, answer.tokens))


def kept_ms(keep: timedelta) -> int:
    """How long a token that is replaced is kept, in milliseconds."""
    return keep // timedelta(milliseconds=1)


def rotate(policy: Policy, token_id: str, keep_ms: int) -> Steps[MadeToken]:
    """Make a token like another."""
    request = checked(pb.RotateTokenRequest, token_id=token_id, keep_ms=keep_ms)
    return _new((yield from retried(policy, "RotateToken", request)))


def revoke(policy: Policy, token_id: str) -> Steps[Token]:
    """End a token."""
    request = checked(pb.RevokeTokenRequest, token_id=token_id)
    return _token((yield from retried(policy, "RevokeToken", request)))


def _new(message: pb.NewToken) -> MadeToken:
    return read(MadeToken, message, token=_token(message.token))


def _token(message: pb.Token) -> Token:
    return read(Token, message, role=word(pb.TokenRole, message.role, "TOKEN_ROLE_"))
