"""`quotad explain --at`: what was decided by then, and on what, from ledger and histories."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from quotad.cli import failures, output
from quotad.cli.arguments import past_time
from quotad.cli.ledger import whose

if TYPE_CHECKING:
    from quotad.client.admin import AdminClient, CatalogVersion, CustomerEdit, LedgerLine

ThenOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="The last decision by then, from the ledger: a time, or 90s, 30m, 2h, 7d ago.",
    ),
]

HISTORY = 1_000
"""Versions of the catalog that are looked through."""

EDITS = 100
"""Writes of a customer that are kept."""

DECISIONS = ("consume", "record", "reserve", "acquire", "lend", "fallback")
"""Verbs of entries that were decided; others settle, give back or correct what was."""


_GIVEN, _PHASES = ("override", "promotion"), ("subscription: ", "no more: ")
_OF = "(resource "
"""How lines of a write begin, and what those of a resource have."""


class _Circumstances(NamedTuple):
    """What a decision was taken on, and what was different by the time that is asked about."""

    version: "CatalogVersion | None"
    edit: "CustomerEdit | None"
    """The latest write of the customer before it."""
    given: "CustomerEdit | None"
    """The latest that was about the feature: an override, a promotion."""
    later_versions: "list[CatalogVersion]"
    later_edits: "list[CustomerEdit]"
    """The oldest first; those that were about the feature, or about plans."""


def show(about: tuple[str, str, str], at: str, server: str, as_json: bool) -> None:
    """Show the last decision by a time, the catalog it was on, and the customer's state.

    Args:
        about: customer, feature and resource.
        at: the time, as it was typed.
        server: where to ask.
        as_json: as one object.
    """
    customer, feature, _ = about
    then = past_time("--at", at, as_json)
    assert then is not None
    with failures.admin(server, as_json) as admin:
        entry = _last(admin, about, then)
        if entry is None:
            failures.fail(
                f"nothing of {feature!r} and {customer!r} is in the ledger by then; see"
                " docs/ledger.md for what is noted, and for how long",
                as_json,
            )
        found = _circumstances(admin, about, entry, then)
    if as_json:
        output.print_json(
            {
                "entry": entry,
                "catalog": found.version,
                "change": found.edit,
                "given": found.given,
                "later_catalogs": found.later_versions,
                "later_changes": found.later_edits,
            }
        )
    else:
        style = "green" if entry.allowed else "red"
        output.print_headline("allowed" if entry.allowed else "denied", style, entry.reason)
        output.print_fields(_fields(entry, found))
    if not entry.allowed:
        raise typer.Exit(failures.EXIT_DENIED)


def _circumstances(
    admin: "AdminClient", about: tuple[str, str, str], entry: "LedgerLine", then: datetime
) -> _Circumstances:
    customer, feature, resource = about
    versions = admin.history(HISTORY)
    edits = [each for each in admin.changes(customer, EDITS) if _is_by(each.changed_at, then)]
    before = [each for each in edits if _is_by(each.changed_at, entry.at)]
    version = next((each for each in versions if each.version == entry.catalog_version), None)
    given = next((each for each in before if _is_about(each, feature, resource)), None)
    return _Circumstances(
        version,
        next(iter(before), None),
        given if before and given is not before[0] else None,
        [
            each
            for each in reversed(versions)
            if each.version > entry.catalog_version and _is_by(each.published_at, then)
        ],
        [
            each
            for each in reversed(edits)
            if each not in before and _is_about(each, feature, resource, plans=True)
        ],
    )


def _is_by(at: datetime | None, then: datetime) -> bool:
    return at is not None and at <= then


def _is_about(edit: "CustomerEdit", feature: str, resource: str, plans: bool = False) -> bool:
    """Whether a write has given or taken a feature; with `plans` also whether it was about them."""
    starts = [f"{kind} of {feature}{end}" for kind in _GIVEN for end in (": ", " removed")]
    starts += _PHASES if plans else ()
    return any(
        line.startswith(tuple(starts))
        and (_OF not in line or (resource != "" and f"{_OF}{resource}" in line))
        for line in edit.changes
    )


def _last(admin: "AdminClient", about: tuple[str, str, str], then: datetime) -> "LedgerLine | None":
    """The last decision by a time; None: there is none."""
    customer, feature, resource = about
    position, more = "", True
    while more:
        page = admin.ledger_page(
            customer,
            feature_id=feature,
            until=then + timedelta(milliseconds=1),
            position=position,
            newest_first=True,
        )
        for each in page.entries:
            if each.resource_id == resource and each.verb in DECISIONS:
                return each
        position, more = page.position, page.more
    return None


def _fields(entry: "LedgerLine", found: _Circumstances) -> list[tuple[str, str]]:
    fields = [("when", output.moment(entry.at)), (entry.verb, output.number(entry.quantity))]
    if entry.limit is not None:
        fields += [
            ("limit", output.number(entry.limit)),
            ("used", output.number(entry.used)),
            ("remaining", output.number(entry.remaining)),
            ("resets", output.moment(entry.resets_at)),
        ]
    if entry.idempotency_key:
        fields.append(("key", entry.idempotency_key))
    if entry.edge:
        fields.append(("by", whose(entry)))
    version = f"version {entry.catalog_version}"
    fields.append(("catalog", version if found.version is None else _published(found.version)))
    fields += [
        ("customer", _edited(edit)) for edit in (found.edit, found.given) if edit is not None
    ]
    fields += [("since then", _published(each)) for each in found.later_versions]
    fields += [("since then", _edited(each)) for each in found.later_edits]
    return fields


def _published(version: "CatalogVersion") -> str:
    by = version.actor or version.published_by
    words = f"version {version.version}, published {output.moment(version.published_at, '')}"
    return words + (f" by {by}" if by else "") + (f": {version.comment}" if version.comment else "")


def _edited(edit: "CustomerEdit") -> str:
    what = "; ".join(edit.changes) or edit.call
    return f"{what} {output.moment(edit.changed_at, '')} by {edit.actor}"
