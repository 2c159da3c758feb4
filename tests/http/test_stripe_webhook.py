"""`/webhooks/stripe`: customers get the plan whose price they have at Stripe, whatever is sent."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.client.admin import AdminClient
from quotad.client.customers import Subscription
from quotad.export.stripe_double import StripeDouble, serving
from tests.http.serving import HttpRunning, Reply, http_running

SECRET = "whsec_test"

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
plans:
  free:
    entitlements: {calls: {limit: 5, per: month}}
  pro:
    prices:
      - {amount: "29.00", currency: USD, stripe_price: price_pro}
      - {amount: "290.00", currency: USD, billing: year, stripe_price: price_pro_year}
    entitlements: {calls: {limit: 50, per: month}}
  team:
    prices: [{amount: "5.00", currency: USD, feature: seats, stripe_price: price_seat}]
    entitlements: {seats: {limit: {per_unit: 1}}}
"""


class Shop:
    """A server, Stripe's double, and a customer of both."""

    def __init__(self, served: HttpRunning, double: StripeDouble) -> None:
        self.served = served
        self.double = double
        self.customer = f"c-{uuid.uuid4().hex[:8]}"
        self.subscription = f"sub_{self.customer}"
        with self.admin() as admin:
            admin.update_customer(self.customer, external_ids={"stripe": f"cus_{self.customer}"})

    def admin(self) -> AdminClient:
        return AdminClient(self.served.grpc.server.address)

    def has(self, *prices: str, status: str = "active", quantity: int | None = 1) -> None:
        """Have a subscription at Stripe."""
        self.double.subscriptions[self.subscription] = {
            "id": self.subscription,
            "object": "subscription",
            "customer": f"cus_{self.customer}",
            "status": status,
            "items": {
                "object": "list",
                "data": [
                    {"id": f"si_{price}", "price": {"id": price, "object": "price"}}
                    | ({} if quantity is None else {"quantity": quantity})
                    for price in prices
                ],
            },
        }

    def event(self, kind: str = "customer.subscription.updated", **fields: Any) -> bytes:
        """What is sent of it, which holds nothing that may be trusted."""
        data = {"object": {"id": self.subscription, "object": "subscription", "status": "x"}}
        event = {"id": "evt_1", "object": "event", "type": kind, "data": data}
        return json.dumps(event | fields).encode()

    def send(
        self, body: bytes, secret: str = SECRET, age_s: int = 0, signed: bytes | None = None
    ) -> Reply:
        at_s = int(time.time()) - age_s
        content = f"{at_s}.".encode() + (body if signed is None else signed)
        made = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
        return self.served.post("/webhooks/stripe", body, stripe_signature=f"t={at_s},v1={made}")

    @property
    def plan(self) -> str:
        found = self.subscriptions
        return next((each.plan_id for each in found if each.status == "ACTIVE"), "")

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        with self.admin() as admin:
            return admin.customer(self.customer).subscriptions

    @property
    def epoch(self) -> int:
        with self.admin() as admin:
            return admin.customer(self.customer).epoch


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[tuple[HttpRunning, StripeDouble]]:
    double = StripeDouble(lambda: ())
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with (
        serving(double) as url,
        http_running(
            store_url,
            prefix,
            stripe_api_key="sk_test_1",
            stripe_api_url=url,
            stripe_webhook_secret=SECRET,
        ) as made,
    ):
        made.publish_and_wait(CATALOG)
        yield made, double


@pytest.fixture
def shop(served: tuple[HttpRunning, StripeDouble]) -> Shop:
    served[1].fault = lambda *_: ""
    return Shop(*served)


def outcome(reply: Reply) -> str:
    assert 200 == reply.status, reply.body
    return str(reply.body["outcome"])


def test_a_subscription_moves_its_customer_to_the_plan_that_carries_the_price(shop: Shop) -> None:
    shop.has("price_pro_year", "price_of_something_else")

    assert "changed" == outcome(shop.send(shop.event("customer.subscription.created")))

    assert "pro" == shop.plan
    changes = shop.served.get(f"/v1/customers/{shop.customer}/changes").body["changes"]
    assert ("stripe", "event evt_1") == (changes[0]["actor"], changes[0]["comment"])


def test_units_that_were_bought_are_those_of_the_subscription(shop: Shop) -> None:
    shop.has("price_seat", quantity=7)
    shop.send(shop.event())
    shop.has("price_seat", quantity=9)
    shop.send(shop.event())

    (subscription,) = shop.subscriptions
    assert ("team", 9) == (subscription.plan_id, subscription.unit_quantity)
    assert {"stripe": shop.subscription} == dict(subscription.external_ids)


def test_an_event_that_comes_again_changes_nothing(shop: Shop) -> None:
    shop.has("price_pro", quantity=None)
    shop.send(shop.event())
    before = shop.epoch

    assert "unchanged" == outcome(shop.send(shop.event()))

    assert before == shop.epoch


