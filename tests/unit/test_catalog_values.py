"""What a catalog grants of one feature: lists of values, credits, kinds of limits."""

import json
from typing import Any

import pytest

from quotad.catalog import Catalog, Source, entry_value, parse, parse_entry_value
from quotad.errors import CatalogError, InvalidRequest
from quotad.model import QUANTITY_MAX, Anchor, Credit, Entry, Feature, Limit, Unit, Window
from tests.unit.catalogs import compiled, entitlements, written

DAY = Window(Unit.DAY)


# Config values


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("email", ("email",)),
        ("[email]", ("email",)),
        ("[phone, community]", ("community", "phone")),
        ("{value: [phone, email]}", ("email", "phone")),
    ],
)
def test_a_config_feature_grants_values_in_its_own_order(
    value: str, values: tuple[str, ...]
) -> None:
    right = entitlements(f"{{support: {value}}}")["support"]

    assert (values, values[-1]) == (right.values, right.value)


def test_a_config_feature_without_values_has_one_value_and_no_list() -> None:
    right = entitlements("{size: 10}")["size"]

    assert ("10", ()) == (right.value, right.values)


def test_false_switches_off_an_inherited_config_value() -> None:
    plans = compiled(
        """
        plans:
          free: {entitlements: {size: 10, support: email}}
          bare: {extends: free, entitlements: {size: false, support: false}}
        """
    ).plans

    assert {} == plans["bare"].entitlements


def test_one_granted_value_is_written_as_a_text_and_several_as_a_list() -> None:
    text = "plans: {a: {entitlements: {support: [email]}}, "
    text += "b: {entitlements: {support: [phone, email]}}}"

    assert "email" == written(text, "plans", "a", "entitlements", "support")
    assert ["email", "phone"] == written(text, "plans", "b", "entitlements", "support")


# Credits


def test_a_cost_is_counted_in_the_smallest_units_of_the_pool() -> None:
    features = compiled("plans: {}").features

    assert Credit("credits", 250) == features["image"].credit
    assert Credit("credits", 4000) == features["video"].credit
    assert 2 == features["credits"].decimals
    assert features["credits"].credit is None


def test_a_cost_is_written_as_it_was_meant() -> None:
    assert {"pool": "credits", "cost": 2.5} == written("plans: {}", "features", "image", "credit")
    assert {"pool": "credits", "cost": 40} == written("plans: {}", "features", "video", "credit")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "{version: 1, features: {p: {type: metered, decimals: 6}, "
            "a: {type: metered, credit: {pool: p, cost: 123456789.123457}}}}"),
        ("a.json", '{"version": 1, "features": {"p": {"type": "metered", "decimals": 6}, '
            '"a": {"type": "metered", "credit": {"pool": "p", "cost": 123456789.123457}}}}'),
        ("a.toml", "version = 1\n[features]\np = {type = 'metered', decimals = 6}\n"
            "a = {type = 'metered', credit = {pool = 'p', cost = 123456789.123457}}"),
    ],
)  # fmt: skip
def test_a_decimal_cost_is_exact_in_every_format(name: str, text: str) -> None:
    found = parse([Source(name, text)])

    for each in (found, Catalog.from_document(found.document)):
        assert Credit("p", 123_456_789_123_457) == each.definitions.features["a"].credit


@pytest.mark.parametrize("cost", [0.01, 0.29, 0.57, 1.15, 4.35, "1.10", 2.0])
def test_no_cost_goes_through_float_arithmetic(cost: float | str) -> None:
    features: dict[str, Any] = {"p": {"type": "metered", "decimals": 2}}
    features["a"] = {"type": "metered", "credit": {"pool": "p", "cost": cost}}

    found = parse([Source("a.json", json.dumps({"version": 1, "features": features}))])

    exact = Credit("p", round(float(cost) * 100))
    for each in (found, Catalog.from_document(found.document)):
        assert exact == each.definitions.features["a"].credit


