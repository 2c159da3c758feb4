"""Entries of a plan for a time, and overrides and promotions that start later."""

import json

import pytest

from quotad.catalog import Catalog, Source, carry, compile_snapshot, parse, parse_entry_value
from quotad.customers.overrides import NewEntitlement, grant_promotion, set_override
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import FOREVER_MS, Effective, resolve
from quotad.errors import CatalogError, InvalidRequest
from quotad.moments import parsed_time
from quotad.records import CustomerRecord, Override, Promotion, Subscription
from quotad.store.records import decode_customer, encode_customer

PLANS = """
version: 1
default_plan: free
features:
  export: {type: boolean}
  calls: {type: metered}
  support: {type: config, values: [community, email]}
  editor: {type: boolean}
groups:
  december:
    entitlements:
      export: {from: 2026-12-01, until: 2027-01-01}
plans:
  free:
    groups: [december]
    entitlements:
      calls: {limit: 10, per: day}
      support: community
      editor: {until: 2026-12-15, rollout: {percent: 100}}
  pro:
    extends: free
    entitlements:
      calls: {limit: 50, per: day, from: "2026-12-24T09:00+01:00"}
      support: {value: email, until: 2026-12-31}
addons: {more: {plans: [free], entitlements: {calls: {add: 5}}}}
"""
CATALOG = parse([Source("plans.yaml", PLANS)])
SNAPSHOT = compile_snapshot(Catalog.from_document(CATALOG.document), 1)


def at(text: str) -> int:
    ms = parsed_time(text)
    assert ms is not None
    return ms


def on(plan_id: str, **more: object) -> CustomerRecord:
    phase = Subscription(plan_id, at("2026-01-01"))
    return CustomerRecord("acme", (phase,), created_ms=1, updated_ms=1, **more)  # type: ignore[arg-type]


def having(record: CustomerRecord | None, when: str) -> Effective:
    return resolve(record, SNAPSHOT, at(when), "acme")


def calls(record: CustomerRecord | None, when: str) -> int | None:
    return having(record, when).entitlements["calls"].limits[0].limit


# Plans


def test_an_entry_is_in_force_from_its_first_moment_until_before_its_last() -> None:
    for record in (None, on("free"), on("pro")):
        assert [False, True, True, False] == [
            "export" in having(record, when).entitlements
            for when in (
                "2026-11-30T23:59:59.999Z",
                "2026-12-01",
                "2026-12-31T23:59:59.999Z",
                "2027-01-01",
            )
        ]


def test_outside_of_its_time_the_plan_has_what_it_would_have_without_the_entry() -> None:
    pro = on("pro")

    assert [10, 50] == [calls(pro, "2026-12-24T07:59:59Z"), calls(pro, "2026-12-24T08:00Z")]
    assert ["email", "community"] == [
        having(pro, when).entitlements["support"].value for when in ("2026-12-30", "2026-12-31")
    ]


def test_what_a_customer_has_is_good_until_the_next_moment_of_its_plans() -> None:
    moments = ["2026-11-01", "2026-12-01", "2026-12-15", "2026-12-31", "2027-01-01"]

    found = [having(on("free"), when).until_ms for when in moments]
    unknown = [having(None, when).until_ms for when in moments]

    ends = [at(when) for when in ("2026-12-01", "2026-12-15", "2027-01-01", "2027-01-01")]
    assert [*ends, FOREVER_MS] == found == unknown
    assert at("2026-12-24T08:00Z") == having(on("pro"), "2026-12-15").until_ms


def test_customers_share_a_table_within_the_same_time() -> None:
    times = ("2026-11-01", "2026-11-02", "2026-12-02", "2027-02-01")
    tables = [having(on("free"), when).table for when in times]

    assert tables[0] == tables[1]
    assert 3 == len(set(tables))


def test_a_rollout_has_variants_only_in_its_time() -> None:
    assert ["rollout", ""] == [
        having(None, when).variants.get("editor", "") for when in ("2026-12-01", "2026-12-16")
    ]
    assert "editor" not in having(None, "2026-12-16").entitlements


def test_an_entry_with_a_time_is_written_as_it_was_read() -> None:
    plans = json.loads(CATALOG.document)["plans"]

    assert {"value": "email", "until": "2026-12-31T00:00:00Z"} == plans["pro"]["entitlements"][
        "support"
    ]
    assert "2026-12-24T08:00:00Z" == plans["pro"]["entitlements"]["calls"]["from"]
    again = Catalog.from_document(CATALOG.document)
    assert CATALOG.document == Catalog(again.definitions).document