def test_events_in_the_wrong_order_leave_what_stripe_has_now(shop: Shop) -> None:
    shop.has("price_pro")
    late = shop.event("customer.subscription.created")
    shop.has("price_seat", quantity=3)
    shop.send(shop.event())

    assert "unchanged" == outcome(shop.send(late))

    assert "team" == shop.plan


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"secret": "whsec_other"}, "is not of this body and secret"),
        ({"signed": b"{}"}, "is not of this body and secret"),
        ({"age_s": 301}, "more than 300 s old"),
        ({"age_s": -400}, "more than 300 s old, or ahead"),
    ],
)
def test_what_stripe_has_not_signed_just_now_is_refused(
    shop: Shop, forged: dict[str, Any], why: str
) -> None:
    shop.has("price_pro")

    reply = shop.send(shop.event(), **forged)

    assert 400 == reply.status
    assert why in reply.body["detail"]
    assert "" == shop.plan or "free" == shop.plan


@pytest.mark.parametrize("header", ["", "t=1", "v1=0", "t=x,v1=0", "t=1,t=2,v1=0", "t=1,v1=\xe9"])
def test_a_signature_of_a_wrong_shape_is_refused(shop: Shop, header: str) -> None:
    reply = shop.served.post("/webhooks/stripe", shop.event(), stripe_signature=header)

    assert 400 == reply.status
    assert "stripe-signature" in reply.body["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 1}', b"\xff"])
def test_a_body_of_a_wrong_shape_is_refused(shop: Shop, body: bytes) -> None:
    assert 400 == shop.send(body).status


def test_a_price_that_no_plan_carries_is_reported_and_changes_nothing(shop: Shop) -> None:
    shop.has("price_pro")
    shop.send(shop.event())
    shop.has("price_unheard_of")

    reply = shop.send(shop.event())

    assert "unknown_price" == outcome(reply)
    assert "no plan of the catalog carries" in reply.body["detail"]
    assert "price_unheard_of" in reply.body["detail"]
    assert "pro" == shop.plan
    status = shop.served.server._parts.warnings()
    assert any("price_unheard_of" in each for each in status)


def test_a_customer_that_is_not_known_is_reported(shop: Shop) -> None:
    shop.has("price_pro")
    shop.double.subscriptions[shop.subscription]["customer"] = "cus_unheard_of"

    reply = shop.send(shop.event())

    assert "unknown_customer" == outcome(reply)
    assert "cus_unheard_of" in reply.body["detail"]


def test_the_end_of_a_subscription_ends_it_here_and_no_other(shop: Shop) -> None:
    shop.has("price_pro")
    shop.send(shop.event())
    other = shop.subscription
    shop.subscription += "_2"
    shop.has("price_seat", status="canceled")
    assert "unchanged" == outcome(shop.send(shop.event("customer.subscription.deleted")))
    assert "pro" == shop.plan

    shop.subscription = other
    shop.has("price_pro", status="canceled")

    assert "changed" == outcome(shop.send(shop.event("customer.subscription.deleted")))
    assert "pro" != shop.plan


@pytest.mark.parametrize("status", ["incomplete", "paused"])
def test_a_subscription_that_is_neither_in_force_nor_over_changes_nothing(
    shop: Shop, status: str
) -> None:
    shop.has("price_pro", status=status)

    assert "ignored" == outcome(shop.send(shop.event()))


def test_other_events_are_answered_and_change_nothing(shop: Shop) -> None:
    assert "ignored" == outcome(shop.send(shop.event("invoice.paid")))
    assert "ignored" == outcome(shop.send(shop.event()))  # of no subscription that there is


@pytest.mark.parametrize("fault", ["before", "429", "500", "nonsense"])
def test_while_stripe_cannot_be_asked_it_is_told_to_send_the_event_again(
    shop: Shop, fault: str
) -> None:
    shop.has("price_pro")
    shop.double.fault = lambda *_: fault
    reply = shop.send(shop.event())
    assert (503, "STRIPE_UNAVAILABLE") == (reply.status, reply.body["reason"])

    shop.double.fault = lambda *_: ""

    assert "changed" == outcome(shop.send(shop.event()))


def test_a_customer_that_is_written_meanwhile_is_looked_at_again(shop: Shop) -> None:
    shop.has("price_pro")
    reads = 0

    def write_behind_the_second(*_: object) -> str:
        nonlocal reads
        reads += 1
        if reads == 2:  # its epoch was read, and it is about to be written
            with shop.admin() as admin:
                admin.update_customer(shop.customer, name="Acme")
            shop.has("price_seat", quantity=2)
        return ""

    shop.double.fault = write_behind_the_second

    assert "changed" == outcome(shop.send(shop.event()))

    assert reads == 4
    assert "team" == shop.plan


def test_the_path_takes_events_alone(shop: Shop) -> None:
    assert 405 == shop.served.get("/webhooks/stripe").status
