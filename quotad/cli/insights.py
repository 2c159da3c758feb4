"""`quotad insights`: customers near a limit, or above one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import completion, failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption

if TYPE_CHECKING:
    from quotad.client.admin import CustomerUsage, FeatureInsights


ABOVE = "more than the limit, used or asked for"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(insights)


def insights(
    feature: Annotated[
        str,
        typer.Argument(
            metavar="FEATURE",
            help="One feature; without it, all that count.",
            autocompletion=completion.features,
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Show at most so many of a kind.")
    ] = 10,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Show the customers above a limit and near one: the candidates for the next plan."""
    with failures.admin(server, as_json) as admin:
        found = admin.insights(feature, limit)
    if as_json:
        output.print_json({"features": found})
        return
    lists = [
        each
        for one in found
        for each in ((one.feature_id, one.above, True), (one.feature_id, one.near, False))
        if each[1]
    ]
    for index, (feature_id, usages, above) in enumerate(lists):
        if index:
            output.print_line("")
        style = "red" if above else "yellow"
        output.print_headline(feature_id, style, ABOVE if above else "near the limit")
        _print(usages, style)
    _print_groups(found)
    if not lists:
        output.print_line(
            f"no customer is near a limit of {feature}"
            if feature
            else "no customer is near a limit"
        )


def _print(usages: "tuple[CustomerUsage, ...]", style: str) -> None:
    rows: list[list[output.Cell]] = [
        [
            each.customer_id + (f" ({each.resource_id})" if each.resource_id else ""),
            each.plan_id,
            output.amount(each.used, each.decimals),
            output.amount(each.denied, each.decimals) if each.denied else "",
            _limit(each),
            (f"{max(each.percent, each.demand_percent):,} %", style),
            output.moment(each.resets_at),
        ]
        for each in usages
    ]
    output.print_table(
        ["customer", "plan", ">used", ">denied", "limit", ">", "resets"], rows, indent=2
    )


def _print_groups(found: "Sequence[FeatureInsights]") -> None:
    rows: list[list[output.Cell]] = [
        [group.experiment, group.variant, one.feature_id, f"{group.above:,}", f"{group.near:,}"]
        for one in found
        for group in one.groups
    ]
    if rows:
        output.print_line("")
        output.print_table(["experiment", "variant", "feature", ">above", ">near"], rows)


def _limit(usage: "CustomerUsage") -> str:
    words = [output.amount(usage.limit, usage.decimals), usage.pool_id]
    return " ".join(word for word in (*words, usage.per and f"per {usage.per}") if word)
