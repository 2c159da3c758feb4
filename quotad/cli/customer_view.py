"""How a customer is shown: its subscriptions, overrides and promotions."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from quotad.cli import output
from quotad.history import LOCAL

if TYPE_CHECKING:
    from datetime import datetime

    from quotad.client.admin import Customer, Override, Promotion, Subscription

Fields = list[tuple[str, str]]

IN_FORCE = ("ACTIVE", "IN_TRIAL")

PLANS_SHOWN = 3
"""Most subscriptions of one customer that a list of customers shows."""


def show(customer: "Customer", as_json: bool) -> None:
    """Print everything of a customer."""
    if as_json:
        output.print_json(customer)
        return
    status = customer.status.lower()
    output.print_headline(customer.customer_id, "green" if status == "active" else "red", status)
    own, *others = _subscriptions(customer)
    output.print_fields(
        [
            *own[1],
            *_known_by(customer),
            ("created", output.moment(customer.created_at, "")),
            ("updated", _updated(customer)),
            ("epoch", str(customer.epoch)),
        ]
    )
    for title, fields in others:
        output.print_line(f"\n  {title}")
        output.print_fields(fields)
    _print_overrides(customer.overrides)
    _print_promotions(customer.promotions)


def _updated(customer: "Customer") -> str:
    by = f" by {customer.updated_by}" if customer.updated_by not in ("", LOCAL) else ""
    return output.moment(customer.updated_at, "") + by


def _known_by(customer: "Customer") -> Fields:
    """What is known of a customer, a line for each part."""
    fields = {"name": customer.name, "email": customer.email, "time zone": customer.timezone}
    external = [f"{system} {each}" for system, each in customer.external_ids.items()]
    fields["known as"] = ", ".join(external)
    fields["metadata"] = ", ".join(f"{key}={text}" for key, text in customer.metadata.items())
    return [(label, text) for label, text in fields.items() if text]


def plans(customer: "Customer") -> str:
    """The plans in force, in a few words; without one, those that are to come or have been."""
    words = []
    for each in _shown(customer):
        remarks = [each.resource_id] if each.resource_id else []
        if each.status != "ACTIVE":
            remarks.append("trial" if each.status == "IN_TRIAL" else each.status.lower())
        words.append(f"{each.plan_id} ({', '.join(remarks)})" if remarks else each.plan_id)
    more = len(words) - PLANS_SHOWN
    return ", ".join(words[:PLANS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def since(customer: "Customer") -> "datetime | None":
    """When the first of the plans that a list shows starts or has started."""
    return next((each.start for each in _shown(customer)), None)


def _shown(customer: "Customer") -> "Sequence[Subscription]":
    in_force = [each for each in customer.subscriptions if each.status in IN_FORCE]
    return in_force or customer.subscriptions


def _subscriptions(customer: "Customer") -> list[tuple[str, Fields]]:
    """Title and fields of each subscription; the customer's own comes first, without a title."""
    found = [
        (_title(resource_id, subscription_id), _phases(list(phases)))
        for (resource_id, subscription_id), phases in groupby(
            sorted(
                customer.subscriptions, key=lambda each: (each.resource_id, each.subscription_id)
            ),
            key=lambda each: (each.resource_id, each.subscription_id),
        )
    ]
    if not found:
        return [("", [("plan", "none")])]
    return found if not found[0][0] else [("", []), *found]


def _title(resource_id: str, subscription_id: str) -> str:
    words = [f"resource {resource_id}"] if resource_id else []
    words += [f"subscription {subscription_id}"] if subscription_id else []
    return ", ".join(words)


def _phases(phases: "Sequence[Subscription]") -> Fields:
    fields: Fields = []
    label = "plan"
    for index, phase in enumerate(phases):
        before = phases[index - 1] if index else None
        following = phases[index + 1] if index + 1 < len(phases) else None
        first, *more = _phase(phase, before, following)
        if phase.status == "ENDED" and following is not None:
            fields.append(("was", first))
        else:
            fields.append((label, first))
            label = "then"
        fields += [("", line) for line in more]
    return fields


def _phase(
    phase: "Subscription", before: "Subscription | None", following: "Subscription | None"
) -> list[str]:
    """One phase, a line for each of its fields that is set."""
    plan = phase.plan_id if phase.revision <= 1 else f"{phase.plan_id} (revision {phase.revision})"
    since = {"SCHEDULED": "from", "IN_TRIAL": "on trial since"}.get(phase.status, "since")
    lines = [f"{plan} {since} {output.moment(phase.start)}"]
    if phase.addons:
        addons = ", ".join(f"{name} x {count}" for name, count in phase.addons.items())
        lines.append(f"add-ons: {addons}")
    if phase.unit_quantity != 1:
        lines.append(f"units: {phase.unit_quantity:,}")
    if phase.external_ids:
        external = [f"{system} {each}" for system, each in phase.external_ids.items()]
        lines.append(f"known as {', '.join(external)}")
    if phase.anchor is None:
        lines.append("billing periods of the calendar")
    elif phase.anchor not in (phase.start, before and before.anchor):
        lines.append(f"billing periods as from {output.moment(phase.anchor)}")
    if phase.end is not None and (following is None or following.start != phase.end):
        word = "ended" if phase.status == "ENDED" else "until"
        lines.append(f"{word} {output.moment(phase.end)}")
    return lines


def _print_overrides(overrides: "Sequence[Override]") -> None:
    rows = [
        [
            each.feature_id,
            each.resource_id,
            output.moment(each.start, ""),
            _grants(each.entitlement),
        ]
        for each in overrides
    ]
    _print_table(["overrides", "resource", "starts", "grants"], rows)


def _print_promotions(promotions: "Sequence[Promotion]") -> None:
    rows = [
        [
            each.feature_id,
            each.resource_id,
            output.moment(each.start, ""),
            _grants(each.entitlement),
            output.moment(each.end),
        ]
        for each in promotions
    ]
    _print_table(["promotions", "resource", "starts", "grants", "ends"], rows)


def _grants(entitlement: object) -> str:
    return "nothing: taken away" if entitlement is False else output.entitlement(entitlement)


def _print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a table with an empty line above it, unless it is empty."""
    if not rows:
        return
    for place in (2, 1):  # all have started, or are of no resource
        if not any(row[place] for row in rows):
            columns, *rows = [[*row[:place], *row[place + 1 :]] for row in (columns, *rows)]
    output.print_line("")
    output.print_table(columns, rows, indent=2)
