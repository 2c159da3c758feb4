"""Subscriptions, overrides and promotions over both fronts, and the effect at the next call."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from quotad.v1 import admin_pb2 as pb
from quotad.v1 import quota_pb2
from tests.raw import raw
from tests.running import CALL_S, FRONTS, Running, refusal, running

FAR = 4_000_000_000
PLANS = """
version: 1
features:
  calls: {type: metered}
  tokens: {type: metered}
  export: {type: boolean}
  support: {type: config, values: [community, email, phone]}
plans:
  free:
    entitlements: {calls: {limit: 5, per: month}, support: community}
  pro:
    entitlements:
      calls: {limit: 1000, per: month}
      tokens: {limits: [{limit: 10, per: minute}, {limit: 100, per: month}]}
      support: email
  fresh: {usage_on_change: reset, entitlements: {calls: {limit: 7, per: month}}}
  old: {archived: true, entitlements: {calls: {limit: 1, per: month}}}
addons:
  more-calls: {entitlements: {calls: {add: 10}}, max_quantity: 5, plans: [pro]}
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture(params=FRONTS)
def fresh(request: pytest.FixtureRequest, store_url: str, prefix: str) -> Iterator[Running]:
    """A server of one's own."""
    with running(store_url, prefix, request.param) as made:
        yield made


def call(quotad: Running, method: str, **fields: Any) -> Any:
    """Call with a request told as JSON is."""
    kind = getattr(pb, f"{method}Request")
    request = json_format.ParseDict(fields, kind())
    return getattr(quotad.admin, method)(request, timeout=CALL_S)


def limit(quotad: Running, customer: str, feature: str = "calls", **fields: Any) -> Any:
    """The limit that the next call meets, or the reason for which there is none."""
    answer = quotad.consume(customer, feature, quantity=0, **fields)
    return answer.limit if answer.HasField("limit") else quota_pb2.Reason.Name(answer.reason)[7:]


def subscription_statuses(customer: pb.Customer) -> list[tuple[str, str]]:
    names = pb.SubscriptionStatus.Name
    return [(s.plan_id, names(s.status)[20:]) for s in customer.subscriptions]


def test_a_subscription_is_answered_with_all_that_it_has(quotad: Running, customer: str) -> None:
    made = call(
        quotad,
        "ProvisionCustomer",
        customer_id=customer,
        plan_id="pro",
        subscription_id="s1",
        resource_id="w1",
        start="2026-01-31T10:00:00Z",
        anchor="2026-01-01T00:00:00Z",
        addons={"more-calls": 2},
        end="2096-01-01T00:00:00Z",
        trial={"end": "2095-01-01T00:00:00Z", "plan_id": "pro"},
        unit_quantity=50,
        subscription_external_ids={"stripe": "sub_1"},
    )

    trial, sequel = [json_format.MessageToDict(s, True) for s in made.subscriptions]
    shared = {
        "planId": "pro",
        "subscriptionId": "s1",
        "resourceId": "w1",
        "revision": 1,
        "addons": {"more-calls": 2},
        "anchor": "2026-01-01T00:00:00Z",
        "unitQuantity": "50",
        "externalIds": {"stripe": "sub_1"},
    }
    assert (
        shared
        | {
            "start": "2026-01-31T10:00:00Z",
            "end": "2095-01-01T00:00:00Z",
            "status": "SUBSCRIPTION_STATUS_IN_TRIAL",
        }
        == trial
    )
    assert (
        shared
        | {
            "start": "2095-01-01T00:00:00Z",
            "end": "2096-01-01T00:00:00Z",
            "status": "SUBSCRIPTION_STATUS_SCHEDULED",
        }
        == sequel
    )
    assert made == call(quotad, "GetCustomer", customer_id=customer)


