"""Roles of tokens, and the rights that each of them gives."""

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """What an operation asks for."""

    CHECK = "check"
    """Ask what one customer may use, taking nothing."""
    CONSUME = "consume"
    """Count, take, give back."""
    READ = "read"
    """See customers, usage, catalog and status."""
    MANAGE = "manage"
    """Change customers."""
    PUBLISH = "publish"
    """Change the catalog."""
    ADMIN = "admin"
    """Tokens, and what cannot be undone."""


class TokenRole(StrEnum):
    """What a token is for."""

    CLIENT = "client"
    """For browsers: reads what one customer may use, whose id it proves."""
    CONSUME = "consume"
    READ = "read"
    MANAGE = "manage"
    PUBLISH = "publish"
    ADMIN = "admin"


RIGHTS: Mapping[TokenRole, frozenset[Right]] = {
    TokenRole.CLIENT: frozenset({Right.CHECK}),
    TokenRole.CONSUME: frozenset({Right.CHECK, Right.CONSUME}),
    TokenRole.READ: frozenset({Right.CHECK, Right.READ}),
    TokenRole.MANAGE: frozenset({Right.CHECK, Right.CONSUME, Right.READ, Right.MANAGE}),
    TokenRole.PUBLISH: frozenset({Right.CHECK, Right.READ, Right.PUBLISH}),
    TokenRole.ADMIN: frozenset(Right),
}
