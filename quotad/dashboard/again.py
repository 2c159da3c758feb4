"""A form that could not be taken as it was: what was typed, in words, to be sent once more."""

from collections.abc import Sequence

from quotad.dashboard.ask import Ask, PageAnswer
from quotad.dashboard.render import render
from quotad.dashboard.wrong import label_of

_SHOWN_MAX = 300
"""Longest text that is shown; what is sent again is all of it."""

_HIDDEN = frozenset({"base", "epoch", "form", "form_key", "next", "of", "revision"})

_TICKED = ("per_unit", "soft", "unlimited")
"""Boxes, which say `on` where they are ticked."""

_CHOICES = {
    "state": {"on": "granted", "off": "off"},
    "apply_to": {"all": "everyone", "new": "new subscriptions only"},
}


def again_page(
    ask: Ask, status: int, path: str, fields: Sequence[tuple[str, str]], why: str
) -> PageAnswer:
    """Show a form to be sent again.

    Args:
        ask: by whom it was sent.
        status: of the answer.
        path: where it goes.
        fields: what it had, without the key of the session.
        why: it was not taken, as a sentence.
    """
    shown = [words for name, value in fields if (words := typed_words(name, value))]
    return render(ask, "again.html", status, path=path, fields=fields, shown=shown, why=why)


def typed_words(name: str, value: str) -> tuple[str, str] | None:
    """Return a field as people know it; None: it is none that somebody typed."""
    bare = name.rstrip("0123456789")
    if not value or bare in _HIDDEN or bare == "kept":
        return None
    if bare in _CHOICES:
        value = _CHOICES[bare].get(value, value)
    elif bare in _TICKED and value == "on":
        value = "yes"
    return label_of(name), value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]} \u2026"
