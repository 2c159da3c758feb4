"""`quotad entitlements`: everything that a customer may do, and how much of it is used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from quotad.cli import amounts, failures, output
from quotad.cli.decisions import in_words
from quotad.cli.options import SERVER_DEFAULT, CustomerId, Json, Resource, ServerOption
from quotad.decision import Reason

if TYPE_CHECKING:
    from quotad.client import Entitlement, Entitlements


# Shown among the entitlements with the reason why it is none.
_WITHOUT = {
    Reason.REVOKED: "nothing: taken away",
    Reason.INSUFFICIENT_CREDITS: "nothing: no credits",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(entitlements)


def entitlements(
    customer: CustomerId,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Show everything that a customer may do now, and which limits are nearly used up."""
    with failures.client(server, as_json) as client:
        found = client.entitlements(customer, resource)
    if as_json:
        output.print_json(found)
        return
    who = f"resource {resource} of {customer}" if resource else customer
    if found.denied_reason is not None:
        output.print_headline("nothing", "red", f"{who}: {in_words(found.denied_reason)}")
        return
    plan = f"on plan {found.plan_id}" if found.plan_id else "without a plan"
    output.print_line(f"{who} is {plan} (catalog version {found.catalog_version})\n")
    _print(found)


def _print(found: "Entitlements") -> None:
    held = amounts.held(limit for each in found.entitlements for limit in each.limits)
    rows = [row for each in found.entitlements for row in _rows(each, held)]
    columns = ["feature", "grants", ">used", *(f">{name}" for name in held), ">remaining"]
    columns += ["", "resets"]
    mark = columns.index("")
    if not any(row[mark] for row in rows):
        del columns[mark]
        for row in rows:
            del row[mark]
    output.print_table(columns, rows)


def _rows(entitlement: "Entitlement", held: Sequence[str]) -> "list[list[output.Cell]]":
    if not entitlement.limits:
        return [_row_without_limit(entitlement, held)]
    rows: list[list[output.Cell]] = []
    for limit in entitlement.limits:
        grants, used, remaining, resets = amounts.row(limit)
        if entitlement.concurrency:
            grants, resets = f"{grants} at once", ""
        mark = amounts.mark(limit)
        style = mark[1] if isinstance(mark, tuple) else ""
        first = not rows
        rows.append(
            [
                entitlement.feature_id if first else "",
                _with_variant(grants, entitlement) if first else grants,
                (used, style),
                *amounts.held_row(limit, held),
                remaining,
                mark,
                resets,
            ]
        )
    return rows


def _row_without_limit(entitlement: "Entitlement", held: Sequence[str]) -> "list[output.Cell]":
    rest = [""] * (len(held) + 3)
    if entitlement.reason is Reason.REVOKED:
        return [entitlement.feature_id, ("nothing: taken away", "red"), "", *rest]
    grants, used = ", ".join(entitlement.values) or entitlement.value or "yes", ""
    grants = _WITHOUT.get(entitlement.reason, grants)
    if entitlement.unlimited:
        grants, used = "unlimited", output.amount(entitlement.used, entitlement.decimals)
    return [entitlement.feature_id, _with_variant(grants, entitlement), used, *rest]


def _with_variant(grants: str, entitlement: "Entitlement") -> str:
    return f"{grants} (variant {entitlement.variant})" if entitlement.variant else grants
