"""`quotad webhooks`: where events are sent."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption

if TYPE_CHECKING:
    from quotad.client.webhooks import MadeWebhook

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="As `quotad webhooks list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Where events are sent, signed.")
    group.command()(add)
    group.command(name="list")(list_)
    group.command()(rotate)
    group.command()(remove)
    group.command(name="test")(try_)
    app.add_typer(group, name="webhooks")


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://example.com/webhooks")],
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="Events of this type only; may be repeated."),
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Have events sent to a URL; the secret is shown this once."""
    with failures.admin(server, as_json) as admin:
        _show_new(admin.add_webhook(url, events=event or (), description=description), as_json)


def list_(server: ServerOption = SERVER_DEFAULT, as_json: Json = False) -> None:
    """Show where events are sent."""
    with failures.admin(server, as_json) as admin:
        found = admin.webhooks()
    if as_json:
        output.print_json({"webhooks": found})
        return
    if not found:
        output.print_line("no webhooks; `quotad webhooks add URL` adds one")
        return
    rows = [
        [
            each.webhook_id,
            each.url,
            ", ".join(each.events) or "all",
            output.moment(each.created_at),
            each.description,
        ]
        for each in found
    ]
    output.print_table(("id", "url", "events", "added", "description"), rows)


def rotate(
    webhook_id: WebhookId,
    keep: Annotated[
        int, typer.Option(metavar="HOURS", min=0, help="How long the old secret signs as well.")
    ] = 24,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Make another secret; both sign for a while."""
    with failures.admin(server, as_json) as admin:
        _show_new(admin.rotate_webhook(webhook_id, keep=timedelta(hours=keep)), as_json)


def remove(
    webhook_id: WebhookId, server: ServerOption = SERVER_DEFAULT, as_json: Json = False
) -> None:
    """End a webhook; what was not sent yet is not sent any more."""
    with failures.admin(server, as_json) as admin:
        removed = admin.remove_webhook(webhook_id)
    if as_json:
        output.print_json(removed)
    else:
        typer.echo(f"removed {removed.webhook_id} ({removed.url})")


def try_(
    webhook_id: WebhookId, server: ServerOption = SERVER_DEFAULT, as_json: Json = False
) -> None:
    """Send an event of the type webhook.test once; exits with 1 if it was not taken."""
    with failures.admin(server, as_json) as admin:
        tried = admin.test_webhook(webhook_id)
    if as_json:
        output.print_json(tried)
    elif tried.problem:
        output.print_headline("not taken", "red", f"{tried.problem} (after {tried.took_ms} ms)")
    else:
        output.print_headline("taken", "green", f"answered {tried.status} in {tried.took_ms} ms")
    if tried.problem:
        raise typer.Exit(failures.EXIT_DENIED)


def _show_new(made: "MadeWebhook", as_json: bool) -> None:
    if as_json:
        output.print_json(made)
        return
    typer.echo(made.webhook.webhook_id)
    typer.echo(made.secret)
    typer.echo("This is the only time that the secret is shown.", err=True)
