"""What a charge is made of: pools, windows that open at first use, resets, resources."""

from typing import Any

import msgspec
import pytest

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.decision import Reason
from quotad.engine import ViewCache
from quotad.engine.meters import (
    LimitDetails,
    LimitTerms,
    Meter,
    new_meter,
)
from quotad.engine.views import view_name
from quotad.entitlements.resolve import Effective, resolve
from quotad.model import USED_MAX, Entitlement
from quotad.records import CustomerRecord, StoredCustomer, Subscription
from quotad.store import KeySpace, Retention
from quotad.store.charges import CLOCK_CHANGES_MS

NOW = 1_926_244_800_000  # 2031-01-15 10:40
DAY = 86_400_000
CATALOG = """
version: 1
default_plan: pro
features:
  ai-credits: {type: metered, decimals: 2}
  tokens: {type: metered}
  image: {type: metered, credit: {pool: ai-credits, cost: 2.5}}
  chat: {type: metered, credit: {pool: tokens, cost: 1}}
  video: {type: metered, credit: {pool: ai-credits, cost: 10}}
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
  support: {type: config, values: [community, email, phone]}
  export: {type: boolean}
plans:
  pro:
    entitlements:
      ai-credits: {limit: 100, per: day}
      tokens: {limit: 50, per: day}
      image: {limit: 7, per: hour}
      chat: true
      calls: {limits: [{limit: 9, per: day}, {limit: 5, per: 5 hours, anchor: first_use}]}
      seats: {limit: 3}
      support: [community, email]
      export: true
"""
DAY_END = 1_926_288_000_000
HOUR_END = 1_926_248_400_000
DAY_EXPIRES = DAY_END + 1000 + CLOCK_CHANGES_MS


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return compile_snapshot(parse([Source("plans.yaml", CATALOG)]), 3)


def meter(snapshot: Snapshot, feature_id: str, **changes: Any) -> Meter:
    entitlements = dict(snapshot.plans["pro"].entitlements)
    for name, entitlement in changes.pop("entitlements", {}).items():
        if entitlement is None:
            del entitlements[name]
        else:
            entitlements[name] = entitlement
    made = new_meter(
        feature_id,
        Effective("pro", None, entitlements, **changes),
        snapshot,
        Retention(1000, 500, DAY),
    )
    assert made is not None
    return made


def test_a_paying_feature_is_charged_to_its_own_limits_and_to_those_of_its_pool(
    snapshot: Snapshot,
) -> None:
    bound = meter(snapshot, "image").bind(NOW)

    assert (":image:hour.c.1926244800", ":ai-credits:day.c.1926201600") == bound.counters.suffixes
    limits = ((7, HOUR_END + 1000, 1, 0, NOW), (10_000, DAY_EXPIRES, 250, 0, NOW))
    assert (2, 5, *limits[0], *limits[1]) == bound.counters.words
    assert (
        LimitTerms(7, False, "hour", HOUR_END, LimitDetails()),
        LimitTerms(
            10_000,
            False,
            "day",
            DAY_END,
            LimitDetails(pool_id="ai-credits", decimals=2, weight=250),
        ),
    ) == bound.terms
    assert (1_926_244_800_000, HOUR_END) == (bound.from_ms, bound.until_ms)


def test_a_pool_that_takes_one_for_one_needs_no_more_words(snapshot: Snapshot) -> None:
    bound = meter(snapshot, "chat").bind(NOW)

    assert (":tokens:day.c.1926201600",) == bound.counters.suffixes
    assert (1, 2, 50, DAY_EXPIRES) == bound.counters.words
    assert LimitDetails(pool_id="tokens") == bound.terms[0].details


def test_a_pool_itself_is_counted_in_its_smallest_units(snapshot: Snapshot) -> None:
    bound = meter(snapshot, "ai-credits").bind(NOW)

    assert (1, 2, 10_000, DAY_EXPIRES) == bound.counters.words
    assert LimitDetails(decimals=2) == bound.terms[0].details


def test_without_its_pool_a_feature_is_denied_before_any_counter(snapshot: Snapshot) -> None:
    pool = snapshot.plans["pro"].entitlements["ai-credits"]
    revoked = msgspec.structs.replace(pool, revoked=True)

    for entitlement in (None, revoked):
        given = meter(snapshot, "image", entitlements={"ai-credits": entitlement}).given

        assert given is not None
        assert (False, Reason.INSUFFICIENT_CREDITS, "ai-credits", 2) == (
            given.allowed,
            given.reason,
            given.pool_id,
            given.decimals,
        )


