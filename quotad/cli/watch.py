"""`quotad watch`: what changes, line by line, until it is interrupted."""

import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.changes import ChangeKind
from quotad.cli import completion, failures, output
from quotad.cli.options import SERVER_DEFAULT, ServerOption

if TYPE_CHECKING:
    from quotad.client import QuotaError, WatchedChange

_WORDS = {
    ChangeKind.CUSTOMER_CHANGED: "{customer} has changed",
    ChangeKind.CUSTOMER_ERASED: "{customer} was erased",
    ChangeKind.CATALOG_CHANGED: "catalog version {version} is in force",
    ChangeKind.USAGE_CHANGED: "{customer} has used {feature}",
    ChangeKind.REFETCH: "changes may have been missed: read again what is kept",
}


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(watch)


def watch(
    customer: Annotated[
        str,
        typer.Argument(
            metavar="[CUSTOMER]",
            help="The customer's id; without it, all customers.",
            autocompletion=completion.customers,
            show_default=False,
        ),
    ] = "",
    usage: Annotated[bool, typer.Option("--usage", help="Changes of usage as well.")] = False,
    position: Annotated[
        str, typer.Option(metavar="POSITION", help="Go on after this one, of --json.")
    ] = "",
    first: Annotated[
        int, typer.Option(metavar="N", min=0, help="End after so many; 0: never.")
    ] = 0,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each, errors too (stderr).")
    ] = False,
) -> None:
    """Show changes of customers and catalog as they happen, whichever server they are made on."""

    told = ""

    def lost(error: "QuotaError | None") -> None:
        nonlocal told
        why = "the server stops" if error is None else error.message
        if why != told:  # once, however often it is tried
            told = why
            typer.echo(f"not connected ({why}); trying again", err=True)

    with (
        failures.client(server, as_json) as client,
        client.watch(customer, usage=usage, position=position, on_lost=lost) as changes,
    ):
        for change in islice(changes, first or None):
            told = ""
            if as_json:
                typer.echo(json.dumps(output.as_json(change), ensure_ascii=False))
            else:
                typer.echo(f"{change.at.astimezone():%H:%M:%S}  {_in_words(change)}")


def _in_words(change: "WatchedChange") -> str:
    by = f" (by {change.actor})" if change.actor else ""
    feature = change.feature_id or "something"
    if change.resource_id:
        feature += f" ({change.resource_id})"
    words = _WORDS[change.kind].format(
        customer=change.customer_id, version=change.catalog_version, feature=feature
    )
    return words + by
