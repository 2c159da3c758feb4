"""`quotad slot acquire`, `heartbeat`, `release` and `list`: what is in flight."""

from typing import Annotated

import typer

from quotad.cli import arguments, decisions, failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    CustomerId,
    FeatureId,
    Json,
    Resource,
    ServerOption,
)

SlotId = Annotated[str, typer.Argument(metavar="SLOT", help="Its id, unique for the customer.")]
SlotTtl = Annotated[float, typer.Option(metavar="SECONDS", help="Ends by itself after so long.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Slots of features that limit what is in flight (kind: concurrency).",
    )
    group.command()(acquire)
    group.command()(heartbeat)
    group.command()(release)
    group.command("list")(list_slots)
    app.add_typer(group, name="slot")


def acquire(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help="How much it holds.")] = 1,
    slot: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own; else one is made.")
    ] = None,
    ttl: SlotTtl = 60.0,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="FEATURE[=QUANTITY]", help="Count this with it, all or nothing."),
    ] = None,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Hold a slot until it is released or ends. Exit code 0 held, 1 denied, 2 error."""
    quantities = arguments.quantities_of(also or (), as_json)
    with failures.client(server, as_json) as client:
        acquired = client.acquire_slot(
            customer,
            feature,
            quantity,
            slot_id=slot,
            ttl=ttl,
            resource_id=resource,
            also=quantities,
        )
    first = [("slot", acquired.slot_id), ("ends", output.moment(acquired.expires_at))]
    if not acquired.allowed:
        first = []
    if as_json:
        output.print_json(acquired)
    if as_json or quantities:
        names = [feature, *quantities]
        decisions.show_all(acquired.decision, as_json, names, first=first)
    else:
        decisions.show(acquired.slot, as_json, took=feature, first=first)


def heartbeat(
    customer: CustomerId,
    slot: SlotId,
    ttl: SlotTtl = 60.0,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Let a slot end later."""
    with failures.client(server, as_json) as client:
        ends = client.heartbeat(customer, slot, ttl)
    if as_json:
        output.print_json({"expires_at": ends})
    else:
        output.print_fields([("ends", output.moment(ends))])


def release(
    customer: CustomerId,
    slot: SlotId,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Free a slot."""
    with failures.client(server, as_json) as client:
        released = client.release_slot(customer, slot)
    if as_json:
        output.print_json({"released": released})
    else:
        output.print_line("released" if released else "was not held any more")


def list_slots(
    customer: CustomerId,
    feature: FeatureId,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Show the slots of a feature that a customer holds, those that end first."""
    with failures.client(server, as_json) as client:
        found = client.list_slots(customer, feature, resource)
    if as_json:
        output.print_json({"slots": found})
    elif found:
        rows: list[list[output.Cell]] = [
            [each.slot_id, output.number(each.quantity), output.moment(each.expires_at)]
            for each in found
        ]
        output.print_table(["slot", ">holds", "ends"], rows)
    else:
        output.print_line(f"{customer} holds no slot of {feature}")
