"""Stigg's GraphQL calls, on a real store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from quotad.customers.subscriptions import Provision, Trial
from quotad.http.stigg import plan
from quotad.http.stigg.api import StiggDecides
from quotad.http.stigg.graphql import GraphqlRequest, StiggGraphql
from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.http.stigg.words import iso
from tests.deciding import at
from tests.http.stigg_api import Stigg, stigg
from tests.raw import raw

PROVISION = """
mutation { provisionCustomer(input: {customerId: "hotel", email: "ops@hotel.example",
  subscriptionParams: {planId: "basic", unitQuantity: 50}})
  { customer { refId } subscription { status unitQuantity } } }
"""
REPORT = """
mutation Report($input: UsageMeasurementCreateInput!) { reportUsage(input: $input)
  { id customerId featureId currentUsage usagePeriodStart usagePeriodEnd timestamp } }
"""
CUSTOMER = """
query { getCustomerByRefId(refId: "hotel") { entitlements {
  feature { refId displayName } hasAccess usageLimit currentUsage } } }
"""
STATE = """
query State($query: FetchEntitlementsQuery!) { entitlementsState(query: $query) {
  accessDeniedReason entitlementsV2 { __typename ... on FeatureEntitlement {
    isGranted accessDeniedReason hasUnlimitedUsage hasSoftLimit usageLimit currentUsage resetPeriod
    resetPeriodConfiguration { ... on MonthlyResetPeriodConfig { monthlyAccordingTo }
      ... on WeeklyResetPeriodConfig { weeklyAccordingTo } }
    usagePeriodStart usagePeriodEnd validUntil entitlementUpdatedAt enumValues
    feature { refId displayName featureType meterType featureUnits } } } } }
