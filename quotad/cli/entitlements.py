"""`quotad entitlements`: everything that a customer may do, and how much of it is used."""

from typing import TYPE_CHECKING

import typer

from quotad.cli import amounts, failures, output
from quotad.cli.decisions import in_words
from quotad.cli.options import SERVER_DEFAULT, CustomerId, Json, Resource, ServerOption
from quotad.model import Reason

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
    rows = [row for each in found.entitlements for row in _rows(each)]
    columns = ["feature", "grants", ">used", ">remaining", "", "resets"]
    mark = columns.index("")
    if not any(row[mark] for row in rows):
        del columns[mark]
        for row in rows:
            del row[mark]
    output.print_table(columns, rows)


def _rows(entitlement: "Entitlement") -> "list[list[output.Cell]]":
    if not entitlement.limits:
        return [_row_without_limit(entitlement)]
    rows: list[list[output.Cell]] = []
    for limit in entitlement.limits:
        grants, used, remaining, resets = amounts.row(limit)
        mark = amounts.mark(limit)
        style = mark[1] if isinstance(mark, tuple) else ""
        first = not rows
        rows.append(
            [
                entitlement.feature_id if first else "",
                _with_variant(grants, entitlement) if first else grants,
                (used, style),
                remaining,
                mark,
                resets,
            ]
        )
    return rows


def _row_without_limit(entitlement: "Entitlement") -> "list[output.Cell]":
    if entitlement.reason is Reason.REVOKED:
        return [entitlement.feature_id, ("nothing: taken away", "red"), "", "", "", ""]
    grants, used = ", ".join(entitlement.values) or entitlement.value or "yes", ""
    grants = _WITHOUT.get(entitlement.reason, grants)
    if entitlement.unlimited:
        grants, used = "unlimited", output.amount(entitlement.used, entitlement.decimals)
    return [entitlement.feature_id, _with_variant(grants, entitlement), used, "", "", ""]


def _with_variant(grants: str, entitlement: "Entitlement") -> str:
    return f"{grants} (variant {entitlement.variant})" if entitlement.variant else grants
