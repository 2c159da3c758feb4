"""`quotad customers list`: all customers, those looked for, those only seen."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quotad.cli import completion, customer_view, failures, output
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption
from quotad.decision import BATCH_MAX
from quotad.nearest import did_you_mean

if TYPE_CHECKING:
    from quotad.client.admin import AdminClient, Customer


def register(group: typer.Typer) -> None:
    """Add the command of this module to those of customers."""
    group.command("list")(list_)


def list_(
    prefix: Annotated[
        str, typer.Argument(metavar="[PREFIX]", help="Only those whose id starts so.")
    ] = "",
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="A word of the name, and the rest, start so.")
    ] = "",
    plan: Annotated[
        str,
        typer.Option(
            autocompletion=completion.plans,
            metavar="PLAN",
            help="A subscription to it is in force.",
        ),
    ] = "",
    status: Annotated[
        Literal["active", "archived"] | None, typer.Option(help="Only those that are so.")
    ] = None,
    email: Annotated[str, typer.Option(metavar="EMAIL", help="The email, in any case.")] = "",
    external_id: Annotated[
        str,
        typer.Option(
            "--external-id",
            metavar="ID",
            help="An id in any other system; SYSTEM=ID: in that one.",
        ),
    ] = "",
    in_trial: Annotated[
        bool, typer.Option("--in-trial", help="A trial is under way, of the plan if any.")
    ] = False,
    seen: Annotated[
        bool, typer.Option("--seen", help="Those on the default plan, never provisioned.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most so many.")] = 50,
    after: Annotated[
        str, typer.Option(metavar="TOKEN", help="Go on where the list before has ended.")
    ] = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List provisioned customers, or find some of them."""
    if seen:
        given = {"--name": name, "--plan": plan, "--status": status, "--after": after}
        given |= {"--email": email, "--external-id": external_id}
        given |= {"--in-trial": "yes" if in_trial else ""}
        for option in [option for option, text in given.items() if text]:
            failures.fail(f"{option}: is not for --seen; a PREFIX and --limit are", as_json)
        _list_seen(prefix, limit, server, as_json)
        return
    search: dict[str, Any] = {"id_prefix": prefix, "name": name, "plan_id": plan}
    search |= {"status": status or "", "email": email, "external_id": external_id}
    search["in_trial"] = in_trial
    with failures.admin(server, as_json) as admin:
        found = _fetch(admin, search, limit, after)
        system, separator, its_id = external_id.partition("=")
        if separator and its_id and not found[0]:  # it is no id that has the sign in it
            search |= {"external_id": its_id}
            found = _fetch(admin, search, limit, after, (system, its_id))
        shown, after = found
        unknown = plan and not shown and not as_json and _unknown_plan(admin, plan)
    if as_json:
        output.print_json({"customers": shown, "more": bool(after), "next": after})
        return
    _print(shown)
    if unknown:
        output.console(stderr=True).print(unknown, soft_wrap=True, highlight=False, markup=False)
    if after:
        output.console(stderr=True).print(
            f"There are more; go on with --after {after}", soft_wrap=True, highlight=False
        )


def _fetch(
    admin: "AdminClient",
    search: dict[str, Any],
    limit: int,
    after: str,
    external: tuple[str, str] | None = None,
) -> "tuple[list[Customer], str]":
    """Up to `limit` customers, and where a longer list continues; empty: it ends here.

    Args:
        admin: asks the server.
        search: what the server looks for.
        limit: most customers.
        after: where the list before has ended.
        external: only those with this id in this system; None: all that are found.
    """
    shown: list[Customer] = []
    while True:
        page = admin.customer_page(min(limit - len(shown), BATCH_MAX), after, **search)
        shown += [each for each in page.customers if _has(each, external)]
        after = page.next_token
        if not after or len(shown) == limit:
            break
    ahead = after
    while ahead:  # the rest may be empty
        page = admin.customer_page(1, ahead, **search)
        ahead = page.next_token
        if any(_has(each, external) for each in page.customers):
            return shown, after
    return shown, ""


def _has(customer: "Customer", external: tuple[str, str] | None) -> bool:
    """Whether a customer, or a subscription of it, has an id in a system; None: any will do."""
    if external is None:
        return True
    known = [customer.external_ids, *(each.external_ids for each in customer.subscriptions)]
    return any(external in each.items() for each in known)


def _unknown_plan(admin: "AdminClient", plan: str) -> str:
    """That the catalog has no such plan, which customers may be on all the same; or nothing."""
    from quotad.client import QuotaError

    try:
        plans = admin.catalog().document["plans"]
    except QuotaError:  # such as none published yet
        return ""
    if plan in plans:
        return ""
    hint = did_you_mean(plan, plans)
    return f"The catalog has no plan {plan!r}" + (f"; {hint}" if hint else ".")


def _print(shown: "list[Customer]") -> None:
    named = any(each.name for each in shown)
    rows = [
        [
            each.customer_id,
            *([each.name] if named else []),
            each.status.lower(),
            customer_view.plans(each),
            output.moment(customer_view.since(each), ""),
            output.moment(each.updated_at, ""),
        ]
        for each in shown
    ]
    columns = ["customer", *(["name"] if named else []), "status", "plan", "since", "updated"]
    output.print_table(columns, rows)


def _list_seen(prefix: str, limit: int, server: str, as_json: bool) -> None:
    with failures.admin(server, as_json) as admin:
        found = list(islice(admin.seen(prefix), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        output.print_json({"customers": shown, "more": more})
        return
    rows = [[each.customer_id, output.moment(each.seen_at)] for each in shown]
    output.print_table(["customer", "seen"], rows)
    if more:
        output.console(stderr=True).print(f"There are more; --limit {limit} ends the list here.")