def test_a_window_that_opens_at_first_use_is_bound_again_every_millisecond(
    snapshot: Snapshot,
) -> None:
    made = meter(snapshot, "calls")

    bound = made.bind(NOW)

    assert (":calls:day.c.1926201600", ":calls:5hour.f") == bound.counters.suffixes
    closes = NOW + 5 * 3_600_000
    day = (9, DAY_EXPIRES, 1, 0, NOW)
    assert (2, 5, *day, 5, closes + 1000, 1, closes, NOW) == bound.counters.words
    assert (NOW, NOW + 1) == (bound.from_ms, bound.until_ms)
    # The first tells that another has more.
    assert [LimitDetails(), LimitDetails(opens=True)] == [term.details for term in bound.terms]
    assert [DAY_END, None] == [term.resets_at_ms for term in bound.terms]
    assert bound.counters.suffixes == made.bind(NOW + 1).counters.suffixes


def test_a_reset_names_other_counters_but_not_other_gauges(snapshot: Snapshot) -> None:
    suffixes = {
        name: meter(snapshot, name, generation=3).bind(NOW).counters.suffixes
        for name in ("calls", "image", "seats")
    }

    assert {
        "calls": (":calls:day.c.1926201600.r3", ":calls:5hour.f.r3"),
        "image": (":image:hour.c.1926244800.r3", ":ai-credits:day.c.1926201600.r3"),
        "seats": (":seats:life",),
    } == suffixes


def test_an_entitlement_may_have_an_anchor_of_its_own(snapshot: Snapshot) -> None:
    text = CATALOG.replace(
        "tokens: {limit: 50, per: day}", "tokens: {limit: 50, per: month, anchor: subscription}"
    )
    anchored = compile_snapshot(parse([Source("plans.yaml", text)]), 3)
    own = anchored.plans["pro"].entitlements["tokens"]
    moved = msgspec.structs.replace(own, anchor_ms=NOW - 5 * DAY)

    ends = [
        meter(anchored, name, entitlements={"tokens": tokens}, anchor_ms=NOW - 3 * DAY)
        .bind(NOW)
        .until_ms
        for name in ("tokens", "chat")
        for tokens in (own, moved)
    ]

    assert [NOW + 28 * DAY, NOW + 26 * DAY] * 2 == ends


@pytest.mark.parametrize(
    ("limit", "fields", "cap"),
    [
        (10, {}, 10),
        (10, {"soft": True}, USED_MAX),
        (10, {"soft": True, "overage_limit": 5}, 15),
        (10, {"soft": True, "overage_limit": 0}, 10),
        (10, {"shadow": True}, USED_MAX),
        (None, {}, USED_MAX),
    ],
)
def test_usage_never_passes_the_cap(
    snapshot: Snapshot, limit: int | None, fields: dict[str, Any], cap: int
) -> None:
    tokens = snapshot.plans["pro"].entitlements["tokens"]
    changed = msgspec.structs.replace(tokens.limits[0], limit=limit, **fields)
    entitlement = msgspec.structs.replace(tokens, limits=(changed,))

    bound = meter(snapshot, "tokens", entitlements={"tokens": entitlement}).bind(NOW)

    assert (1, 2, cap, DAY_EXPIRES) == bound.counters.words
    assert cap == bound.terms[0].cap


@pytest.mark.parametrize("feature_id", ["support", "export", "calls", "image"])
def test_what_was_revoked_is_denied_before_any_counter(snapshot: Snapshot, feature_id: str) -> None:
    entitlement = snapshot.plans["pro"].entitlements[feature_id]
    revoked: Entitlement = msgspec.structs.replace(entitlement, revoked=True)

    given = meter(snapshot, feature_id, entitlements={feature_id: revoked}).given

    assert given is not None
    assert (False, Reason.REVOKED) == (given.allowed, given.reason)


def test_a_config_feature_shows_its_values_and_variant(snapshot: Snapshot) -> None:
    support = snapshot.plans["pro"].entitlements["support"]
    beta = msgspec.structs.replace(support, variant="beta")

    given = meter(snapshot, "support", entitlements={"support": beta}).given

    assert given is not None
    assert ("email", ("community", "email"), "beta") == (
        given.value,
        given.values,
        given.variant,
    )


