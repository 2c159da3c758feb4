"""`quotad explain`, and decisions about resources, values, credits, rollouts and shadows."""

import json
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quotad.cli.decisions import REASONS
from quotad.decision import Reason
from quotad.v1 import quota_pb2 as pb
from tests.service.command_line import Run, words
from tests.service.fake_quotad import FakeServer

ENDS_AT = datetime(2030, 6, 1, tzinfo=UTC)


def test_every_reason_is_in_words() -> None:
    assert list(Reason) == list(REASONS)


@pytest.mark.parametrize("command", ["consume", "check", "explain"])
def test_resource_and_values_are_sent(quotad: Run, server: FakeServer, command: str) -> None:
    values = ("--value", "email", "--value", "phone")
    quotad(command, "acme", "seats", "2", "--resource", "ws-1", *values)

    (request,) = server.quota.requests
    assert ("acme", "seats", 2) == (request.customer_id, request.feature_id, request.quantity)
    assert ("ws-1", ["email", "phone"]) == (request.resource_id, list(request.requested_values))
    assert (command == "explain") is request.explain


def test_values_variant_and_shadow_are_shown(quotad: Run, server: FakeServer) -> None:
    server.quota.more = pb.CheckAndConsumeResponse(
        value="phone", values=["email", "phone"], variant="control", would_deny=True
    )

    lines = words(quotad("consume", "acme", "seats"))

    assert ["value email, phone", "variant control"] == lines[1:3]
    assert "shadow a limit in shadow had no room, and would have denied this" in lines


def test_credits_are_shown_with_their_places_and_units_without(
    quotad: Run, server: FakeServer
) -> None:
    pool = {"pool_id": "ai-credits", "decimals": 2}
    server.quota.more = pb.CheckAndConsumeResponse(
        limit=500000,
        used=1250,
        remaining=498750,
        overage=50,
        limits=[pb.LimitStatus(limit=500000, used=1250, remaining=498750, **pool)],  # type: ignore[arg-type]
        **pool,  # type: ignore[arg-type]
    )

    lines = words(quotad("consume", "acme", "seats", "2"))

    assert [
        "took 2",
        "pool ai-credits",
        "limit 5,000.00",
        "used 12.50",
        "remaining 4,987.50",
        "overage 0.50",
    ] == lines[1:7]
    assert "5,000.00 ai-credits 12.50 4,987.50 never" == lines[-1]


@pytest.mark.parametrize("pool_id", ["", "seats"])
def test_consuming_a_pool_itself_shows_credits_throughout(
    quotad: Run, server: FakeServer, pool_id: str
) -> None:
    server.quota.limits["seats"] = 10_000
    server.quota.more = pb.CheckAndConsumeResponse(pool_id=pool_id, decimals=2)

    assert "took 1.50" in words(quotad("consume", "acme", "seats", "150"))


@pytest.mark.usefixtures("utc")
def test_explain_shows_what_a_denial_lacked_and_every_source(
    quotad: Run, server: FakeServer
) -> None:
    main = {"subscription_id": "main", "note": "an override decides alone"}
    server.quota.more.explanation.CopyFrom(
        pb.Explanation(
            denied_by="3 per month",
            missing=2,
            frees_at=ENDS_AT,
            sources=[
                pb.EntitlementSource(
                    kind=pb.SOURCE_KIND_OVERRIDE, won=True, grants='{"limit":3,"per":"month"}'
                ),
                pb.EntitlementSource(
                    kind=pb.SOURCE_KIND_PROMOTION,
                    grants='"unlimited"',
                    ends_at=ENDS_AT,
                    note="an override decides alone",
                ),
                pb.EntitlementSource(
                    kind=pb.SOURCE_KIND_ADDON,
                    source_id="more-seats",
                    quantity=2,
                    grants='{"add":5}',
                    **main,  # type: ignore[arg-type]
                ),
                pb.EntitlementSource(
                    kind=pb.SOURCE_KIND_PLAN,
                    source_id="pro",
                    revision=3,
                    grants='{"limit":1}',
                    **main,  # type: ignore[arg-type]
                ),
                pb.EntitlementSource(kind=pb.SOURCE_KIND_BASE_PLAN, source_id="free"),
                pb.EntitlementSource(
                    kind=pb.SOURCE_KIND_DEFAULT_PLAN,
                    source_id="free",
                    revision=1,
                    won=True,
                    grants="true",
                    feature_id="ai-credits",
                ),
            ],
        )
    )

    result = quotad("explain", "acme", "seats", "5")

    lines = [line.partition(" (in ")[0] for line in words(result)]
    assert 1 == result.exit_code
    assert 0 == server.quota.used["acme", "seats"]
    assert pb.MODE_CHECK_ONLY == server.quota.requests[0].mode
    assert [
        "denied a hard limit has no room for the quantity (LIMIT_EXCEEDED)",
        "denied by 3 per month",
        "missing 2",
        "frees 2030-06-01 00:00 UTC",
        "limit 3",
    ] == lines[:5]
    assert [
        "sources grants won",
        "override {limit: 3, per: month} yes",
        "promotion unlimited no: an override decides alone, ends 2030-06-01 00:00 UTC",
        "add-on more-seats x 2 of main {add: 5} no: an override decides alone",
        "plan pro (revision 3) of main {limit: 1} no: an override decides alone",
        "base plan free nothing no",
        "",
        "sources of ai-credits grants won",
        "default plan free true yes",
    ] == lines[lines.index("sources grants won") :]