"""


@pytest.fixture
def send(store_url: str, prefix: str) -> Iterator[Stigg]:
    with stigg(store_url, prefix) as made:
        yield made


def test_a_customer_is_provisioned_and_has_its_units_at_once(send: Stigg) -> None:
    assert {
        "customer": {"refId": "hotel"},
        "subscription": {"status": "ACTIVE", "unitQuantity": 50},
    } == send(PROVISION)

    (desks,) = (
        each for each in send(CUSTOMER)["entitlements"] if each["feature"]["refId"] == "desks"
    )

    assert (True, 50, 0) == (desks["hasAccess"], desks["usageLimit"], desks["currentUsage"])


def test_a_customer_is_known_by_what_was_sent_of_it(send: Stigg) -> None:
    send(PROVISION)
    update = """mutation U($input: UpdateCustomerInput!) { updateOneCustomer(input: $input)
      { name email billingId additionalMetaData } }"""
    more = {"refId": "hotel", "name": "Hotel", "billingId": "cus_1"}

    assert {
        "name": "Hotel",
        "email": "ops@hotel.example",
        "billingId": "cus_1",
        "additionalMetaData": {"rooms": "12", "region": "north"},
    } == send(update, input=more | {"additionalMetaData": {"rooms": 12, "region": "north"}})


def test_a_customer_without_a_plan_gets_the_default_one(send: Stigg) -> None:
    made = send("""mutation { provisionCustomer(input: {customerId: "inn", name: "Inn"})
      { subscriptionDecisionStrategy subscription { plan { refId } } customer { name } } }""")

    assert {
        "subscriptionDecisionStrategy": "PREDEFINED_FREE_PLAN",
        "subscription": {"plan": {"refId": "basic"}},
        "customer": {"name": "Inn"},
    } == made


def test_usage_that_is_reported_is_counted_and_never_refused(send: Stigg) -> None:
    send(PROVISION)
    report = {"customerId": "hotel", "featureId": "rides", "value": 7}

    assert [7, 14] == [send(REPORT, input=report)["currentUsage"] for _ in range(2)]
    assert -14 == send.bench.check("hotel", "rides").used * -1


def test_a_report_is_counted_once_for_its_key(send: Stigg) -> None:
    send(PROVISION)
    report = {"customerId": "hotel", "featureId": "rides", "value": 2, "idempotencyKey": "r-1"}

    first, again = send(REPORT, input=report), send(REPORT, input=report)

    assert (2, 2, first["id"]) == (first["currentUsage"], again["currentUsage"], again["id"])


@pytest.mark.parametrize("of", [{}, {"value": -1}, {"updateBehavior": "SET"}], ids=str)
def test_the_key_of_a_report_is_kept_for_seven_days(send: Stigg, of: dict[str, object]) -> None:
    send(PROVISION)
    send.bench.consume("hotel", "rides", 4)
    report = {"customerId": "hotel", "featureId": "rides", "value": 1, "idempotencyKey": "r-1"} | of
    week_ms = 7 * 86_400_000
    send(REPORT, input=report)

    store = raw(send.bench.store)
    (key,) = store.scan_iter(f"{send.bench.keys.prefix}:*:i:hotel:r-1")
    assert week_ms - 60_000 < store.pttl(key) <= week_ms


def test_a_report_can_set_what_was_used(send: Stigg) -> None:
    send(PROVISION.replace("basic", "business"))
    for feature_id, shown in (("desks", 9), ("rides", 90), ("paper", 2)):
        report = {"customerId": "hotel", "featureId": feature_id, "value": 4}
        send(REPORT, input=report)

        whole = report | {"value": shown, "updateBehavior": "SET"}
        assert [shown, shown] == [send(REPORT, input=whole)["currentUsage"] for _ in range(2)]

    negative = {"customerId": "hotel", "featureId": "desks", "value": -1, "updateBehavior": "SET"}
    assert "cannot be set" in send.refused(REPORT, input=negative)[1]


EVENT = """
mutation E($input: ReportEventInput!) { reportEvent(input: $input) }
"""


def test_events_are_counted_by_the_meters_of_the_catalog_once(send: Stigg) -> None:
    send(PROVISION)
    event = {"customerId": "hotel", "eventName": "ride.ended", "idempotencyKey": "e-1"}
    taxi = event | {"dimensions": {"kind": "taxi", "legs": 3}}
    train = event | {"idempotencyKey": "e-2", "dimensions": {"kind": "train", "legs": 9}}

    for _ in range(2):
        assert "1 of 2 counted" == send(EVENT, input={"usageEvents": [taxi, train]})

    assert 3 == send.bench.check("hotel", "rides").used


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"eventName": "ride.endet"}, "no meter for 'ride.endet', did you mean 'ride.ended'?"),
        ({"dimensions": {"kind": "taxi"}}, "legs: is missing"),
        ({"idempotencyKey": None}, "usageEvents[0].idempotencyKey: expected str"),
    ],
)
def test_an_event_that_cannot_be_counted_is_refused_by_name(
    send: Stigg, event: dict[str, object], message: str
) -> None:
    send(PROVISION)
    whole = {
        "customerId": "hotel",
        "eventName": "ride.ended",
        "idempotencyKey": "e-1",
        "dimensions": {"kind": "taxi", "legs": 3},
    } | event

    code, told = send.refused(EVENT, input={"usageEvents": [whole]})

    assert "BadUserInput" == code
    assert message in told


def test_events_that_are_in_no_list_are_refused_and_not_passed_over(send: Stigg) -> None:
    event = {"customerId": "hotel", "eventName": "ride.ended", "idempotencyKey": "e-1"}

    assert ("BadUserInput", "usageEvents: missing; give a list of events") == send.refused(
        EVENT, input=event
    )


def test_a_negative_report_gives_back(send: Stigg) -> None:
    send(PROVISION)
    for feature_id in ("rides", "desks"):
        report = {"customerId": "hotel", "featureId": feature_id, "value": 3}
        send(REPORT, input=report)

        assert 2 == send(REPORT, input=report | {"value": -1})["currentUsage"]


@pytest.mark.parametrize(
    ("report", "code", "message"),
    [
        ({"featureId": "rydes"}, "FeatureNotFound", "feature_id: unknown feature 'rydes'"),
        ({"featureId": "audit"}, "BadUserInput", "feature_id: 'audit' is not metered"),
        ({"featureId": "paper"}, "FeatureNotFound", "has no 'paper' in its plan"),
        ({"value": 1.5}, "BadUserInput", "value: 1.5 has a fraction"),
        ({"value": "three"}, "BadUserInput", "value: expected float, got str"),
        ({"customerId": 5}, "BadUserInput", "customerId: expected str, got int"),
        ({"createdAt": "2031-01-01T00:00:00"}, "BadUserInput", "createdAt: "),
    ],
)
def test_a_report_that_cannot_be_counted_is_refused_by_name(
    send: Stigg, report: dict[str, object], code: str, message: str
) -> None:
    send(PROVISION)
    whole = {"customerId": "hotel", "featureId": "rides", "value": 1} | report

    got = send.refused(REPORT, input=whole)

    assert code == got[0]
    assert message in got[1]
    assert [0] == [send.bench.check("hotel", "rides").used]


def test_reports_of_an_archived_customer_are_refused(send: Stigg) -> None:
    send(PROVISION)
    send('mutation { archiveCustomer(input: {customerId: "hotel"}) { refId } }')
    report = {"customerId": "hotel", "featureId": "rides", "value": 1}

    assert ("CustomerNotFound", "customer_id: 'hotel' is archived") == send.refused(
        REPORT, input=report
    )


def test_every_field_of_an_entitlement_is_what_the_engine_answers(send: Stigg) -> None:
    send(PROVISION.replace("basic", "business"))
    send.bench.consume("hotel", "rides", 40)
    send.bench.consume("hotel", "paper", 4)

    state = send(STATE, query={"customerId": "hotel"})

    assert state["accessDeniedReason"] is None
    its = {each["feature"]["refId"]: each for each in state["entitlementsV2"]}
    now = send.bench.clock.now
    assert {
        "__typename": "FeatureEntitlement",
        "isGranted": True,
        "accessDeniedReason": None,
        "hasUnlimitedUsage": False,
        "hasSoftLimit": True,
        "usageLimit": 10,
        "currentUsage": 4,
        "resetPeriod": "WEEK",
        "resetPeriodConfiguration": {"weeklyAccordingTo": "EveryMonday"},
        "usagePeriodStart": "2031-01-13T00:00:00.000Z",
        "usagePeriodEnd": "2031-01-20T00:00:00.000Z",
        "validUntil": now + 30_000,
        "entitlementUpdatedAt": "2031-01-15T12:00:00.000Z",
        "enumValues": None,
        "feature": {
            "refId": "paper",
            "displayName": "Sheets of paper",
            "featureType": "NUMBER",
            "meterType": "Incremental",
            "featureUnits": None,
        },
    } == its["paper"]
    # The tightest of its limits: 60 are left of the hour, 960 of the month.
    assert (100, 40, "HOUR") == tuple(
        its["rides"][name] for name in ("usageLimit", "currentUsage", "resetPeriod")
    )
    assert "Fluctuating" == its["desks"]["feature"]["meterType"]
    assert ("BOOLEAN", "None") == (
        its["audit"]["feature"]["featureType"],
        its["audit"]["feature"]["meterType"],
    )
    assert 5000 == its["rows"]["usageLimit"]
    assert ("ENUM", ["plain", "rich"]) == (
        its["tone"]["feature"]["featureType"],
        its["tone"]["enumValues"],
    )


def test_a_limit_that_is_reached_denies_with_a_reason(send: Stigg) -> None:
    send(PROVISION)
    send.bench.consume("hotel", "rides", 5)

    state = send(STATE, query={"customerId": "hotel"})

    denied = {
        each["feature"]["refId"]: each["accessDeniedReason"]
        for each in state["entitlementsV2"]
        if not each["isGranted"]
    }
    assert {
        "rides": "RequestedUsageExceedingLimit",
        "paper": "NoFeatureEntitlementInSubscription",
        "audit": "NoFeatureEntitlementInSubscription",
        "rows": "NoFeatureEntitlementInSubscription",
    } == denied


def test_a_list_is_as_old_as_when_it_was_asked_for_so_that_a_newer_one_is_newer(
    send: Stigg,
) -> None:
    send(PROVISION)
    asked, clock = send.bench.clock.now, send.bench.clock

    @contextmanager
    def slow() -> Iterator[StiggDecides]:
        with send.api.lend() as decides:
            yield decides
        clock.now += 1000  # and something is written meanwhile

    late = msgspec.structs.replace(send.api, decides=slow).entitlements("hotel").every()
    newer = send.api.entitlements("hotel").every()

    assert [{iso(asked)}, {iso(asked + 1000)}] == [
        {each["entitlementUpdatedAt"] for each in lists} for lists in (late, newer)
    ]


def test_a_list_is_good_until_its_period_ends(send: Stigg) -> None:
    send(PROVISION)
    send.bench.clock.now = at("2031-01-31 23:59") + 50_000

    state = send(STATE, query={"customerId": "hotel"})

    (rides,) = (e for e in state["entitlementsV2"] if e["feature"]["refId"] == "rides")
    assert at("2031-02-01 00:00") == rides["validUntil"]


def test_a_check_answers_for_what_is_requested(send: Stigg) -> None:
    send(PROVISION)
    query = """query { entitlement(query: {customerId: "hotel", featureId: "rides",
      options: {requestedUsage: %d}}) { isGranted accessDeniedReason requestedUsage } }"""

    assert {
        "isGranted": True,
        "accessDeniedReason": None,
        "requestedUsage": 5,
    } == send(query % 5)
    assert "RequestedUsageExceedingLimit" == send(query % 6)["accessDeniedReason"]
    assert [0] == [send.bench.check("hotel", "rides").used]


def test_a_customer_that_was_never_provisioned_is_null(send: Stigg) -> None:
    assert send('{ getCustomerByRefId(input: {customerId: "nobody"}) { refId } }') is None


def test_a_subscription_is_changed_cancelled_and_found_by_its_name(send: Stigg) -> None:
    send(PROVISION.replace("basic", "business"))
    update = """mutation { updateSubscription(input: {refId: "hotel", unitQuantity: 60,
      addons: [{addonId: "extra-rides", quantity: 2}]})
      { refId unitQuantity addons { quantity addon { refId } } plan { refId } } }"""

    assert {
        "refId": "hotel",
        "unitQuantity": 60,
        "addons": [{"quantity": 2, "addon": {"refId": "extra-rides"}}],
        "plan": {"refId": "business"},
    } == send(update)

    cancel = """mutation { cancelSubscription(input: {subscriptionRefId: "hotel",
      subscriptionCancellationTime: END_OF_BILLING_PERIOD}) { status effectiveEndDate } }"""
    assert {"status": "ACTIVE", "effectiveEndDate": "2031-02-15T12:00:00.000Z"} == send(cancel)
    found = '{ getSubscription(input: {subscriptionId: "hotel"}) { cancellationDate } }'
    assert {"cancellationDate": "2031-02-15T12:00:00.000Z"} == send(found)


START = """mutation S($input: I!) { provisionSubscription(input: $input)
  { subscription { status plan { refId } trialEndDate cancellationDate effectiveEndDate } } }"""
UPDATE = """mutation U($input: I!) { updateSubscription(input: $input)
  { status trialEndDate cancellationDate addons { quantity }
    futureUpdates { targetPackage { refId } } } }"""
CANCEL = """mutation C($input: I!) { cancelSubscription(input: $input) { effectiveEndDate } }"""
FEBRUARY, MARCH, APRIL = (f"2031-0{month}-01T00:00:00.000Z" for month in (2, 3, 4))


def started(send: Stigg, **wanted: object) -> dict[str, object]:
    its = {"customerId": "hotel", "planId": "business"}
    made: dict[str, object] = send(START, input=its | wanted)["subscription"]
    return made


def test_a_subscription_ends_on_the_date_that_is_asked_for(send: Stigg) -> None:
    send(PROVISION)
    assert APRIL == started(send, cancellationDate=APRIL)["cancellationDate"]

    more = {"addons": [{"addonId": "extra-rides", "quantity": 2}]}
    changed = send(UPDATE, input={"refId": "hotel", "cancellationDate": MARCH} | more)
    assert (MARCH, [{"quantity": 2}]) == (changed["cancellationDate"], changed["addons"])
    on_a_day = {"subscriptionCancellationTime": "SPECIFIC_DATE", "endDate": FEBRUARY}
    assert {"effectiveEndDate": FEBRUARY} == send(
        CANCEL, input={"subscriptionRefId": "hotel"} | on_a_day
    )
    assert [{"quantity": 2}] == send(UPDATE, input={"refId": "hotel", "cancellationDate": MARCH})[
        "addons"
    ]


@pytest.mark.parametrize("behavior", ["CONVERT_TO_PAID", "CANCEL_SUBSCRIPTION"])
def test_a_trial_starts_and_is_moved(send: Stigg, behavior: str) -> None:
    trial = {"isTrial": True, "trialEndDate": MARCH, "trialEndBehavior": behavior}
    send(PROVISION)
    made = started(send, trialOverrideConfiguration=trial)
    assert ("IN_TRIAL", MARCH) == (made["status"], made["trialEndDate"])

    moved = send(UPDATE, input={"refId": "hotel", "trialEndDate": APRIL})

    assert ("IN_TRIAL", APRIL) == (moved["status"], moved["trialEndDate"])
    converts = [{"targetPackage": {"refId": "business"}}]
    assert (converts if behavior == "CONVERT_TO_PAID" else []) == moved["futureUpdates"]


def test_an_update_can_wait_for_the_end_of_the_billing_period(send: Stigg) -> None:
    send(PROVISION.replace("basic", "business"))
    later = {"scheduleStrategy": "END_OF_BILLING_PERIOD", "priceUnitAmount": 7}

    changed = send(UPDATE, input={"refId": "hotel"} | later)

    assert [{"targetPackage": {"refId": "business"}}] == changed["futureUpdates"]


@pytest.mark.parametrize(
    ("document", "wanted", "message"),
    [
        (UPDATE, {"trialEndDate": APRIL}, "trialEndDate: the subscription is in no trial"),
        (UPDATE, {"cancellationDate": "2030-01-01T00:00:00Z"}, "end: the subscription would be"),
        (UPDATE, {"scheduleStrategy": "END_OF_BILLING_MONTH"}, "scheduleStrategy: END_OF_BILLING"),
        (UPDATE, {"refId": "nobody", "cancellationDate": APRIL}, "customer_id: 'nobody' was never"),
        (
            UPDATE,
            {"refId": "hotel:x", "cancellationDate": APRIL},
            "subscription_id: 'hotel' has no",
        ),
        (UPDATE, {"entitlements": [{"id": "rides"}]}, "entitlements: not supported"),
        (UPDATE, {"budget": {"limit": 5}}, "budget: not supported"),
        (CANCEL, {"endDate": APRIL}, "endDate: IMMEDIATE gives the end already"),
        (CANCEL, {"subscriptionCancellationTime": "SPECIFIC_DATE"}, "endDate: missing"),
        (START, {"billingCycleAnchor": "NOW"}, "billingCycleAnchor: not supported"),
        (START, {"scheduleStrategy": "END_OF_BILLING_PERIOD"}, "scheduleStrategy: END_OF_BILLING"),
        (
            START,
            {"trialOverrideConfiguration": {"isTrial": True}},
            "trialOverrideConfiguration.tri",
        ),
        (
            PROVISION.replace("mutation", "mutation P($input: I!)").replace(
                "unitQuantity: 50", "budget: 1"
            ),
            {},
            "subscriptionParams.budget: not supported",
        ),
    ],
)
def test_what_a_subscription_cannot_be_asked_for_is_refused_by_name(
    send: Stigg, document: str, wanted: dict[str, object], message: str
) -> None:
    send(PROVISION)
    its = {"refId": "hotel", "subscriptionRefId": "hotel", "customerId": "hotel", "planId": "basic"}

    answer = send.send(document, {"input": its | wanted})

    assert answer["errors"][0]["message"].startswith(message)


def test_a_date_does_not_take_back_a_change_that_waits(send: Stigg) -> None:
    send(PROVISION.replace("basic", "business"))
    later = {"scheduleStrategy": "END_OF_BILLING_PERIOD", "unitQuantity": 7}
    send(UPDATE, input={"refId": "hotel"} | later)

    answer = send.send(UPDATE, {"input": {"refId": "hotel", "cancellationDate": APRIL}})

    assert "cancellationDate: a change of the subscription waits" in str(answer["errors"])


def test_subscriptions_of_resources_have_names_of_their_own(send: Stigg) -> None:
    send(PROVISION)
    send("""mutation { provisionSubscription(input: {customerId: "hotel", planId: "business",
      resourceId: "annex: 2"}) { status } }""")

    listed = send("""{ subscriptions(filter: {customerId: {eq: "hotel"}})
      { edges { node { refId resource { resourceId } } } } }""")

    assert [
        {"refId": "hotel", "resource": None},
        {"refId": "hotel:annex%3A 2", "resource": {"resourceId": "annex: 2"}},
    ] == [edge["node"] for edge in listed["edges"]]
    active = (
        '{ getActiveSubscriptions(input: {customerId: "hotel", resourceId: "annex: 2"}) {refId} }'
    )
    assert [{"refId": "hotel:annex%3A 2"}] == send(active)


def test_a_promotion_is_granted_and_revoked(send: Stigg) -> None:
    send(PROVISION)
    grant = """mutation { grantPromotionalEntitlements(input: {customerId: "hotel",
      promotionalEntitlements: [{featureId: "rides", period: ONE_WEEK, usageLimit: 500,
      resetPeriod: MONTH}, {featureId: "audit", period: LIFETIME}]})
      { featureId status usageLimit endDate } }"""

    assert [
        {
            "featureId": "rides",
            "status": "Active",
            "usageLimit": 500,
            "endDate": "2031-01-22T12:00:00.000Z",
        },
        {"featureId": "audit", "status": "Active", "usageLimit": None, "endDate": None},
    ] == send(grant)
    assert 500 == send.bench.check("hotel", "rides").limit

    send("""mutation { revokePromotionalEntitlement(input: {customerId: "hotel",
      featureId: "rides"}) { featureId } }""")

    assert 5 == send.bench.check("hotel", "rides").limit


@pytest.mark.parametrize(
    ("more", "reset", "soft"),
    [
        ({"hasSoftLimit": True}, None, True),
        ({"monthlyResetPeriodConfiguration": {"accordingTo": "SubscriptionStart"}}, 15, False),
        ({"monthlyResetPeriodConfiguration": {"accordingTo": "StartOfTheMonth"}}, 1, False),
    ],
)
def test_a_promotion_is_as_soft_and_aligned_as_it_is_asked_for(
    send: Stigg, more: dict[str, object], reset: int | None, soft: bool
) -> None:
    send(PROVISION)
    one = {"featureId": "paper", "period": "LIFETIME", "usageLimit": 500, "resetPeriod": "MONTH"}
    grant = """mutation G($input: I!) { grantPromotionalEntitlements(input: $input)
      { hasSoftLimit } }"""

    made = send(grant, input={"customerId": "hotel", "promotionalEntitlements": [one | more]})

    assert [{"hasSoftLimit": soft}] == made
    resets_ms = send.bench.check("hotel", "paper").resets_at_ms
    assert reset in (None, datetime.fromtimestamp((resets_ms or 0) / 1000, UTC).day)


def test_a_customer_is_archived_and_comes_back_on_its_plan(send: Stigg) -> None:
    send(PROVISION)
    name = 'Customer(input: {customerId: "hotel"}) { hasActiveSubscription } }'
    send("mutation { archive" + name)
    assert not send.bench.check("hotel", "rides").allowed

    send("mutation { unarchive" + name)

    assert send.bench.check("hotel", "rides").allowed
    assert 50 == send.bench.check("hotel", "desks").limit


def test_a_customer_comes_back_with_its_trial_and_no_more_than_that(send: Stigg) -> None:
    day_ms = 86_400_000
    customers = send.api.of("hotel")
    trial = Trial(send.bench.clock.now + day_ms, ends=True)
    customers.provision("hotel", Provision("basic", resource_id="annex"))
    before = customers.provision("hotel", Provision("business", trial=trial)).record
    name = 'Customer(input: {customerId: "hotel"}) { hasActiveSubscription } }'
    send("mutation { archive" + name)
    send("mutation { unarchive" + name)

    after = customers.get("hotel").record
    assert before is not None
    assert after is not None
    assert before.subscriptions == after.subscriptions
    assert send.bench.check("hotel", "audit").allowed

    send("mutation { archive" + name)
    send.bench.clock.now += 2 * day_ms  # the trial ends meanwhile
    send("mutation { unarchive" + name)

    assert not send.bench.check("hotel", "audit").allowed


def test_usage_is_shown_period_by_period(send: Stigg) -> None:
    send(PROVISION)
    send.bench.consume("hotel", "rides", 4)
    send.bench.clock.now = at("2031-02-03 00:00")
    send.bench.consume("hotel", "rides", 1)

    shown = send("""{ usageHistoryV2(input: {customerId: "hotel", featureId: "rides",
      startDate: "2031-01-01T00:00:00Z"}) { series { points { timestamp value } } } }""")

    assert [
        ("2031-01-01T00:00:00.000Z", 0),
        ("2031-02-01T00:00:00.000Z", 4),
        ("2031-02-01T00:00:00.000Z", 0),
        ("2031-02-03T00:00:00.000Z", 1),
    ] == [tuple(point.values()) for point in shown["series"][0]["points"]]


def test_what_is_selected_and_sent_beyond_the_schema_is_null_and_not_looked_at(
    send: Stigg,
) -> None:
    send(PROVISION)
    query = """query Q($input: SomeNewInput!, $more: Int) { whose: getCustomerByRefId(input: $input)
      { __typename ...More horoscope { sign } } }
      fragment More on Customer { refId moonPhase ... on Unheard { x } }"""

    assert {
        "__typename": "Customer",
        "refId": "hotel",
        "moonPhase": None,
        "horoscope": None,
    } == send(query, input={"customerId": "hotel", "colour": "red"})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ tellFortune { x } }", "tellFortune: not supported"),
        ("subscription { usageUpdated { x } }", "subscription: not supported"),
        ("{ getCustomerByRefId", "Syntax Error"),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "spreads itself"),
        ("{ a" + "{ a" * 20 + "}" * 21, "levels of selection"),
        (
            "{" + " ".join(f"a{n}: sdkConfiguration {{ sentryDsn }}" for n in range(40)) + "}",
            "root",
        ),
        ("{ sdkConfiguration {" + " sentryDsn" * 1500 + "} }", "1,501 fields"),
        ("{ a" + " " * 70_000 + "}", "70,004 characters"),
        ("query A { a } query B { b }", "operationName: missing"),
        ("fragment A on Query { a }", "operationName: missing"),
    ],
)
def test_a_document_that_cannot_be_answered_is_refused_in_words(
    send: Stigg, query: str, message: str
) -> None:
    code, told = send.refused(query)

    assert "BadUserInput" == code
    assert message in told


def test_the_schema_can_be_asked_for(send: Stigg) -> None:
    query = "{ __schema { mutationType { fields { name args { name type { kind } } } } } }"

    fields = send(query)["mutationType"]["fields"]

    (report,) = (each for each in fields if each["name"] == "reportUsage")
    assert [{"name": "input", "type": {"kind": "NON_NULL"}}] == report["args"]


def test_an_answer_with_one_root_field_that_failed_has_the_other(send: Stigg) -> None:
    send(PROVISION)

    answer = send.send("""{ a: getCustomerByRefId(refId: "hotel") { refId }
      b: usageHistoryV2(input: {customerId: "hotel"}) { series { tags { key } } } }""")

    assert {"a": {"refId": "hotel"}, "b": None} == answer["data"]
    assert ["featureId: missing"] == [each["message"] for each in answer["errors"]]


@pytest.mark.parametrize("wanted", [True, False])
def test_include_and_skip_decide_what_is_selected(send: Stigg, wanted: bool) -> None:
    send(PROVISION)
    query = """query Q($names: Boolean!) { getCustomerByRefId(refId: "hotel") {
      refId name @include(if: $names) ... @skip(if: $names) { email } } }"""

    assert ["refId", "name" if wanted else "email"] == list(send(query, names=wanted))


def test_fields_that_are_selected_twice_are_answered_together(send: Stigg) -> None:
    send(PROVISION)
    query = """{ getCustomerByRefId(refId: "hotel") { subscriptions { plan { refId } }
      ...More } } fragment More on Customer { subscriptions { plan { __typename } status } }"""

    assert [{"plan": {"refId": "basic", "__typename": "Plan"}, "status": "ACTIVE"}] == send(query)[
        "subscriptions"
    ]


def test_a_small_document_that_selects_too_many_values_is_refused_and_nothing_is_read_twice(
    send: Stigg, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(PROVISION)
    names = [f"a{number}: entitlements {{ hasAccess usageLimit }}" for number in range(300)]
    query = f'{{ getCustomerByRefId(refId: "hotel") {{ {" ".join(names)} }} }}'
    reads = []
    lend = send.api.lend

    def counted() -> AbstractContextManager[StiggDecides]:
        reads.append(1)
        return lend()

    api = msgspec.structs.replace(send.api, decides=counted)
    answered = StiggGraphql(api, QUERIES, MUTATIONS).answer(GraphqlRequest(query))
    assert "errors" not in answered
    assert 1 == len(reads)

    monkeypatch.setattr(plan, "VALUES_MAX", 300 * 2 * 2)
    code, message = send.refused(query)
    assert ("BadUserInput", "query: selects more than 1,200 values; ask for fewer") == (
        code,
        message,
    )
