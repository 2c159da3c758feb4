"""`quotad usage audit` and `rebuild`: whether counters have what the ledger says."""

from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import completion, failures, output
from quotad.cli.arguments import past_time
from quotad.cli.options import SERVER_DEFAULT, ActorOption, Json, ReasonOption, ServerOption
from quotad.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from quotad.client.admin import CounterAudit, UsageAuditPage

EXIT_DRIFT = 1

_DOUBTS = {
    "not_ledgered": "not all that it counts has been in the ledger",
    "nothing_noted": "counted before it was ledgered, or before records that are kept",
    "beginning": "what it had when the ledger begins is not known",
    "records": "records were dropped, or cannot be read",
    "damaged": "it holds no usage",
}

MaybeCustomer = Annotated[
    str,
    typer.Argument(
        metavar="[CUSTOMER]",
        help="One customer; without it all that the ledger has.",
        autocompletion=completion.customers,
        show_default=False,
    ),
]
OneFeature = Annotated[
    str,
    typer.Option(
        "--feature", metavar="FEATURE", help="One feature.", autocompletion=completion.features
    ),
]


ArchiveSince = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="From when on the archive is read: a time, or 90s, 30m, 2h, 7d ago; else 1 day ago.",
    ),
]


def register(group: typer.Typer) -> None:
    """Add the commands of this module to those about usage."""
    group.command()(audit)
    group.command()(rebuild)


def audit(
    customer: MaybeCustomer = "",
    feature: OneFeature = "",
    since: ArchiveSince = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Compare counters with the ledger while decisions go on; exit code 1 where some differ."""
    start = past_time("--since", since, as_json)
    with failures.admin(server, as_json) as admin:
        found, agreed = _all(
            lambda token: admin.audit_usage(customer, feature_id=feature, token=token, since=start)
        )
    drifted = [each for each in found if not each.doubt]
    if as_json:
        output.print_json({"drifted": len(drifted), "agreed": agreed, "counters": found})
    else:
        show(found, agreed)
    if drifted:
        raise typer.Exit(EXIT_DRIFT)


def rebuild(
    customer: MaybeCustomer = "",
    feature: OneFeature = "",
    since: ArchiveSince = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write it; without it, only show what would be written.")
    ] = False,
    reason: ReasonOption = "",
    actor: ActorOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Bring counters that differ back to the ledger while decisions go on, after a loss.

    Exit code 1 where some could not be written: their customers' counters were rebuilt by others
    meanwhile.
    """
    start = past_time("--since", since, as_json)
    with failures.admin(server, as_json) as admin:
        found, agreed = _all(
            lambda token: admin.rebuild_usage(
                customer,
                feature_id=feature,
                token=token,
                since=start,
                apply=apply,
                reason=reason,
                actor=actor,
            )
        )
    drifted = [each for each in found if not each.doubt]
    rebuilt = sum(each.rebuilt for each in drifted)
    if as_json:
        output.print_json(
            {"drifted": len(drifted), "rebuilt": rebuilt, "agreed": agreed, "counters": found}
        )
    else:
        show(found, agreed)
        if apply:
            output.print_line(f"{plural(rebuilt, 'counter')} rebuilt")
        elif drifted:
            output.print_line("nothing was written; --apply sets them to what the ledger says")
    if apply and rebuilt < len(drifted):
        raise typer.Exit(EXIT_DRIFT)


def _all(ask: "Callable[[str], UsageAuditPage]") -> "tuple[list[CounterAudit], int]":
    """What all pages have found, and how many counters agree."""
    found: list[CounterAudit] = []
    agreed, token = 0, ""
    while True:
        page = ask(token)
        found += page.counters
        agreed, token = agreed + page.agreed, page.next_token
        if not token:
            return found, agreed


def show(found: "list[CounterAudit]", agreed: int) -> None:
    """Print what an audit has found."""
    drifted = [each for each in found if not each.doubt]
    doubts = [each for each in found if each.doubt]
    if drifted:
        columns = ["customer", "feature", "", "from", ">counted", ">by the ledger", ">difference"]
        output.print_table(columns, [_row(each) for each in drifted])
    if doubts:
        columns = ["customer", "feature", "", "from", ">counted", "cannot be judged"]
        output.print_table(columns, [_doubtful(each) for each in doubts])
    words = [f"{plural(len(drifted), 'counter')} differ{'s' if len(drifted) == 1 else ''}"]
    if not drifted:
        words = ["no counter differs"]
    words.append(f"{agreed:,} as the ledger says")
    if doubts:
        words.append(f"{len(doubts):,} cannot be judged")
    output.print_line("; ".join(words))


def _named(each: "CounterAudit") -> list[output.Cell]:
    feature = f"{each.feature_id} ({each.resource_id})" if each.resource_id else each.feature_id
    return [
        each.customer_id,
        feature,
        f"per {each.per}" if each.per else "",
        output.moment(each.start, ""),
        output.amount(each.counted, each.decimals),
    ]


def _row(each: "CounterAudit") -> list[output.Cell]:
    sign = "+" if each.difference > 0 else ""
    return [
        *_named(each),
        output.amount(each.by_ledger, each.decimals),
        (sign + output.amount(each.difference, each.decimals), "red"),
    ]


def _doubtful(each: "CounterAudit") -> list[output.Cell]:
    return [*_named(each), _DOUBTS.get(each.doubt, each.doubt)]
