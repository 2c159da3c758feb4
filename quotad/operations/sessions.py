"""Sessions of people who have signed in by a token."""

import hashlib
import hmac
import secrets

import msgspec

from quotad.clock import Clock
from quotad.errors import PermissionDenied, Unauthenticated
from quotad.store.sessions import SessionRecord, SessionStore
from quotad.tokens.access import Access, TokenTable
from quotad.tokens.persons import Person, PersonRoles
from quotad.tokens.roles import Right

SESSION_MS = 12 * 3_600_000
"""How long a session lasts, whatever is done in it."""


class Session(msgspec.Struct, frozen=True):
    """A session under way."""

    access: Access
    form_key: str
    """Stands in every form, which no other page can know."""
    person: str
    """Who it is of; names are not unique."""


class SessionOperations(msgspec.Struct, frozen=True):
    """Begins, finds and ends sessions; for all threads. All methods raise StoreUnavailable.

    The store has only the SHA-256 of a session's secret.
    """

    store: SessionStore
    table: TokenTable
    clock: Clock
    roles: PersonRoles = PersonRoles()
    """Of people who sign in elsewhere."""

    def begin(self, token: str, peer: str | None) -> str:
        """Begin a session by a token; returns its secret, for the browser alone.

        Args:
            token: as it was made.
            peer: address of the browser; None: not known.

        Raises:
            Unauthenticated: the token may not be used.
            PermissionDenied: it does not include reading.
        """
        access = self.table.access(token, peer)
        if access.record is None:
            raise Unauthenticated("there are no tokens; nothing is to be signed in to")
        if Right.READ not in access.rights:
            raise PermissionDenied(
                f"the token {access.name!r} has the role {access.record.role}, which sees nothing"
                " here; sign in with one that may read, manage, publish or administer"
            )
        secret, now_ms = secrets.token_urlsafe(32), self.clock.now_ms()
        record = SessionRecord(access.record.token_id, now_ms + SESSION_MS)
        self.store.put(_name(secret), record, now_ms)
        return secret

    def begin_of(self, person: Person) -> str:
        """Begin a session of somebody who has signed in elsewhere; returns its secret.

        Raises:
            PermissionDenied: they have no role here.
        """
        self.roles.access(person)
        secret, now_ms = secrets.token_urlsafe(32), self.clock.now_ms()
        self.store.put(_name(secret), SessionRecord("", now_ms + SESSION_MS, person), now_ms)
        return secret

    def of(self, person: Person) -> Session:
        """Return what stands for a session of somebody whom a proxy names on every request.

        Raises:
            PermissionDenied: they have no role here.
        """
        access = self.roles.access(person)
        shared = self.store.form_key(secrets.token_bytes(32))
        key = hmac.new(shared, person.person_id.encode(), hashlib.sha256).hexdigest()
        return Session(access, key, person.person_id)

    def find(self, secret: str) -> Session:
        """Return the session of a secret.

        Raises:
            Unauthenticated: there is none, it has ended, or its token may not be used any more.
            NotReady: the tokens were not read yet.
        """
        record = self.store.get(_name(secret))
        if record is None or self.clock.now_ms() >= record.ends_ms:
            raise Unauthenticated("the session has ended")
        if record.person is not None:
            access = self.roles.access(record.person)
            return Session(access, form_key(secret), record.person.person_id)
        access = self.table.access_of(record.token_id)
        assert access.record is not None
        return Session(access, form_key(secret), access.record.person_id)

    def end(self, secret: str) -> None:
        """End a session, if there is one."""
        self.store.remove(_name(secret))


def form_key(secret: str) -> str:
    """What proves that a form was made for a session."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def _name(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
