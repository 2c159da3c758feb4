"""`POST /webhooks/stripe`: events of Stripe, signed by it; those of subscriptions change plans."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

import msgspec
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from quotad.errors import InvalidRequest, QuotadError, internal_error
from quotad.http.bodies import Gone, read, read_body
from quotad.http.problems import HttpRefusal
from quotad.http.responses import encode, refusal, respond
from quotad.operations.stripe_billing import IGNORED, StripeApplied, StripeBilling

PATH = "/webhooks/stripe"

BODY_BYTES_MAX = 1024 * 1024

TOLERANCE_S = 300
"""How old an event may be by its signature, and how far ahead, before it is a replay."""

SUBSCRIPTIONS = "customer.subscription."

_log = logging.getLogger("quotad.http")


class _Object(msgspec.Struct, frozen=True):
    id: str = ""


class _Data(msgspec.Struct, frozen=True):
    object: _Object = _Object()


class StripeEvent(msgspec.Struct, frozen=True):
    """What is looked at of an event."""

    id: str
    type: str
    data: _Data = _Data()


_decoder = msgspec.json.Decoder(StripeEvent)


class StripeWebhook(BaseRoute):
    """Takes events.

    Args:
        billing: what they are for.
        secret: that Stripe signs them with, `whsec_...`.
        threads: for what waits for the store and for Stripe.
        now_s: Unix time (s).
    """

    def __init__(
        self,
        billing: StripeBilling,
        secret: str,
        threads: Executor,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._billing = billing
        self._secret = secret.encode()
        self._threads = threads
        self._now_s = now_s

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is the path."""
        own = scope["type"] == "http" and scope["path"] == PATH
        return (Match.FULL if own else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; Stripe sends an event again for days that is not answered with 200."""
        try:
            if scope["method"] != "POST":
                allowed = ((b"allow", b"POST"),)
                raise HttpRefusal(405, "METHOD_NOT_ALLOWED", "allowed: POST", allowed)
            body = await read_body(receive, BODY_BYTES_MAX)
            signed = dict(scope["headers"]).get(b"stripe-signature", b"")
            check_signature(self._secret, body, signed.decode("latin-1"), self._now_s())
            event = read(_decoder, body)
            loop = asyncio.get_running_loop()
            applied = await loop.run_in_executor(self._threads, self._apply, event)
        except QuotadError as error:
            await respond(send, *refusal(error))
        except Gone:
            return
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("an event of Stripe failed")
            await respond(send, *refusal(internal_error()))
        else:
            await respond(send, 200, [], encode(applied))

    def _apply(self, event: StripeEvent) -> StripeApplied:
        if not event.type.startswith(SUBSCRIPTIONS) or not event.data.object.id:
            return StripeApplied(IGNORED, f"events of type {event.type!r} change nothing")
        return self._billing.apply(event.data.object.id, event.id)


def check_signature(secret: bytes, body: bytes, header: str, now_s: float) -> None:
    """Check that a body was signed with a secret, a short while ago.

    Args:
        secret: as Stripe shows it.
        body: as it has arrived.
        header: `Stripe-Signature`: `t=TIME,v1=SIGNATURE`, of which there may be several.
        now_s: Unix time (s).

    Raises:
        InvalidRequest: it was not, or too long ago.
    """
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or not signatures:
        raise InvalidRequest("stripe-signature: missing, or not one of Stripe's")
    made = hmac.new(secret, times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not any([hmac.compare_digest(made.encode(), each.encode()) for each in signatures]):
        raise InvalidRequest("stripe-signature: is not of this body and secret")
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        raise InvalidRequest(f"stripe-signature: is more than {TOLERANCE_S} s old, or ahead")