def test_a_change_holds_from_the_next_call_on_and_cancelling_too(
    quotad: Running, customer: str
) -> None:
    quotad.provision(customer, "free")
    assert 5 == limit(quotad, customer)

    call(quotad, "ChangeSubscription", customer_id=customer, plan_id="pro")
    assert 1000 == limit(quotad, customer)

    changed = call(
        quotad,
        "ChangeSubscription",
        customer_id=customer,
        addons={"quantities": {"more-calls": 2}},
    )
    assert {"more-calls": 2} == dict(changed.subscriptions[0].addons)
    assert 1020 == limit(quotad, customer)

    later = call(
        quotad,
        "ChangeSubscription",
        customer_id=customer,
        plan_id="free",
        addons={},
        when="WHEN_PERIOD_END",
    )
    assert [("pro", "ACTIVE"), ("free", "SCHEDULED")] == subscription_statuses(later)
    assert later.subscriptions[0].anchor == later.subscriptions[1].anchor
    assert 1020 == limit(quotad, customer)

    waits = call(quotad, "CancelSubscription", customer_id=customer, when="WHEN_PERIOD_END")
    assert later.subscriptions[1].start == waits.subscriptions[0].end
    assert [("pro", "ACTIVE")] == subscription_statuses(waits)
    assert 1020 == limit(quotad, customer)

    over = call(quotad, "CancelSubscription", customer_id=customer)
    assert [("pro", "ENDED")] == subscription_statuses(over)
    assert "NO_ACTIVE_SUBSCRIPTION" == limit(quotad, customer)
    assert waits.epoch < over.epoch


def test_usage_is_kept_or_reset_by_a_change_as_the_plan_defines(
    quotad: Running, customer: str
) -> None:
    quotad.provision(customer, "free")
    quotad.consume(customer, "calls", quantity=4)

    call(quotad, "ChangeSubscription", customer_id=customer, plan_id="pro")
    kept = quotad.consume(customer, "calls").used
    call(quotad, "ChangeSubscription", customer_id=customer, plan_id="fresh")
    reset = quotad.consume(customer, "calls").used

    assert (5, 1) == (kept, reset)


def test_a_resource_has_its_own_subscription_and_counters(quotad: Running, customer: str) -> None:
    quotad.provision(customer, "free")
    call(quotad, "ProvisionCustomer", customer_id=customer, plan_id="pro", resource_id="w1")

    quotad.consume(customer, "calls", quantity=3)
    own = quotad.consume(customer, "calls", resource_id="w1")

    assert (1000, 1) == (own.limit, own.used)
    assert 5 == limit(quotad, customer)
    assert "NO_ACTIVE_SUBSCRIPTION" == limit(quotad, customer, resource_id="w2")


def test_an_override_decides_from_the_next_call_on_until_it_is_removed(
    quotad: Running, customer: str
) -> None:
    quotad.provision(customer, "pro")
    named = {"customer_id": customer, "feature_id": "calls"}

    made = call(quotad, "SetOverride", **named, entitlement={"limit": 3})
    assert {"limits": [{"limit": 3, "per": "month"}]} == json_format.MessageToDict(
        made.overrides[0].entitlement
    )
    assert 3 == limit(quotad, customer)

    call(quotad, "SetOverride", **named, entitlement="unlimited")
    assert "UNLIMITED" == limit(quotad, customer)

    call(quotad, "SetOverride", **named, entitlement=False)
    assert "REVOKED" == limit(quotad, customer)

    gone = call(quotad, "RemoveOverride", **named)
    assert [] == list(gone.overrides)
    assert 1000 == limit(quotad, customer)


def test_a_promotion_gives_more_from_the_next_call_on_until_it_is_revoked(
    quotad: Running, customer: str
) -> None:
    quotad.provision(customer, "free")
    named = {"customer_id": customer, "feature_id": "calls"}

    call(quotad, "GrantPromotion", **named, entitlement={"limit": 3})
    assert 5 == limit(quotad, customer)  # less than the rest

    end = "2096-01-01T00:00:00Z"
    made = call(quotad, "GrantPromotion", **named, entitlement={"limit": 50}, end=end)
    assert 50 == limit(quotad, customer)
    assert [(end, {"limits": [{"limit": 50, "per": "month"}]})] == [
        (p.end.ToJsonString(), json_format.MessageToDict(p.entitlement)) for p in made.promotions
    ]

    gone = call(quotad, "RevokePromotion", **named)
    assert [] == list(gone.promotions)
    assert 5 == limit(quotad, customer)


