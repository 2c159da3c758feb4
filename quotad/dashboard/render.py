"""Makes pages of templates; what a template shows is escaped."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as Values
from markupsafe import Markup

from quotad.dashboard import shown
from quotad.dashboard.ask import Ask, PageAnswer
from quotad.dashboard.assets import asset_path
from quotad.dashboard.grant_words import grant_words
from quotad.dashboard.nav import nav_for
from quotad.plural import plural, plural_of

HTML = (b"content-type", b"text/html; charset=utf-8")

NOTE_SHOWN = (b"set-cookie", b"quotad_note=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")


_KEY = Markup('<input type="hidden" name="form_key" value="{}">')


@pass_context
def _form_key(values: Values) -> Markup:
    """Return what every form begins with."""
    return _KEY.format(values["visitor"].form_key)


@cache
def environment() -> Environment:
    """Return what templates are read by."""
    made = Environment(
        loader=PackageLoader("quotad.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "number": shown.number,
        "plural_of": plural_of,
        "amount": shown.amount,
        "day": shown.day,
        "in_query": shown.in_query,
        "grant_words": grant_words,
        "moment": shown.moment,
        "segment": shown.segment,
        "sentence": shown.sentence,
        "upper_first": shown.upper_first,
    }
    made.globals |= {
        "asset": asset_path,
        "by": shown.by,
        "form_key": _form_key,
        "percent": shown.percent,
        "plural": plural,
        "when": shown.when,
    }
    return made


def render(ask: Ask, template: str, status: int = 200, **values: Any) -> PageAnswer:
    """Make a page.

    Args:
        ask: whom it is for.
        template: its file.
        status: of the answer.
        values: what the template shows; beside `ask`, `visitor`, `nav` and `now_ms`.
    """
    now_ms = ask.context.sessions.clock.now_ms()
    whole = environment().get_template(template)
    text = whole.render(
        ask=ask, visitor=ask.visitor, nav=nav_for(ask.visitor), now_ms=now_ms, **values
    )
    headers = [HTML]
    if ask.note and not ask.partial:
        headers.append(NOTE_SHOWN)
    return PageAnswer(text.encode(), status, headers)
