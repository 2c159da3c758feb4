"""`quotad lease acquire`, `renew` and `release`: quota lent to a caller that decides by itself."""

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from quotad.client import LeaseTerm

LeaseId = Annotated[str, typer.Argument(metavar="LEASE", help="Its id, unique for the customer.")]
Spent = Annotated[int, typer.Option("--spent", help="In all, since it was acquired.", min=0)]
LeaseTtl = Annotated[
    float | None, typer.Option("--ttl", metavar="SECONDS", help="Longest term; else the server's.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Quota lent for a few seconds to a caller that decides by itself.",
    )
    group.command()(acquire)
    group.command()(renew)
    group.command()(release)
    app.add_typer(group, name="lease")


def acquire(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help="How much is wanted.")],
    lease: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own; else one is made.")
    ] = None,
    ttl: LeaseTtl = None,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Lend up to a quantity of a hard limit. Exit code 1: nothing is lent."""
    with failures.client(server, as_json) as client:
        lent = client.acquire_lease(
            customer, feature, quantity, lease_id=lease, ttl=ttl, resource_id=resource
        )
    _show(lent, as_json)


def renew(
    customer: CustomerId,
    lease: LeaseId,
    sequence: Annotated[int, typer.Argument(metavar="SEQUENCE", help="1, 2 and so on.")],
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help="To spend from now on.")],
    spent: Spent = 0,
    ttl: LeaseTtl = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Report what was spent, for a new term. Exit code 1: it is not renewed."""
    with failures.client(server, as_json) as client:
        lent = client.renew_lease(
            customer, lease, sequence=sequence, spent=spent, quantity=quantity, ttl=ttl
        )
    _show(lent, as_json)


def release(
    customer: CustomerId,
    lease: LeaseId,
    spent: Spent = 0,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Return what was not spent."""
    with failures.client(server, as_json) as client:
        returned = client.release_lease(customer, lease, spent=spent)
    if as_json:
        output.print_json({"returned": returned})
    else:
        output.print_fields([("returned", f"{returned:,}")])


def _show(lent: "LeaseTerm", as_json: bool) -> None:
    if as_json:
        output.print_json(lent)
        if lent.term is None:
            raise typer.Exit(failures.EXIT_DENIED)
        return
    if lent.term is None:
        output.print_line("nothing is lent; asked for one unit, the answer is:")
        decisions.show(lent.decision, as_json)
        raise typer.Exit(failures.EXIT_DENIED)
    fields = [
        ("lease", lent.lease_id),
        ("lent", f"{lent.granted:,} in all"),
        ("ends", output.moment(lent.expires_at) + (" with the period" if lent.last else "")),
    ]
    decisions.show(lent.decision, as_json, took="lent", first=fields)
