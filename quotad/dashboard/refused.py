"""Pages for what cannot be answered: what happened, and what to do."""

from quotad.catalog.editing.splice import TextOnly
from quotad.dashboard.ask import Ask, PageAnswer, is_own_path
from quotad.dashboard.drafting import TakenBack
from quotad.dashboard.render import render
from quotad.dashboard.wrong import in_words
from quotad.errors import CatalogError, NotReady, QuotadError
from quotad.http.problems import headers_of, status_of

_WORDS = {
    400: ("That does not work", "Go back, change it and send it again."),
    401: ("Sign in first", "Your session is over, or there was none."),
    403: ("That is not yours to do", "Somebody with another role can, or can make you a token."),
    404: ("There is nothing here", "It may have been renamed or erased since the link was made."),
    405: ("There is nothing here", "The address is only for forms; go back and open the page."),
    409: ("Somebody was faster", "Load the page again, look at what is new, and decide again."),
    412: ("It has changed since", "Load the page again, look at what is new, and decide again."),
    413: ("That is too much", "Send less at once."),
    500: ("That is our fault", "Nothing can be said about it here; the server's log has more."),
    503: ("Not available now", "The store does not answer. Try again in a moment."),
}


def refused_page(ask: Ask, error: QuotadError) -> PageAnswer:
    """Show why something was refused."""
    status = status_of(error)
    title, advice = _WORDS.get(status, _WORDS[400])
    if isinstance(error, TakenBack):
        title, advice = "Somebody was faster", "They can ask again, with what they have saved."
    if isinstance(error, CatalogError):
        title, advice = "The catalog has problems", "They are mended in its text."
    if isinstance(error, NotReady):
        title, advice = "Not ready yet", "Load the page again once that is mended."
    answer = render(
        ask,
        "_refused.html" if ask.partial else "refused.html",
        status,
        title=title,
        advice=advice,
        message=in_words(error),
        problems=error.problems if isinstance(error, CatalogError) else (),
        typed=_typed(ask) if status == 503 else (),
        back=_back(ask),
        text=isinstance(error, CatalogError | TextOnly) and ask.visitor.may("publish"),
    )
    extra = [each for each in headers_of(error) if each[0] != b"www-authenticate"]
    return PageAnswer(answer.body, status, [*answer.headers, *extra])


def no_such_page(ask: Ask) -> PageAnswer:
    """Show that there is no such page."""
    title, advice = _WORDS[404]
    message = f"there is nothing at {ask.path[:200]}"
    return render(
        ask,
        "refused.html",
        404,
        title=title,
        advice=advice,
        message=message,
        problems=(),
        typed=(),
        back="",
        text=False,
    )


def _back(ask: Ask) -> str:
    """The page that a form was sent from; empty: not known."""
    if ask.method == "GET":
        return ""
    _, host, path = ask.headers.get("referer", "").partition(ask.headers.get("host", "\n"))
    return path if host and is_own_path(path) else ""


def _typed(ask: Ask) -> list[tuple[str, str]]:
    """What a form had that can be sent again as it is; not that of signing in."""
    if ask.method == "GET" or not ask.visitor.name or ask.upload is not None:
        return []
    return [(name, value) for name, value in ask.form.fields if name != "form_key"]
