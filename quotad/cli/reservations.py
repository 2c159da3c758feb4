"""`quotad reserve`, `commit`, `release` and `extend`: quota held before the work is done."""

from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import arguments, decisions, failures, output
from quotad.cli.options import SERVER_DEFAULT, CustomerId, Json, Resource, ServerOption

if TYPE_CHECKING:
    from quotad.client import ItemsDecision

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
    items: Annotated[
        list[str],
        typer.Argument(metavar="FEATURE[=QUANTITY]...", help="The most needed of each feature."),
    ],
    reservation: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own; else one is made.")
    ] = None,
    ttl: Ttl = 60.0,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Hold quota before the work is done, of several features all of it or nothing.

    Exit codes as of consume.
    """
    quantities = arguments.quantities_of(items, as_json)
    if len(quantities) == 1:
        _reserve_one(customer, quantities, (reservation, ttl, resource), server, as_json)
        return
    with failures.client(server, as_json) as client:
        from quotad.client import Item

        asked = [Item(feature, quantity, resource) for feature, quantity in quantities.items()]
        held = client.reserve_all(customer, asked, reservation_id=reservation, ttl=ttl)
    fields = [("reservation", held.reservation_id), ("ends", output.moment(held.expires_at))]
    if as_json:
        output.print_json(held)
    first = fields if held.allowed else ()
    decisions.show_all(held.decision, as_json, list(quantities), first, server)


def _reserve_one(
    customer: str,
    quantities: dict[str, int],
    how: tuple[str | None, float, str],
    server: str,
    as_json: bool,
) -> None:
    ((feature, quantity),), (reservation, ttl, resource) = quantities.items(), how
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
    hint = decisions.near(feature, held.decision.reason, server)
    first = fields if held.allowed else ()
    decisions.show(held.decision, as_json, took=feature, hint=hint, first=first)


def commit(
    customer: CustomerId,
    reservation: ReservationId,
    used: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[QUANTITY | FEATURE=QUANTITY...]",
            help="What was used, of several features of each; else all that is held.",
        ),
    ] = None,
    allow_overrun: Annotated[
        bool, typer.Option("--allow-overrun", help="Count what is above it past every limit.")
    ] = False,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Settle a reservation by what was used. Exit codes as of consume."""
    ids = customer, reservation
    if used is not None and len(used) == 1 and used[0].isascii() and used[0].isdigit():
        with failures.client(server, as_json) as client:
            one = client.commit(*ids, int(used[0]), allow_overrun=allow_overrun)
        decisions.show(one, as_json, took=reservation)
        return
    with failures.client(server, as_json) as client:
        from quotad.client import Item

        quantities = arguments.quantities_of(used or (), as_json)
        items = [Item(feature, quantity, resource) for feature, quantity in quantities.items()]
        decision = client.commit_all(*ids, items, allow_overrun=allow_overrun)
    _show_settled(decision, as_json, reservation)


def release(
    customer: CustomerId,
    reservation: ReservationId,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Settle a reservation by nothing: all of it comes back."""
    with failures.client(server, as_json) as client:
        decision = client.release_all(customer, reservation)
    _show_settled(decision, as_json, reservation)


def _show_settled(decision: "ItemsDecision", as_json: bool, reservation: str) -> None:
    if not decision.features:  # of one feature
        decisions.show(decision.items[0], as_json, took=reservation)
        return
    decisions.show_items(decision, as_json)


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
