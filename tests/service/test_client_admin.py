"""The admin client: what its calls send, and what comes back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from quotad.client import QuotaInvalid, QuotaServerError, QuotaUnavailable
from quotad.client.admin import (
    AdminClient,
    CatalogFile,
    Customer,
    CustomerUsage,
    FeatureInsights,
    Override,
    Promotion,
    Subscription,
    Trial,
)
from quotad.v1 import admin_pb2 as pb
from tests.service.fake_admin import STARTED_AT
from tests.service.fake_quotad import UNAVAILABLE, FakeServer

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
END = datetime(2026, 12, 31, 9, tzinfo=UTC)


@pytest.fixture
def admin(server: FakeServer) -> Iterator[AdminClient]:
    with AdminClient(server.address, timeout=10) as connected:
        yield connected


@pytest.fixture
def acme(admin: AdminClient) -> str:
    """A customer on plan pro."""
    return admin.provision("acme", "pro").customer_id


def sent(server: FakeServer) -> Any:
    """The last request."""
    return server.admin.requests[-1]


def test_what_a_customer_is_known_by_is_sent_and_comes_back(
    admin: AdminClient, server: FakeServer, acme: str
) -> None:
    known = admin.update_customer(
        acme,
        name="",
        email="ada@acme.example",
        timezone="Europe/Berlin",
        metadata={"b": "2", "a": "1"},
        external_ids={"stripe": "cus_1"},
        if_epoch=7,
    )

    assert pb.UpdateCustomerRequest(
        customer_id=acme,
        name="",
        email="ada@acme.example",
        timezone="Europe/Berlin",
        metadata={"a": "1", "b": "2"},
        external_ids={"stripe": "cus_1"},
        if_epoch=7,
    ) == sent(server)
    assert ("ada@acme.example", ["a", "b"]) == (known.email, list(known.metadata))


def test_provision_sends_everything_that_a_subscription_can_have(
    admin: AdminClient, server: FakeServer
) -> None:
    admin.provision(
        "acme",
        "pro",
        START,
        subscription_id="s-1",
        resource_id="ws-1",
        addons={"more-calls": 2},
        end=END,
        anchor=STARTED_AT,
        trial=Trial(END, "convert", "enterprise"),
    )

    assert pb.ProvisionCustomerRequest(
        customer_id="acme",
        plan_id="pro",
        start=START,
        subscription_id="s-1",
        resource_id="ws-1",
        addons={"more-calls": 2},
        end=END,
        anchor=STARTED_AT,
        trial=pb.Trial(end=END, then=pb.Trial.THEN_CONVERT, plan_id="enterprise"),
    ) == sent(server)


def test_provision_without_options_sends_customer_and_plan_alone(
    admin: AdminClient, server: FakeServer
) -> None:
    admin.provision("acme", "pro")

    assert pb.ProvisionCustomerRequest(customer_id="acme", plan_id="pro") == sent(server)


def test_customer_has_every_phase_override_and_promotion(admin: AdminClient) -> None:
    admin.provision("acme", "pro", START, addons={"b": 1, "a": 2}, trial=Trial(END))
    admin.set_override("acme", "api-calls", {"per": "month", "limit": 5000})
    admin.set_override("acme", "sso", False, resource_id="ws-1")
    admin.grant_promotion("acme", "support", "phone", end=END)

    phase: dict[str, Any] = {"plan_id": "pro", "addons": {"a": 2, "b": 1}, "anchor": START}
    assert Customer(
        customer_id="acme",
        status="ACTIVE",
        subscriptions=(
            Subscription(**phase, start=START, end=END, status="IN_TRIAL"),
            Subscription(**phase, start=END, status="SCHEDULED"),
        ),
        overrides=(
            Override(feature_id="api-calls", entitlement={"limit": 5000, "per": "month"}),
            Override(feature_id="sso", resource_id="ws-1", entitlement=False),
        ),
        promotions=(Promotion(feature_id="support", entitlement="phone", end=END),),
        epoch=1,
        created_at=STARTED_AT,
        updated_at=STARTED_AT,
    ) == admin.customer("acme")


@pytest.mark.usefixtures("acme")
def test_change_distinguishes_no_addons_from_addons_that_stay(
    admin: AdminClient, server: FakeServer
) -> None:
    admin.change_subscription("acme", latest_revision=True)
    stay = sent(server)
    admin.change_subscription("acme", "team", addons={}, when="period-end")
    none = sent(server)
    admin.change_subscription("acme", addons={"a": 3}, subscription_id="s-1", resource_id="ws-1")

    now = pb.WHEN_NOW
    assert pb.ChangeSubscriptionRequest(customer_id="acme", latest_revision=True, when=now) == stay
    assert (
        pb.ChangeSubscriptionRequest(
            customer_id="acme", plan_id="team", addons=pb.AddOns(), when=pb.WHEN_PERIOD_END
        )
        == none
    )
    assert pb.ChangeSubscriptionRequest(
        customer_id="acme",
        addons=pb.AddOns(quantities={"a": 3}),
        when=now,
        subscription_id="s-1",
        resource_id="ws-1",
    ) == sent(server)


@pytest.mark.usefixtures("acme")
def test_cancel_is_now_unless_it_waits_for_the_period(
    admin: AdminClient, server: FakeServer
) -> None:
    admin.cancel_subscription("acme", when="period-end", subscription_id="s", resource_id="ws-1")
    later = sent(server)
    customer = admin.cancel_subscription("acme")

    assert (
        pb.CancelSubscriptionRequest(
            customer_id="acme",
            when=pb.WHEN_PERIOD_END,
            subscription_id="s",
            resource_id="ws-1",
        )
        == later
    )
    assert pb.CancelSubscriptionRequest(customer_id="acme", when=pb.WHEN_NOW) == sent(server)
    assert "ENDED" == customer.subscriptions[0].status


@pytest.mark.parametrize(
    "entitlement",
    [
        True,
        False,
        "unlimited",
        10,
        ["email", "phone"],
        {"limit": 10**15, "per": "month", "soft": True},
        {"limits": [{"limit": 1, "per": "day"}, {"limit": 9}]},
    ],
)
@pytest.mark.usefixtures("acme")
def test_entitlements_come_back_as_they_were_given(admin: AdminClient, entitlement: Any) -> None:
    override = admin.set_override("acme", "f", entitlement).overrides[0].entitlement
    promotion = admin.grant_promotion("acme", "f", entitlement).promotions[0].entitlement

    assert entitlement == override == promotion
    assert type(entitlement) is type(override) is type(promotion)


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (2.0, "2.0"),
        (2.5, "2.5"),
        (9007199254740993, "9007199254740993"),
        ([1.0, 2], ["1.0", 2]),
        ({"value": 1.1}, {"value": "1.1"}),
    ],
)
def test_numbers_that_a_message_would_change_go_as_text(
    admin: AdminClient, said: Any, told: Any
) -> None:
    assert told == admin.set_override("acme", "f", said).overrides[0].entitlement


@pytest.mark.usefixtures("acme")
def test_override_and_promotion_can_be_taken_back(admin: AdminClient) -> None:
    for resource_id in ("", "ws-1"):
        admin.set_override("acme", "sso", True, resource_id=resource_id)
        admin.grant_promotion("acme", "sso", True, resource_id=resource_id)

    assert ["ws-1"] == [e.resource_id for e in admin.remove_override("acme", "sso").overrides]
    assert [""] == [
        each.resource_id
        for each in admin.revoke_promotion("acme", "sso", resource_id="ws-1").promotions
    ]


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    "entitlement",
    [object(), b"x", {1: 2}, 10**400, "\udcff", {"limit": {3}}, nested(5_000)],
    ids=["object", "bytes", "key", "number", "surrogate", "set", "nested"],
)
def test_entitlement_that_is_no_json_is_refused_before_it_is_sent(
    admin: AdminClient, server: FakeServer, entitlement: object
) -> None:
    with pytest.raises(QuotaInvalid, match=r"^entitlement: must be what JSON has"):
        admin.set_override("acme", "sso", entitlement)

    assert [] == server.admin.requests


def test_words_that_there_are_not_are_refused_before_anything_is_sent(
    admin: AdminClient, server: FakeServer
) -> None:
    wrong: Any = "tomorrow"

    with pytest.raises(QuotaInvalid, match=r"^when: must be 'now' or 'period-end', not 'tomorrow'"):
        admin.cancel_subscription("acme", when=wrong)
    with pytest.raises(QuotaInvalid, match=r"^trial\.then: must be 'convert' or 'end', not 'tom"):
        admin.provision("acme", "pro", trial=Trial(END, wrong))
    with pytest.raises(QuotaInvalid, match=r"^apply_to: must be 'all' or 'new', not 'tomorrow'"):
        admin.publish([], apply_to=wrong)

    assert [] == server.admin.requests


def test_publish_shows_which_customers_it_is_for(admin: AdminClient, server: FakeServer) -> None:
    kinds = []
    for apply_to in (None, "all", "new"):
        admin.publish([CatalogFile("a.yaml", "version: 1")], apply_to=apply_to)
        kinds.append(sent(server).apply_to)

    assert [pb.APPLY_TO_UNSPECIFIED, pb.APPLY_TO_ALL, pb.APPLY_TO_NEW] == kinds


def test_insights_are_read_and_tried_again(admin: AdminClient, server: FakeServer) -> None:
    usage: dict[str, Any] = {
        "customer_id": "acme",
        "resource_id": "ws-1",
        "plan_id": "pro",
        "per": "month",
    }
    numbers: dict[str, Any] = {"limit": 10, "used": 12, "percent": 120}
    row = pb.CustomerUsage(**usage, **numbers, resets_at=END)
    server.admin.insights = [
        pb.FeatureInsights(feature_id="api-calls", above=[row]),
        pb.FeatureInsights(feature_id="seats", near=[row]),
    ]
    server.admin.failures.append(UNAVAILABLE)

    calls, seats = admin.insights()
    (alone,) = admin.insights("seats", size=3)

    expected = CustomerUsage(**usage, **numbers, resets_at=END)
    assert FeatureInsights(feature_id="api-calls", above=(expected,), near=()) == calls
    assert FeatureInsights(feature_id="seats", above=(), near=(expected,)) == seats == alone
    assert pb.GetInsightsRequest(feature_id="seats", size=3) == sent(server)


def test_writes_are_not_tried_again(admin: AdminClient, server: FakeServer) -> None:
    writes: list[tuple[str, tuple[Any, ...]]] = [
        ("provision", ("acme", "pro")),
        ("change_subscription", ("acme", "pro")),
        ("cancel_subscription", ("acme",)),
        ("set_override", ("acme", "sso", True)),
        ("remove_override", ("acme", "sso")),
        ("grant_promotion", ("acme", "sso", True)),
        ("revoke_promotion", ("acme", "sso")),
    ]
    for name, arguments in writes:
        server.admin.failures.append(UNAVAILABLE)
        with pytest.raises(QuotaUnavailable):
            getattr(admin, name)(*arguments)

    assert len(writes) == len(server.admin.requests)


def test_customer_that_is_not_there_is_not_found(admin: AdminClient) -> None:
    with pytest.raises(QuotaServerError) as caught:
        admin.change_subscription("nobody", "pro")

    assert "NOT_FOUND" == caught.value.code


def test_a_publish_of_any_size_may_wait_for_other_servers(
    admin: AdminClient, server: FakeServer
) -> None:
    admin.publish([CatalogFile("plans.yaml", "plans: {}")])
    admin.rollback(1)
    admin.diff([CatalogFile("plans.yaml", "plans: {}")])

    publish, rollback, diff = server.admin.patience_s[-3:]
    assert min(publish, rollback) > 60
    assert diff < 60