def test_a_customer_and_its_resources_have_views_of_their_own(snapshot: Snapshot) -> None:
    cache = ViewCache(KeySpace("q", 4), 10)
    nobody = StoredCustomer(0, None)

    view = cache.put(view_name("acme", ""), nobody, snapshot, NOW)
    workspace = cache.put(view_name("acme", "w"), nobody, snapshot, NOW)

    assert view is cache.get("acme", snapshot, NOW)
    assert workspace is cache.get(view_name("acme", "w"), snapshot, NOW)
    assert KeySpace("q", 4).customer("acme", "w") == workspace.keys
    cache.drop("acme")
    assert cache.get("acme", snapshot, NOW) is None
    assert cache.get(view_name("acme", "w"), snapshot, NOW) is not None


SPANS = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  builds: {type: metered}
  seats: {type: metered, kind: gauge}
plans:
  free:
    entitlements:
      calls:
        limits:
          - {limit: 9, per: second}
          - {limit: 9, per: 5 minutes}
          - {limit: 9, per: minute, anchor: first_use}
          - {limit: 9, per: hour}
      builds: {limit: 4}
      seats: {limit: 3}
"""


def test_counters_of_seconds_and_minutes_are_kept_no_longer_than_clocks_may_differ() -> None:
    made = compile_snapshot(parse([Source("plans.yaml", SPANS)]), 1)
    meter = new_meter("calls", resolve(None, made, NOW), made, Retention(60_000, 5_000))
    assert meter is not None

    words = meter.bind(NOW).counters.words

    expires = words[3::5]
    minute = 60_000
    assert (
        NOW + 1000 + 5_000,
        NOW + 5 * minute + 5_000,
        NOW + minute + 5_000,
        HOUR_END + 60_000,
    ) == expires


def test_a_history_keeps_counters_of_a_day_and_longer_whose_periods_are_known() -> None:
    text = SPANS.replace("calls: {type: metered}", "calls: {type: metered, usage_history: 2 weeks}")
    text = text.replace("per: 5 minutes", "per: day").replace("9, per: second", "9, per: 2 weeks")
    made = compile_snapshot(parse([Source("plans.yaml", text)]), 1)
    meter = new_meter("calls", resolve(None, made, NOW), made, Retention(60_000, 5_000))
    assert meter is not None
    bound = meter.bind(NOW)

    kept = [
        expires - (NOW + 60_000 if term.resets_at_ms is None else term.resets_at_ms)
        for expires, term in zip(bound.counters.words[3::5], bound.terms, strict=True)
    ]

    clocks = 3 * 3_600_000
    assert [14 * DAY + clocks, 14 * DAY + clocks, 5_000, 60_000] == kept


@pytest.mark.parametrize("feature_id", ["builds", "seats"])
def test_a_lifetime_ends_some_time_after_the_latest_use_only_without_a_record(
    feature_id: str,
) -> None:
    made = compile_snapshot(parse([Source("plans.yaml", SPANS)]), 1)
    cache = ViewCache(KeySpace("q", 4), 10)
    on_free = CustomerRecord("acme", (Subscription("free", NOW),))
    nobody = cache.put("b", StoredCustomer(0, None), made, NOW)
    acme = cache.put("acme", StoredCustomer(1, on_free), made, NOW)

    found = [view.meter(feature_id, Retention(unprovisioned_ms=DAY)) for view in (nobody, acme)]

    limit = 3 if feature_id == "seats" else 4
    words = [meter.bind(NOW).counters.words for meter in found if meter is not None]
    assert [(1, 2, limit, -DAY), (1, 2, limit, 0)] == words


def test_meters_are_shared_only_while_the_same_counters_are_meant(snapshot: Snapshot) -> None:
    cache = ViewCache(KeySpace("q", 4), 10)
    entitlements = snapshot.plans["pro"].entitlements
    tables = [
        cache._meters(
            Effective("pro", None, entitlements, table=table, generation=generation), snapshot
        )
        for table, generation in (("t", 0), ("t", 0), ("other", 0), ("t", 1), (None, 0), (None, 0))
    ]

    assert tables[0] is tables[1]
    assert 5 == len({id(table) for table in tables})
