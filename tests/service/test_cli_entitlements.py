"""`quotad entitlements` and `quotad insights`: how full limits are."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from quotad.cli.amounts import mark
from quotad.client import LimitStatus
from quotad.v1 import admin_pb2, quota_pb2
from tests.service.command_line import Run, words
from tests.service.fake_quotad import FakeServer

RESETS_AT = datetime(2030, 6, 1, tzinfo=UTC)
MONTH: dict[str, Any] = {"per": "month", "resets_at": RESETS_AT}


def granted(feature_id: str, **fields: Any) -> quota_pb2.Entitlement:
    """An entitlement with these fields; `limits` are keyword arguments of one each."""
    limits = [quota_pb2.LimitStatus(**limit) for limit in fields.pop("limits", ())]
    return quota_pb2.Entitlement(feature_id=feature_id, limits=limits, **fields)


def shown(quotad: Run, *args: str) -> list[str]:
    """The rows of the table, without how far away its times are."""
    lines = words(quotad("entitlements", "acme", *args))
    return [line.partition(" (in ")[0] for line in lines[2:]]


@pytest.mark.usefixtures("utc")
def test_marks_show_how_full_a_limit_is(quotad: Run, server: FakeServer) -> None:
    soft: dict[str, Any] = {"soft_limit": True, "overage": 3, "overage_limit": 10}
    server.quota.granted = [
        granted("near", limits=[{"limit": 10, "used": 8, "remaining": 2, "mark": 80, **MONTH}]),
        granted("full", limits=[{"limit": 10, "used": 10, "mark": 100, **MONTH}]),
        granted("over", limits=[{"limit": 10, "used": 13, "mark": 100, **MONTH, **soft}]),
    ]

    lines = shown(quotad)

    assert "near 10 per month 8 2 80 % 2030-06-01 00:00 UTC" in lines
    assert "full 10 per month 10 0 100 % 2030-06-01 00:00 UTC" in lines
    assert "over 10 per month (soft, stops at 20), 3 over 13 0 over 2030-06-01 00:00 UTC" in lines


def test_marks_are_yellow_from_80_percent_on_and_red_at_the_limit() -> None:
    fields: dict[str, Any] = {"remaining": 0, "overage": 0, "per": "", "resets_at": None}

    def of(used: int, marked: int) -> object:
        return mark(LimitStatus(limit=10, soft_limit=False, used=used, mark=marked, **fields))

    assert ["", ("80 %", "yellow"), ("100 %", "red")] == [of(7, 0), of(9, 80), of(10, 100)]
    assert ("over", "bold red") == of(11, 100)


@pytest.mark.usefixtures("utc")
def test_credits_values_variants_waiting_windows_and_what_was_taken_away_are_shown(
    quotad: Run, server: FakeServer
) -> None:
    pool = {"limit": 5000, "used": 1250, "remaining": 3750, "decimals": 2, **MONTH}
    server.quota.granted = [
        granted("image", limits=[{"limit": 10, **MONTH}, {**pool, "pool_id": "ai-credits"}]),
        granted("ai-credits", limits=[pool]),
        granted("channels", value="phone", values=["email", "phone"]),
        granted("editor", variant="rollout"),
        granted("burst", limits=[{"limit": 3, "remaining": 3, "per": "5 hours"}]),
        granted("bulk", limits=[{"limit": 3, "remaining": 3}], variant="control"),
        granted("trace", unlimited=True, used=1234),
        granted("sso", reason=quota_pb2.REASON_REVOKED),
    ]

    lines = shown(quotad)

    assert [
        "image 10 per month 0 0 2030-06-01 00:00 UTC",
        "50.00 ai-credits per month 12.50 37.50 2030-06-01 00:00 UTC",
        "ai-credits 50.00 per month 12.50 37.50 2030-06-01 00:00 UTC",
        "channels email, phone",
        "editor yes (variant rollout)",
        "burst 3 per 5 hours 0 3 starts with the next use",
        "bulk 3 (variant control) 0 3 never",
        "trace unlimited 1,234",
        "sso nothing: taken away",
    ] == lines[-9:]


def test_what_is_named_but_not_granted_is_shown_as_nothing(quotad: Run, server: FakeServer) -> None:
    server.quota.granted = [
        granted("sso", reason=quota_pb2.REASON_REVOKED),
        granted("image", reason=quota_pb2.REASON_INSUFFICIENT_CREDITS),
    ]

    assert ["sso nothing: taken away", "image nothing: no credits"] == shown(quotad)[-2:]


def test_entitlements_of_a_resource_name_it(quotad: Run, server: FakeServer) -> None:
    lines = words(quotad("entitlements", "acme", "--resource", "ws-1"))

    assert "resource ws-1 of acme is on plan free (catalog version 7)" == lines[0]
    assert "ws-1" == server.quota.requests[0].resource_id


def test_json_of_entitlements_has_the_names_of_the_api(quotad: Run) -> None:
    found = json.loads(quotad("entitlements", "acme", "--json").stdout)

    assert set(found) == set(quota_pb2.GetEntitlementsResponse.DESCRIPTOR.fields_by_name)
    (one, *_) = found["entitlements"]
    assert set(one) == set(quota_pb2.Entitlement.DESCRIPTOR.fields_by_name)
    assert set(one["limits"][0]) == set(quota_pb2.LimitStatus.DESCRIPTOR.fields_by_name)


@pytest.fixture
def usage(server: FakeServer) -> None:
    """Two features with customers near their limits, one of them with one above."""

    def row(customer_id: str, used: int, **more: Any) -> admin_pb2.CustomerUsage:
        return admin_pb2.CustomerUsage(
            customer_id=customer_id, plan_id="pro", used=used, **{"limit": 1000, **more}
        )

    server.admin.insights = [
        admin_pb2.FeatureInsights(
            feature_id="api-calls",
            above=[
                row("initech", 1000, denied=4000, percent=100, demand_percent=500, **MONTH),
                row("acme", 2345, resource_id="ws-1", percent=234, demand_percent=234, **MONTH),
            ],
            near=[row("globex", 945, percent=94, **MONTH)],
        ),
        admin_pb2.FeatureInsights(feature_id="quiet"),
        admin_pb2.FeatureInsights(feature_id="seats", near=[row("acme", 9, limit=10, percent=90)]),
        admin_pb2.FeatureInsights(
            feature_id="image",
            near=[row("acme", 850, percent=85, pool_id="ai-credits", decimals=2, **MONTH)],
        ),
    ]


@pytest.mark.usefixtures("usage", "utc")
def test_insights_list_who_is_above_and_who_is_near_by_feature(
    quotad: Run, server: FakeServer
) -> None:
    result = quotad("insights")

    columns = "customer plan used denied limit resets"
    assert 0 == result.exit_code
    assert [
        "api-calls more than the limit, used or asked for",
        columns,
        "initech pro 1,000 4,000 1,000 per month 500 % 2030-06-01 00:00 UTC",
        "acme (ws-1) pro 2,345 1,000 per month 234 % 2030-06-01 00:00 UTC",
        "",
        "api-calls near the limit",
        columns,
        "globex pro 945 1,000 per month 94 % 2030-06-01 00:00 UTC",
        "",
        "seats near the limit",
        columns,
        "acme pro 9 10 90 % never",
        "",
        "image near the limit",
        columns,
        "acme pro 8.50 10.00 ai-credits per month 85 % 2030-06-01 00:00 UTC",
    ] == [line.partition(" (in ")[0] for line in words(result)]
    assert admin_pb2.GetInsightsRequest(size=10) == server.admin.requests[0]


@pytest.mark.usefixtures("usage")
def test_insights_into_one_feature_ask_for_it_alone(quotad: Run, server: FakeServer) -> None:
    result = quotad("insights", "seats", "--limit", "3", "--json")

    (feature,) = json.loads(result.stdout)["features"]
    assert admin_pb2.GetInsightsRequest(feature_id="seats", size=3) == server.admin.requests[0]
    assert set(feature) == set(admin_pb2.FeatureInsights.DESCRIPTOR.fields_by_name)
    assert set(feature["near"][0]) == set(admin_pb2.CustomerUsage.DESCRIPTOR.fields_by_name)


def test_insights_without_a_customer_near_report_it(quotad: Run) -> None:
    assert ["no customer is near a limit"] == words(quotad("insights"))
    assert ["no customer is near a limit of seats"] == words(quotad("insights", "seats"))
