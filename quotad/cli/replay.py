"""`quotad replay`: a real access log against a running server."""

from collections.abc import Callable
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output, tls
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption
from quotad.cli.simulate import (
    EXIT_INTERRUPTED,
    Against,
    CatalogPath,
    CustomersPath,
    Html,
    PlanTemplate,
    Simulate,
    Time,
    Words,
    check_options,
    simulate,
)
from quotad.plural import plural
from quotad.replay.container import Wrapping
from quotad.replay.formats import NAMES, PatternError, format_of
from quotad.replay.ledger_lines import left_out_note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quotad.client.admin import AdminClient
    from quotad.replay.files import LogFile
    from quotad.replay.line_templates import LineTemplates
    from quotad.replay.report import Report
    from quotad.replay.sender import Progress

TIMEOUT_S = 10.0
"""Of one batch; a busy server is slow, not gone."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(replay)


def replay(
    context: typer.Context,
    access_log: Annotated[
        Path, typer.Argument(metavar="ACCESS_LOG", help="A log, also gzipped; - is stdin.")
    ],
    customer: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Customer id, such as '{remote_host}'.")
    ] = "",
    feature: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Feature id, such as api-calls.")
    ] = "",
    log_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"How the lines are written: {', '.join(NAMES)}, or a pattern of your own.",
            autocompletion=lambda: list(NAMES),
        ),
    ] = "combined",
    wrapped: Annotated[
        Wrapping | None,
        typer.Option(help="The container runtime that has wrapped the lines."),
    ] = None,
    quantity: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE", help="Quantity, such as '{bytes}'; else 1. - counts as 0."
        ),
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Read only the first N lines.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Batches in flight.")
    ] = 4,
    server: ServerOption = SERVER_DEFAULT,
    simulated: Simulate = False,
    catalog: CatalogPath = None,
    against: Against = None,
    plan: PlanTemplate = None,
    customers: CustomersPath = None,
    time: Time = "{time}",
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Send an access log through a server and report what was denied. This consumes quota.

    With --simulate nothing is sent and no server is needed.

    Templates name fields of a line: remote_host, remote_user, time, method,
    path, protocol, status, bytes, referer, user_agent; of JSON lines any key,
    nested ones with dots. --format ledger needs none. A pattern for --format
    names the fields itself: '{remote_host} {tenant} [{time}] "{request}" {status} {bytes}'.
    """
    check_options(context, simulated, as_json)
    try:
        lines = format_of(log_format, wrapped)
    except PatternError as error:
        failures.fail(f"--format: {error}", as_json)
    customer, feature = customer or lines.customer, feature or lines.feature
    for option, template in (("customer", customer), ("feature", feature)):
        if not template:
            failures.fail(f"--{option} is missing: which part of a line it is", as_json)
    words = Words(
        access_log=access_log,
        log_format=lines,
        customer=customer,
        feature=feature,
        quantity=quantity or lines.quantity,
        limit=limit,
        catalog=catalog,
        against=against,
        plan=plan,
        customers=customers,
        time=time,
        html=html,
        as_json=as_json,
    )
    if simulated:
        simulate(words, _progress)
    else:
        _send(words, server, concurrency)


def _send(words: Words, server: str, concurrency: int) -> None:
    """Send the log and show the report."""
    from quotad.client import Client, QuotaError
    from quotad.client.admin import AdminClient
    from quotad.replay.access_log import LineError
    from quotad.replay.files import open_log
    from quotad.replay.line_templates import LineTemplates
    from quotad.replay.sender import replay as run
    from quotad.replay.template import TemplateError

    access_log, as_json = words.access_log, words.as_json
    try:
        plan = LineTemplates(words.log_format, words.customer, words.feature, words.quantity)
        log = open_log(access_log)
    except TemplateError as error:
        failures.fail(f"template {error}", as_json)
    except OSError as error:
        failures.fail(f"{access_log}: {error.strerror or error}", as_json)
    secure = tls.credentials()
    with (
        log,
        Client(server, timeout=TIMEOUT_S, retries=0, credentials=secure) as client,
        _progress(log) as show,
    ):
        try:
            with AdminClient(server, timeout=TIMEOUT_S, credentials=secure) as admin:
                plan.decimals = _decimals(admin)
            report = run(
                islice(log.lines(), words.limit),
                plan,
                client,
                concurrency=concurrency,
                on_progress=show,
            )
        except QuotaError as error:
            failures.fail_call(error, server, as_json)
        except LineError as error:
            failures.fail(f"{access_log}: no line could be used; the first: {error}", as_json)
    _finish(report, plan, log, as_json)