@pytest.mark.parametrize(
    "cost", ["1.00" + "0" * 40 + "1", "1e-999999", "1e99999999999999999999", "x"]
)
def test_a_cost_is_never_rounded(cost: str) -> None:
    features: dict[str, Any] = {"p": {"type": "metered", "decimals": 2}}
    features["a"] = {"type": "metered", "credit": {"pool": "p", "cost": cost}}

    with pytest.raises(CatalogError):
        parse([Source("a.json", json.dumps({"version": 1, "features": features}))])


def test_amounts_of_a_pool_are_whole_credits_in_the_file() -> None:
    text = """
        plans:
          pro:
            entitlements:
              credits: {limit: 10, per: month, soft: true, overage_limit: 3}
        addons: {more: {entitlements: {credits: {add: 5}}}}
        """
    snapshot = compiled(text)

    assert (Limit(1000, Window(Unit.MONTH), soft=True, overage_limit=300),) == (
        snapshot.plans["pro"].entitlements["credits"].limits
    )
    assert 500 == snapshot.addons["more"].entries["credits"].add
    assert {"limits": [{"limit": 10, "per": "month", "soft": True, "overage_limit": 3}]} == (
        written(text, "plans", "pro", "entitlements", "credits")
    )
    assert {"add": 5} == written(text, "addons", "more", "entitlements", "credits")


def test_the_largest_limit_of_a_pool_is_exact() -> None:
    most = QUANTITY_MAX // 100

    assert (Limit(QUANTITY_MAX),) == entitlements(f"{{credits: {{limit: {most}}}}}")[
        "credits"
    ].limits


def test_a_paid_feature_has_limits_of_its_own_or_only_those_of_its_pool() -> None:
    rights = entitlements("{image: true, video: {limit: 3, per: day}}")

    assert () == rights["image"].limits
    assert (Limit(3, DAY),) == rights["video"].limits
    assert rights["image"].unlimited


def test_unlimited_in_place_of_the_pool_alone_is_counted() -> None:
    plans = compiled(
        """
        plans:
          free: {entitlements: {image: true}}
          pro: {extends: free, entitlements: {image: unlimited}}
        """
    ).plans

    assert (Limit(None),) == plans["pro"].entitlements["image"].limits


def test_a_pool_may_be_defined_in_a_later_file() -> None:
    first = "version: 1\nfeatures: {a: {type: metered, credit: {pool: p, cost: 1}}}"

    found = parse([Source("a.yaml", first), Source("b.yaml", "features: {p: {type: metered}}")])

    assert Credit("p", 1) == found.definitions.features["a"].credit


def test_a_pool_of_a_file_that_cannot_be_read_is_not_called_unknown() -> None:
    first = "version: 1\nfeatures: {a: {type: metered, credit: {pool: p, cost: 1}}}"

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", first), Source("b.json", "{")])

    (problem,) = caught.value.problems
    assert problem.startswith("b.json: ")


# Limits and windows


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("{limit: 5, soft: true, overage_limit: 2}", Limit(5, soft=True, overage_limit=2)),
        ("{limit: 5, soft: true, overage_limit: 0}", Limit(5, soft=True, overage_limit=0)),
        ("{limit: 5, enforce: shadow}", Limit(5, shadow=True)),
        ("{limit: 5, per: 5 hours, anchor: first_use}", Limit(
            5, Window(Unit.HOUR, 5, Anchor.FIRST_USE)
        )),
    ],
)  # fmt: skip
def test_a_limit_shows_how_it_is_enforced_and_when_its_window_opens(
    value: str, limit: Limit
) -> None:
    assert (limit,) == entitlements(f"{{calls: {value}}}")["calls"].limits


# Values of the API


CALLS, IMAGE, CREDITS, SEATS, EXPORT, SIZE, SUPPORT = (
    compiled("plans: {}").features[name]
    for name in ("calls", "image", "credits", "seats", "export", "size", "support")
)


