"""What is wrong with what was typed into a form: in words, and at the field that it is about.

Refusals start with the name of a field as calls have it, and problems of a catalog with a path
into it (`plans.pro.prices[0].amount`). Neither means anything to whoever fills in a form.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quotad.catalog.editing.placed import Placed, spelled
from quotad.catalog.editing.splice import TextOnly, spelled_path
from quotad.dashboard.catalog_words import Compiled
from quotad.errors import CatalogError, QuotadError, StaleEpoch
from quotad.operations.drafts import DraftRefused

LABELS = {
    "addon_id": "Add-on",
    "addons": "Add-ons",
    "amount": "Amount",
    "comment": "Comment",
    "customer_id": "Customer",
    "draft": "",
    "end": "End",
    "entitlement": "",
    "ends": "Until before",
    "expires": "Expires",
    "feature": "Feature",
    "feature_id": "Feature",
    "from": "From",
    "id_prefix": "Id",
    "keep": "Days",
    "keep_days": "Days",
    "max_quantity": "At most",
    "metadata": "",
    "number": "Amount",
    "page_token": "Page",
    "percent": "Percent of customers",
    "per_unit": "For each unit",
    "plan": "Plan",
    "plan_id": "Plan",
    "soft": "Soft",
    "start": "Start",
    "state": "In this plan",
    "subscription_id": "Subscription",
    "timezone": "Time zone",
    "token_id": "Token",
    "unit_quantity": "Units",
    "until": "Until before",
    "usage_history": "Usage of past periods",
}
"""What fields are called in forms; others as they are spelled, without what joins words."""

CHANGED = "it was changed since it was looked at"
"""Of a customer, whose page shows what it is now."""

_TEXT_ONLY = "a form cannot change this as it is written; it is changed in the text"

_NO_LABEL = frozenset({"catalog_owner", "draft", "entitlement", "epoch", "four_eyes"})

_NUMBERED = {"limit": "limit", "per_unit": "limit", "unlimited": "limit", "per": "per"}
"""Of an entry: the first stands without an index where it is the only one."""
_LISTS = {"limits": "limit", "prices": "amount"}
_OF_LISTS = ("amount", "currency", "billing")
_SINGLE = (
    "from",
    "until",
    "value",
    "percent",
    "name",
    "description",
    "unit",
    "usage_history",
    "values",
)

_FIELD = re.compile(r"([a-z_]+?)([0-9]*)")
_PLAINER: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"; for no limit use 'unlimited: true'", "; for no limit, choose unlimited"),
        (r"leave 'per' out for a lifetime", "leave it empty for a limit that never resets"),
        (r"write \{limits: \[.*\]\} for a lifetime", "a limit that never resets is set on a plan"),
        (r"must be later than 'from'", "must be later than the day that it is from"),
        (r"has 'per: (.+?)' and the same anchor, as limits\[\d+\]; .*", r"there are two per \1"),
        (r"has no 'per', as limits\[\d+\]; .*", "there are two that never reset"),
        (r"is a metered feature: write .*", "is counted; choose a limit, or no limit"),
        (r"is a boolean feature: write .*", "is on or off; choose the feature itself"),
        (r"is a gauge; give it back by .*", "goes up and down; set what is used instead"),
        (r"has no meaning for a gauge, which never resets", "is not for what never resets"),
        (
            r"what '.*' was before a write with the epoch .*",
            "what it was before that change is not kept; before the latest 10 it is",
        ),
        (r"; say per, such as \{.*", "; choose the period in Per"),
        (r"; say per, or list all of them below limits", "; choose which in Per"),
        (r"use an IANA name such as", "write one such as"),
        (r"is already values\[\d+\]", "stands there twice"),
        (r"is not one of the feature's values", "is not one of its values"),
    )
]


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a form."""

    at: dict[str, str] = {}
    """By the name of the field."""
    rest: tuple[str, ...] = ()
    """What is about none of its fields."""
    in_text: bool = False
    """Whether the text of the draft is the way to do it."""

    def __bool__(self) -> bool:
        return bool(self.at or self.rest)


FINE = Wrong()


class Edited(msgspec.Struct, frozen=True):
    """What a form edits."""

    fields: tuple[str, ...]
    """Names of its fields."""
    path: tuple[str, ...] = ()
    """Of what it edits in the catalog; empty: nothing there."""
    found: Compiled | None = None
    """A catalog that has names for ids."""
    called: Mapping[str, str] = {}
    """Names of its fields by those that calls have for them, where they differ."""


