"""`quotad explain --at`: what was decided by then, and on what, from ledger and histories."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

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
        versions = {each.version: each for each in admin.history(HISTORY)}
        edits = [
            each
            for each in admin.changes(customer, 100)
            if each.changed_at is not None and each.changed_at <= entry.at
        ]
    version, edit = versions.get(entry.catalog_version), edits[0] if edits else None
    if as_json:
        output.print_json({"entry": entry, "catalog": version, "change": edit})
    else:
        style = "green" if entry.allowed else "red"
        output.print_headline("allowed" if entry.allowed else "denied", style, entry.reason)
        output.print_fields(_fields(entry, version, edit))
    if not entry.allowed:
        raise typer.Exit(failures.EXIT_DENIED)


def _last(admin: "AdminClient", about: tuple[str, str, str], then: datetime) -> "LedgerLine | None":
    """The last entry by a time; None: there is none."""
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
            if each.resource_id == resource:
                return each
        position, more = page.position, page.more
    return None


def _fields(
    entry: "LedgerLine", version: "CatalogVersion | None", edit: "CustomerEdit | None"
) -> list[tuple[str, str]]:
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
    words = f"version {entry.catalog_version}"
    if version is not None:
        by = version.actor or version.published_by
        words += f", published {output.moment(version.published_at, '')}"
        words += (f" by {by}" if by else "") + (f": {version.comment}" if version.comment else "")
    fields.append(("catalog", words))
    if edit is not None:
        what = "; ".join(edit.changes) or edit.call
        fields.append(("customer", f"{what} {output.moment(edit.changed_at, '')} by {edit.actor}"))
    return fields
