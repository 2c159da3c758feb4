"""`quotad status`: how a server is."""

from typing import TYPE_CHECKING

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption

if TYPE_CHECKING:
    from quotad.client.admin import ServerStatus


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)


def status(server: ServerOption = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Show how a server is. Exit code 2 when it is not ready."""
    with failures.admin(server, as_json) as admin:
        found = admin.status()
    if as_json:
        output.print_json(found)
    else:
        _show(found, server)
    if not found.ready:
        raise typer.Exit(failures.EXIT_ERROR)


def _show(found: "ServerStatus", server: str) -> None:
    verdict, style = ("ready", "green") if found.ready else ("not ready", "red")
    why = f": {found.not_ready_reason}" if found.not_ready_reason else ""
    output.print_headline(verdict, style, f"quotad {found.server_version} at {server}{why}")
    output.print_fields(
        [
            ("catalog", _catalog(found)),
            ("store", f"{found.store} ({'up' if found.store_up else 'down'})"),
            *(("warning", warning) for warning in found.store_warnings),
            ("front", found.front),
            ("worker", f"pid {found.pid}, since {output.moment(found.started_at, 'unknown')}"),
            ("customers", f"{output.number(found.cached_customers)} in memory"),
            ("decisions", f"{output.number(sum(found.decisions.values()))} by this worker"),
        ]
    )
    if found.decisions:
        rows = sorted(found.decisions.items(), key=lambda item: (-item[1], item[0]))
        output.print_line("")
        output.print_table(["  reason", ">decisions"], [[f"  {k}", f"{v:,}"] for k, v in rows])


def _catalog(found: "ServerStatus") -> str:
    version = found.catalog
    if version is None:
        return "none published yet"
    published = ""
    if version.published_at is not None:
        published = f", published {output.moment(version.published_at)}"
    return f"version {version.version}, digest {version.digest[:12]}{published}"