@pytest.mark.parametrize(
    ("feature", "entitlement"),
    [
        ("calls", {"limits": [{"limit": 5, "per": "month"}]}),
        ("calls", {"limits": [{"limit": 5}]}),
        ("calls", "unlimited"),
        ("calls", False),
        ("export", True),
        ("support", "phone"),
        ("support", ["email", "phone"]),
        (
            "calls",
            {
                "limits": [
                    {
                        "limit": 1_000_000_000_000_000,
                        "per": "2 weeks",
                        "timezone": "Asia/Kolkata",
                        "week_starts": "sunday",
                        "soft": True,
                        "overage_limit": 7,
                    },
                    {"limit": 0, "per": "hour", "enforce": "shadow"},
                ]
            },
        ),
    ],
)
def test_what_is_shown_of_an_entitlement_can_be_set_again(
    quotad: Running, customer: str, feature: str, entitlement: Any
) -> None:
    quotad.provision(customer, "pro")
    named = {"customer_id": customer, "feature_id": feature}
    call(quotad, "SetOverride", **named, entitlement=entitlement)

    [shown] = call(quotad, "GetCustomer", customer_id=customer).overrides

    assert json_format.ParseDict(entitlement, Value()) == shown.entitlement


NOT_PROVISIONED: list[tuple[str, dict[str, Any]]] = [
    ("GetCustomer", {}),
    ("ArchiveCustomer", {}),
    ("ChangeSubscription", {"plan_id": "pro"}),
    ("CancelSubscription", {}),
    ("SetOverride", {"feature_id": "calls", "entitlement": False}),
    ("RemoveOverride", {"feature_id": "calls"}),
    ("GrantPromotion", {"feature_id": "calls", "entitlement": "unlimited"}),
    ("RevokePromotion", {"feature_id": "calls"}),
]


@pytest.mark.parametrize(("method", "fields"), NOT_PROVISIONED)
def test_who_was_never_provisioned_has_nothing_to_change(
    quotad: Running, customer: str, method: str, fields: dict[str, Any]
) -> None:
    failed = refusal(lambda: call(quotad, method, customer_id=customer, **fields))

    message = f"NOT_FOUND NOT_FOUND: customer_id: {customer!r} was never provisioned"
    looking = method in ("GetCustomer", "ArchiveCustomer")
    assert message + ("" if looking else "; provision it first") == repr(failed)
    assert "CUSTOMER_NOT_FOUND" == limit(quotad, customer)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("ProvisionCustomer", {"plan_id": "pros"}, "plan_id: unknown plan 'pros', did you mean"),
    ("ProvisionCustomer", {"plan_id": "old"}, "plan_id: the plan 'old' is archived"),
    ("ProvisionCustomer", {"plan_id": "pro", "subscription_id": "\n"}, "subscription_id: '\\n'"),
    ("ProvisionCustomer", {"plan_id": "pro", "resource_id": "x" * 257}, "resource_id: 257 bytes"),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "addons": {"more-cals": 1}},
        "addons: unknown add-on 'more-cals', did you mean 'more-calls'?",
    ),
    (
        "ProvisionCustomer",
        {"plan_id": "free", "addons": {"more-calls": 1}},
        "addons: 'more-calls' is not for the plan 'free', only for pro",
    ),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "addons": {"more-calls": 6}},
        "addons: 6 x 'more-calls'; at most 5 are allowed",
    ),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "start": "2096-01-02T00:00:00Z", "end": "2096-01-01T00:00:00Z"},
        "end: must be later than the start",
    ),
    ("ProvisionCustomer", {"plan_id": "pro", "anchor": "1969-01-01T00:00:00Z"}, "anchor: must be"),
    ("ProvisionCustomer", {"plan_id": "pro", "trial": {}}, "trial.end: missing"),
    ("ProvisionCustomer", {"plan_id": "pro", "unit_quantity": 0}, "unit_quantity: 0 is not a"),
    ("UpdateCustomer", {"email": "ada"}, "email: 'ada' is no email address"),
    ("UpdateCustomer", {"timezone": "Europe/Berln"}, "timezone: unknown time zone 'Europe/Berln'"),
    ("UpdateCustomer", {"metadata": {"a": "x" * 1025}}, "metadata: 'a' is 1025 bytes long"),
    ("UpdateCustomer", {"external_ids": {"stripe": "\n"}}, "external_ids: '\\n' has characters"),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "subscription_external_ids": {"": "x"}},
        "subscription_external_ids: missing",
    ),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "trial": {"end": "1969-01-01T00:00:00Z"}},
        "trial.end: must be a moment from 1970-01-01",
    ),
    (
        "ProvisionCustomer",
        {"plan_id": "pro", "trial": {"end": "2096-01-01T00:00:00Z", "then": 9}},
        "trial.then: 9 is not one this server knows",
    ),
    ("ProvisionCustomer", {"plan_id": "pro", "addons": {"": 1}}, "addons: missing; give 1 to 256"),
    (
        "ChangeSubscription",
        {"addons": {"quantities": {"x" * 257: 1}}},
        "addons: 257 bytes long; at most 256 are allowed",
    ),
    ("ChangeSubscription", {}, "plan_id: nothing to change"),
    ("ChangeSubscription", {"plan_id": "old"}, "plan_id: the plan 'old' is archived"),
    ("ChangeSubscription", {"plan_id": "pro", "when": 9}, "when: 9 is not one this server knows"),
    (
        "ChangeSubscription",
        {"plan_id": "pro", "subscription_id": "s"},
        "subscription_id: {customer} has no subscription 's'; it has one without an id",
    ),
    (
        "CancelSubscription",
        {"resource_id": "w"},
        "subscription_id: {customer} has no subscription without an id of the resource 'w'; it has",
    ),
    ("SetOverride", {"feature_id": "calls"}, "entitlement: missing"),
    ("SetOverride", {"entitlement": True}, "feature_id: missing"),
    ("SetOverride", {"feature_id": "calls", "entitlement": None}, "entitlement: "),
    ("SetOverride", {"feature_id": "cals", "entitlement": 1}, "feature_id: unknown feature 'cals'"),
    (
        "SetOverride",
        {"feature_id": "export", "entitlement": {"limit": 1}},
        "entitlement: is a bool",
    ),
    (
        "SetOverride",
        {"feature_id": "calls", "entitlement": {"limit": 5, "per": "mont"}},
        "entitlement.per: unknown unit 'mont', did you mean 'month'?",
    ),
    (
        "SetOverride",
        {"feature_id": "tokens", "entitlement": {"limit": 1}},
        "entitlement: {customer} has no limit of 'tokens' whose period this one could keep",
    ),
    (
        "GrantPromotion",
        {"feature_id": "calls", "entitlement": False},
        "entitlement: a promotion cannot take a feature away",
    ),
    (
        "GrantPromotion",
        {"feature_id": "calls", "entitlement": "unlimited", "end": "2020-01-01T00:00:00Z"},
        "end: the promotion would be over",
    ),
    (
        "RemoveOverride",
        {"feature_id": "calls"},
        "feature_id: {customer} has no override of 'calls'",
    ),
    ("RevokePromotion", {"feature_id": "x"}, "feature_id: {customer} has no promotion of 'x'"),
    (
        "SetOverride",
        {"feature_id": "support", "entitlement": 2**53},
        "entitlement: is too large for an exact number here; write it as text",
    ),
]


