"""Add-ons: what can be bought on top of a plan, and the editor of one of them."""

from functools import partial
from itertools import islice
from typing import Any

import msgspec

from quotad.catalog.editing.addon_entries import (
    AddOnRow,
    choices,
    read_addon_entry,
    write_addon_entry,
)
from quotad.catalog.editing.changes import GONE, Edit, NoValue, PlanFiles
from quotad.catalog.editing.typed import typed_whole
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import Compiled, price_words
from quotad.dashboard.drafting import Desk, desk, next_of, save_edits, sent_draft
from quotad.dashboard.grant_words import addon_words
from quotad.dashboard.price_form import price_fields, price_rows, sent_prices
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import FINE, Edited, Wrong, wrong_of
from quotad.errors import Conflict, InvalidRequest, NotFound
from quotad.ids import check_id
from quotad.model import AddOn, Feature
from quotad.tokens.roles import Right

ROWS_MAX = 200
"""Most entries of a form."""

SHOWN_MAX = 200
"""Most add-ons that one page lists; a search finds the others."""

SEARCHED_FROM = 15
"""So many add-ons are searched."""

CHOICES = {
    "add": "more than the plan, by",
    "set": "instead of the plan's limit",
    "unlimited": "no limit",
    "on": "the feature",
    "value": "the value",
}


class AddOnLine(msgspec.Struct, frozen=True):
    """One add-on of the list."""

    addon: AddOn
    gives: list[tuple[str, str]]
    """Names of features, and what of each."""
    changed: bool
    """Whether the draft changes it, or makes it."""


class EntryRow(msgspec.Struct, frozen=True):
    """One entry of the editor."""

    feature: Feature
    row: AddOnRow
    choices: tuple[str, ...]


def _list(ask: Ask) -> PageAnswer:
    found = desk(ask)
    shown = found.after
    text = ask.query.get("q").casefold()
    addons = [] if shown is None else _addons(shown)
    some = [each for each in addons if text in each.addon_id.casefold() + each.name.casefold()]
    lines = [_line(found, shown, each) for each in some[:SHOWN_MAX]] if shown else []
    return render(
        ask,
        "addons.html",
        desk=found,
        lines=lines,
        more=len(some) - len(lines),
        searchable=len(addons) > SEARCHED_FROM,
        prices=partial(price_words, features={} if shown is None else shown.snapshot.features),
        plan_name=str if shown is None else partial(shown.name, "plans"),
    )


def _addons(shown: Compiled) -> list[AddOn]:
    """Those that are sold first."""
    return sorted(shown.catalog.definitions.addons.values(), key=lambda each: each.archived)


def _line(found: Desk, shown: Compiled, addon: AddOn) -> AddOnLine:
    before = None
    if found.in_force is not None:
        before = found.in_force.catalog.definitions.addons.get(addon.addon_id)
    gives = [
        (
            shown.name("features", feature_id),
            addon_words(entry, shown.snapshot.features[feature_id]),
        )
        for feature_id, entry in addon.entries.items()
    ]
    return AddOnLine(addon, gives, found.changed and before != addon)


def _editor(ask: Ask) -> PageAnswer:
    return _editor_page(ask)


def _editor_page(ask: Ask, wrong: Wrong = FINE, typed: FormFields | None = None) -> PageAnswer:
    """The editor of an add-on; with what was typed, where that could not be saved."""
    addon_id, found = ask.segments["addon_id"], desk(ask)
    files = PlanFiles(found.draft.files)
    written = files.at(("addons", addon_id))
    if not isinstance(written, dict):
        raise NotFound(f"add-on: there is no add-on {addon_id!r}")
    features = _features(found)
    entries = written.get("entitlements")
    entries = entries if isinstance(entries, dict) else {}
    rows = [
        EntryRow(
            feature, read_addon_entry(entries.get(feature_id, GONE), feature), choices(feature)
        )
        for feature_id, feature in features.items()
        if feature_id in entries
    ]
    if typed is not None:
        rows = [
            EntryRow(feature, row, choices(feature))
            for feature, row in _sent(typed, features)
            if _stays(feature, row, entries)
        ]
        shown = ("name", "description", "max_quantity")
        written = written | {name: typed.get(name) for name in shown}
    plans = written.get("plans")
    given = {each.feature.feature_id for each in rows}
    return render(
        ask,
        "addon.html",
        400 if wrong else 200,
        desk=found,
        addon_id=addon_id,
        written=written,
        wrong=wrong,
        rows_of_prices=price_rows(written.get("prices"), typed),
        rows=rows,
        words=CHOICES,
        others={
            key: (each.name or key, choices(each))
            for key, each in islice(features.items(), ROWS_MAX)
            if key not in given
        },
        plans={each: _plan_name(found, each) for each in files.names("plans")},
        only=plans if isinstance(plans, list) else [],
        archived=written.get("archived") is True,
        in_force=found.in_force is not None
        and addon_id in found.in_force.catalog.definitions.addons,
    )


def _features(found: Desk) -> dict[str, Feature]:
    """Those of the draft, or while it has problems those in force."""
    shown = found.after
    return {} if shown is None else shown.snapshot.features


