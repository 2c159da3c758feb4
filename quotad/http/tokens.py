"""Tokens: make, list, rotate, revoke. A secret is in the answer that makes it, and nowhere else."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quotad.http.answers import moment
from quotad.http.fields import moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.operations.tokens import KEPT_MAX_MS, KEPT_MS, ShownToken
from quotad.tokens.record import SCOPES_MAX, NewToken, WantedToken
from quotad.tokens.roles import Right, TokenRole

Scopes = Annotated[tuple[str, ...], Meta(max_length=SCOPES_MAX)]
RoleName = Literal["CLIENT", "CONSUME", "READ", "MANAGE", "PUBLISH", "ADMIN"]


class CreateToken(RequestFields, frozen=True, kw_only=True):
    """A token to be made."""

    name: str
    """For people; the actor of what is written with it."""
    role: RoleName
    customers: Scopes = ()
    """Only these; one that ends with `*`: all that begin so. Empty: all."""
    features: Scopes = ()
    """Only these, as with customers."""
    expires_at: datetime | None = None
    """Absent: until revoked."""


class ListTokens(RequestFields, frozen=True, kw_only=True):
    """Every token."""


class RotateToken(RequestFields, frozen=True, kw_only=True):
    """Which token to replace."""

    token_id: str
    keep_ms: Annotated[int, Meta(ge=0, le=KEPT_MAX_MS)] = KEPT_MS
    """How long the old one can still be used."""


class RevokeToken(RequestFields, frozen=True, kw_only=True):
    """Which token to end."""

    token_id: str


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token without what is secret."""

    token_id: str
    name: str
    role: str
    """As it was made with."""
    customers: tuple[str, ...]
    """Empty: all."""
    features: tuple[str, ...]
    """Empty: all."""
    created_at: datetime | None
    expires_at: datetime | None
    """null: until revoked."""
    revoked_at: datetime | None
    used_at: datetime | None
    """When last shown, to some seconds; null: never."""
    live: bool
    """Neither revoked nor expired."""
    created_by: str
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    ended_by: str
    """Who has revoked or replaced it; empty: it was not."""


class NewTokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made."""

    token: TokenAnswer
    secret: str
    """`qd_...`, as callers show it; this answer is the only one that has it."""
    signing_key: str
    """Of a client token: proves customers; only here, too. Empty: it is none."""


class TokensFound(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens."""

    tokens: tuple[TokenAnswer, ...]
    """The oldest first, also those that have ended."""


@in_thread
def create(call: HttpCall, wanted: CreateToken) -> HttpAnswer:
    """Make a token."""
    new = WantedToken(
        wanted.name,
        TokenRole[wanted.role],
        wanted.customers,
        wanted.features,
        moment_ms(wanted.expires_at, "expires_at"),
    )
    return _made(call, call.context.parts.tokens.create(new, call.actor))


@in_thread
def list_all(call: HttpCall, wanted: ListTokens) -> HttpAnswer:
    """Return every token, without what is secret."""
    return HttpAnswer(TokensFound(tokens=tuple(map(_answer, call.context.parts.tokens.list()))))


@in_thread
def rotate(call: HttpCall, wanted: RotateToken) -> HttpAnswer:
    """Make a token like another, which ends after a while."""
    return _made(
        call, call.context.parts.tokens.rotate(wanted.token_id, wanted.keep_ms, call.actor)
    )


@in_thread
def revoke(call: HttpCall, wanted: RevokeToken) -> HttpAnswer:
    """End a token."""
    tokens = call.context.parts.tokens
    return HttpAnswer(_answer(tokens.shown(tokens.revoke(wanted.token_id, call.actor))))


def _made(call: HttpCall, new: NewToken) -> HttpAnswer:
    shown = call.context.parts.tokens.shown(new.record)
    answer = NewTokenAnswer(token=_answer(shown), secret=new.token, signing_key=new.signing_key)
    return HttpAnswer(answer)


def _answer(shown: ShownToken) -> TokenAnswer:
    record = shown.record
    return TokenAnswer(
        token_id=record.token_id,
        name=record.name,
        role=record.role.name,
        customers=record.customers,
        features=record.features,
        created_at=moment(record.created_ms),
        expires_at=moment(record.expires_ms),
        revoked_at=moment(record.revoked_ms),
        used_at=moment(shown.used_ms),
        live=shown.live,
        created_by=record.created_by,
        ended_by=record.ended_by,
    )


OPERATIONS = (
    Operation(
        name="CreateToken",
        method="POST",
        path="/v1/tokens",
        right=Right.ADMIN,
        wanted=CreateToken,
        given=NewTokenAnswer,
        act=create,
        about="Makes a token; the answer is the only one that has its secret.",
    ),
    Operation(
        name="ListTokens",
        method="GET",
        path="/v1/tokens",
        right=Right.ADMIN,
        wanted=ListTokens,
        given=TokensFound,
        act=list_all,
        about="Returns every token, the oldest first, without what is secret.",
    ),
    Operation(
        name="RotateToken",
        method="POST",
        path="/v1/tokens/{token_id}/rotate",
        right=Right.ADMIN,
        wanted=RotateToken,
        given=NewTokenAnswer,
        act=rotate,
        about="Makes a token like another, which can be used for a while longer.",
    ),
    Operation(
        name="RevokeToken",
        method="POST",
        path="/v1/tokens/{token_id}/revoke",
        right=Right.ADMIN,
        wanted=RevokeToken,
        given=TokenAnswer,
        act=revoke,
        about="Ends a token; every server refuses it within 2 seconds.",
    ),
)
