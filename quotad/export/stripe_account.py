"""An account at Stripe, through Stripe's own library: its answers, and what they mean here."""

import logging
import threading
import time
from decimal import Decimal, InvalidOperation
from typing import Any

import stripe

from quotad.errors import StripeUnavailable
from quotad.export.buckets import MeterEvent
from quotad.export.outcomes import Later, SetAside
from quotad.operations.stripe_billing import StripeItem, StripeSubscription

TIMEOUT_S = 20.0
"""Longest wait for an answer."""

METERS_S, MISSING_S = 60.0, 5.0
"""How long the list of meters is used before it is read anew, and where one is missing in it."""

NO_CUSTOMER_S = 600.0

_DUPLICATE = ("duplicate_meter_event", "already exists with identifier")
"""Code, and in the message, of an event that Stripe has already."""

_NONSENSE = "Stripe has answered with something else than what was asked for"

logging.getLogger("stripe").setLevel(logging.ERROR)  # every refusal, with the request


class CannotCancel(Exception):
    """Stripe cancels the event no more."""


class StripeAccount:
    """Calls of one account; for all threads.

    Args:
        api_key: secret.
        base: where the API is; empty: at Stripe.
        http: makes requests; None: the one that Stripe's library brings.
    """

    def __init__(self, api_key: str, base: str = "", http: stripe.HTTPClient | None = None) -> None:
        addresses: dict[str, str] = {"api": base, "meter_events": base} if base else {}
        self._client = stripe.StripeClient(
            api_key,
            base_addresses=addresses,  # type: ignore[arg-type]
            http_client=http or stripe.RequestsClient(timeout=TIMEOUT_S),
            max_network_retries=0,  # pauses are ours
        )
        self._lock = threading.Lock()
        self._meters: dict[str, str] = {}
        self._listed_s = float("-inf")

    def has_meter(self, name: str) -> bool:
        """Whether there is an active meter of an event name.

        Raises:
            Later: it cannot be known now.
        """
        return bool(self._meter(name))

    def send(self, event: MeterEvent, customer: str, value: Decimal) -> None:
        """Send an event; one that Stripe has already is sent.

        Raises:
            Later: not now.
            SetAside: Stripe refuses it.
        """
        try:
            found = self._client.v1.billing.meter_events.create(
                {
                    "event_name": event.meter,
                    "identifier": event.identifier,
                    "timestamp": event.at_s,
                    "payload": {"stripe_customer_id": customer, "value": f"{value:f}"},
                },
                {"idempotency_key": f"{event.identifier}-{customer}"},
            )
        except stripe.StripeError as error:
            if not _is_duplicate(error):
                raise _meant(error) from error
            return
        if getattr(found, "identifier", None) != event.identifier:
            raise Later(_NONSENSE, everything=True)

    def cancel(self, meter: str, identifier: str) -> None:
        """Cancel an event.

        Raises:
            CannotCancel: it is too late for that, or there is no such event.
            Later: not now.
            SetAside: Stripe refuses it.
        """
        try:
            found = self._client.v1.billing.meter_event_adjustments.create(
                {"event_name": meter, "type": "cancel", "cancel": {"identifier": identifier}},
                {"idempotency_key": f"{identifier}-cancel"},
            )
        except stripe.InvalidRequestError as error:
            if "already" in str(error.user_message or ""):
                return
            raise CannotCancel(_words(error)) from error
        except stripe.StripeError as error:
            raise _meant(error) from error
        if getattr(found, "object", None) != "billing.meter_event_adjustment":
            raise Later(_NONSENSE, everything=True)

    def total(self, event: MeterEvent, customer: str) -> Decimal:
        """What Stripe has of the minute of an event, of its customer and meter.

        Raises:
            Later: it cannot be known now.
            SetAside: Stripe refuses to say.
        """
        start_s = event.at_s // 60 * 60
        try:
            found = self._client.v1.billing.meters.event_summaries.list(
                self._meter(event.meter),
                {"customer": customer, "start_time": start_s, "end_time": start_s + 60},
            )
            return sum((Decimal(str(each.aggregated_value)) for each in found.data), Decimal(0))
        except stripe.StripeError as error:
            raise _meant(error) from error
        except (AttributeError, TypeError, InvalidOperation) as error:
            raise Later("Stripe's summary cannot be read", everything=True) from error

    def subscription(self, subscription_id: str) -> StripeSubscription | None:
        """Read a subscription as it is now; None: there is none.

        Raises:
            StripeUnavailable: it cannot be read.
        """
        try:
            found: Any = self._client.v1.subscriptions.retrieve(subscription_id)
            items = found["items"]["data"]
            return StripeSubscription(
                str(found["id"]),
                str(found["customer"]),
                str(found["status"]),
                tuple(StripeItem(str(one["price"]["id"]), _quantity(one)) for one in items),
            )
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                return None
            raise StripeUnavailable(str(_meant(error))) from error
        except stripe.StripeError as error:
            raise StripeUnavailable(str(_meant(error))) from error
        except (KeyError, TypeError, ValueError) as error:
            raise StripeUnavailable(_NONSENSE) from error

    def _meter(self, name: str) -> str:
        """Id of a meter; empty: there is none."""
        with self._lock:
            age_s = time.monotonic() - self._listed_s
            if age_s > (METERS_S if name in self._meters else MISSING_S):
                self._meters = self._list_meters()
                self._listed_s = time.monotonic()
            return self._meters.get(name, "")

    def _list_meters(self) -> dict[str, str]:
        try:
            listed: Any = self._client.v1.billing.meters.list({"status": "active", "limit": 100})
            return {str(each.event_name): str(each.id) for each in listed.auto_paging_iter()}
        except stripe.StripeError as error:
            raise _meant(error) from error
        except (AttributeError, TypeError) as error:
            raise Later("Stripe's list of meters cannot be read", everything=True) from error


def _quantity(item: Any) -> int:
    """Of a metered price there is none."""
    quantity = getattr(item, "quantity", None)
    return 1 if quantity is None else int(quantity)


def _is_duplicate(error: stripe.StripeError) -> bool:
    code, words = _DUPLICATE
    return error.code == code or words in str(error.user_message or "")


def _meant(error: stripe.StripeError) -> Later | SetAside:
    """What becomes of an item by what Stripe answers."""
    if isinstance(error, stripe.APIConnectionError):
        return Later("Stripe cannot be reached, or has not answered in time", everything=True)
    if isinstance(error, stripe.RateLimitError):
        one = error.code == "lock_timeout"
        return Later("Stripe asks to be called later", everything=not one, definite=True)
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        return Later(f"Stripe refuses the key: {_words(error)}", everything=True, definite=True)
    if isinstance(error, stripe.InvalidRequestError):
        words = _words(error)
        if "future" in words:
            return Later(f"Stripe answers: {words}", definite=True)
        again_s = NO_CUSTOMER_S if error.code == "resource_missing" else 0
        return SetAside(f"Stripe refuses it: {words}", again_s)
    if isinstance(error, stripe.IdempotencyError):
        return SetAside(f"Stripe refuses it: {_words(error)}")
    if error.error is None:  # a page of a proxy, say, of which the message would consist
        return Later(f"an answer (status {error.http_status}) is not Stripe's", everything=True)
    return Later(f"Stripe fails: {_words(error)}", everything=True)


def _words(error: stripe.StripeError) -> str:
    """What Stripe says, on a line; its keys are masked there."""
    text = error.user_message or type(error).__name__
    return " ".join(text.split())[:300]
