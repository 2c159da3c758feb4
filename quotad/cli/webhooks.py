"""`quotad webhooks`: where events are sent."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.arguments import past_time
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
    group.command()(attempts)
    group.command()(replay)
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


def attempts(
    webhook_id: WebhookId,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Show so many; 1,000 are kept.")
    ] = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List the latest attempts to send events to a webhook."""
    with failures.admin(server, as_json) as admin:
        found = admin.webhook_attempts(webhook_id, limit)
    if as_json:
        output.print_json({"attempts": found})
        return
    if not found:
        output.print_line("nothing was sent yet")
        return
    rows: list[list[output.Cell]] = [
        [
            output.moment(each.at),
            each.event_type,
            each.customer_id,
            (each.problem, "red") if each.problem else f"answered {each.status}",
            output.number(each.took_ms),
            each.event_id,
        ]
        for each in found
    ]
    output.print_table(("when", "event", "customer", "outcome", ">ms", "id"), rows)


def replay(
    webhook_id: WebhookId,
    since: Annotated[str, typer.Option(metavar="TIME", help="A time, or 90s, 30m, 2h, 7d ago.")],
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Have events sent again, under their ids, that a webhook has taken since a time."""
    start = past_time("--since", since, as_json)
    assert start is not None
    with failures.admin(server, as_json) as admin:
        replayed = admin.replay_webhook(webhook_id, start)
    if as_json:
        output.print_json(replayed)
    else:
        typer.echo(f"events since {start:%Y-%m-%d %H:%M:%S} UTC are sent to {replayed.url} again")


def _show_new(made: "MadeWebhook", as_json: bool) -> None:
    if as_json:
        output.print_json(made)
        return
    typer.echo(made.webhook.webhook_id)
    typer.echo(made.secret)
    typer.echo("This is the only time that the secret is shown.", err=True)