def _decimals(admin: "AdminClient") -> dict[str, int]:
    """The decimals of features that have some, by the catalog in force."""
    from quotad.client import QuotaError

    try:
        features = admin.catalog().document.get("features", {})
    except QuotaError as error:
        if error.code in ("NOT_FOUND", "UNIMPLEMENTED"):  # no catalog is in force yet
            return {}
        raise
    return {name: each["decimals"] for name, each in features.items() if each.get("decimals")}


def _finish(report: "Report", plan: "LineTemplates", log: "LogFile", as_json: bool) -> None:
    """Show the report and end with its exit code: denials are fine, errors are not."""
    if as_json:
        output.print_json(report)
    else:
        _show(report, plan.decimals)
    if log.damage:
        problem = f"the log is damaged after line {report.lines:,}: {log.damage}"
        failures.fail(problem, as_json, code="DATA_LOSS")
    if report.stopped == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.errors:
        was = "was" if report.errors == 1 else "were"
        problem = f"{plural(report.errors, 'call')} {was} not decided"
        failures.fail(problem, as_json, code=report.failures[0].code)


@contextmanager
def _progress(log: "LogFile") -> "Iterator[Callable[[Progress], None]]":
    """A progress bar on stderr, if that is a terminal."""
    console = output.console(stderr=True)
    if not console.is_terminal:
        yield lambda progress: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[lines]:>12,} lines"),
        BarColumn(),
        TextColumn("{task.fields[denied]:,} denied"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=log.size, lines=0, denied=0)
        yield lambda progress: bar.update(
            task, completed=log.position, lines=progress.lines, denied=progress.denied
        )


def _show(report: "Report", decimals: "Mapping[str, int]") -> None:
    output.print_headline(
        plural(report.decided, "decision"),
        "bold",
        f"in {report.seconds:.1f} s, {report.decisions_per_second:,.0f} per second",
    )
    output.print_line("")
    output.print_table(
        ["feature", ">allowed", ">denied", ">granted", ">refused"],
        [
            [
                each.feature_id,
                output.number(each.allowed),
                output.number(each.denied),
                output.amount(each.granted, decimals.get(each.feature_id, 0)),
                output.amount(each.refused, decimals.get(each.feature_id, 0)),
            ]
            for each in report.features
        ],
    )
    if report.top_denied:
        note = "" if report.top_denied_exact else " (about: there were too many to count)"
        output.print_line(f"\nmost denied customers{note}")
        rows = [[f"  {each.customer_id}", f"{each.denied:,}"] for each in report.top_denied]
        output.print_table(["  customer", ">denied"], rows)
    if report.skipped:
        output.print_line(
            f"\n{report.skipped:,} of {plural(report.lines, 'line')} skipped", "yellow"
        )
        for skipped in report.skipped_lines:
            output.print_line(f"  line {skipped.line:,}: {skipped.why}")
        if report.skipped > len(report.skipped_lines):
            output.print_line("  ...")
    if report.left_out:
        output.print_line(f"\n{left_out_note(report.left_out)}", "yellow")
    if report.errors:
        output.print_line(f"\n{plural(report.errors, 'call')} without a decision", "red")
        for failure in report.failures:
            reason = f" {failure.reason}" if failure.reason else ""
            output.print_line(f"  {failure.count:,} {failure.code}{reason}: {failure.message}")
    if report.stopped:
        output.print_line(f"\nstopped after line {report.lines:,}: {report.stopped}", "red")
