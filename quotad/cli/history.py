"""`quotad customers changes` and `rollback`: the latest writes of a customer, and the way back."""

from typing import Annotated

import typer

from quotad.cli import customer_view, failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    CommentOption,
    CustomerId,
    IfEpoch,
    Json,
    LatestOption,
    ServerOption,
)


def register(group: typer.Typer) -> None:
    """Add the commands of this module to those of customers."""
    group.command()(changes)
    group.command()(rollback)


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
            str(each.epoch) if each.undoable else "",
        ]
        for each in found
    ]
    if rows:
        output.print_table(("when", "actor", "call", "what", "rollback"), rows)
    else:
        output.print_line(f"no write of {customer} is kept")


def rollback(
    customer: CustomerId,
    epoch: Annotated[
        int | None,
        typer.Argument(
            metavar="[EPOCH]",
            min=1,
            help="Of the write to undo, as `changes` lists it; without it the latest.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be different; write nothing.")
    ] = False,
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Make a customer what it was before a write; its usage stays.

    What came after the write is undone with it: name the latest of that by --if-epoch.
    """
    with failures.admin(server, as_json) as admin:
        if epoch is None:
            epoch = if_epoch or admin.customer(customer).epoch
        done = admin.rollback_customer(
            customer, epoch, if_epoch=if_epoch, comment=comment, dry_run=dry_run
        )
    if as_json:
        output.print_json(done)
        return
    for line in done.changes:
        output.print_line(line)
    if not done.changes:
        output.print_line("nothing is different")
    if not dry_run:
        customer_view.show(done.customer, as_json)
    elif len(done.undone) > 1:
        output.print_line(
            f"{len(done.undone)} writes would be undone; all of them: --if-epoch"
            f" {done.customer.epoch}"
        )
