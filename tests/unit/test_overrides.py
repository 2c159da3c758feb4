"""Overrides and promotions: what may be written, and with which windows."""

from typing import Any

import pytest
from msgspec.structs import replace

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.customers.overrides import (
    NewEntitlement,
    grant_promotion,
    remove_override,
    revoke_promotion,
    set_override,
)
from quotad.customers.subscriptions import Provision, archive, provision
from quotad.errors import InvalidRequest, NotFound
from quotad.model import Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion

NOW = 1_800_000_000_000
DAY = 86_400_000
CATALOG: Snapshot = compile_snapshot(
    parse(
        [
            Source(
                "plans.yaml",
                """
version: 1
features:
  calls: {type: metered}
  tokens: {type: metered}
  total: {type: metered}
  extra: {type: metered}
  seats: {type: metered, kind: gauge}
  export: {type: boolean}
  size: {type: config}
  support: {type: config, values: [email, phone]}
plans:
  pro:
    entitlements:
      calls: {limit: 100, per: month}
      tokens: {limits: [{limit: 5, per: minute}, {limit: 50, per: month}]}
      total: {limit: 9}
      seats: {limit: 3}
""",
            )
        ]
    ),
    1,
)
MONTH = Window(Unit.MONTH)
PRO = provision(CustomerRecord("acme"), Provision("pro"), CATALOG, NOW)


def override(
    value: object, feature_id: str = "calls", resource_id: str = "", record: CustomerRecord = PRO
) -> CustomerRecord:
    return set_override(record, NewEntitlement(feature_id, value, resource_id), CATALOG, NOW)


def promote(
    value: object, feature_id: str = "calls", end_ms: int | None = None, **given: Any
) -> CustomerRecord:
    wanted = NewEntitlement(feature_id, value, given.get("resource_id", ""), end_ms)
    return grant_promotion(given.get("record", PRO), wanted, CATALOG, given.get("now_ms", NOW))


@pytest.mark.parametrize(
    ("feature_id", "value", "entry"),
    [
        ("calls", {"limit": 5}, Entry(limits=(Limit(5, MONTH),))),
        ("calls", {"limit": 5.0, "soft": True}, Entry(limits=(Limit(5, MONTH, soft=True),))),
        ("calls", {"limit": 5, "per": "day"}, Entry(limits=(Limit(5, Window(Unit.DAY)),))),
        ("calls", {"limits": [{"limit": 5}]}, Entry(limits=(Limit(5),))),
        ("calls", "unlimited", Entry(limits=None)),
        ("calls", {"unlimited": True}, Entry(limits=None)),
        ("calls", False, Entry(granted=False)),
        ("total", {"limit": 5}, Entry(limits=(Limit(5),))),
        ("seats", {"limit": 5}, Entry(limits=(Limit(5),))),
        ("extra", {"limit": 5, "per": "month"}, Entry(limits=(Limit(5, MONTH),))),
        ("tokens", {"limit": 5, "per": "month"}, Entry(limits=(Limit(5, MONTH),))),
        ("export", True, Entry()),
        ("size", 10, Entry(value="10")),
        ("support", ["email"], Entry(value="email", values=("email",))),
    ],
)
def test_an_override_is_stored_in_full_with_the_window_of_what_it_replaces(
    feature_id: str, value: object, entry: Entry
) -> None:
    record = override(value, feature_id)

    assert (Override(feature_id, entry),) == record.overrides
    if entry.granted:
        assert (Promotion(feature_id, entry),) == promote(value, feature_id).promotions


