"""`quotad customers override`, `promote` and their ends: what is in addition to a plan."""

from typing import Annotated

import typer

from quotad.cli import customer_view, failures
from quotad.cli.arguments import entitlement_of, time_of
from quotad.cli.options import (
    SERVER_DEFAULT,
    CommentOption,
    CustomerId,
    FeatureId,
    IfEpoch,
    Json,
    NegativeNumbers,
    Resource,
    ServerOption,
)

Value = Annotated[
    str,
    typer.Argument(
        metavar="VALUE",
        help="As in a catalog: true, email, 10, unlimited, '{limit: 5000, per: month}'.",
    ),
]

Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="ISO8601",
        help="From when on; UTC unless a zone is written. Without it, now.",
    ),
]


def register(group: typer.Typer) -> None:
    """Add the commands of this module to those of customers."""
    group.command(cls=NegativeNumbers)(override)
    group.command()(remove_override)
    group.command(cls=NegativeNumbers)(promote)
    group.command()(revoke)


def override(
    customer: CustomerId,
    feature: FeatureId,
    value: Value,
    start: Start = None,
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Give a customer this of a feature instead of everything else; false takes it away.

    A limit without "per" keeps the window of the entitlement that it replaces.
    """
    entitlement = entitlement_of(value, as_json)
    starts = time_of("--start", start, as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.set_override(
            customer,
            feature,
            entitlement,
            start=starts,
            resource_id=resource,
            if_epoch=if_epoch,
            comment=comment,
        )
    customer_view.show(done, as_json)


def remove_override(
    customer: CustomerId,
    feature: FeatureId,
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Let the plan decide again."""
    with failures.admin(server, as_json) as admin:
        done = admin.remove_override(
            customer, feature, resource_id=resource, if_epoch=if_epoch, comment=comment
        )
    customer_view.show(done, as_json)


def promote(
    customer: CustomerId,
    feature: FeatureId,
    value: Value,
    start: Start = None,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601", help="Until when; UTC unless a zone is written. Without it, no end."
        ),
    ] = None,
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Give a customer this of a feature for a time, where it is more than the rest.

    Promoting again replaces.
    """
    entitlement = entitlement_of(value, as_json)
    starts, ends = time_of("--start", start, as_json), time_of("--end", end, as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.grant_promotion(
            customer,
            feature,
            entitlement,
            start=starts,
            end=ends,
            resource_id=resource,
            if_epoch=if_epoch,
            comment=comment,
        )
    customer_view.show(done, as_json)


def revoke(
    customer: CustomerId,
    feature: FeatureId,
    resource: Resource = "",
    if_epoch: IfEpoch = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Take a promotion back. To take a feature away, override it with false."""
    with failures.admin(server, as_json) as admin:
        done = admin.revoke_promotion(
            customer, feature, resource_id=resource, if_epoch=if_epoch, comment=comment
        )
    customer_view.show(done, as_json)
