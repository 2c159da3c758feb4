"""`quotad customers changes`: whose doing the latest writes of a customer were."""

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, CustomerId, Json, LatestOption, ServerOption


def register(group: typer.Typer) -> None:
    """Add the command of this module to those of customers."""
    group.command()(changes)


def changes(
    customer: CustomerId,
    limit: LatestOption = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List the latest writes of a customer: when, whose, and what they changed."""
    with failures.admin(server, as_json) as admin:
        found = admin.changes(customer, limit)
    if as_json:
        output.print_json({"changes": found})
        return
    rows: list[list[output.Cell]] = [
        [
            output.moment(each.changed_at, ""),
            each.actor,
            each.call,
            "; ".join(each.changes) + (f" ({each.comment})" if each.comment else ""),
        ]
        for each in found
    ]
    if rows:
        output.print_table(("when", "actor", "call", "what"), rows)
    else:
        output.print_line(f"no write of {customer} is kept")
