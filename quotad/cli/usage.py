"""`quotad usage`: what customers have used, for a person, a program or finance."""

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from quotad.cli import completion, decisions, failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    ActorOption,
    CustomerId,
    FeatureId,
    Json,
    LatestOption,
    ReasonOption,
    Resource,
    ServerOption,
)

if TYPE_CHECKING:
    from quotad.client.admin import Usage

COLUMNS = (
    "customer_id",
    "resource_id",
    "feature_id",
    "per",
    "start",
    "end",
    "used",
    "unit",
    "denied",
)

MonthOption = Annotated[
    str,
    typer.Option(
        metavar="YYYY-MM", help="Periods that start in this month; without it, those under way."
    ),
]
FeatureOption = Annotated[
    str,
    typer.Option(metavar="FEATURE", help="One feature.", autocompletion=completion.features),
]


class _ShowsByDefault(typer.core.TyperGroup):
    """Takes `quotad usage acme` for `quotad usage show acme`."""

    default = "show"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line of this group."""
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        cls=_ShowsByDefault,
        no_args_is_help=True,
        help="What customers have used: `quotad usage CUSTOMER`, or all of them as CSV.",
    )
    group.command()(show)
    group.command()(export)
    group.command(name="set")(set_)
    group.command()(corrections)
    app.add_typer(group, name="usage")


def show(
    customer: CustomerId,
    feature: FeatureOption = "",
    month: MonthOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Show what one customer has used. `show` may be left out."""
    with failures.admin(server, as_json) as admin:
        found = list(admin.usage(customer, feature_id=feature, month=month))
    if as_json:
        output.print_json({"usage": found})
        return
    rows: list[list[output.Cell]] = [
        [
            each.feature_id + (f" ({each.resource_id})" if each.resource_id else ""),
            output.amount(each.used, each.decimals),
            (output.amount(each.denied, each.decimals) if each.denied else "", "red"),
            each.unit,
            f"per {each.per}" if each.per else "",
            output.moment(each.start, ""),
            output.moment(each.end, ""),
        ]
        for each in found
    ]
    if rows:
        output.print_table(["feature", ">used", ">denied", "unit", "", "from", "until"], rows)
    else:
        output.print_line(f"{customer} has used nothing" + (f" in {month}" if month else ""))


def set_(
    customer: CustomerId,
    feature: FeatureId,
    used: Annotated[int, typer.Argument(metavar="USED", help="What was really used.")],
    per: Annotated[
        str, typer.Option(metavar="WINDOW", help="Of several limits: month, '5 hours', lifetime.")
    ] = "",
    reason: ReasonOption = "",
    actor: ActorOption = "",
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Under the same key it is set once.")
    ] = None,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Set what was used of a limit in its current period, without what is reserved."""
    with failures.client(server, as_json) as client:
        decision = client.set_usage(
            customer,
            feature,
            used,
            per=per,
            resource_id=resource,
            reason=reason,
            actor=actor,
            idempotency_key=idempotency_key,
        )
    decisions.show(decision, as_json, took=feature)


def corrections(
    customer: CustomerId,
    limit: LatestOption = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List the latest corrections of what a customer has used: what, why, and whose doing."""
    with failures.admin(server, as_json) as admin:
        found = admin.corrections(customer, limit)
    if as_json:
        output.print_json({"corrections": found})
        return
    rows: list[list[output.Cell]] = [
        [
            output.moment(each.corrected_at, ""),
            each.verb,
            (each.feature_id or "all") + (f" ({each.resource_id})" if each.resource_id else ""),
            f"{each.change:+,}",
            each.actor or each.made_by,
            each.reason,
        ]
        for each in found
    ]
    if rows:
        output.print_table(["at", "verb", "feature", ">change", "actor", "reason"], rows)
    else:
        output.print_line(f"nothing of {customer} was corrected")


def export(
    month: MonthOption = "",
    feature: FeatureOption = "",
    server: ServerOption = SERVER_DEFAULT,
) -> None:
    """Print what every customer with a record has used, as CSV."""
    with failures.admin(server, False) as admin:
        _print_line(COLUMNS)
        for each in admin.usage(feature_id=feature, month=month):
            _print_line(_cells(each))


def _cells(usage: "Usage") -> list[str]:
    used, denied = (
        f"{Decimal(each).scaleb(-usage.decimals):f}" for each in (usage.used, usage.denied)
    )
    times = [output.as_json(at) or "" for at in (usage.start, usage.end)]
    named = [usage.customer_id, usage.resource_id, usage.feature_id, usage.per]
    return [*named, *times, used, usage.unit, denied]


def _print_line(cells: tuple[str, ...] | list[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    typer.echo(line.getvalue())
