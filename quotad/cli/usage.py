"""`quotad usage`: what customers have used, for a person, a program or finance."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from quotad.cli import auditing, completion, decisions, failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    ActorOption,
    CustomerId,
    FeatureId,
    Json,
    JsonLines,
    LatestOption,
    ReasonOption,
    Resource,
    ServerOption,
)

if TYPE_CHECKING:
    from quotad.cli.ledger_months import LedgerUsage
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
LEDGER_COLUMNS = (
    "customer_id",
    "resource_id",
    "feature_id",
    "month",
    "used",
    "unit",
    "entries",
    "first",
    "last",
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
        help="What customers have used: `quotad usage CUSTOMER`, or all of them as a file.",
    )
    group.command()(show)
    group.command()(export)
    group.command(name="set")(set_)
    group.command()(corrections)
    auditing.register(group)
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
    ledger: Annotated[
        bool,
        typer.Option(
            "--ledger",
            help="What the ledger has of the month in UTC, by customer and feature; without it,"
            " what counters have of each window.",
        ),
    ] = False,
    server: ServerOption = SERVER_DEFAULT,
    as_json: JsonLines = False,
) -> None:
    """Print what customers have used, as CSV or in lines of JSON.

    With counters these are the customers with a record; with --ledger every one that has used a
    ledgered feature.
    """
    if ledger:
        _export_ledger(month, feature, server, as_json)
        return
    with failures.admin(server, as_json) as admin:
        _print_rows(COLUMNS, admin.usage(feature_id=feature, month=month), as_json)


def _export_ledger(month: str, feature: str, server: str, as_json: bool) -> None:
    from quotad.cli import ledger_months
    from quotad.cli.ledger import lost

    try:
        start, end = ledger_months.month_of(month, datetime.now(UTC))
    except ValueError as error:
        failures.fail(str(error), as_json)
    with failures.admin(server, as_json) as admin:
        found = ledger_months.read_month(admin, start, end, feature)
    _print_rows(LEDGER_COLUMNS, found.usage, as_json)
    for gap in found.gaps:
        typer.echo(lost(gap), err=True)
    if found.oldest is not None and found.oldest > start:
        typer.echo(
            f"the oldest entry that was read is of {found.oldest:%Y-%m-%d %H:%M:%S} UTC;"
            " what is older is not kept, or there is none",
            err=True,
        )
    if found.gaps:
        raise typer.Exit(failures.EXIT_ERROR)


def _print_rows(
    columns: Sequence[str], rows: "Iterable[Usage | LedgerUsage]", as_json: bool
) -> None:
    """A line for each; amounts of CSV are in whole units with decimals, those of JSON as of the
    API."""
    if not as_json:
        _print_line(columns)
    for each in rows:
        if as_json:
            typer.echo(json.dumps(output.as_json(each), ensure_ascii=False))
        else:
            _print_line([_cell(each, column) for column in columns])


def _cell(row: "Usage | LedgerUsage", column: str) -> str:
    value = getattr(row, column)
    if column in ("used", "denied"):
        return f"{Decimal(value).scaleb(-row.decimals):f}"
    return str(output.as_json(value) or "") if column != "entries" else str(value)


def _print_line(cells: Sequence[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    typer.echo(line.getvalue())