@pytest.mark.parametrize(
    ("feature_id", "value", "message"),
    [
        ("call", 1, "feature_id: unknown feature 'call', did you mean 'calls'?"),
        (
            "export",
            {"limit": 5},
            "entitlement: is a boolean feature: write true or false, not a mapping",
        ),
        ("support", "fax", "entitlement: 'fax' is not one of the feature's values (email, phone)"),
        (
            "calls",
            {"limit": -1, "soft": 3},
            "entitlement.soft: must be true or false, not 3; "
            "entitlement.limit: -1 is negative; for no limit use 'unlimited: true'",
        ),
        (
            "tokens",
            {"limit": 5},
            "entitlement: 'acme' has several limits of 'tokens' (minute, month); say per, or list"
            " all of them below limits",
        ),
        (
            "extra",
            {"limit": 5},
            "entitlement: 'acme' has no limit of 'extra' whose period this one could keep; say per,"
            ' such as {"limit": 5, "per": "month"}',
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(
    feature_id: str, value: object, message: str
) -> None:
    for write in (override, promote):
        with pytest.raises(InvalidRequest) as refused:
            write(value, feature_id)
        assert message == str(refused.value)


def test_an_override_replaces_the_one_before_and_keeps_its_window() -> None:
    record = override({"limit": 5, "per": "day"})

    record = override({"limit": 7}, record=record)

    entry = Entry(limits=(Limit(7, Window(Unit.DAY)),))
    assert (Override("calls", entry),) == record.overrides


def test_a_promotion_has_the_window_that_there_is_without_the_override() -> None:
    overridden = override({"limit": 5, "per": "minute"})

    record = promote({"limit": 20}, record=overridden)

    assert Entry(limits=(Limit(20, MONTH),)) == record.promotions[0].entry


@pytest.mark.parametrize("per", ["lifetime", "101 years"])
def test_a_limit_for_life_is_not_shown_as_one_without_a_period(per: str) -> None:
    """Without `per` it would have the period of the plan."""
    with pytest.raises(InvalidRequest) as refused:
        override({"limit": 5, "per": per})

    assert str(refused.value).endswith("; write {limits: [{limit: ...}]} for a lifetime")


def test_an_override_after_a_revoked_one_has_the_window_of_the_plan() -> None:
    record = override({"limit": 7}, record=override(False))

    assert (Override("calls", Entry(limits=(Limit(7, MONTH),))),) == record.overrides


def test_an_archived_customer_is_overridden_as_when_it_comes_back() -> None:
    record = override({"limit": 7}, record=archive(PRO, NOW))

    assert (True, (Override("calls", Entry(limits=(Limit(7, MONTH),))),)) == (
        record.archived,
        record.overrides,
    )


def test_a_resource_has_overrides_of_its_own() -> None:
    record = provision(PRO, Provision("pro", resource_id="w1"), CATALOG, NOW)

    record = override({"limit": 1}, record=record)
    record = override({"limit": 2}, resource_id="w1", record=record)

    assert ["", "w1"] == [each.resource_id for each in record.overrides]
    with pytest.raises(InvalidRequest) as refused:
        override({"limit": 3}, resource_id="w2", record=record)
    assert "resource_id: 'acme' has no subscription for 'w2'; it has them for w1" == str(
        refused.value
    )


def test_an_override_is_removed_and_one_that_is_not_there_is_not_found() -> None:
    record = override(True, "export", record=override({"limit": 5}))

    removed = remove_override(record, "calls", "", NOW + 1)

    assert ((Override("export", Entry()),), NOW + 1) == (removed.overrides, removed.updated_ms)
    with pytest.raises(NotFound) as refused:
        remove_override(removed, "calls", "", NOW)
    assert "feature_id: 'acme' has no override of 'calls'; it has export" == str(refused.value)


def test_granting_again_replaces() -> None:
    record = promote({"limit": 5}, end_ms=NOW + DAY)

    record = promote({"limit": 3}, record=record)

    assert (Promotion("calls", Entry(limits=(Limit(3, MONTH),))),) == record.promotions


def test_a_promotion_cannot_take_away_nor_be_over() -> None:
    with pytest.raises(InvalidRequest, match="cannot take a feature away; set an override instead"):
        promote(False)
    with pytest.raises(InvalidRequest, match=r"^end: the promotion would be over; give a later"):
        promote({"limit": 5}, end_ms=NOW)


def test_a_promotion_is_revoked_and_one_that_is_over_is_not_found() -> None:
    record = promote({"limit": 5}, end_ms=NOW + DAY)

    assert () == revoke_promotion(record, "calls", "", NOW + DAY - 1).promotions
    with pytest.raises(NotFound) as refused:
        revoke_promotion(record, "calls", "", NOW + DAY)
    assert "feature_id: 'acme' has no promotion of 'calls'; it has none" == str(refused.value)


def test_promotions_that_are_over_are_dropped_with_the_next_write() -> None:
    record = promote({"limit": 5}, end_ms=NOW + DAY)

    record = promote(True, "export", record=record, now_ms=NOW + DAY)

    assert ["export"] == [each.feature_id for each in record.promotions]


def test_a_customer_has_a_hundred_overrides_and_promotions_at_most() -> None:
    many = [f"f{number}" for number in range(100)]
    full = replace(
        PRO,
        overrides=tuple(Override(name, Entry()) for name in many),
        promotions=tuple(Promotion(name, Entry()) for name in many),
    )

    with pytest.raises(InvalidRequest, match=r"^feature_id: 'acme' has 100 overrides, the most"):
        override({"limit": 5}, record=full)
    with pytest.raises(InvalidRequest, match=r"^feature_id: 'acme' has 100 promotions, the most"):
        promote({"limit": 5}, record=full)

    assert 100 == len(override({"limit": 5}, record=remove_override(full, "f7", "", NOW)).overrides)