@pytest.mark.parametrize(
    ("feature", "value", "entry", "canonical"),
    [
        (CALLS, {"limit": 5.0, "per": "day"}, Entry(limits=(Limit(5, DAY),)), {
            "limits": [{"limit": 5, "per": "day"}]
        }),
        (CALLS, {"limits": [{"limit": 5.0, "enforce": "shadow"}]}, Entry(
            limits=(Limit(5, shadow=True),)
        ), {"limits": [{"limit": 5, "enforce": "shadow"}]}),
        (CALLS, "unlimited", Entry(limits=None), "unlimited"),
        (CALLS, {"unlimited": True}, Entry(limits=None), "unlimited"),
        (CALLS, False, Entry(granted=False), False),
        (CREDITS, {"limit": 7.0}, Entry(limits=(Limit(700),)), {"limits": [{"limit": 7}]}),
        (IMAGE, True, Entry(), True),
        (SEATS, {"limit": 3.0}, Entry(limits=(Limit(3),)), {"limits": [{"limit": 3}]}),
        (EXPORT, True, Entry(), True),
        (EXPORT, False, Entry(granted=False), False),
        (SIZE, 10.0, Entry(value="10"), "10"),
        (SIZE, 2.5, Entry(value="2.5"), "2.5"),
        (SIZE, "", Entry(values=("",)), ""),
        (SIZE, False, Entry(granted=False), False),
        (SUPPORT, "email", Entry(value="email", values=("email",)), "email"),
        (SUPPORT, ["phone", "email"], Entry(value="phone", values=("email", "phone")), [
            "email", "phone"
        ]),
    ],
)  # fmt: skip
def test_an_entry_of_the_api_is_spelled_as_in_a_catalog(
    feature: Feature, value: object, entry: Entry, canonical: object
) -> None:
    assert entry == parse_entry_value(feature, value)
    assert canonical == entry_value(entry, feature)


@pytest.mark.parametrize("now", [None, CALLS, EXPORT, SIZE, SUPPORT], ids=str)
@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (CALLS, {"limits": [{"limit": 5, "per": "month"}]}),
        (CALLS, "unlimited"),
        (EXPORT, True),
        (EXPORT, False),
        (SIZE, "10"),
        (SIZE, ""),
        (SUPPORT, "phone"),
    ],
    ids=str,
)
def test_an_entry_for_another_kind_of_feature_is_shown_as_it_was_written(
    feature: Feature, value: object, now: Feature | None
) -> None:
    assert value == entry_value(parse_entry_value(feature, value), now)


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (CALLS, {"limit": -1.0, "sfot": True}, (
            "entitlement: unknown key 'sfot', did you mean 'soft'?; "
            "entitlement.limit: -1 is negative; for no limit use 'unlimited: true'"
        )),
        (CALLS, {"limit": 2.5}, "entitlement.limit: must be a whole number, not 2.5"),
        (CALLS, None, (
            "entitlement: is a metered feature: write {limit: 1000, per: month}, unlimited or"
            " false, not nothing"
        )),
        (SIZE, {"limit": 5, "per": "day"}, (
            "entitlement: is a config feature, without limits: write its value (10 or text)"
        )),
        (SUPPORT, {"limits": [{"limit": 5}]}, (
            "entitlement: is a config feature, without limits: write its value"
            " (community, email, phone)"
        )),
        (EXPORT, {"rollout": {"percent": 10}}, "entitlement.rollout: is only for plans and groups"),
        (CALLS, {"limit": 5.0, "rollout": {"percent": 10.0}}, (
            "entitlement.rollout: is only for plans and groups"
        )),
        (SUPPORT, ["fax"], (
            "entitlement[0]: 'fax' is not one of the feature's values (community, email, phone)"
        )),
    ],
)  # fmt: skip
def test_an_entry_of_the_api_is_refused_with_everything_that_is_wrong(
    feature: Feature, value: object, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_entry_value(feature, value)

    assert message == str(caught.value)
