"""`quotad consume`, `check` and `explain`: may a customer do this, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from quotad.cli import (
    amounts,
    arguments,
    completion,
    explained_then,
    explanation,
    failures,
    options,
    output,
)
from quotad.cli.options import (
    SERVER_DEFAULT,
    CustomerId,
    FeatureId,
    Json,
    NegativeNumbers,
    Resource,
    ServerOption,
    Values,
)
from quotad.decision import Reason
from quotad.model import QUANTITY_MAX, USED_MAX
from quotad.nearest import did_you_mean

if TYPE_CHECKING:
    from quotad.client import ConsumeAllDecision, Decision, ItemsDecision

Quantity = Annotated[
    int, typer.Argument(metavar="QUANTITY", help="How much; negative gives back, gauges only.")
]

IdempotencyKey = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Repeating a call under the same key consumes nothing more."),
]

REASONS = {
    Reason.CUSTOMER_NOT_FOUND: "the customer was never provisioned, and there is no default plan",
    Reason.CUSTOMER_ARCHIVED: "the customer is archived",
    Reason.NO_ACTIVE_SUBSCRIPTION: "no subscription in force: none yet, ended, or its plan is gone",
    Reason.FEATURE_NOT_FOUND: "the catalog has no such feature",
    Reason.NOT_ENTITLED: "nothing that the customer has grants the feature",
    Reason.REVOKED: "an override takes the feature away from this customer",
    Reason.VALUE_NOT_ALLOWED: "a requested value is not among the granted ones",
    Reason.LIMIT_EXCEEDED: "a hard limit has no room for the quantity",
    Reason.INSUFFICIENT_CREDITS: "the credits do not cover the quantity",
    Reason.OVER_SOFT_LIMIT: "past a soft limit, counted as overage",
    Reason.UNLIMITED: "without a limit",
    Reason.FEATURE_ENABLED: "the feature is granted",
    Reason.WITHIN_LIMIT: "within the limit",
    Reason.OVER_LIMIT: "recorded, past a hard limit",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(cls=NegativeNumbers)(consume)
    app.command()(consume_all)
    app.command(cls=NegativeNumbers)(record)
    app.command()(refund)
    app.command(cls=NegativeNumbers)(check)
    app.command(cls=NegativeNumbers)(explain)


def consume(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Take what there is room for, if that is less.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
    resource: Resource = "",
    value: Values = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Use a feature: decide and count. Exit code 0 allowed, 1 denied, 2 error."""
    with failures.client(server, as_json) as client:
        decision = client.consume(
            customer,
            feature,
            quantity,
            resource_id=resource,
            requested_values=value or (),
            best_effort=best_effort,
            idempotency_key=idempotency_key,
        )
    show(decision, as_json, took=feature, hint=near(feature, decision.reason, server))


def consume_all(
    customer: CustomerId,
    items: Annotated[
        list[str], typer.Argument(metavar="FEATURE[=QUANTITY]...", help="What is used together.")
    ],
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Count nothing, and say whether it would be.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Use several features: count all of it or nothing. Exit codes as of consume."""
    quantities = arguments.quantities_of(items, as_json)
    with failures.client(server, as_json) as client:
        if check_only:
            decision = client.check_all(customer, quantities)
        else:
            decision = client.consume_all(customer, quantities, idempotency_key=idempotency_key)
    if as_json:
        output.print_json(decision)
    show_all(decision, as_json, list(quantities), server=server)


def record(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it happened; absent: now.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Count what has happened already, also past the limit. Exit codes as of consume."""
    occurred_at = arguments.time_of("--at", at, as_json)
    with failures.client(server, as_json) as client:
        decision = client.record(
            customer,
            feature,
            quantity,
            resource_id=resource,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
        )
    show(decision, as_json, took=feature, hint=near(feature, decision.reason, server))


def refund(
    customer: CustomerId,
    feature: Annotated[
        str,
        typer.Argument(
            metavar="[FEATURE]",
            help="Absent, with --taken-under: all that was used together.",
            autocompletion=completion.features,
        ),
    ] = "",
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help="How much.")] = 0,
    taken_under: Annotated[
        str,
        typer.Option(metavar="KEY", help="Instead: all that a call took under this key, once."),
    ] = "",
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="From the periods of then; absent: of now.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
    reason: options.ReasonOption = "",
    actor: options.ActorOption = "",
    resource: Resource = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Take back what was counted, never below zero."""
    occurred_at = arguments.time_of("--at", at, as_json)
    if taken_under and not feature:
        with failures.client(server, as_json) as client:
            all_ = client.refund_all(customer, taken_under, reason=reason, actor=actor)
        show_items(all_, as_json)
        return
    with failures.client(server, as_json) as client:
        decision = client.refund(
            customer,
            feature,
            quantity,
            taken_under=taken_under,
            resource_id=resource,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
            reason=reason,
            actor=actor,
        )
    show(decision, as_json, took=feature, hint=near(feature, decision.reason, server))


def check(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    resource: Resource = "",
    value: Values = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Ask whether it would be allowed, and count nothing. Exit codes as of consume."""
    with failures.client(server, as_json) as client:
        decision = client.check(
            customer, feature, quantity, resource_id=resource, requested_values=value or ()
        )
    show(decision, as_json, hint=near(feature, decision.reason, server))


