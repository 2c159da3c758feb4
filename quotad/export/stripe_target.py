"""Stripe as a target: usage of features with a `stripe_meter`, as events of Stripe's meters."""

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from quotad.export.buckets import (
    REPLACE,
    Buckets,
    MeterEvent,
    MeterOf,
    Replacement,
    read_event,
    read_replacement,
)
from quotad.export.outcomes import Later, Partly, SetAside
from quotad.export.stripe_account import CannotCancel, StripeAccount
from quotad.export.target import Folding
from quotad.ledger import LedgerEntry
from quotad.outbox import OutboxItem

_log = logging.getLogger("quotad.export")

SYSTEM = "stripe"
"""What a customer's id at Stripe is called among its external ids."""

DOUBT_MS = 23 * 3_600_000
"""How long after the first attempt an event is sent again under its identifier, which Stripe keeps
for 24 hours; from then on what Stripe has is looked at instead."""

AHEAD_S = 240
"""How far an event may be ahead of Stripe's clock, which takes 5 minutes."""

NO_CUSTOMER_S = 60.0
NO_METER_S = 600.0
"""After which time it is tried again what waits for an id, or for a meter."""

CANCELLED, CORRECTING = "cancelled", "correcting"
"""How far a replacement is: what it replaces is cancelled, or cannot be any more."""


class StripeTarget:
    """Sends closed buckets of usage.

    Args:
        account: at Stripe.
        buckets: sums up.
        meters: the meters of the catalog in force, by feature; reads it anew.
        stripe_id: of a customer; empty: it has none.
        now_ms: Unix time, by the store's clock.
        skip_without_id: usage of customers without an id is not sent, instead of parked.
    """

    name = "stripe"
    senders = 16

    def __init__(
        self,
        account: StripeAccount,
        buckets: Buckets,
        meters: Callable[[], Mapping[str, MeterOf]],
        stripe_id: Callable[[str], str],
        now_ms: Callable[[], int],
        skip_without_id: bool = False,
    ) -> None:
        self._account = account
        self._buckets = buckets
        self._look_at_meters = meters
        self._meters: Mapping[str, MeterOf] = {}
        self._stripe_id = stripe_id
        self._now_ms = now_ms
        self._skip_without_id = skip_without_id

    def look(self) -> None:
        """See `ExportTarget`."""
        self._meters = self._look_at_meters()

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        """See `ExportTarget`."""
        self._buckets.add(folding, entries, self._meters)

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """See `ExportTarget`."""
        self._buckets.close(folding, read_until_ms)

    def send(self, item: OutboxItem) -> None:
        """See `ExportTarget`."""
        if item.kind == REPLACE:
            self._replace(item)
        else:
            self._send(read_event(item.body), item)

    def _replace(self, item: OutboxItem) -> None:
        replacement = read_replacement(item.body)
        if item.state == CORRECTING:
            self._send(replacement.correction, item)
        elif item.state == CANCELLED:
            if replacement.event.value:
                self._send(replacement.event, item)
        else:
            if self._is_doubtful(item):
                sent = _sent(replacement)
                stripe_id = self._stripe_id(sent.customer_id)
                raise Partly(CORRECTING if self._is_there(sent, stripe_id) else CANCELLED)
            try:
                self._account.cancel(replacement.event.meter, replacement.cancelled)
            except CannotCancel as error:
                _log.warning(
                    "stripe: %s cannot be cancelled (%s); %s of %r is taken back by event %s",
                    replacement.cancelled,
                    error,
                    _decimal(replacement.correction),
                    replacement.correction.customer_id,
                    replacement.correction.identifier,
                )
                raise Partly(CORRECTING) from error
            raise Partly(CANCELLED)

    def _send(self, event: MeterEvent, item: OutboxItem) -> None:
        stripe_id = self._stripe_id(event.customer_id)
        if not stripe_id and self._skip_without_id:
            return
        if not stripe_id:
            raise SetAside(
                f"customer {event.customer_id!r} has no id at Stripe; it is sent once it has one"
                f" (quotad customers set {event.customer_id} --external-id stripe=cus_...)",
                NO_CUSTOMER_S,
            )
        if not self._account.has_meter(event.meter):
            raise SetAside(f"Stripe has no active meter {event.meter!r}", NO_METER_S)
        now_ms = self._now_ms()
        if event.at_s > now_ms // 1000 + AHEAD_S:
            raise Later("its time is ahead of the clock", definite=True)
        if self._is_doubtful(item) and self._is_there(event, stripe_id):
            return
        self._account.send(event, stripe_id, _decimal(event))

    def _is_doubtful(self, item: OutboxItem) -> bool:
        """Whether it may have been sent so long ago that Stripe would take it twice."""
        return 0 < item.sent_ms < self._now_ms() - DOUBT_MS

    def _is_there(self, event: MeterEvent, stripe_id: str) -> bool:
        """Whether Stripe has an event that may have been sent longer ago than it keeps identifiers.

        Raises:
            SetAside: it has something else of that minute.
        """
        there, wanted = self._account.total(event, stripe_id), _decimal(event)
        if there not in (Decimal(0), wanted):
            raise SetAside(
                f"it is not known if event {event.identifier} of {wanted} has arrived: of its"
                f" minute ({event.at_s // 60 * 60}) Stripe has {there} of customer {stripe_id};"
                " compare them, then `quotad export retry ITEM` sends it, `drop ITEM` does not"
            )
        return there == wanted


def _sent(replacement: Replacement) -> MeterEvent:
    """The event that is to be replaced."""
    value = replacement.event.value - replacement.correction.value
    return msgspec.structs.replace(replacement.event, identifier=replacement.cancelled, value=value)


def _decimal(event: MeterEvent) -> Decimal:
    return Decimal(event.value).scaleb(-event.decimals)
