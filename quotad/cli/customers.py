"""`quotad customers`: subscriptions of customers."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quotad.cli import completion, customer_view, erasing, failures, output, overrides
from quotad.cli.arguments import addons_of, time_of
from quotad.cli.options import (
    SERVER_DEFAULT,
    CustomerId,
    IfEpoch,
    Json,
    Resource,
    ServerOption,
    SubscriptionOption,
)
from quotad.model import BATCH_MAX

if TYPE_CHECKING:
    from quotad.client.admin import Customer

AddOns = Annotated[
    list[str] | None,
    typer.Option(
        "--addon",
        metavar="NAME[=N]",
        help="An add-on, N of it. May be repeated.",
        autocompletion=completion.addons,
    ),
]
WhenOption = Annotated[
    Literal["now", "period-end"], typer.Option(help="When: the billing period under way ends.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Who is on which plan, and has what besides.")
    group.command("set")(set_)
    group.command()(change)
    group.command()(cancel)
    overrides.register(group)
    erasing.register(group)
    group.command()(get)
    group.command("list")(list_)
    group.command()(archive)
    app.add_typer(group, name="customers")


def set_(
    customer: CustomerId,
    plan: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans, metavar="PLAN", help="A plan of the catalog."
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601",
            help="When the subscription starts. Without it a new customer starts now, and a known "
            "one keeps its start.",
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="ISO8601", help="When it ends. Without it, it goes on.")
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601", help="What billing periods are aligned to. Without it, the start."
        ),
    ] = None,
    addon: AddOns = None,
    trial_end: Annotated[
        str | None, typer.Option(metavar="ISO8601", help="It starts with a trial until then.")
    ] = None,
    then: Annotated[
        Literal["convert", "end"] | None,
        typer.Option(help="What follows the trial: the subscription goes on (default), or ends."),
    ] = None,
    convert_to: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans,
            metavar="PLAN",
            help="What it goes on with. Without it, PLAN.",
        ),
    ] = "",
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="For people. Without it, it stays; empty: none."),
    ] = None,
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Create a customer, or change its plan; brings an archived one back.

    Times are UTC unless a zone is written: 2026-01-31, 2026-01-31T09:00+01:00.
    """
    from quotad.client.admin import Trial

    trial_ends = time_of("--trial-end", trial_end, as_json)
    if trial_ends is None and (then or convert_to):
        given = "--then" if then else "--convert-to"
        failures.fail(f"{given}: follows a trial; say --trial-end too", as_json)
    if then == "end" and convert_to:
        failures.fail("--convert-to: a trial with --then end converts to nothing", as_json)
    trial = None if trial_ends is None else Trial(trial_ends, then or "convert", convert_to)
    starts = time_of("--start", start, as_json)
    ends = time_of("--end", end, as_json)
    aligned = time_of("--anchor", anchor, as_json)
    addons = addons_of(addon, as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.provision(
            customer,
            plan,
            starts,
            subscription_id=subscription,
            resource_id=resource,
            addons=addons,
            end=ends,
            anchor=aligned,
            trial=trial,
            if_epoch=if_epoch,
            name=name,
        )
    customer_view.show(done, as_json)


def change(
    customer: CustomerId,
    plan: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans,
            metavar="PLAN",
            help="Its plan from then on. Without it, it stays.",
        ),
    ] = "",
    addon: AddOns = None,
    no_addons: Annotated[bool, typer.Option("--no-addons", help="No add-ons any more.")] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Move to the latest revision of the plan.")
    ] = False,
    when: WhenOption = "now",
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Change a subscription. Add-ons that are given replace all it has."""
    addons = {} if no_addons else addons_of(addon, as_json)
    if no_addons and addon:
        failures.fail("--no-addons: contradicts --addon", as_json)
    if not plan and addons is None and not latest:
        failures.fail("say what changes: --plan, --addon, --no-addons or --latest", as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.change_subscription(
            customer,
            plan,
            addons=addons,
            latest_revision=latest,
            when=when,
            subscription_id=subscription,
            resource_id=resource,
            if_epoch=if_epoch,
        )
    customer_view.show(done, as_json)


def cancel(
    customer: CustomerId,
    when: WhenOption = "now",
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """End a subscription, and take back a change that waits."""
    with failures.admin(server, as_json) as admin:
        done = admin.cancel_subscription(
            customer,
            when=when,
            subscription_id=subscription,
            resource_id=resource,
            if_epoch=if_epoch,
        )
    customer_view.show(done, as_json)


def get(customer: CustomerId, server: ServerOption = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Show one customer."""
    with failures.admin(server, as_json) as admin:
        found = admin.customer(customer)
    customer_view.show(found, as_json)


def list_(
    prefix: Annotated[
        str, typer.Argument(metavar="[PREFIX]", help="Only those whose id starts so.")
    ] = "",
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="A word of the name, and the rest, start so.")
    ] = "",
    plan: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans,
            metavar="PLAN",
            help="A subscription to it is in force.",
        ),
    ] = "",
    status: Annotated[
        Literal["active", "archived"] | None, typer.Option(help="Only those that are so.")
    ] = None,
    seen: Annotated[
        bool, typer.Option("--seen", help="Those on the default plan, never provisioned.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most so many.")] = 50,
    after: Annotated[
        str, typer.Option(metavar="TOKEN", help="Go on where the list before has ended.")
    ] = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List provisioned customers, or find some of them."""
    if seen:
        given = {"--name": name, "--plan": plan, "--status": status, "--after": after}
        for option in [option for option, text in given.items() if text]:
            failures.fail(f"{option}: is not for --seen; a PREFIX and --limit are", as_json)
        _list_seen(prefix, limit, server, as_json)
        return
    search = {"id_prefix": prefix, "name": name, "plan_id": plan, "status": status or ""}
    shown: list[Customer] = []
    with failures.admin(server, as_json) as admin:
        while True:
            page = admin.customer_page(min(limit - len(shown), BATCH_MAX), after, **search)
            shown += page.customers
            after = page.next_token
            if not after or len(shown) == limit:
                break
        ahead = after
        while ahead:  # the rest may be empty
            page = admin.customer_page(1, ahead, **search)
            ahead = page.next_token
            if page.customers:
                break
        else:
            after = ""
    if as_json:
        output.print_json({"customers": shown, "more": bool(after), "next": after})
        return
    named = any(each.name for each in shown)
    rows = [
        [
            each.customer_id,
            *([each.name] if named else []),
            each.status.lower(),
            customer_view.plans(each),
            output.moment(customer_view.since(each), ""),
            output.moment(each.updated_at, ""),
        ]
        for each in shown
    ]
    columns = ["customer", *(["name"] if named else []), "status", "plan", "since", "updated"]
    output.print_table(columns, rows)
    if after:
        output.console(stderr=True).print(
            f"There are more; go on with --after {after}", soft_wrap=True, highlight=False
        )


def _list_seen(prefix: str, limit: int, server: str, as_json: bool) -> None:
    with failures.admin(server, as_json) as admin:
        found = list(islice(admin.seen(prefix), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        output.print_json({"customers": shown, "more": more})
        return
    rows = [[each.customer_id, output.moment(each.seen_at)] for each in shown]
    output.print_table(["customer", "seen"], rows)
    if more:
        output.console(stderr=True).print(f"There are more; --limit {limit} ends the list here.")


def archive(
    customer: CustomerId,
    if_epoch: IfEpoch = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Deny a customer everything until it is set again; its usage is kept."""
    with failures.admin(server, as_json) as admin:
        done = admin.archive(customer, if_epoch=if_epoch)
    customer_view.show(done, as_json)
