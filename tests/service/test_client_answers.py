"""What both clients send and read besides the bare decision."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from quotad.client import (
    Consumption,
    Credits,
    EntitlementSource,
    Explanation,
    LimitStatus,
    QuotaInvalid,
    SourceKind,
)
from quotad.v1 import quota_pb2
from tests.service.either import Either
from tests.service.fake_quotad import FakeServer


async def test_resource_values_and_explain_are_sent_with_every_kind_of_call(
    client: Either, server: FakeServer
) -> None:
    more: dict[str, Any] = {"resource_id": "ws-1", "requested_values": ["email"], "explain": True}

    await client("consume", "acme", "seats", **more)
    await client("check", "acme", "seats", **more)
    await client("consume_many", [Consumption("acme", "seats", **more)])
    await client("entitlement", "acme", "seats", "ws-1")
    entitlements = await client("entitlements", "acme", "ws-1")

    consume, check, batch, *reads = server.quota.requests
    assert ["ws-1"] * 5 == [
        each.resource_id for each in (consume, check, batch.requests[0], *reads)
    ]
    assert [(["email"], True)] * 3 == [
        (list(each.requested_values), each.explain) for each in (consume, check, batch.requests[0])
    ]
    assert "ws-1" == entitlements.resource_id


async def test_one_text_for_the_requested_values_is_refused_before_it_is_sent(
    client: Either, server: FakeServer
) -> None:
    with pytest.raises(QuotaInvalid, match=r"^requested_values: must be a list, not the text 'e"):
        await client("check", "acme", "support", requested_values="email")

    assert [] == server.quota.requests


async def test_config_rollout_and_shadow_of_an_answer_are_read(
    client: Either, server: FakeServer
) -> None:
    server.quota.more = quota_pb2.CheckAndConsumeResponse(
        value="phone", values=["email", "phone"], variant="rollout", would_deny=True
    )

    decision = await client("consume", "acme", "seats")

    assert ("phone", ("email", "phone")) == (decision.value, decision.values)
    assert ("rollout", True) == (decision.variant, decision.would_deny)
    assert decision.explanation is None


async def test_credits_are_whole_on_the_wire_and_exact_decimals_in_python(
    client: Either, server: FakeServer
) -> None:
    server.quota.more = quota_pb2.CheckAndConsumeResponse(
        limit=5000, used=1250, remaining=3750, pool_id="ai-credits", decimals=2
    )

    decision = await client("check", "acme", "seats")

    assert (5000, 1250, 3750) == (decision.limit, decision.used, decision.remaining)
    assert ("ai-credits", 2) == (decision.pool_id, decision.decimals)
    assert (
        Credits(
            limit=Decimal("50.00"),
            used=Decimal("12.50"),
            remaining=Decimal("37.50"),
            overage=Decimal("0.00"),
        )
        == decision.credits
    )
    assert "12.50" == str(decision.credits.used)


async def test_explanation_comes_when_it_is_asked_for(client: Either, server: FakeServer) -> None:
    ends_at = datetime(2030, 6, 1, tzinfo=UTC)
    server.quota.more.explanation.CopyFrom(
        quota_pb2.Explanation(
            sources=[
                quota_pb2.EntitlementSource(
                    kind=quota_pb2.SOURCE_KIND_PROMOTION,
                    won=True,
                    grants='{"limit":9}',
                    ends_at=ends_at,
                ),
                quota_pb2.EntitlementSource(
                    kind=quota_pb2.SOURCE_KIND_ADDON,
                    source_id="more-seats",
                    quantity=2,
                    subscription_id="main",
                    feature_id="ai-credits",
                    note="less than the promotion",
                ),
                quota_pb2.EntitlementSource(
                    kind=quota_pb2.SOURCE_KIND_PLAN, source_id="pro", revision=3
                ),
            ],
            missing=4,
            denied_by="3",
            frees_at=ends_at,
        )
    )
    source: dict[str, Any] = {
        "source_id": "",
        "won": False,
        "grants": "",
        "revision": 0,
        "quantity": 0,
        "subscription_id": "",
        "feature_id": "",
        "ends_at": None,
        "note": "",
    }
    promotion = {"kind": SourceKind.PROMOTION, "won": True, "grants": '{"limit":9}'}
    addon = {
        "kind": SourceKind.ADDON,
        "source_id": "more-seats",
        "quantity": 2,
        "subscription_id": "main",
        "feature_id": "ai-credits",
        "note": "less than the promotion",
    }
    plan = {"kind": SourceKind.PLAN, "source_id": "pro", "revision": 3}

    silent = await client("check", "acme", "seats", 7)
    decision = await client("check", "acme", "seats", 7, explain=True)

    assert silent.explanation is None
    assert (
        Explanation(
            sources=(
                EntitlementSource(**{**source, **promotion, "ends_at": ends_at}),
                EntitlementSource(**{**source, **addon}),
                EntitlementSource(**{**source, **plan}),
            ),
            missing=4,
            denied_by="3",
            frees_at=ends_at,
        )
        == decision.explanation
    )


async def test_limits_of_an_entitlement_show_marks_pools_and_shadows(
    client: Either, server: FakeServer
) -> None:
    limit = quota_pb2.LimitStatus(
        limit=10,
        soft_limit=True,
        used=8,
        remaining=2,
        per="day",
        shadow=True,
        overage_limit=0,
        pool_id="ai-credits",
        decimals=1,
        mark=80,
    )
    server.quota.granted.append(
        quota_pb2.Entitlement(
            feature_id="image",
            limits=[limit],
            limit=10,
            used=8,
            values=["a", "b"],
            variant="control",
            pool_id="ai-credits",
            decimals=1,
            mark=80,
        )
    )

    image = (await client("entitlements", "acme")).entitlements[-1]

    assert (("a", "b"), "control", "ai-credits", 1, 80) == (
        image.values,
        image.variant,
        image.pool_id,
        image.decimals,
        image.mark,
    )
    assert (
        LimitStatus(
            limit=10,
            soft_limit=True,
            used=8,
            remaining=2,
            overage=0,
            per="day",
            resets_at=None,
            shadow=True,
            overage_limit=0,
            pool_id="ai-credits",
            decimals=1,
            mark=80,
        )
        == image.limits[0]
    )
    assert Decimal("0.8") == image.credits.used == image.limits[0].credits.used
    assert image.limits[0].credits.limit == 1
