"""`quotad usage`: what customers have used, for a person, a program or finance."""

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from quotad.cli import completion, failures, output
from quotad.cli.options import SERVER_DEFAULT, CustomerId, Json, ServerOption

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


def export(
    month: MonthOption = "",
    feature: FeatureOption = "",
    server: ServerOption = SERVER_DEFAULT,
) -> None:
    """Print what every customer has used, as CSV."""
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