def _plan_name(found: Desk, plan_id: str) -> str:
    return plan_id if found.after is None else found.after.name("plans", plan_id)


def _sent(form: FormFields, features: dict[str, Feature]) -> list[tuple[Feature, AddOnRow]]:
    """The entries of a form."""
    sent = []
    for index in range(ROWS_MAX):
        feature = features.get(form.get(f"feature{index}"))
        if feature is None:
            continue
        row = AddOnRow(*(form.get(f"{name}{index}") for name in ("what", "number", "per", "value")))
        sent.append((feature, row))
    return sent


def _stays(feature: Feature, row: AddOnRow, entries: dict[str, Any]) -> bool:
    """Whether a row of a form is one of those that the add-on has or is to have."""
    return bool(row.what) or feature.feature_id in entries


def _save(ask: Ask) -> PageAnswer:
    addon_id, form = ask.segments["addon_id"], ask.form
    try:
        save_edits(ask, _edits(ask, ("addons", addon_id)))
    except (Conflict, InvalidRequest) as error:
        return _editor_page(ask, wrong_of(error, _edited(ask, addon_id)), form)
    return see_other(next_of(ask, f"/addons/{segment(addon_id)}"), "Saved in your draft.")


def _edited(ask: Ask, addon_id: str) -> Edited:
    found, path = desk(ask), ("addons", addon_id)
    written = PlanFiles(found.draft.files).at(path)
    prices = price_fields(written.get("prices") if isinstance(written, dict) else ())
    rows = [f"{name}{n}" for n in range(ROWS_MAX) for name in ("number", "per", "value")]
    return Edited(("name", "max_quantity", *rows, *prices), path, found.after)


def _edits(ask: Ask, path: tuple[str, str]) -> list[Edit]:
    form, files = ask.form, PlanFiles(sent_draft(ask).files)
    written = files.at(path)
    if not isinstance(written, dict):
        raise NotFound(f"add-on: there is no add-on {path[1]!r}")
    edits = [Edit((*path, name), form.get(name) or GONE) for name in ("name", "description")]
    edits.append(Edit((*path, "prices"), sent_prices(form, written.get("prices"))))
    most = form.get("max_quantity")
    edits.append(Edit((*path, "max_quantity"), typed_whole("max_quantity", most) if most else GONE))
    plans: Any = form.all("plan") if form.get("for") == "some" else GONE
    if plans == []:
        raise InvalidRequest("plans: none is chosen; to sell it no more, end it")
    edits.append(Edit((*path, "plans"), plans))
    entries = written.get("entitlements")
    entries = entries if isinstance(entries, dict) else {}
    # As the page shows them again, where one of them is refused.
    rows = [each for each in _sent(form, _features(desk(ask))) if _stays(*each, entries)]
    for index, (feature, row) in enumerate(rows):
        spot = (*path, "entitlements", feature.feature_id)
        edits.append(Edit(spot, write_addon_entry(row, feature, files.at(spot), index)))
    return edits


def _new(ask: Ask) -> PageAnswer:
    form = ask.form
    addon_id, feature_id = form.get("addon_id"), form.get("feature0")
    check_id(addon_id, "addon_id")
    path = ("addons", addon_id)
    if not isinstance(PlanFiles(sent_draft(ask).files).at(path), NoValue):
        raise InvalidRequest(f"addon_id: there is an add-on {addon_id!r} already")
    feature = _features(desk(ask)).get(feature_id)
    if feature is None:
        raise InvalidRequest("feature0: missing; what does it give?")
    row = AddOnRow(choices(feature)[0], form.get("number0"), form.get("per0"), form.get("number0"))
    entry = write_addon_entry(row, feature, GONE)
    value = {"name": form.get("name") or addon_id, "entitlements": {feature_id: entry}}
    save_edits(ask, [Edit(path, value)])
    return see_other(f"/addons/{segment(addon_id)}", "The add-on is in your draft.")


def _end(ask: Ask) -> PageAnswer:
    """Sell it no more, sell it again, or take it out of the catalog."""
    addon_id, how = ask.segments["addon_id"], ask.form.get("how")
    path = ("addons", addon_id)
    if not isinstance(PlanFiles(sent_draft(ask).files).at(path), dict):
        raise NotFound(f"add-on: there is no add-on {addon_id!r}")
    if how == "remove":
        save_edits(ask, [Edit(path, GONE)])
        return see_other("/addons", f"{addon_id} is removed in your draft.")
    ended = how == "archive"
    save_edits(ask, [Edit((*path, "archived"), True if ended else GONE)])
    note = "It is not sold any more in your draft." if ended else "It is sold again in your draft."
    return see_other(f"/addons/{segment(addon_id)}", note)


def _form(path: str, act: Any) -> SitePage:
    return SitePage(method="POST", path=path, act=act, right=Right.PUBLISH)


PAGES = (
    SitePage(method="GET", path="/addons", act=_list),
    _form("/addons", _new),
    SitePage(method="GET", path="/addons/{addon_id}", act=_editor, right=Right.PUBLISH),
    _form("/addons/{addon_id}", _save),
    _form("/addons/{addon_id}/end", _end),
)
