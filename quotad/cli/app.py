"""The command tree: which module adds which commands."""

from typing import Annotated

import typer

from quotad import __version__
from quotad.cli import (
    catalog,
    customers,
    decisions,
    entitlements,
    exports,
    insights,
    leases,
    ledger,
    processes,
    replay,
    reservations,
    slots,
    status,
    stigg,
    store,
    tls,
    tokens,
    transfer,
    usage,
    watch,
    webhooks,
)
from quotad.cli.root import Root, check_local_time

app = typer.Typer(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A quota server: may a customer use a feature now, and count it in the same act.",
    no_args_is_help=True,
    # A traceback means a bug; it should be whole and plain, as in any Python program.
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quotad {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    tls_ca: tls.TlsCa = "",
    tls_client_cert: tls.TlsCert = "",
    tls_client_key: tls.TlsKey = "",
) -> None:
    tls.choose(tls_ca, tls_client_cert, tls_client_key)
    check_local_time(context.invoked_subcommand)


processes.register(app)
decisions.register(app)
reservations.register(app)
leases.register(app)
slots.register(app)
entitlements.register(app)
customers.register(app)
insights.register(app)
usage.register(app)
ledger.register(app)
exports.register(app)
watch.register(app)
catalog.register(app)
status.register(app)
replay.register(app)
transfer.register(app)
tokens.register(app)
webhooks.register(app)
stigg.register(app)
store.register(app)
