"""`quotad customers erase` and `erasures`: for good, with a proof."""

from typing import Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, CustomerId, IfEpoch, Json, ServerOption


def register(group: typer.Typer) -> None:
    """Add the commands of this module to those of customers."""
    group.command()(erase)
    group.command()(erasures)


def erase(
    customer: CustomerId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: Annotated[
        str, typer.Option(metavar="TEXT", help="Who erases, for the history of erasures.")
    ] = "",
    if_epoch: IfEpoch = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Erase a customer for good: its record, its usage, its idempotency keys.

    Keep what it prints: with the nonce and the id it can be shown later that the proof in the
    history is this customer's.
    """
    if not yes:
        _ask(customer, as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.erase(customer, erased_by=by, if_epoch=if_epoch)
    if as_json:
        output.print_json(done)
        return
    output.print_headline(customer, "green", "erased")
    output.print_fields(
        [
            ("record", "erased" if done.had_record else "there was none"),
            ("counters", f"{output.number(done.counters)} erased"),
            ("keys", f"{output.number(done.idempotency_keys)} idempotency keys erased"),
            ("at", output.moment(done.erased_at, "")),
            ("proof", done.proof),
            ("nonce", done.nonce),
        ]
    )


def erasures(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most so many.")] = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List the newest erasures: when, by whom, and the proof of each."""
    with failures.admin(server, as_json) as admin:
        found = admin.erasures(limit)
    if as_json:
        keys = ("erased_at", "erased_by", "proof")
        output.print_json(
            {"erasures": [{key: getattr(each, key) for key in keys} for each in found]}
        )
        return
    rows = [[output.moment(each.erased_at, ""), each.erased_by, each.proof] for each in found]
    output.print_table(["erased", "by", "proof"], rows)


def _ask(customer: str, as_json: bool) -> None:
    import sys

    if as_json or not sys.stdin.isatty():
        failures.fail("--yes: required without a terminal, as erasing cannot be undone", as_json)
    if not typer.confirm(f"Erase {customer} for good, with its usage?"):
        failures.fail("nothing was erased", as_json)
