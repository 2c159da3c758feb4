"""`quotad consume`, `check` and `entitlements`: what a customer may do."""

from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import failures, output
from quotad.cli.options import (
    SERVER_DEFAULT,
    CustomerId,
    FeatureId,
    Json,
    NegativeNumbers,
    Server,
)
from quotad.model import Reason

if TYPE_CHECKING:
    from quotad.client import Decision, Entitlement, LimitStatus

Quantity = Annotated[
    int, typer.Argument(metavar="QUANTITY", help="How much; negative gives back, gauges only.")
]

REASONS = {
    Reason.CUSTOMER_NOT_FOUND: "the customer was never provisioned, and there is no default plan",
    Reason.CUSTOMER_ARCHIVED: "the customer is archived",
    Reason.NO_ACTIVE_SUBSCRIPTION: "no active subscription: not started, or its plan is gone",
    Reason.FEATURE_NOT_FOUND: "the catalog has no such feature",
    Reason.NOT_ENTITLED: "the plan does not grant the feature",
    Reason.REVOKED: "the feature was taken away from this customer",
    Reason.VALUE_NOT_ALLOWED: "a requested value is not among the granted ones",
    Reason.LIMIT_EXCEEDED: "a hard limit has no room for the quantity",
    Reason.INSUFFICIENT_CREDITS: "the credits do not cover the quantity",
    Reason.OVER_SOFT_LIMIT: "past a soft limit, counted as overage",
    Reason.UNLIMITED: "without a limit",
    Reason.FEATURE_ENABLED: "the plan grants the feature",
    Reason.WITHIN_LIMIT: "within the limit",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(cls=NegativeNumbers)(consume)
    app.command(cls=NegativeNumbers)(check)
    app.command()(entitlements)


def consume(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Repeating a call under the same key consumes nothing more."
        ),
    ] = None,
    server: Server = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Use a feature: decide and count. Exit code 0 allowed, 1 denied, 2 error."""
    with failures.client(server, as_json) as client:
        decision = client.consume(customer, feature, quantity, idempotency_key=idempotency_key)
    _show(decision, as_json, dry=False)


def check(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    server: Server = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Ask whether it would be allowed, and count nothing. Exit codes as of consume."""
    with failures.client(server, as_json) as client:
        decision = client.check(customer, feature, quantity)
    _show(decision, as_json, dry=True)


def entitlements(
    customer: CustomerId, server: Server = SERVER_DEFAULT, as_json: Json = False
) -> None:
    """Show everything that a customer may do now."""
    with failures.client(server, as_json) as client:
        found = client.entitlements(customer)
    if as_json:
        output.print_json(found)
        return
    if found.denied_reason is not None:
        output.print_headline("nothing", "red", f"{customer}: {in_words(found.denied_reason)}")
        return
    plan = f"on plan {found.plan_id}" if found.plan_id else "without a plan"
    output.print_line(f"{customer} is {plan} (catalog version {found.catalog_version})\n")
    rows = [row for each in found.entitlements for row in _entitlement_rows(each)]
    output.print_table(["feature", "grants", ">used", ">remaining", "resets"], rows)


def in_words(reason: Reason) -> str:
    """A reason for a person, with the word that programs know."""
    return f"{REASONS[reason]} ({reason.name})" if reason in REASONS else reason.name


def _show(decision: "Decision", as_json: bool, *, dry: bool) -> None:
    if as_json:
        output.print_json(decision)
    else:
        verdict, style = ("allowed", "green") if decision.allowed else ("denied", "red")
        output.print_headline(verdict, style, in_words(decision.reason))
        output.print_fields(_fields(decision, dry=dry))
        if decision.limits:
            output.print_line("")
            rows = [_limit_row(limit) for limit in decision.limits]
            output.print_table(["  limits", ">used", ">remaining", "resets"], rows)
    if not decision.allowed:
        raise typer.Exit(failures.EXIT_DENIED)


def _fields(decision: "Decision", *, dry: bool) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if decision.value:
        fields.append(("value", decision.value))
    if decision.limit is not None or decision.unlimited:
        fields += _usage_fields(decision, dry=dry)
    if decision.retry_after is not None:
        fields.append(("retry", output.distance(decision.retry_after)))
    if decision.replayed:
        fields.append(("replayed", "the first decision under this key; nothing more was consumed"))
    if decision.is_fallback:
        fields.append(("fallback", "the store did not answer; the feature's policy decided"))
    if decision.catalog_version:
        fields.append(("catalog", f"version {decision.catalog_version}"))
    return fields


def _usage_fields(decision: "Decision", *, dry: bool) -> list[tuple[str, str]]:
    limit = "unlimited" if decision.limit is None else output.number(decision.limit)
    fields: list[tuple[str, str]] = []
    if decision.allowed and not dry:
        gave_back = decision.granted < 0
        fields.append(("gave back" if gave_back else "took", output.number(abs(decision.granted))))
    fields.append(("limit", f"{limit} (soft)" if decision.soft_limit else limit))
    fields.append(("used", output.number(decision.used)))
    if decision.limit is not None:
        fields.append(("remaining", output.number(decision.remaining)))
    if decision.overage:
        fields.append(("overage", output.number(decision.overage)))
    if decision.limit is not None:
        fields.append(("resets", output.moment(decision.resets_at)))
    return fields


def _limit_row(limit: "LimitStatus") -> list[str]:
    remaining = "" if limit.limit is None else output.number(limit.remaining)
    resets = "" if limit.limit is None else output.moment(limit.resets_at)
    return [f"  {_allowance(limit)}", output.number(limit.used), remaining, resets]


def _allowance(limit: "LimitStatus") -> str:
    amount = "unlimited" if limit.limit is None else output.number(limit.limit)
    per = f" per {limit.per}" if limit.per else ""
    soft = " (soft)" if limit.soft_limit else ""
    over = f", {output.number(limit.overage)} over" if limit.overage else ""
    return f"{amount}{per}{soft}{over}"


def _entitlement_rows(entitlement: "Entitlement") -> list[list[str]]:
    name = entitlement.feature_id
    if not entitlement.limits:
        if entitlement.unlimited:
            return [[name, "unlimited", output.number(entitlement.used), "", ""]]
        return [[name, entitlement.value or "yes", "", "", ""]]
    rows = [[name, *_limit_row(limit)] for limit in entitlement.limits]
    for row in rows[1:]:
        row[0] = ""
    for row in rows:
        row[1] = row[1].strip()
    return rows