def explain(
    customer: CustomerId,
    feature: FeatureId,
    quantity: Quantity = 1,
    resource: Resource = "",
    value: Values = None,
    at: explained_then.ThenOption = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Ask as check does, and show where the answer comes from. Exit codes as of consume."""
    if at is not None:
        return explained_then.show((customer, feature, resource), at, server, as_json)
    with failures.client(server, as_json) as client:
        decision = client.check(
            customer,
            feature,
            quantity,
            resource_id=resource,
            requested_values=value or (),
            explain=True,
        )
    show(decision, as_json, hint=near(feature, decision.reason, server))


def _cause(decision: "Decision") -> str:
    """Why it was decided so, for a person."""
    beyond = decision.unlimited or decision.soft_limit
    if not decision.allowed and beyond and decision.used > USED_MAX - QUANTITY_MAX:
        # No limit denies this: used so much, it is above every limit that a catalog can have.
        return f"no limit, but no counter goes beyond {USED_MAX:,} ({decision.reason.name})"
    return in_words(decision.reason)


def in_words(reason: Reason) -> str:
    """A reason for a person, with the word that programs know."""
    return f"{REASONS[reason]} ({reason.name})" if reason in REASONS else reason.name


def near(feature: str, reason: Reason, server: str) -> str:
    """Of a feature that the catalog does not have, the one that is probably meant."""
    if reason != Reason.FEATURE_NOT_FOUND:
        return ""
    found = did_you_mean(feature, completion.known(server, "features"))
    return f"; {found}" if found else ""


def show(
    decision: "Decision",
    as_json: bool,
    *,
    took: str = "",
    hint: str = "",
    first: Sequence[tuple[str, str]] = (),
) -> None:
    """Print a decision, and end the command when it denies.

    Args:
        decision: what to show.
        as_json: as one object.
        took: the feature that was counted; empty: nothing was.
        hint: behind the cause; see `near`.
        first: what else to show, as names and values, before the rest.
    """
    if as_json:
        output.print_json(decision)
    else:
        verdict, style = ("allowed", "green") if decision.allowed else ("denied", "red")
        output.print_headline(verdict, style, _cause(decision) + hint)
        output.print_fields([*first, *_fields(decision, took)])
        if decision.limits:
            output.print_line("")
            held = amounts.held(decision.limits)
            rows: list[list[str]] = []
            for limit in decision.limits:
                allows, *used, remaining, resets = amounts.row(limit)
                rows.append([allows, *used, *amounts.held_row(limit, held), remaining, resets])
            columns = ["limits", ">used", *(f">{name}" for name in held), ">remaining", "resets"]
            output.print_table(columns, rows, indent=2)
        if decision.explanation is not None:
            explanation.print_sources(decision.explanation, decision.is_fallback)
    if not decision.allowed:
        raise typer.Exit(failures.EXIT_DENIED)


def show_items(decision: "ItemsDecision", as_json: bool) -> None:
    """Print the decision on several features by their names, as `show_all`."""
    pairs = zip(decision.features, decision.resources, strict=True)
    names = [f"{feature} ({resource})" if resource else feature for feature, resource in pairs]
    if as_json:
        output.print_json(decision)
    show_all(decision, as_json, names)


def show_all(
    decision: "ConsumeAllDecision",
    as_json: bool,
    features: list[str],
    first: Sequence[tuple[str, str]] = (),
    server: str = "",
) -> None:
    """Print the decision on several features, and end the command when it denies.

    Args:
        decision: what to show.
        as_json: it is printed already.
        features: their names.
        first: as of `show`.
        server: which is asked for the feature that is meant where there is no such; empty: none.
    """
    if not as_json:
        _print_all(decision, features, first, server)
    if not decision.allowed:
        raise typer.Exit(failures.EXIT_DENIED)


def _print_all(
    decision: "ConsumeAllDecision",
    features: list[str],
    first: Sequence[tuple[str, str]],
    server: str,
) -> None:
    verdict, style = ("allowed", "green") if decision.allowed else ("denied", "red")
    stopped_by = decision.stopped_by
    cause = "all of it" if stopped_by is None else features[stopped_by]
    hint = near(cause, decision.reason, server) if server else ""
    output.print_headline(verdict, style, f"{cause}: {in_words(decision.reason)}{hint}")
    if first:
        output.print_fields(first)
    rows: list[list[output.Cell]] = []
    for feature, item in zip(features, decision.items, strict=True):
        counted = item.limit is not None or item.unlimited
        left = output.amount(item.remaining, item.decimals) if item.limit is not None else "-"
        used = output.amount(item.used, item.decimals) if counted else "-"
        rows.append([feature, output.number(item.granted), used, left, item.reason.name])
    output.print_table(["feature", ">took", ">used", ">remaining", "reason"], rows, indent=2)
    if decision.retry_after is not None:
        output.print_fields([("retry", output.distance(decision.retry_after))])
    if decision.replayed:
        output.print_fields([("replayed", "the first decision under this key")])
    if decision.is_fallback:
        output.print_fields(
            [("fallback", "the store is gone; the policies of all features decided")]
        )


def _fields(decision: "Decision", took: str) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if decision.value:
        fields.append(("value", ", ".join(decision.values) or decision.value))
    if decision.variant:
        fields.append(("variant", decision.variant))
    if decision.explanation is not None:
        fields += explanation.lacking(decision)
    if decision.limit is not None or decision.unlimited:
        fields += _usage_fields(decision, took)
    if decision.would_deny:
        fields.append(("shadow", "a limit in shadow had no room, and would have denied this"))
    if decision.retry_after is not None:
        fields.append(("retry", output.distance(decision.retry_after)))
    if decision.replayed:
        fields.append(("replayed", "the first decision under this key; nothing more was consumed"))
    if decision.is_fallback:
        policy = "the feature's policy decided, by what this worker has let through"
        fields.append(("fallback", f"the store is gone; {policy}"))
    if decision.catalog_version:
        fields.append(("catalog", f"version {decision.catalog_version}"))
    return fields


def _usage_fields(decision: "Decision", took: str) -> list[tuple[str, str]]:
    def amount(value: int) -> str:
        return output.amount(value, decision.decimals)

    fields: list[tuple[str, str]] = []
    if decision.allowed and took:
        word = "gave back" if decision.granted < 0 else "took"
        # The amounts may be those of a pool that pays; what was taken is of the feature.
        pays = decision.pool_id not in ("", took)
        granted = abs(decision.granted)
        fields.append((word, output.number(granted) if pays else amount(granted)))
    if decision.pool_id:
        fields.append(("pool", decision.pool_id))
    limit = "unlimited" if decision.limit is None else amount(decision.limit)
    fields.append(("limit", f"{limit} (soft)" if decision.soft_limit else limit))
    fields.append(("used", amount(decision.used)))
    if decision.reserved:
        fields.append(("reserved", amount(decision.reserved)))
    if decision.leased:
        fields.append(("leased", amount(decision.leased)))
    if decision.limit is not None:
        fields.append(("remaining", amount(decision.remaining)))
    if decision.overage:
        fields.append(("overage", amount(decision.overage)))
    if decision.limit is not None:
        fields.append(("resets", _resets(decision)))
    return fields


def _resets(decision: "Decision") -> str:
    """When the limit that decided resets."""
    for limit in decision.limits:
        told = (limit.limit, limit.used, limit.resets_at, limit.pool_id)
        if told == (decision.limit, decision.used, decision.resets_at, decision.pool_id):
            return amounts.resets(limit)
    return output.moment(decision.resets_at)
