"""`quotad import`: customers and usage that are kept elsewhere, as files to be looked at first."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.client import Client

KEY_VARIABLE = "STIGG_API_KEY"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Customers and usage kept elsewhere.")
    group.command(name="stigg")(stigg)
    group.command(name="usage")(usage)
    app.add_typer(group, name="import")


def stigg(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where rows for `customers import` go.")
    ],
    url: Annotated[str, typer.Option(metavar="URL", help="Of Stigg's API.")] = (
        "https://api.stigg.io"
    ),
    usage_file: Annotated[
        Path | None,
        typer.Option("--usage", metavar="FILE", help="Where rows for `import usage` go."),
    ] = None,
    key: Annotated[str, typer.Option(envvar=KEY_VARIABLE, hidden=True)] = "",
    as_json: Json = False,
) -> None:
    """Read customers, subscriptions and promotions from Stigg; writes files, and no customer.

    The server API key is in the variable STIGG_API_KEY.
    """
    from quotad.transfer.stigg import StiggError, StiggSource

    if not key:
        failures.fail(f"{KEY_VARIABLE}: missing; set it to a server API key of Stigg", as_json)
    customers = counters = 0
    try:
        with ExitStack() as stack:
            rows = stack.enter_context(file.open("w", encoding="utf-8"))
            used = (
                stack.enter_context(usage_file.open("w", encoding="utf-8")) if usage_file else None
            )
            for row, usages in StiggSource(url, key).rows():
                rows.write(json.dumps(row, ensure_ascii=False) + "\n")
                customers += 1
                for each in usages if used else ():
                    assert used is not None
                    used.write(json.dumps(output.as_json(each), ensure_ascii=False) + "\n")
                    counters += 1
    except StiggError as error:
        failures.fail(str(error), as_json)
    except OSError as error:
        failures.fail(f"{error.filename}: {error.strerror}", as_json)
    if as_json:
        output.print_json({"customers": customers, "usage": counters})
        return
    typer.echo(f"{plural(customers, 'customer')} in {file}; now: quotad customers import {file}")
    if usage_file is not None:
        typer.echo(
            f"{plural(counters, 'counter')} in {usage_file}; then: quotad import usage {usage_file}"
        )


def usage(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows of JSON, one on each line.")],
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Set what customers have used in the period under way, one row after the other.

    A row is {"customer_id": ..., "feature_id": ..., "used": ...}, with
    "per" and "resource_id" where they are needed. Again is the same.
    """
    done, problems = 0, []
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        failures.fail(f"{file}: {getattr(error, 'strerror', None) or error}", as_json)
    with failures.client(server, as_json) as client:
        for number, line in enumerate(lines, start=1):
            problem = _set(client, line) if line.strip() else ""
            done += not problem and bool(line.strip())
            if problem:
                problems.append(f"line {number}: {problem}")
    if as_json:
        output.print_json({"set": done, "problems": problems})
    else:
        typer.echo(f"set {plural(done, 'counter')}")
        for each in problems:
            typer.echo(each, err=True)
    if problems:
        raise typer.Exit(1)


def _set(client: "Client", line: str) -> str:
    """Set one row; returns why it cannot be, or nothing."""
    from quotad.client import QuotaError, QuotaUnavailable

    try:
        row: Any = json.loads(line)
        customer_id, feature_id, used = row["customer_id"], row["feature_id"], row["used"]
        more = {name: row[name] for name in ("per", "resource_id") if row.get(name)}
    except (ValueError, KeyError, TypeError) as error:
        return f"is no row: {error}"
    try:
        answer = client.set_usage(customer_id, feature_id, used, **more, reason="import")
    except QuotaUnavailable:
        raise
    except (QuotaError, ValueError, TypeError) as error:
        return str(error)
    return "" if answer.allowed else f"{customer_id} {feature_id}: {answer.reason.name}"
