"""`quotad customers`: who is on which plan."""

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, Server

if TYPE_CHECKING:
    from quotad.client.admin import Customer

CustomerId = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Who is on which plan.")
    group.command("set")(set_)
    group.command()(get)
    group.command("list")(list_)
    group.command()(archive)
    app.add_typer(group, name="customers")


def set_(
    customer: CustomerId,
    plan: Annotated[str, typer.Option(metavar="PLAN", help="A plan of the catalog.")],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601",
            help="When the subscription starts; local time without a zone. Without it a new "
            "customer starts now, and a known one keeps its start.",
        ),
    ] = None,
    server: Server = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Create a customer, or change its plan; brings an archived one back."""
    at = _time(start, as_json) if start is not None else None
    with failures.admin(server, as_json) as admin:
        _show(admin.provision(customer, plan, at), as_json)


def get(customer: CustomerId, server: Server = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Show one customer."""
    with failures.admin(server, as_json) as admin:
        _show(admin.customer(customer), as_json)


def list_(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most so many.")] = 50,
    server: Server = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List provisioned customers."""
    with failures.admin(server, as_json) as admin:
        # One more than wanted tells whether there are more.
        found = list(islice(admin.customers(page_size=limit + 1), limit + 1))
    more = len(found) > limit
    shown = found[:limit]
    if as_json:
        output.print_json({"customers": shown, "more": more})
        return
    output.print_table(["customer", "status", "plan", "since", "updated"], [_row(c) for c in shown])
    if more:
        output.console(stderr=True).print(f"There are more; --limit {limit} ends the list here.")


def archive(customer: CustomerId, server: Server = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Deny a customer everything until it is set again; its usage is kept."""
    with failures.admin(server, as_json) as admin:
        _show(admin.archive(customer), as_json)


def _time(text: str, as_json: bool) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        failures.fail(f"--start: not a time: {text!r} (like 2026-01-31T09:00:00Z)", as_json)


def _show(customer: "Customer", as_json: bool) -> None:
    if as_json:
        output.print_json(customer)
        return
    status = customer.status.lower()
    output.print_headline(customer.customer_id, "green" if status == "active" else "red", status)
    plans = [
        ("plan", f"{each.plan_id} since {output.moment(each.start)}")
        for each in customer.subscriptions
    ]
    output.print_fields(
        [
            *plans,
            ("created", output.moment(customer.created_at, "")),
            ("updated", output.moment(customer.updated_at, "")),
            ("epoch", output.number(customer.epoch)),
        ]
    )


def _row(customer: "Customer") -> list[str]:
    plans = ", ".join(each.plan_id for each in customer.subscriptions)
    start = customer.subscriptions[0].start if customer.subscriptions else None
    return [
        customer.customer_id,
        customer.status.lower(),
        plans,
        output.moment(start, ""),
        output.moment(customer.updated_at, ""),
    ]
