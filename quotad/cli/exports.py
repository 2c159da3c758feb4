"""`quotad export`: the ledger to other systems; and what of it could not be sent as it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output, require
from quotad.cli.options import Json
from quotad.cli.processes import (
    ExportFrom,
    ExportTo,
    LogLevel,
    PrefixOption,
    RedisUrl,
    Shards,
    StoreTimeout,
    StripeBucket,
    StripeKey,
    StripeUrl,
    StripeWithoutId,
    WebhookNetworks,
    WebhookThresholds,
    settings,
    showing_defaults,
)
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.server.export_server import ExportOperations

TargetOption = Annotated[
    str, typer.Option("--target", metavar="NAME", help="Of one target, such as stripe.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="The ledger to other systems.", invoke_without_command=True)
    group.callback()(showing_defaults(export))
    group.command()(parked)
    group.command()(retry)
    group.command()(drop)
    group.command()(end)
    app.add_typer(group, name="export")


def export(
    context: typer.Context,
    export_to: ExportTo = None,
    export_from: ExportFrom = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is left that can be sent at once.")
    ] = False,
    stripe_api_key: StripeKey = None,
    stripe_api_url: StripeUrl = None,
    stripe_bucket: StripeBucket = None,
    stripe_without_id: StripeWithoutId = None,
    webhook_networks: WebhookNetworks = None,
    webhook_thresholds: WebhookThresholds = None,
    redis_url: RedisUrl = None,
    store_timeout_ms: StoreTimeout = None,
    prefix: PrefixOption = None,
    shards: Shards = None,
    log_level: LogLevel = None,
) -> None:
    """Export the ledger until Ctrl-C; any number of these may run."""
    if context.invoked_subcommand is not None:
        return
    require("server")
    given = {name: value for name, value in locals().items() if name not in ("context", "once")}
    with settings(given) as config:
        from quotad.server.export_server import run_export

        run_export(config, once)


def parked(
    target: TargetOption = "",
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Show what was set aside, as it cannot be sent as it is, and why."""
    with _operations(redis_url, prefix, as_json) as found:
        items = found.parked(target)
    if as_json:
        output.print_json(items)
        return
    if not items:
        output.print_line("nothing is parked")
        return
    now_ms = time.time() * 1000
    rows = [
        [
            item.target,
            item.id,
            item.about,
            output.duration(timedelta(milliseconds=max(now_ms - item.since_ms, 0))),
            item.why,
        ]
        for item in items
    ]
    output.print_table(["target", "item", "about", "since", "why"], rows)


def retry(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Which; without: all.")] = "",
    target: TargetOption = "",
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Have what was set aside sent again, under the same ids. Exit code 1: there is none.

    One that is named is sent, also where it is not known whether it has arrived days ago.
    """
    with _operations(redis_url, prefix, as_json) as found:
        count = found.retry(target, item)
    if as_json:
        output.print_json({"retried": count})
    else:
        output.print_line(f"{plural(count, 'item')} to be sent again")
    if not count:
        raise typer.Exit(1)


def drop(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Which.")],
    target: TargetOption = "",
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Remove what was set aside: it is never sent. Exit code 1: there is no such item."""
    with _operations(redis_url, prefix, as_json) as found:
        count = found.drop(target, item)
    if as_json:
        output.print_json({"dropped": count})
    else:
        output.print_line(f"{plural(count, 'item')} removed")
    if not count:
        raise typer.Exit(1)


def end(
    target: Annotated[str, typer.Argument(metavar="NAME", help="Of the target, such as stripe.")],
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Remove an export that no process does any more; one that comes later begins anew.

    What it has not sent is never sent. Exit code 1: there is no such export.
    """
    with _operations(redis_url, prefix, as_json) as found:
        unsent = found.end(target)
    if as_json:
        output.print_json({"ended": unsent is not None, "unsent": unsent or 0})
    elif unsent is None:
        output.print_line(f"there is no export to {target}")
    else:
        output.print_line(f"the export to {target} is ended; {plural(unsent, 'item')} not sent")
    if unsent is None:
        raise typer.Exit(1)


@contextmanager
def _operations(
    redis_url: str | None, prefix: str | None, as_json: bool
) -> "Iterator[ExportOperations]":
    """What is done beside servers; what goes wrong is one line."""
    require("server")
    from quotad.config import load
    from quotad.errors import QuotadError
    from quotad.server.export_server import export_operations

    try:
        with export_operations(load({"redis_url": redis_url, "prefix": prefix})) as found:
            yield found
    except QuotadError as error:
        failures.fail(str(error), as_json=as_json)