def wrong_of(error: QuotadError, edited: Edited) -> Wrong:
    """Return what a refusal is about."""
    if isinstance(error, DraftRefused):
        return wrong_in(error.problems, edited)
    if isinstance(error, TextOnly):
        place = place_words(error.path, edited.found)
        return Wrong(rest=(f"{place}: {_TEXT_ONLY}" if place else _TEXT_ONLY,), in_text=True)
    name, text = _split(error.for_caller)
    name = edited.called.get(name, name)
    if name in edited.fields and not isinstance(error, StaleEpoch):
        return Wrong({name: _plain(text)})
    return Wrong(rest=(in_words(error),))


def wrong_in(problems: Iterable[Placed], edited: Edited) -> Wrong:
    """Return what problems of a draft are about."""
    at: dict[str, str] = {}
    rest = []
    base = spelled_path(edited.path)
    for each in problems:
        inside = bool(base) and is_below(each.path, base)
        field = _field(each.path[len(base) :]) if inside else ""
        if field in edited.fields:
            at.setdefault(field, _plain(each.text))
        else:
            rest.append(problem_words(each, edited.found))
    return Wrong(at, tuple(dict.fromkeys(rest)))


def is_below(path: str, base: str) -> bool:
    """Whether a path of a catalog is another one, or leads further down from it."""
    return path.startswith(base) and path[len(base) : len(base) + 1] in ("", ".", "[")


def in_words(error: QuotadError) -> str:
    """Return a refusal as one line for people."""
    if isinstance(error, DraftRefused):
        return " ".join(f"{problem_words(each, None)}." for each in error.problems[:3])
    if isinstance(error, TextOnly):
        return f"{error.file}: {_TEXT_ONLY}" if error.file else _TEXT_ONLY
    if isinstance(error, CatalogError):
        return "The catalog has problems."
    if isinstance(error, StaleEpoch):
        return CHANGED
    return refusal_words(error.for_caller)


def refusal_words(message: str) -> str:
    """Return what a refusal says, as one line for people."""
    name, text = _split(message)
    label = label_of(name)
    return f"{label}: {_plain(text)}" if label else _plain(text)


def problem_words(problem: Placed, found: Compiled | None) -> str:
    """Return a problem of a catalog with where it is, as people call that.

    Args:
        problem: it.
        found: a catalog that has names for ids; None: they stand as they are.
    """
    place = place_words(problem.path, found)
    return f"{place}: {_plain(problem.text)}" if place else _plain(problem.text)


def place_words(path: str, found: Compiled | None) -> str:
    """Return where a path into a catalog leads, as people call that: `Pro \u203a API calls`.

    Args:
        path: it.
        found: a catalog that has names for ids; None: they stand as they are.
    """
    names = [each for each in spelled(f"{path}: ")[0] if isinstance(each, str)]
    where = []
    if len(names) > 1:
        section, id_, *below = names
        where.append(id_ if found is None else found.name(section, id_))
        if len(below) > 1 and below[0] == "entitlements":
            where.append(below[1] if found is None else found.name("features", below[1]))
            below = below[2:]
        where += [label_of(each) for each in below[-1:]]
    elif names:
        where.append(label_of(names[0]))
    return " \u203a ".join(each for each in where if each)


def _split(message: str) -> tuple[str, str]:
    """The name that a refusal starts with, and what it says."""
    path, _, text = spelled(message)
    words = [each for each in path if isinstance(each, str)]
    return (words[-1], text) if words else ("", message)


def label_of(name: str) -> str:
    """What a field is called in forms; empty: it has no name there."""
    found = _FIELD.fullmatch(name)
    bare = found[1] if found else name
    if bare in _NO_LABEL:
        return ""
    return LABELS.get(bare, bare.replace("_", " ").capitalize())


def _plain(text: str) -> str:
    for pattern, words in _PLAINER:
        text = pattern.sub(words, text)
    return text


def _field(rest: str) -> str:
    """The field that a path below what a form edits is of; empty: of none."""
    names = spelled(f"{rest.removeprefix('.')}: ")[0]
    words = [each for each in names if isinstance(each, str)]
    index = next((each for each in names if isinstance(each, int)), 0)
    if not words or "entitlements" in words:
        return ""
    last = words[-1]
    if last in _NUMBERED:
        return f"{_NUMBERED[last]}{index}"
    if last in _OF_LISTS:
        return f"{last}{index}"
    if last in _LISTS:  # one of them as a whole
        return f"{_LISTS[last]}{index}"
    return last if last in _SINGLE else ""
