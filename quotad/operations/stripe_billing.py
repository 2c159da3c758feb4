"""Subscriptions at Stripe: customers get the plan that carries the price they have bought.

What an event of Stripe holds is not trusted: events come twice, late and in any order. It names a
subscription, which is read anew; so the same event again changes nothing.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.customers.subscriptions import Cancellation, Provision
from quotad.errors import InvalidRequest, StaleEpoch
from quotad.operations.customers import CustomerOperations
from quotad.operations.finding import FindingOperations
from quotad.records import CustomerRecord, StoredCustomer, Subscription
from quotad.store import Wanted

_log = logging.getLogger("quotad.stripe")

STRIPE = "stripe"
"""What the system is called among external ids, and whose doing the writes are."""

IN_FORCE = frozenset(("active", "trialing", "past_due"))
"""Statuses of a subscription that its customer has something of."""

ENDED = frozenset(("canceled", "unpaid", "incomplete_expired"))
"""Statuses of one that is over; in all others nothing is changed."""

TRIES_MAX = 5

REPORTED_S = 86_400
"""How long what could not be done is a warning."""

REPORTED_MAX = 20

CHANGED, UNCHANGED, IGNORED = "changed", "unchanged", "ignored"
"""What has come of an event."""

UNKNOWN_CUSTOMER, UNKNOWN_PRICE, REFUSED = "unknown_customer", "unknown_price", "refused"
"""The same, where a person has to do something."""


class StripeItem(msgspec.Struct, frozen=True):
    """What was bought."""

    price: str
    """Its id."""
    quantity: int = 1


class StripeSubscription(msgspec.Struct, frozen=True):
    """A subscription, as Stripe has it now."""

    id: str
    customer: str
    """Its id at Stripe."""
    status: str
    items: tuple[StripeItem, ...] = ()


class StripeApplied(msgspec.Struct, frozen=True):
    """What has come of an event."""

    outcome: str
    detail: str = ""


class StripeBilling:
    """Carries over what customers have at Stripe; for all threads.

    Args:
        customers: who is written.
        finding: finds them by their id at Stripe.
        catalog: the one in force.
        clock: of the store.
        read: a subscription by its id, as it is now; None: there is none. Raises StripeUnavailable
            where it cannot be asked.
        now_s: monotonic time (s).
    """

    def __init__(
        self,
        customers: CustomerOperations,
        finding: FindingOperations,
        catalog: Callable[[], Snapshot],
        clock: Clock,
        read: Callable[[str], StripeSubscription | None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._customers = customers
        self._finding = finding
        self._catalog = catalog
        self._clock = clock
        self._read = read
        self._now_s = now_s
        self._lock = threading.Lock()
        self._reported: deque[tuple[float, str]] = deque(maxlen=REPORTED_MAX)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be done of late."""
        since_s = self._now_s() - REPORTED_S
        with self._lock:
            return tuple(dict.fromkeys(words for at_s, words in self._reported if at_s > since_s))

    def apply(self, subscription_id: str, event_id: str) -> StripeApplied:
        """Have a customer as a subscription is now.

        Args:
            subscription_id: at Stripe.
            event_id: why it is looked at, for the history.

        Raises:
            StoreUnavailable: the store refused or timed out.
            StripeUnavailable: Stripe cannot be asked.
            NotReady: there is no catalog.
            StaleEpoch: others kept writing the customer.
        """
        for left in reversed(range(TRIES_MAX)):
            try:
                done = self._apply(subscription_id, event_id)
                break
            except StaleEpoch:  # the subscription may be another since, too
                if not left:
                    raise
        if done.outcome in (UNKNOWN_CUSTOMER, UNKNOWN_PRICE, REFUSED):
            _log.error("%s", done.detail)
            with self._lock:
                self._reported.append((self._now_s(), done.detail))
        return done

    def _apply(self, subscription_id: str, event_id: str) -> StripeApplied:
        found = self._read(subscription_id)
        if found is None:
            return StripeApplied(IGNORED, f"Stripe has no subscription {subscription_id}")
        customer_id = self._customer(found.customer)
        if not customer_id:
            return StripeApplied(
                UNKNOWN_CUSTOMER,
                f"subscription {found.id} at Stripe is of customer {found.customer}, and no"
                f" customer has that id; `quotad customers set ID --external-id stripe="
                f"{found.customer}` connects them",
            )
        stored = self._customers.get(customer_id)
        # Read again behind the epoch: what is written is at least as new as what was there then.
        found = self._read(subscription_id)
        if found is None or found.status not in IN_FORCE | ENDED:
            return StripeApplied(IGNORED, "it is neither in force nor over")
        own = self._customers.by(STRIPE, f"event {event_id}")
        try:
            if found.status in ENDED:
                return self._end(own, stored, found)
            return self._put(own, stored, found)
        except InvalidRequest as error:
            return StripeApplied(REFUSED, f"subscription {found.id} at Stripe: {error}")

    def _put(
        self, customers: CustomerOperations, stored: StoredCustomer, found: StripeSubscription
    ) -> StripeApplied:
        """Put a customer on the plan that carries the price."""
        record = _of(stored)
        plans = dict(_plans(self._catalog(), found))
        if len(plans) != 1:
            prices = ", ".join(item.price for item in found.items) or "none"
            which = "no plan" if not plans else "several plans (" + ", ".join(sorted(plans)) + ")"
            return StripeApplied(
                UNKNOWN_PRICE,
                f"subscription {found.id} at Stripe has prices that {which} of the catalog"
                f" carries as stripe_price: {prices}; customer {record.customer_id!r} stays as it"
                " is",
            )
        [(plan_id, quantity)] = plans.items()
        now = _main(record, self._clock.now_ms())
        if (
            now is not None
            and now.plan_id == plan_id
            and now.unit_quantity == quantity
            and now.external_ids.get(STRIPE) == found.id
            and not record.archived
        ):
            return StripeApplied(UNCHANGED)
        wanted = Provision(
            plan_id,
            addons={} if now is None else dict(now.addons),
            unit_quantity=quantity,
            external_ids={STRIPE: found.id},
        )
        customers.provision(record.customer_id, wanted, stored.epoch)
        return StripeApplied(CHANGED, f"{record.customer_id} is on {plan_id}")

    def _end(
        self, customers: CustomerOperations, stored: StoredCustomer, found: StripeSubscription
    ) -> StripeApplied:
        """End a customer's subscription, if it is that one."""
        record = _of(stored)
        now = _main(record, self._clock.now_ms())
        if now is None or now.external_ids.get(STRIPE) != found.id:
            return StripeApplied(UNCHANGED)
        customers.cancel_subscription(record.customer_id, Cancellation(), stored.epoch)
        return StripeApplied(CHANGED, f"the subscription of {record.customer_id} has ended")

    def _customer(self, stripe_id: str) -> str:
        """Who has an id at Stripe; empty: no customer."""
        token = ""
        while True:
            page = self._finding.find(Wanted(external_id=stripe_id), token)
            for stored in page.customers:
                if (
                    stored.record is not None
                    and stored.record.external_ids.get(STRIPE) == stripe_id
                ):
                    return stored.record.customer_id
            token = page.next_token
            if not token:
                return ""


def _of(stored: StoredCustomer) -> CustomerRecord:
    assert stored.record is not None  # it was found by it
    return stored.record


def _plans(snapshot: Snapshot, found: StripeSubscription) -> Iterator[tuple[str, int]]:
    """Plans that carry a price of a subscription, and how many units were bought of each."""
    quantities = {item.price: item.quantity for item in found.items}
    for plan_id, plan in snapshot.plans.items():
        carried = [quantities[p.stripe_price] for p in plan.prices if p.stripe_price in quantities]
        if carried:
            yield plan_id, max(*carried, 1)


def _main(record: CustomerRecord, now_ms: int) -> Subscription | None:
    """The subscription of the customer itself that is in force."""
    started = [
        each
        for each in record.subscriptions
        if not each.subscription_id and not each.resource_id and each.start_ms <= now_ms
    ]
    last = max(started, key=lambda each: each.start_ms, default=None)
    over = last is not None and last.end_ms is not None and last.end_ms <= now_ms
    return None if over else last
