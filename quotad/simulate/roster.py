"""The plans of customers: from a file, from the lines, or the default one for all.

Nothing of it is written to the store. The engine is given the records from here, as those of
customers whose records were never written, so that a log of millions of customers costs no writes.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from quotad.customers.resets import counted
from quotad.entitlements.phases import phases_in_force
from quotad.errors import StoreError
from quotad.recent import Recent
from quotad.records import CALENDAR, CustomerRecord, StoredCustomer, Subscription
from quotad.simulate.lines import LoggedCall
from quotad.store import CustomerKeys, Link
from quotad.store.records import NOBODY

REMEMBERED_MAX = 1_000_000
"""Customers whose plan of the last line is remembered. One that is dropped and comes back is
taken for a new one on that plan: its counters continue, unless its plan resets them."""


class Roster:
    """The records of the customers of a log.

    Args:
        listed: customers whose subscriptions are known.
        plan_id: the plan of all others; None: as in their lines, or the default one.
    """

    def __init__(
        self, listed: Mapping[str, CustomerRecord] | None = None, plan_id: str | None = None
    ) -> None:
        self._listed = listed or {}
        self._plan_id = plan_id
        self._seen: Recent[str, CustomerRecord] = Recent(REMEMBERED_MAX)

    def record(self, customer_id: str) -> CustomerRecord | None:
        """The record of a customer; None: on the default plan."""
        listed = self._listed.get(customer_id)
        if listed is not None:
            return listed
        if self._plan_id is not None:
            return _on(customer_id, self._plan_id)
        return self._seen.get(customer_id)

    def is_news(self, call: LoggedCall) -> bool:
        """Whether a line has another plan of its customer than the line before."""
        if not call.plan_id or call.request.customer_id in self._listed:
            return False
        record = self._seen.young.get(call.request.customer_id)
        return record is None or record.subscriptions[-1].plan_id != call.plan_id

    def learn(self, call: LoggedCall, resets_until_ms: int | None) -> None:
        """Put the customer of a line on the plan of the line.

        Args:
            call: the line.
            resets_until_ms: of a plan whose new customers start with unused counters: the end
                of the billing period under way, in which that happens once. None: of any other.
        """
        customer_id = call.request.customer_id
        before = self._seen.get(customer_id)
        if before is not None and before.subscriptions[-1].plan_id == call.plan_id:
            record = before
        else:
            record = _on(customer_id, call.plan_id)
            if before is not None:
                record = _moved(record, before, resets_until_ms, call.at_ms)
        self._seen.put(customer_id, record)

    def plan_id(self, customer_id: str, at_ms: int) -> str | None:
        """The plan of a customer's main subscription; None: the default plan. Empty: no plan."""
        record = self.record(customer_id)
        if record is None:
            return None
        in_force = phases_in_force(record, at_ms)
        return in_force[0].plan_id if in_force else ""


class RosterCustomers:
    """The customers of a roster, as an engine reads them."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def get_many_over(
        self, link: Link, customers: Sequence[CustomerKeys], deadline: float
    ) -> list[StoredCustomer | StoreError]:
        """The records as never written: the epoch that the script compares is that of no record."""
        return [self._stored(keys.customer_id) for keys in customers]

    def _stored(self, customer_id: str) -> StoredCustomer:
        record = self._roster.record(customer_id)
        return NOBODY if record is None else StoredCustomer(NOBODY.epoch, record)


def _moved(
    record: CustomerRecord, before: CustomerRecord, resets_until_ms: int | None, at_ms: int
) -> CustomerRecord:
    """A record with the resets of the one before, and with one more where the plan has it."""
    (phase,) = record.subscriptions
    if resets_until_ms is not None:
        phase = replace(phase, resets_usage=True, resets_until_ms=resets_until_ms)
    record = replace(
        record,
        subscriptions=(phase,),
        resets=before.resets,
        reset_until=before.reset_until,
        updated_ms=at_ms,
    )
    # Lines need not be in order, so the record has no time of its writing.
    return replace(counted(record, at_ms), updated_ms=0)


def _on(customer_id: str, plan_id: str) -> CustomerRecord:
    subscription = Subscription(plan_id, start_ms=0, anchor_ms=CALENDAR)
    return CustomerRecord(customer_id, (subscription,))
