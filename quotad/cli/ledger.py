"""`quotad ledger`: what was counted and denied, call by call; for programs in lines of JSON."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import completion, failures, output, require
from quotad.cli.arguments import past_time
from quotad.cli.options import SERVER_DEFAULT, JsonLines, ServerOption
from quotad.cli.processes import (
    LedgerArchive,
    LogLevel,
    PrefixOption,
    RedisUrl,
    Shards,
    StoreTimeout,
    settings,
    showing_defaults,
)
from quotad.cli.usage import FeatureOption

if TYPE_CHECKING:
    from quotad.client.ledger import LedgerLine, LostLines

PAGE = 500
POLL_S = 0.5
"""How often `tail` asks for more."""

_COLUMNS = (
    "when",
    "customer",
    "feature",
    "what",
    ">quantity",
    "reason",
    ">used",
    ">limit",
    "key",
    "by",
)

CustomerOption = Annotated[
    str,
    typer.Option(
        "--customer", metavar="ID", help="Of one customer.", autocompletion=completion.customers
    ),
]
DecisionReason = Annotated[
    str, typer.Option("--reason", metavar="WORD", help="Such as LIMIT_EXCEEDED.")
]
DeniedOnly = Annotated[bool, typer.Option("--denied", help="Denials only.")]
Verb = Annotated[
    str, typer.Option("--verb", metavar="WORD", help="Such as consume, refund or change.")
]
WithChanges = Annotated[
    bool, typer.Option("--changes", help="Writes by admins as well: customers, catalogs, tokens.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="A time, or 90s, 30m, 2h, 7d ago.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Without those from then on.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module; `events` is another name of theirs."""
    group = typer.Typer(
        no_args_is_help=True, help="What was counted and denied of ledgered features, by call."
    )
    group.command("list")(list_)
    group.command()(tail)
    group.command()(showing_defaults(archive))
    app.add_typer(group, name="ledger")
    app.add_typer(group, name="events", hidden=True)


def list_(
    customer: CustomerOption = "",
    feature: FeatureOption = "",
    reason: DecisionReason = "",
    denied: DeniedOnly = False,
    verb: Verb = "",
    changes: WithChanges = False,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="The latest so many, or with --since the first.")
    ] = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: JsonLines = False,
) -> None:
    """List what was counted and denied, the latest last."""
    start, end = past_time("--since", since, as_json), past_time("--until", until, as_json)
    newest_first = since is None
    entries: list[LedgerLine] = []
    gaps: list[LostLines] = []
    position, more = "", True
    with failures.admin(server, as_json) as admin:
        while more and len(entries) < limit:
            page = admin.ledger_page(
                customer_id=customer,
                feature_id=feature,
                reason=reason,
                denied_only=denied,
                verb=verb,
                with_changes=changes,
                since=start,
                until=end,
                position=position,
                size=min(limit, PAGE),
                newest_first=newest_first,
            )
            entries += page.entries
            gaps += page.gaps
            position, more = page.position, page.more
    entries = entries[:limit]
    if newest_first:
        entries.reverse()
    if as_json:
        _print_lines(entries, gaps)
        return
    if entries:
        output.print_table(_COLUMNS, [_row(each) for each in entries])
    else:
        output.print_line("nothing is noted of that")
    for gap in gaps:
        typer.echo(lost(gap), err=True)


def tail(
    customer: CustomerOption = "",
    feature: FeatureOption = "",
    reason: DecisionReason = "",
    denied: DeniedOnly = False,
    verb: Verb = "",
    changes: WithChanges = False,
    since: Since = None,
    first: Annotated[
        int, typer.Option(metavar="N", min=0, help="End after so many; 0: never.")
    ] = 0,
    server: ServerOption = SERVER_DEFAULT,
    as_json: JsonLines = False,
) -> None:
    """Show what is counted and denied as it happens, from now on or from a time."""
    start = past_time("--since", since, as_json)
    position, shown = "", 0
    with failures.admin(server, as_json) as admin:
        while not first or shown < first:
            page = admin.ledger_page(
                customer_id=customer,
                feature_id=feature,
                reason=reason,
                denied_only=denied,
                verb=verb,
                with_changes=changes,
                since=start,
                position=position,
                size=PAGE,
                from_now=start is None,
            )
            position = page.position
            entries = page.entries[: first - shown] if first else page.entries
            shown += len(entries)
            if as_json:
                _print_lines(entries, page.gaps)
            else:
                for each in entries:
                    typer.echo(_line(each))
                for gap in page.gaps:
                    typer.echo(lost(gap), err=True)
            if not page.more and not (first and shown >= first):
                time.sleep(POLL_S)


def archive(
    ledger_archive: LedgerArchive = None,
    redis_url: RedisUrl = None,
    store_timeout_ms: StoreTimeout = None,
    prefix: PrefixOption = None,
    shards: Shards = None,
    log_level: LogLevel = None,
) -> None:
    """Write the ledger into files by day until Ctrl-C; any number of these may run."""
    require("server")
    with settings(dict(locals())) as config:
        from quotad.server.export_server import run_archive

        run_archive(config)


def _print_lines(entries: "list[LedgerLine] | tuple[LedgerLine, ...]", gaps: object) -> None:
    """One JSON object a line; what cannot be read is in one of its own, before the entries."""
    for gap in output.as_json(gaps):
        typer.echo(json.dumps({"gap": gap}, ensure_ascii=False))
    for each in entries:
        typer.echo(json.dumps(output.as_json(each), ensure_ascii=False))


def _row(each: "LedgerLine") -> list[output.Cell]:
    if each.verb == "change":
        what = "; ".join((*each.changes, *([f"({each.comment})"] if each.comment else [])))
        at = output.moment(each.at)
        return [at, each.customer_id, "", each.call, "", what, "", "", "", whose(each)]
    feature = f"{each.feature_id} ({each.resource_id})" if each.resource_id else each.feature_id
    return [
        output.moment(each.at),
        each.customer_id,
        feature,
        each.verb if each.allowed else ("denied", "red"),
        output.number(each.quantity),
        each.reason,
        output.number(each.used),
        "" if each.limit is None else output.number(each.limit),
        each.idempotency_key,
        whose(each),
    ]


def whose(each: "LedgerLine") -> str:
    """Whose doing an entry is, as people read it."""
    return f"{each.actor} ({each.edge})" if each.actor and each.edge else each.actor or each.edge


def _line(each: "LedgerLine") -> str:
    if each.verb == "change":
        about = f"  {each.customer_id}" if each.customer_id else ""
        what = f"{each.call}  {'; '.join(each.changes)}  by {each.actor}"
        return f"{each.at.astimezone():%H:%M:%S}{about}  {what}"
    what = each.verb if each.allowed else "denied"
    of = "" if each.limit is None else f"  {each.used:,} of {each.limit:,}"
    feature = f"{each.feature_id} ({each.resource_id})" if each.resource_id else each.feature_id
    at = each.at.astimezone()
    return (
        f"{at:%H:%M:%S}  {each.customer_id}  {feature}  {what} {each.quantity:,}  {each.reason}{of}"
    )


def lost(gap: "LostLines") -> str:
    """A line about what cannot be read."""
    if gap.why == "unreadable":
        return f"a record of {gap.since.astimezone():%Y-%m-%d %H:%M:%S} cannot be read"
    between = f"{gap.since.astimezone():%H:%M:%S} and {gap.until.astimezone():%H:%M:%S}"
    return f"what was noted between {between} may be gone in part"
