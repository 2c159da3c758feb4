"""Settings: tokens, and facts about the environment."""

from bisect import bisect_right

import msgspec

from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.customer_forms import time_of, whole
from quotad.dashboard.render import render
from quotad.dashboard.wrong import FINE, Edited, Wrong, in_words, wrong_of
from quotad.errors import InvalidRequest, QuotadError, StoreUnavailable
from quotad.http.problems import status_of
from quotad.operations.tokens import ShownToken
from quotad.tokens.record import NewToken, WantedToken
from quotad.tokens.roles import Right, TokenRole

_DAY_MS = 86_400_000

ROLES = {
    TokenRole.READ: "sees everything, changes nothing",
    TokenRole.MANAGE: "changes customers",
    TokenRole.PUBLISH: "changes the catalog",
    TokenRole.ADMIN: "everything, also tokens and erasing",
    TokenRole.CONSUME: "for services: asks and counts",
    TokenRole.CLIENT: "for pages in a browser: reads one customer, which a backend proves",
}


_TOKEN_FORM = Edited(("name", "expires", "customers", "features"))

TOKENS_SHOWN = 25
"""Of one page."""


class TokenPage(msgspec.Struct, frozen=True):
    """Tokens as one page lists them."""

    tokens: list[ShownToken] = []
    count: int = 0
    """Of all tokens, found or not."""
    wanted: str = ""
    """What is looked for in their names and ids."""
    following: str = ""
    """Where the next page begins; empty: this is the last."""


def token_page(tokens: list[ShownToken], query: FormFields) -> TokenPage:
    """Return a page of tokens: those that are live first, the newest first.

    Raises:
        InvalidRequest: the page begins nowhere.
    """
    wanted, after = query.get("q"), query.get("after")
    text = wanted.casefold()
    found = [x for x in tokens if text in x.record.name.casefold() or x.record.token_id == wanted]
    found.sort(key=_place)
    start = bisect_right(found, _place_of(after), key=_place) if after else 0
    page = found[start : start + TOKENS_SHOWN]
    more = start + TOKENS_SHOWN < len(found)
    last = _place(page[-1]) if more else ()
    return TokenPage(page, len(tokens), wanted, ",".join(map(str, last)))


def _place(token: ShownToken) -> tuple[int, int, str]:
    return int(not token.live), -token.record.created_ms, token.record.token_id


def _place_of(text: str) -> tuple[int, int, str]:
    try:
        ended, created, token_id = text.split(",", 2)
        return int(ended), int(created), token_id
    except ValueError:
        raise InvalidRequest("after: is not where a page begins") from None


def _show(ask: Ask) -> PageAnswer:
    return _settings(ask)


def _settings(
    ask: Ask,
    status: int = 200,
    message: str = "",
    wrong: Wrong = FINE,
    new: NewToken | None = None,
) -> PageAnswer:
    listed = TokenPage()
    if Right.ADMIN in ask.visitor.access.rights:
        listed = token_page(ask.context.parts.tokens.list(), ask.query)
    parts = ask.context.parts
    worker = parts.worker.status()
    return render(
        ask,
        "settings.html",
        status,
        listed=listed,
        roles=ROLES,
        worker=worker,
        environments=parts.environments,
        may_publish=parts.drafts.may_publish(),
        watched=parts.drafts.latest_of_files(),
        message=message,
        wrong=wrong,
        typed=ask.form if wrong else FormFields(),
        new=new,
    )


def _create(ask: Ask) -> PageAnswer:
    form = ask.form
    try:
        if form.get("role") not in list(TokenRole):
            raise InvalidRequest("role: pick one of the list")
        wanted = WantedToken(
            form.get("name"),
            TokenRole(form.get("role")),
            tuple(form.get("customers").split()),
            tuple(form.get("features").split()),
            time_of(form, "expires"),
        )
        new = ask.context.parts.tokens.create(wanted, ask.visitor.name)
    except StoreUnavailable:
        raise
    except QuotadError as error:
        return _settings(ask, status_of(error), wrong=wrong_of(error, _TOKEN_FORM))
    return _settings(ask, new=new)


def _rotate(ask: Ask) -> PageAnswer:
    keep = whole(ask.form, "keep_days")
    new = ask.context.parts.tokens.rotate(
        ask.segments["token_id"], _DAY_MS * (1 if keep is None else keep), ask.visitor.name
    )
    return _settings(ask, new=new)


def _revoke(ask: Ask) -> PageAnswer:
    try:
        record = ask.context.parts.tokens.revoke(ask.segments["token_id"], ask.visitor.name)
    except InvalidRequest as error:
        return _settings(ask, status_of(error), in_words(error))
    return see_other("/settings", f"The token {record.name} was revoked.")


PAGES = (
    SitePage(method="GET", path="/settings", act=_show),
    SitePage(method="POST", path="/settings/tokens", act=_create, right=Right.ADMIN),
    SitePage(
        method="POST", path="/settings/tokens/{token_id}/rotate", act=_rotate, right=Right.ADMIN
    ),
    SitePage(
        method="POST", path="/settings/tokens/{token_id}/revoke", act=_revoke, right=Right.ADMIN
    ),
)
