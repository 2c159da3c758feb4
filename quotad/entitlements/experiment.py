"""Which plan the customers of an experiment have, and what answers call them."""

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.rollout import Table, remembered
from quotad.experiments import CONTROL, Experiment
from quotad.model import Plan
from quotad.records import CustomerRecord


class Group(msgspec.Struct, frozen=True, gc=False):
    """Where a customer is in an experiment."""

    experiment: Experiment
    variant: str
    """`control` with the plan of its subscription, else the plan that it has instead."""


def group_of(
    record: CustomerRecord | None, plan_id: str, snapshot: Snapshot, customer_id: str
) -> Group | None:
    """Return where a customer with a plan is in its experiment; None: it is in none.

    Args:
        record: of the customer; None: it has none, and the default plan.
        plan_id: of its subscription.
        snapshot: the catalog in force.
        customer_id: which the share is chosen by.
    """
    experiment = snapshot.experiments.get(plan_id)
    if experiment is None:
        return None
    if experiment.new_customers and (record is None or experiment.name not in record.experiments):
        return None
    return Group(experiment, experiment.variant(customer_id))


def plan_of(group: Group | None, plan: Plan, snapshot: Snapshot) -> Plan:
    """Return the plan that a customer has by its group, in place of that of its subscription."""
    if group is None or group.variant == CONTROL:
        return plan
    return snapshot.plans[group.experiment.to]


def with_variant(table: Table, group: Group, snapshot: Snapshot) -> Table:
    """Return what a plan grants, with the variant in everything that no rollout names one for."""
    variant = group.variant

    def made() -> Table:
        of, to = snapshot.plans[group.experiment.of], snapshot.plans[group.experiment.to]
        variants = dict.fromkeys((*of.entitlements, *to.entitlements), variant)
        entitlements = {
            name: right if right.variant else msgspec.structs.replace(right, variant=variant)
            for name, right in table.entitlements.items()
        }
        return Table(entitlements, variants | table.variants, key)

    key = (table.key, group.experiment.name, variant)
    return remembered(snapshot, key, made)