def test_earlier_revisions_keep_their_times() -> None:
    changed = PLANS.replace("  pro:\n", "  pro:\n    apply_to: new\n").replace(
        "limit: 50", "limit: 60"
    )

    carried = carry(CATALOG, parse([Source("plans.yaml", changed)]))
    snapshot = compile_snapshot(Catalog.from_document(carried.document), 2)

    for when, limit in (("2026-12-01", 10), ("2026-12-25", 50)):
        effective = resolve(on("pro"), snapshot, at(when), "acme")
        assert limit == effective.entitlements["calls"].limits[0].limit


def test_an_explanation_tells_the_times() -> None:
    def notes(when: str, feature_id: str = "support") -> list[tuple[bool, str]]:
        found = explain(on("pro"), SNAPSHOT, at(when), "acme", "", feature_id)
        return [(each.won, each.note) for each in found]

    assert (True, "until 2026-12-31") == notes("2026-12-01")[0]
    assert notes("2026-12-31")[0][1].startswith("has ended 2026-12-31")
    assert notes("2026-11-01", "export")[0][1].startswith("starts 2026-12-01")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{until: tomorrow}", "until: must be a day or a time such as 2027-01-01 or"),
        ("{until: 5}", "until: must be a day or a time such as 2027-01-01 or"),
        ("{from: 2027-01-01, until: 2027-01-01}", "until: must be later than 'from'"),
        ("{untl: 2027-01-01, from: 2026-01-01}", "unknown key 'untl', did you mean 'until'?"),
    ],
)
def test_a_wrong_time_is_refused_where_it_stands(entry: str, problem: str) -> None:
    text = PLANS.replace("{from: 2026-12-01, until: 2027-01-01}", entry)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    [told] = caught.value.problems
    assert "a.yaml: groups.december.entitlements.export" in told
    assert problem in told


def test_dates_of_toml_are_times_too() -> None:
    text = (
        "version = 1\n[features]\nexport = {type = 'boolean'}\n[plans.free.entitlements]\n"
        "export = {from = 2026-12-01, until = 2027-01-01T09:00:00+01:00}\n"
    )

    [plan] = compile_snapshot(parse([Source("a.toml", text)]), 1).plans.values()

    assert (at("2026-12-01"), at("2027-01-01T08:00Z")) == plan.moments


def test_an_override_has_no_span_but_a_start() -> None:
    with pytest.raises(InvalidRequest, match=r"^entitlement\.until: is only for plans and groups"):
        parse_entry_value(SNAPSHOT.features["calls"], {"limit": 5, "until": "2027-01-01"})


# Overrides and promotions


def test_an_override_and_a_promotion_count_from_their_start_on() -> None:
    entry = parse_entry_value(SNAPSHOT.features["calls"], {"limit": 99, "per": "day"})
    start_ms, end_ms = at("2026-12-10"), at("2026-12-20")
    override = on("free", overrides=(Override("calls", entry, start_ms=start_ms),))
    promotion = on("free", promotions=(Promotion("calls", entry, end_ms, start_ms=start_ms),))

    for record in (override, promotion):
        assert [10, 99] == [calls(record, when) for when in ("2026-12-09", "2026-12-10")]
        assert start_ms == having(record, "2026-12-02").until_ms
        assert record == decode_customer(encode_customer(record))
    assert [99, 10] == [calls(promotion, when) for when in ("2026-12-19", "2026-12-20")]
    [_, *rest] = explain(override, SNAPSHOT, at("2026-12-09"), "acme", "", "calls")
    assert [(False, "starts 2026-12-10")] == [(each.won, each.note) for each in rest]


def test_a_start_that_has_passed_is_none() -> None:
    wanted = NewEntitlement("export", True, start_ms=at("2026-11-01"))

    record = set_override(on("free"), wanted, SNAPSHOT, at("2026-11-02"))

    assert record.overrides[0].start_ms is None


def test_a_promotion_ends_after_its_start() -> None:
    day = at("2026-12-10")
    wanted = NewEntitlement("export", True, start_ms=day, end_ms=day)

    with pytest.raises(InvalidRequest, match=r"^end: must be later than the start"):
        grant_promotion(on("free"), wanted, SNAPSHOT, at("2026-11-02"))


def test_a_customer_never_seen_keeps_the_default_plan_under_its_first_promotion() -> None:
    now_ms = at("2026-11-02")
    wanted = NewEntitlement("calls", {"limit": 99})

    record = grant_promotion(CustomerRecord("acme"), wanted, SNAPSHOT, now_ms)

    assert [("free", now_ms)] == [(p.plan_id, p.start_ms) for p in record.subscriptions]
    assert [99] == [limit.limit for limit in record.promotions[0].entry.limits or ()]
    assert 99 == calls(record, "2026-11-03")
