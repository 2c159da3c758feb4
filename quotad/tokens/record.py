"""What is kept of a token, and the token itself: `qd_<id>_<secret>`.

Of the secret only its SHA-256 is kept. It has 256 random bits, so a slow hash would protect nothing
more.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection

import msgspec

from quotad.errors import InvalidRequest
from quotad.history import LOCAL
from quotad.ids import check_id, check_text
from quotad.tokens.roles import TokenRole

NAME_BYTES_MAX = 200
SCOPES_MAX = 100
"""Most customers, and most features, that a token names."""

_TOKEN = re.compile(r"qd_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class TokenRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token as it is stored."""

    token_id: str
    name: str
    """For people; stands as the actor of what is written with it."""
    role: TokenRole
    secret_hash: bytes
    """SHA-256."""
    created_ms: int
    customers: tuple[str, ...] = ()
    """The only ones that it is for; empty: all. One that ends with `*`: all that begin so."""
    features: tuple[str, ...] = ()
    """The only ones that may be asked for and counted; empty: all."""
    expires_ms: int | None = None
    revoked_ms: int | None = None
    signing_key: bytes = b""
    """Of a client token: what its customers are proven with."""
    created_by: str = ""
    """Whose doing it was; empty: of a release that kept no such thing."""
    ended_by: str = ""
    """Whose doing it was that it was revoked or replaced."""
    person: str = ""
    """Of a token that has replaced another: the id of the first; it is the same person's."""

    @property
    def person_id(self) -> str:
        """Who it stands for, also after it was rotated; names are not unique."""
        return self.person or self.token_id

    def __repr__(self) -> str:
        return f"TokenRecord({self.token_id!r}, {self.name!r}, {self.role.value})"

    def is_live(self, now_ms: int) -> bool:
        """Whether it may be used at a time."""
        expired = self.expires_ms is not None and now_ms >= self.expires_ms
        return self.revoked_ms is None and not expired


class NewToken(msgspec.Struct, frozen=True):
    """A token that was made: the only moment at which it can be seen."""

    record: TokenRecord
    token: str
    signing_key: str = ""
    """Of a client token, for the backend that proves customers."""

    def __repr__(self) -> str:
        return f"NewToken({self.record!r})"


class WantedToken(msgspec.Struct, frozen=True):
    """A token as requested."""

    name: str
    role: TokenRole
    customers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    expires_ms: int | None = None


def made(wanted: WantedToken, now_ms: int, actor: str = LOCAL) -> NewToken:
    """Make a token.

    Raises:
        InvalidRequest: names the field.
    """
    if not wanted.name.strip():
        raise InvalidRequest(f"name: must have 1 to {NAME_BYTES_MAX} bytes; it is shown in lists")
    check_text(wanted.name, "name", NAME_BYTES_MAX)
    if wanted.expires_ms is not None and wanted.expires_ms <= now_ms:
        raise InvalidRequest("expires: is over; give a later time")
    for field, scopes in (("customers", wanted.customers), ("features", wanted.features)):
        if len(scopes) > SCOPES_MAX:
            raise InvalidRequest(f"{field}: {len(scopes)} of them; at most {SCOPES_MAX}")
        for scope in scopes:
            if scope != "*":
                check_id(scope.removesuffix("*"), field)
    if wanted.role in (TokenRole.PUBLISH, TokenRole.ADMIN) and (
        wanted.customers or wanted.features
    ):
        raise InvalidRequest(
            f"customers: a token with the role {wanted.role} is for all of them; leave scopes out"
        )
    token_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    signing = secrets.token_urlsafe(32) if wanted.role is TokenRole.CLIENT else ""
    record = TokenRecord(
        token_id,
        wanted.name,
        wanted.role,
        digest(secret),
        now_ms,
        wanted.customers,
        wanted.features,
        wanted.expires_ms,
        signing_key=signing.encode(),
        created_by=actor,
    )
    return NewToken(record, f"qd_{token_id}_{secret}", signing)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def split(token: str) -> tuple[str, str] | None:
    """Id and secret of a token; None: it is none."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else (match[1], match[2])


def customer_key(signing_key: bytes, customer_id: str) -> str:
    """What proves that a backend lets a browser read this customer: an HMAC-SHA256, in hex."""
    return hmac.new(signing_key, customer_id.encode(), hashlib.sha256).hexdigest()


def covers(scopes: Collection[str], name: str) -> bool:
    """Whether a customer or a feature is one of those that a token is for."""
    return not scopes or any(
        name.startswith(scope[:-1]) if scope.endswith("*") else name == scope for scope in scopes
    )
