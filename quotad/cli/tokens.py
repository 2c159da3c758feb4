"""`quotad tokens`: who may call, made and ended on the store itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quotad.cli import arguments, failures, output
from quotad.cli.options import Json
from quotad.cli.processes import PrefixOption, RedisUrl

if TYPE_CHECKING:
    from quotad.server.tokens import TokenOperations
    from quotad.tokens.record import NewToken, TokenRecord

TokenId = Annotated[str, typer.Argument(metavar="ID", help="The part behind `qd_`.")]

_DAY_MS = 86_400_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Who may call the servers of a store.")
    group.command()(create)
    group.command(name="list")(list_)
    group.command()(rotate)
    group.command()(revoke)
    app.add_typer(group, name="tokens")


def create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="Whose it is, for people.")],
    role: Annotated[str, typer.Option(help="consume, read, manage, publish, admin or client.")],
    customer: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this customer; `team-*`: all that begin so."),
    ] = None,
    feature: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this feature.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until when; without it: until revoked.")
    ] = None,
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Make a token; it is shown this once."""
    from quotad.tokens.record import WantedToken
    from quotad.tokens.roles import TokenRole

    roles = [each.value for each in TokenRole]
    if role not in roles:
        raise typer.BadParameter(f"must be one of {', '.join(roles)}", param_hint="--role")
    until = arguments.time_of("expires", expires, as_json)
    wanted = WantedToken(
        name,
        TokenRole(role),
        tuple(customer or ()),
        tuple(feature or ()),
        None if until is None else round(until.timestamp() * 1000),
    )
    with _operations(redis_url, prefix, as_json) as tokens:
        _show_new(tokens.create(wanted), as_json)


def list_(redis_url: RedisUrl = None, prefix: PrefixOption = None, as_json: Json = False) -> None:
    """Show the tokens, without their secrets."""
    with _operations(redis_url, prefix, as_json) as tokens:
        found = tokens.list()
    if as_json:
        shown = [
            _fields(each.record) | {"last_used_at": _time(each.used_ms), "live": each.live}
            for each in found
        ]
        output.print_json({"tokens": shown})
        return
    rows = [
        [
            each.record.token_id,
            each.record.name,
            each.record.role.value,
            ", ".join((*each.record.customers, *each.record.features)) or "everything",
            output.moment(_time(each.used_ms)),
            "yes" if each.live else "revoked" if each.record.revoked_ms else "expired",
        ]
        for each in found
    ]
    output.print_table(("id", "name", "role", "covers", "last used", "live"), rows)


def rotate(
    token_id: TokenId,
    keep: Annotated[
        int, typer.Option(metavar="DAYS", help="How long the old one can still be used.")
    ] = 1,
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Make a token like another; both can be used for a while."""
    with _operations(redis_url, prefix, as_json) as tokens:
        _show_new(tokens.rotate(token_id, keep * _DAY_MS), as_json)


def revoke(
    token_id: TokenId,
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """End a token; servers refuse it within 2 seconds."""
    with _operations(redis_url, prefix, as_json) as tokens:
        record = tokens.revoke(token_id)
    if as_json:
        output.print_json(_fields(record))
    else:
        typer.echo(f"revoked {record.token_id} ({record.name})")


@contextmanager
def _operations(
    redis_url: str | None, prefix: str | None, as_json: bool
) -> "Iterator[TokenOperations]":
    """The operations on the store; what goes wrong is one line, with all that is known of it: who
    runs this has the store's URL."""
    from quotad.config import load
    from quotad.errors import QuotadError
    from quotad.server.tokens import token_operations

    try:
        config = load({"redis_url": redis_url, "prefix": prefix})
        with token_operations(config) as operations:
            yield operations
    except QuotadError as error:
        failures.fail(str(error), as_json=as_json)


def _show_new(new: "NewToken", as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = _fields(new.record) | {"token": new.token}
        if new.signing_key:
            shown["signing_key"] = new.signing_key
        output.print_json(shown)
        return
    typer.echo(new.token)
    if new.signing_key:
        typer.echo(f"signing key: {new.signing_key}")
    typer.echo("This is the only time that it is shown.", err=True)


def _fields(record: "TokenRecord") -> dict[str, Any]:
    """What is shown of a token, without what is secret."""
    return {
        "token_id": record.token_id,
        "name": record.name,
        "role": record.role.value,
        "customers": list(record.customers),
        "features": list(record.features),
        "created_at": _time(record.created_ms),
        "expires_at": _time(record.expires_ms),
        "revoked_at": _time(record.revoked_ms),
        "created_by": record.created_by,
        "ended_by": record.ended_by,
    }


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
