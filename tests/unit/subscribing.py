"""A small catalog and short words for what tests do with subscriptions."""

from quotad.catalog import Snapshot
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    cancel_subscription,
    change_subscription,
)
from quotad.customers.subscriptions import provision as provision_record
from quotad.entitlements.phases import phases_in_force
from quotad.model import QUANTITY_MAX, AddOn, AddOnEntry, Anchor, Plan, Unit, Window
from quotad.records import CustomerRecord, Subscription

NOW = 1_800_000_000_000  # 2027-01-15 08:00 UTC
DAY = 86_400_000
MONTH_END = NOW + 31 * DAY
"""Where the billing month that starts now ends."""
NEW = CustomerRecord("acme")
KNOWN = CustomerRecord("acme", created_ms=NOW - 9 * DAY)
"""Without a subscription; not on the default plan."""
AT_ONCE = Cancellation()

PLANS = (
    Plan("free", {}),
    Plan("pro", {}, revision=3),
    Plan("team", {}),
    Plan("yearly", {}, billing=Window(Unit.YEAR, 1, Anchor.SUBSCRIPTION)),
    Plan("fresh", {}, resets_usage=True),
    Plan("renewed", {}, resets_usage=True),
    Plan("old", {}, archived=True),
)
ADDONS = (
    AddOn("calls", {"api": AddOnEntry(add=10)}),
    AddOn("seats", {"seats": AddOnEntry(add=1)}, max_quantity=5, plans=("pro", "team")),
    AddOn("old", {"seats": AddOnEntry(add=1)}, archived=True),
    AddOn("huge", {"api": AddOnEntry(add=QUANTITY_MAX)}),
)
CATALOG = Snapshot(
    version=1,
    digest="",
    features={},
    plans={plan.plan_id: plan for plan in PLANS},
    default_plan="free",
    addons={addon.addon_id: addon for addon in ADDONS},
)


def on(*subscriptions: tuple[str, int], archived: bool = False) -> CustomerRecord:
    made = tuple(Subscription(plan, start) for plan, start in subscriptions)
    return CustomerRecord("acme", made, archived, NOW - 9 * DAY, NOW - 9 * DAY)


def provision(
    record: CustomerRecord, plan_id: str, start_ms: int | None, now_ms: int
) -> CustomerRecord:
    return provision_record(record, Provision(plan_id, start_ms), CATALOG, now_ms)


def provision_as(record: CustomerRecord, wanted: Provision, now_ms: int = NOW) -> CustomerRecord:
    return provision_record(record, wanted, CATALOG, now_ms)


def change(record: CustomerRecord, wanted: Change, now_ms: int = NOW) -> CustomerRecord:
    return change_subscription(record, wanted, CATALOG, now_ms)


def cancel(
    record: CustomerRecord, wanted: Cancellation = AT_ONCE, now_ms: int = NOW
) -> CustomerRecord:
    return cancel_subscription(record, wanted, CATALOG, now_ms)


def course(record: CustomerRecord, *moments: int) -> list[str]:
    """The plan in force at each moment; empty without one."""
    found = [phases_in_force(record, moment) for moment in moments]
    return [phases[0].plan_id if phases else "" for phases in found]
