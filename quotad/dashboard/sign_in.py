"""Signing in by a token, signing out, and what becomes of a form whose session has ended."""

from urllib.parse import urlencode

import msgspec

from quotad.dashboard.again import again_page
from quotad.dashboard.ask import (
    TEXT_BYTES_MAX,
    Ask,
    IdentityProvider,
    PageAnswer,
    SitePage,
    is_own_path,
    read_form,
    see_other,
)
from quotad.dashboard.doorkeeper import visitor_of
from quotad.dashboard.render import render
from quotad.dashboard.wrong import in_words
from quotad.errors import Busy, NotFound, PermissionDenied, Unauthenticated
from quotad.http.problems import status_of
from quotad.operations.sessions import SESSION_MS

_YEAR_S = 365 * 86_400

_ATTEMPT_S = 600
"""How long signing in at the identity provider may take."""


def _sign_in(ask: Ask) -> PageAnswer:
    if ask.visitor.name:
        return see_other(_next(ask.query.get("next")))
    return _sign_in_page(ask, ask.query.get("next"))


def _sign_in_page(
    ask: Ask, next_path: str, status: int = 200, message: str = "", kept: str = ""
) -> PageAnswer:
    return render(
        ask,
        "sign_in.html",
        status,
        next_path=_next(next_path),
        message=message,
        kept=kept,
        fields=read_form(kept.encode()).fields,
        provider=ask.context.provider is not None,
        tokens=ask.context.sessions.table.required is not False,
    )


def _begin(ask: Ask) -> PageAnswer:
    next_path, kept = ask.form.get("next"), ask.form.raw("kept")
    try:
        secret = ask.context.sessions.begin(ask.form.get("token"), ask.peer)
    except (Unauthenticated, PermissionDenied) as error:
        return _sign_in_page(ask, next_path, status_of(error), in_words(error), kept)
    cookie = _session_cookie(ask, secret, ask.is_secure)
    if kept:
        session = ask.context.sessions.find(secret)
        ask = msgspec.structs.replace(ask, visitor=visitor_of(session))
        answer = _again(ask, _next(next_path), kept, 200)
    else:
        answer = see_other(_next(next_path))
    return _with_cookie(answer, cookie)


def _session_cookie(ask: Ask, secret: str, is_secure: bool) -> str:
    return (
        f"{ask.context.cookie}={secret}; Path=/; Max-Age={SESSION_MS // 1000};"
        f" HttpOnly; SameSite=Lax{'; Secure' if is_secure else ''}"
    )


def _to_provider(ask: Ask) -> PageAnswer:
    """Send the browser to the identity provider."""
    provider, next_path = _provider(ask), _next(ask.query.get("next"))
    try:
        url, kept = provider.begin(next_path)
    except (Busy, Unauthenticated) as error:
        return _sign_in_page(ask, next_path, status_of(error), in_words(error))
    return _with_cookie(see_other(url), _attempt_cookie(ask, kept, _ATTEMPT_S))


def _from_provider(ask: Ask) -> PageAnswer:
    """Begin a session of whom the identity provider has sent back."""
    provider, query = _provider(ask), ask.query
    forget = _attempt_cookie(ask, "", 0)
    try:
        refusal = query.get("error") and (query.get("error_description") or query.get("error"))
        kept = ask.cookies.get(_attempt_name(ask), "")
        person, next_path = provider.end(kept, query.get("state"), query.get("code"), refusal)
        secret = ask.context.sessions.begin_of(person)
    except (Busy, PermissionDenied, Unauthenticated) as error:
        page = _sign_in_page(ask, "/", status_of(error), in_words(error))
        return _with_cookie(page, forget)
    answer = _with_cookie(see_other(_next(next_path)), forget)
    return _with_cookie(answer, _session_cookie(ask, secret, provider.is_secure))


def _signed_in(ask: Ask) -> PageAnswer:
    """Shown in the window that was opened to sign in beside a form."""
    return render(ask, "signed_in.html")


def _provider(ask: Ask) -> IdentityProvider:
    if ask.context.provider is None:
        raise NotFound("there is no identity provider here (oidc_issuer)")
    return ask.context.provider


def _attempt_name(ask: Ask) -> str:
    return f"{ask.context.cookie}_oidc"


def _attempt_cookie(ask: Ask, kept: str, age_s: int) -> str:
    secure = "; Secure" if _provider(ask).is_secure else ""
    name = _attempt_name(ask)
    # Lax: it must come along when the provider sends the browser back.
    return f"{name}={kept}; Path=/sign-in; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"


def _end(ask: Ask) -> PageAnswer:
    ask.context.sessions.end(ask.cookies.get(ask.context.cookie, ""))
    cookie = f"{ask.context.cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    return _with_cookie(see_other("/sign-in"), cookie)


def _theme(ask: Ask) -> PageAnswer:
    theme = ask.form.get("theme")
    age_s = _YEAR_S if theme in ("light", "dark") else 0
    cookie = f"quotad_theme={theme if age_s else ''}; Path=/; Max-Age={age_s}; SameSite=Lax"
    return _with_cookie(see_other(_next(ask.form.get("back"))), cookie)


def _with_cookie(answer: PageAnswer, cookie: str) -> PageAnswer:
    headers = [*answer.headers, (b"set-cookie", cookie.encode())]
    return PageAnswer(answer.body, answer.status, headers)


def ended_page(ask: Ask) -> PageAnswer:
    """Ask for a token where a form came without a session; what was typed is kept."""
    message = "Your session has ended. Sign in to send what you have typed."
    return _sign_in_page(ask, ask.path, 401, message, _kept(ask))


def other_session_page(ask: Ask) -> PageAnswer:
    """Show a form that was made in another session, to be sent once more."""
    return _again(ask, ask.path, _kept(ask), 403)


def _again(ask: Ask, path: str, kept: str, status: int) -> PageAnswer:
    why = "The page that you have sent was opened in another session."
    fields = [
        (name, value) for name, value in read_form(kept.encode()).fields if name != "form_key"
    ]
    return again_page(ask, status, path, fields, why)


def _kept(ask: Ask) -> str:
    return urlencode([(name, value) for name, value in ask.form.fields if name != "form_key"])


def _next(path: str) -> str:
    return path if is_own_path(path) else "/"


PAGES = (
    SitePage(method="GET", path="/sign-in", act=_sign_in, right=None),
    SitePage(
        method="POST",
        path="/sign-in",
        act=_begin,
        right=None,
        keyless=True,
        bytes_max=2 * TEXT_BYTES_MAX,  # the form of an ended session, encoded once more
    ),
    SitePage(method="GET", path="/sign-in/oidc", act=_to_provider, right=None),
    SitePage(method="GET", path="/sign-in/oidc/back", act=_from_provider, right=None),
    SitePage(method="GET", path="/sign-in/done", act=_signed_in, many=False),
    SitePage(method="POST", path="/sign-out", act=_end, right=None),
    SitePage(method="POST", path="/theme", act=_theme, right=None, keyless=True),
)
