"""`quotad store`: what is done to a store as a whole, beside the servers that use it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.options import Json
from quotad.cli.processes import PrefixOption, RedisUrl
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.server.resharding import MovedShard, Resharder, Resharding

LINE_S = 1.0
"""How often it is shown how far it is."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="A store as a whole.")
    group.callback()(_group)
    group.command()(reshard)
    app.add_typer(group, name="store")


def _group() -> None:
    """Let the group have one command and keep its name."""


def reshard(
    shards: Annotated[
        int, typer.Option(min=0, max=16_384, help="Into how many; 0: as many as new stores have.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    redis_url: RedisUrl = None,
    prefix: PrefixOption = None,
    as_json: Json = False,
) -> None:
    """Move the customers of an earlier release's store into fewer shards, beside its servers.

    May be interrupted, and goes on where it was when it is run again.
    """
    with _resharder(redis_url, prefix, as_json) as found:
        plan = found.plan(shards)
        if dry_run:
            _show(plan, as_json)
            return
        progress = _Progress(plan, as_json)
        done = found.run(shards, progress.add)
        left = found.sweep()
    if as_json:
        output.print_json(
            {
                "former": done.former,
                "shards": done.shards,
                "moved": progress.shards,
                "keys": progress.keys,
                "closed_s_max": round(progress.closed_s, 3),
                "left_deleted": left,
            }
        )
    elif not progress.shards:
        _show(done, as_json)
    else:
        typer.echo(
            f"{plural(progress.shards, 'shard')} moved into {done.shards},"
            f" {plural(progress.keys, 'key')}; none was closed for more than"
            f" {progress.closed_s:.2f} s"
        )


class _Progress:
    """Shows how far it is, and adds up."""

    def __init__(self, plan: "Resharding", quiet: bool) -> None:
        self._former, self._quiet = plan.former, quiet
        self._shown_s = 0.0
        self.shards = self.keys = 0
        self.closed_s = 0.0

    def add(self, moved: "MovedShard") -> None:
        """Take a shard into account."""
        self.shards += 1
        self.keys += moved.keys
        self.closed_s = max(self.closed_s, moved.closed_s)
        now = time.monotonic()
        if not self._quiet and now - self._shown_s >= LINE_S:
            self._shown_s = now
            typer.echo(
                f"resharding: {moved.shard + 1} of {self._former}, {plural(self.keys, 'key')}",
                err=True,
            )


def _show(plan: "Resharding", as_json: bool) -> None:
    """Show what would be done."""
    if as_json:
        output.print_json(plan)
    elif plan.moved == plan.former:
        typer.echo(f"nothing to do: the store has {plan.shards} shards that are spread evenly")
    else:
        typer.echo(
            f"{plural(plan.former - plan.moved, 'shard')} of {plan.former} would be moved into"
            f" {plan.shards}"
        )


@contextmanager
def _resharder(redis_url: str | None, prefix: str | None, as_json: bool) -> "Iterator[Resharder]":
    """What moves shards; what goes wrong is one line."""
    from quotad.config import load
    from quotad.errors import QuotadError
    from quotad.server.resharding import resharder

    try:
        with resharder(load({"redis_url": redis_url, "prefix": prefix})) as found:
            yield found
    except QuotadError as error:
        failures.fail(str(error), as_json=as_json)