def test_explain_of_what_frees_never_and_of_credits_reports_it(
    quotad: Run, server: FakeServer
) -> None:
    server.quota.more = pb.CheckAndConsumeResponse(
        pool_id="ai-credits",
        decimals=1,
        explanation=pb.Explanation(denied_by="10.0 ai-credits", missing=25),
    )

    lines = words(quotad("explain", "acme", "seats", "5"))

    assert ["denied by 10.0 ai-credits", "missing 2.5", "frees not by itself"] == lines[1:4]


def test_explain_of_something_allowed_shows_sources_alone(quotad: Run, server: FakeServer) -> None:
    server.quota.more.explanation.sources.add(
        kind=pb.SOURCE_KIND_PLAN, source_id="pro", won=True, grants="true"
    )

    result = quotad("explain", "acme", "seats")

    assert 0 == result.exit_code
    assert "plan pro true yes" == words(result)[-1]
    assert not any(line.startswith(("missing", "frees", "denied by")) for line in words(result))


def test_source_of_a_kind_that_is_not_known_is_shown_by_its_number(
    quotad: Run, server: FakeServer
) -> None:
    server.quota.more.explanation.sources.add(source_id="x").kind = 99  # type: ignore[assignment]

    assert "SOURCE_KIND_99 x nothing no" == words(quotad("explain", "acme", "seats"))[-1]


def test_what_has_ended_does_not_end_again(quotad: Run, server: FakeServer) -> None:
    server.quota.more.explanation.sources.add(
        kind=pb.SOURCE_KIND_PLAN,
        source_id="pro",
        ends_at=Timestamp(seconds=1_600_000_000),
        note="has ended 2020-09-13",
    )

    told = words(quotad("explain", "acme", "seats"))[-1]

    assert "plan pro nothing no: has ended 2020-09-13" == told


def test_a_window_that_is_not_open_yet_is_not_shown_as_one_that_never_resets(
    quotad: Run, server: FakeServer
) -> None:
    limits = server.quota.more.limits
    limits.add(limit=3, remaining=3, per="day", resets_at=ENDS_AT)

    assert "resets never" in words(quotad("check", "acme", "seats"))

    limits.add(limit=3, remaining=3, per="5 hours")

    told = words(quotad("check", "acme", "seats"))
    assert "resets starts with the next use" in told
    assert "resets never" not in told


def test_json_of_explain_is_the_decision_with_its_explanation(
    quotad: Run, server: FakeServer
) -> None:
    server.quota.more.explanation.sources.add(
        kind=pb.SOURCE_KIND_ADDON, source_id="x", quantity=2, ends_at=ENDS_AT
    )

    shown = json.loads(quotad("explain", "acme", "seats", "--json").stdout)

    assert shown["allowed"] is True
    assert set(shown["explanation"]) == set(pb.Explanation.DESCRIPTOR.fields_by_name)
    (source,) = shown["explanation"]["sources"]
    assert set(source) == set(pb.EntitlementSource.DESCRIPTOR.fields_by_name)
    assert ("ADDON", "2030-06-01T00:00:00Z") == (source["kind"], source["ends_at"])


def test_the_end_of_a_counter_is_not_called_a_limit(quotad: Run, server: FakeServer) -> None:
    server.quota.more = pb.CheckAndConsumeResponse(unlimited=True, used=9 * 10**15)

    lines = words(quotad("consume", "acme", "seats", "1000000"))

    beyond = "no limit, but no counter goes beyond 9,000,000,000,000,000 (LIMIT_EXCEEDED)"
    assert f"denied {beyond}" == lines[0]
