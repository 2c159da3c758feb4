"""What keeps foreign pages, and people without a session, away."""

import hmac
import secrets
from collections.abc import Mapping

import msgspec

from quotad.dashboard.ask import LOCAL, Ask, FormFields, PageHeaders, Visitor
from quotad.dashboard.proxy import TrustedProxy
from quotad.errors import PermissionDenied, Unauthenticated
from quotad.http.hosts import check_host
from quotad.http.problems import HttpRefusal
from quotad.operations.sessions import Session, SessionOperations
from quotad.tokens.access import EVERYTHING, Access
from quotad.tokens.record import TokenRecord
from quotad.tokens.roles import TokenRole

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{}; connect-src 'self';"
    " img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: browsers then hide the origin of forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def security_headers(nonce: str) -> PageHeaders:
    """What every answer has; styles of a page with a nonce are let in by it."""
    policy = _POLICY.format(f" 'nonce-{nonce}'" if nonce else "")
    return [(b"content-security-policy", policy.encode()), *_SECURITY_HEADERS]


NOBODY = Visitor("", Access(TokenRecord("", "", TokenRole.CLIENT, b"", 0)), "", False)
"""Who has not signed in: may see nothing."""


class Doorkeeper:
    """Finds out who a request comes from.

    Args:
        sessions: of people who have signed in.
        cookie: name of the one that has a session's secret.
        any_host: whether whoever comes by any name is let in while there are no tokens.
        proxy: names people that it has signed in.
        closed: whether people sign in elsewhere, and must, also while there are no tokens.
    """

    def __init__(
        self,
        sessions: SessionOperations,
        cookie: str,
        any_host: bool,
        proxy: TrustedProxy,
        closed: bool,
    ) -> None:
        self._sessions = sessions
        self.cookie = cookie
        self._any_host = any_host
        self._proxy = proxy
        self._closed = closed
        self._local_key = secrets.token_hex(32)

    def visitor(self, ask: Ask) -> Visitor | None:
        """Return who a request comes from; None: they must sign in.

        Raises:
            HttpRefusal: there are no tokens, and the request is for another name.
            PermissionDenied: a proxy names somebody who has no role here.
            StoreUnavailable: the store refused or timed out, or was not reached yet.
        """
        person = self._proxy.person(ask.headers, ask.repeated, ask.peer)
        if person is not None:
            found = visitor_of(self._sessions.of(person))
            return msgspec.structs.replace(found, may_sign_out=False)
        if self._sessions.table.required is False and not self._closed:
            if not self._any_host:
                check_host(ask.headers.get("host", ""))
            return Visitor(LOCAL, EVERYTHING, self._local_key, False)
        secret = ask.cookies.get(self.cookie, "")
        if not secret and (self._closed or self._sessions.table.required):
            return None
        try:
            session = self._sessions.find(secret)
        except (Unauthenticated, PermissionDenied):
            return None
        return visitor_of(session)


def visitor_of(session: Session) -> Visitor:
    """Who a session is of."""
    access = session.access
    return Visitor(access.name, access, session.form_key, True, session.person)


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another origin sends.

    A browser with a secure connection states it itself; else the origin is compared with the host.

    Raises:
        HttpRefusal: it is of another origin, or of none.
    """
    site = headers.get("sec-fetch-site")
    if site == "same-origin":
        return
    origin, host = headers.get("origin", ""), headers.get("host", "")
    if site is None and host and origin.partition("://")[2] == host:
        return
    raise HttpRefusal(
        403, "ORIGIN_NOT_ALLOWED", f"this was sent by a page of {origin[:100] or 'no origin'!r}"
    )


def has_key(visitor: Visitor, form: FormFields, headers: Mapping[str, str]) -> bool:
    """Whether a form was made for this visitor."""
    shown = form.get("form_key") or headers.get("x-form-key", "")
    return hmac.compare_digest(shown.encode(), visitor.form_key.encode())