@pytest.mark.parametrize(("method", "fields", "message"), REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    quotad: Running, customer: str, method: str, fields: dict[str, Any], message: str
) -> None:
    before = quotad.provision(customer, "free")

    failed = refusal(lambda: call(quotad, method, customer_id=customer, **fields))

    assert failed.reason in ("INVALID_REQUEST", "NOT_FOUND")
    assert failed.message.startswith(message.replace("{customer}", repr(customer)))
    assert before == call(quotad, "GetCustomer", customer_id=customer)


@pytest.mark.parametrize("letter", ["x", "ü", "日", "😀"])
def test_a_refusal_is_shortened_to_what_a_header_can_carry(
    quotad: Running, customer: str, letter: str
) -> None:
    quotad.provision(customer, "pro")
    long = letter * (256 // len(letter.encode()))
    for number in range(20):
        call(
            quotad,
            "ProvisionCustomer",
            customer_id=customer,
            plan_id="pro",
            resource_id=long[:-2] + str(number),
            subscription_id=long,
        )
    many = {f"{letter * 50}{number}": 1 for number in range(900)}

    for method, fields in (
        ("CancelSubscription", {"subscription_id": long[1:], "resource_id": long}),
        ("SetOverride", {"feature_id": "calls", "entitlement": many}),
        ("SetOverride", {"feature_id": long, "entitlement": True}),
        ("ProvisionCustomer", {"plan_id": "pro", "addons": {long * 9: 1}}),
    ):
        failed = refusal(
            lambda m=method, f=fields: call(quotad, m, customer_id=customer, **f)  # type: ignore[misc]
        )
        assert failed.reason in ("INVALID_REQUEST", "NOT_FOUND")
        assert failed.message


def test_customers_are_shown_also_when_the_catalog_forgot_what_they_have(fresh: Running) -> None:
    fresh.publish_and_wait(PLANS)
    fresh.provision("acme", "pro")
    entitlements: dict[str, Any] = {"calls": {"limit": 3}, "support": "phone", "export": True}
    for feature, entitlement in entitlements.items():
        call(
            fresh,
            "SetOverride",
            customer_id="acme",
            feature_id=feature,
            entitlement=entitlement,
        )
    before = call(fresh, "GetCustomer", customer_id="acme")

    fresh.publish("version: 1\nfeatures: {}\nplans: {free: {entitlements: {}}}\n")

    assert before == call(fresh, "GetCustomer", customer_id="acme")
    gone = call(fresh, "RemoveOverride", customer_id="acme", feature_id="calls")
    assert 2 == len(gone.overrides)
    assert [("pro", "ENDED")] == subscription_statuses(
        call(fresh, "CancelSubscription", customer_id="acme")
    )


def found(quotad: Running, **search: Any) -> list[str]:
    """The ids that a search finds, from all its pages."""
    ids: list[str] = []
    token = ""
    while True:
        page = call(quotad, "ListCustomers", page_size=2, page_token=token, **search)
        ids += [each.customer_id for each in page.customers]
        token = page.next_page_token
        if not token:
            return sorted(ids)


def test_customers_are_found_by_id_name_plan_and_status(fresh: Running) -> None:
    fresh.publish_and_wait(PLANS)
    for number, (plan, name) in enumerate(
        [("pro", "ACME Corp"), ("free", "Corporation of Ü"), ("pro", "")] * 2
    ):
        request = {"customer_id": f"c{number}", "plan_id": plan, "name": name}
        assert name == call(fresh, "ProvisionCustomer", **request).name
    call(fresh, "ArchiveCustomer", customer_id="c0")
    call(fresh, "ProvisionCustomer", customer_id="c5", plan_id="pro", start="2096-01-01T00:00:00Z")
    call(fresh, "ChangeSubscription", customer_id="c2", plan_id="free", when="WHEN_PERIOD_END")

    assert [f"c{i}" for i in range(6)] == found(fresh, id_prefix="c")
    assert ["c3"] == found(fresh, id_prefix="c3")
    assert ["c0", "c1", "c3", "c4"] == found(fresh, name=" CORP ")
    assert ["c0", "c3"] == found(fresh, name="acme c")
    assert ["c0", "c2", "c3", "c5"] == found(fresh, plan_id="pro")
    assert ["c1", "c4"] == found(fresh, plan_id="free")
    assert ["c0"] == found(fresh, status="CUSTOMER_STATUS_ARCHIVED", name="corp")
    assert ["c3"] == found(fresh, status="CUSTOMER_STATUS_ACTIVE", plan_id="pro", name="corp")
    assert [] == found(fresh, plan_id="gone")


def test_a_name_stays_until_another_is_given(quotad: Running, customer: str) -> None:
    given = {"customer_id": customer, "plan_id": "pro"}
    for name, expected in [("ACME", "ACME"), (None, "ACME"), ("", "")]:
        fields = given if name is None else {**given, "name": name}
        assert expected == call(quotad, "ProvisionCustomer", **fields).name
    for name, wrong in [("a\nb", "cannot be printed"), ("ü" * 129, "258 bytes long; at most 256")]:
        fields = {**given, "name": name}
        refused = refusal(lambda: call(quotad, "ProvisionCustomer", **fields))  # noqa: B023
        assert refused.message.startswith("name: ")
        assert wrong in refused.message
    refused = refusal(lambda: call(quotad, "ListCustomers", name="  "))
    assert "name: has nothing but spaces; say how the name starts" == refused.message


def test_lists_leave_out_whose_record_is_lost_or_damaged(fresh: Running) -> None:
    fresh.publish_and_wait(PLANS)
    for name in ("c1", "c2", "c3", "c4"):
        call(fresh, "ProvisionCustomer", customer_id=name, plan_id="pro")
    raw(fresh.store).delete(fresh.keys.customer("c2").record)
    raw(fresh.store).set(fresh.keys.customer("c3").record, b"\xff")

    for search in ({}, {"plan_id": "pro"}, {"id_prefix": "c"}):
        found = call(fresh, "ListCustomers", **search).customers
        assert ["c1", "c4"] == sorted(each.customer_id for each in found)
    assert 2 == len(call(fresh, "ExportCustomers").rows)
