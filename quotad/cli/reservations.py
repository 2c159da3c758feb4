"""`quotad reserve`, `commit`, `release` and `extend`: quota held before the work is done."""

from typing import Annotated

import typer

from quotad.cli import decisions, failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    CustomerId,
    FeatureId,
    Json,
    Resource,
    ServerOption,
)

ReservationId = Annotated[
    str, typer.Argument(metavar="RESERVATION", help="Its id, unique for the customer.")
]
Ttl = Annotated[float, typer.Option(metavar="SECONDS", help="Comes back by itself after so long.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(reserve)
    app.command()(commit)
    app.command()(release)
    app.command()(extend)


def reserve(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help="The most needed.")] = 1,
    reservation: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own; else one is made.")
    ] = None,
    ttl: Ttl = 60.0,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Hold quota before the work is done. Exit codes as of consume."""
    with failures.client(server, as_json) as client:
        held = client.reserve(
            customer, feature, quantity, reservation_id=reservation, ttl=ttl, resource_id=resource
        )
    if as_json:
        output.print_json(held)
        if not held.allowed:
            raise typer.Exit(failures.EXIT_DENIED)
        return
    fields = [("reservation", held.reservation_id), ("ends", output.moment(held.expires_at))]
    decisions.show(held.decision, as_json, took=feature, first=fields if held.allowed else ())


def commit(
    customer: CustomerId,
    reservation: ReservationId,
    quantity: Annotated[
        int | None, typer.Argument(metavar="QUANTITY", help="What was used; else all of it.")
    ] = None,
    allow_overrun: Annotated[
        bool, typer.Option("--allow-overrun", help="Count what is above it past every limit.")
    ] = False,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Settle a reservation by what was used. Exit codes as of consume."""
    with failures.client(server, as_json) as client:
        decision = client.commit(customer, reservation, quantity, allow_overrun=allow_overrun)
    decisions.show(decision, as_json, took=reservation)


def release(
    customer: CustomerId,
    reservation: ReservationId,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Settle a reservation by nothing: all of it comes back."""
    with failures.client(server, as_json) as client:
        decision = client.release(customer, reservation)
    decisions.show(decision, as_json, took=reservation)


def extend(
    customer: CustomerId,
    reservation: ReservationId,
    ttl: Ttl = 60.0,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Let an open reservation end later."""
    with failures.client(server, as_json) as client:
        ends = client.extend(customer, reservation, ttl)
    if as_json:
        output.print_json({"expires_at": ends})
    else:
        output.print_fields([("ends", output.moment(ends))])
