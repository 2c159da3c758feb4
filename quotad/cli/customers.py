"""`quotad customers`: subscriptions of customers."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quotad.cli import (
    completion,
    customer_list,
    customer_view,
    erasing,
    failures,
    history,
    overrides,
)
from quotad.cli.arguments import addons_of, texts_of, time_of
from quotad.cli.options import (
    SERVER_DEFAULT,
    CommentOption,
    CustomerId,
    IfEpoch,
    Json,
    Resource,
    ServerOption,
    SubscriptionOption,
)

if TYPE_CHECKING:
    from quotad.client.admin import Trial

AddOns = Annotated[
    list[str] | None,
    typer.Option(
        "--addon",
        metavar="NAME[=N]",
        help="An add-on, N of it. May be repeated.",
        autocompletion=completion.addons,
    ),
]
Units = Annotated[
    int | None,
    typer.Option(
        "--units",
        metavar="N",
        help="How much of the plan, such as seats. Without it, it stays.",
        min=1,
    ),
]
WhenOption = Annotated[
    Literal["now", "period-end"], typer.Option(help="When: the billing period under way ends.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        no_args_is_help=True, help="Subscriptions, overrides and promotions of customers."
    )
    group.command("set")(set_)
    group.command()(change)
    group.command()(cancel)
    overrides.register(group)
    erasing.register(group)
    group.command()(get)
    customer_list.register(group)
    history.register(group)
    group.command()(archive)
    app.add_typer(group, name="customers")


def set_(
    customer: CustomerId,
    plan: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans,
            metavar="PLAN",
            help="A plan of the catalog. Without it, only what the customer is known by is set.",
        ),
    ] = "",
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
    units: Units = None,
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
    email: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Without it, it stays; empty: none.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Such as Europe/Berlin; as the email.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=TEXT", help="May be repeated; KEY= removes it."),
    ] = None,
    external_id: Annotated[
        list[str] | None,
        typer.Option(
            "--external-id",
            metavar="SYSTEM=ID",
            help="In another system, such as stripe=cus_1. May be repeated; SYSTEM= removes it.",
        ),
    ] = None,
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Create a customer, or change its plan; brings an archived one back.

    Without --plan, change only its name, email, time zone, metadata or ids in other systems.
    Times are UTC unless a zone is written: 2026-01-31, 2026-01-31T09:00+01:00.
    """
    known_by: dict[str, Any] = {"name": name, "email": email, "timezone": timezone}
    known_by["metadata"] = texts_of("--metadata", metadata, as_json)
    known_by["external_ids"] = texts_of("--external-id", external_id, as_json)
    if not plan:
        given: dict[str, object] = {"--start": start, "--end": end, "--anchor": anchor}
        given |= {"--addon": addon, "--units": units, "--trial-end": trial_end, "--then": then}
        given |= {"--convert-to": convert_to, "--subscription": subscription}
        given |= {"--resource": resource}
        for option in [option for option, value in given.items() if value]:
            failures.fail(f"{option}: is of a subscription; say --plan too", as_json)
        if not any(value is not None and value != {} for value in known_by.values()):
            failures.fail("say --plan, or what the customer is known by, such as --name", as_json)
        with failures.admin(server, as_json) as admin:
            done = admin.update_customer(customer, **known_by, if_epoch=if_epoch, comment=comment)
        customer_view.show(done, as_json)
        return
    trial = _trial(trial_end, then, convert_to, as_json)
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
            comment=comment,
            unit_quantity=units,
            **known_by,
        )
    customer_view.show(done, as_json)


def _trial(
    trial_end: str | None, then: Literal["convert", "end"] | None, convert_to: str, as_json: bool
) -> "Trial | None":
    from quotad.client.admin import Trial

    trial_ends = time_of("--trial-end", trial_end, as_json)
    if trial_ends is None and (then or convert_to):
        given = "--then" if then else "--convert-to"
        failures.fail(f"{given}: follows a trial; say --trial-end too", as_json)
    if then == "end" and convert_to:
        failures.fail("--convert-to: a trial with --then end converts to nothing", as_json)
    return None if trial_ends is None else Trial(trial_ends, then or "convert", convert_to)


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
    units: Units = None,
    no_addons: Annotated[bool, typer.Option("--no-addons", help="No add-ons any more.")] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Move to the latest revision of the plan.")
    ] = False,
    when: WhenOption = "now",
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Change a subscription. Add-ons that are given replace all it has."""
    addons = {} if no_addons else addons_of(addon, as_json)
    if no_addons and addon:
        failures.fail("--no-addons: contradicts --addon", as_json)
    if not plan and addons is None and units is None and not latest:
        what = "--plan, --addon, --no-addons, --units or --latest"
        failures.fail(f"say what changes: {what}", as_json)
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
            comment=comment,
            unit_quantity=units,
        )
    customer_view.show(done, as_json)


def cancel(
    customer: CustomerId,
    when: WhenOption = "now",
    subscription: SubscriptionOption = "",
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
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
            comment=comment,
        )
    customer_view.show(done, as_json)


def get(customer: CustomerId, server: ServerOption = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Show one customer."""
    with failures.admin(server, as_json) as admin:
        found = admin.customer(customer)
    customer_view.show(found, as_json)


def archive(
    customer: CustomerId,
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Deny a customer everything until it is set again; its usage is kept."""
    with failures.admin(server, as_json) as admin:
        done = admin.archive(customer, if_epoch=if_epoch, comment=comment)
    customer_view.show(done, as_json)
