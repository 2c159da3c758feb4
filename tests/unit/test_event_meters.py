"""Meters: what the events of callers count."""

import json

import pytest

from quotad.catalog import Catalog, Source, compile_snapshot, diff, parse
from quotad.errors import CatalogError, InvalidRequest
from quotad.event_meters import EventMeter

TEXT = """
version: 1
features:
  calls: {type: metered}
  tokens: {type: metered}
  seats: {type: metered, kind: gauge}
  sso: {type: boolean}
plans: {pro: {}}
meters:
  api.request: {feature: calls}
  completion:
    feature: tokens
    quantity: tokens_used
    where: {model: [small, large], cached: false, version: 2}
  batch: {feature: calls, quantity: 100}
"""
CATALOG = parse([Source("a.yaml", TEXT)])
METERS = compile_snapshot(Catalog.from_document(CATALOG.document), 1).meters
EVENT = {"model": "large", "cached": False, "version": 2, "tokens_used": 7}


def test_meters_are_compiled_by_the_name_of_their_events() -> None:
    assert EventMeter("api.request", "calls") == METERS["api.request"]
    assert {"feature": "calls", "quantity": 100} == json.loads(CATALOG.document)["meters"]["batch"]
    again = Catalog.from_document(CATALOG.document)
    assert CATALOG.document == Catalog(again.definitions).document


@pytest.mark.parametrize(
    ("name", "event", "quantity"),
    [
        ("api.request", {}, 1),
        ("batch", {"anything": 5}, 100),
        ("completion", EVENT, 7),
        ("completion", EVENT | {"tokens_used": 7.0}, 7),
        ("completion", EVENT | {"tokens_used": 0}, 0),
        ("completion", EVENT | {"model": "huge"}, 0),
        ("completion", EVENT | {"cached": 0}, 0),
        ("completion", EVENT | {"version": True}, 0),
        ("completion", {"tokens_used": 7}, 0),
    ],
)
def test_an_event_counts_where_all_conditions_hold(
    name: str, event: dict[str, object], quantity: int
) -> None:
    assert quantity == METERS[name].quantity_of(event)


@pytest.mark.parametrize("wrong", [None, "7", 7.5, -1, True, 10**16])
def test_a_quantity_that_is_none_is_refused_with_the_field(wrong: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^tokens_used: is .* need a whole number"):
        METERS["completion"].quantity_of(EVENT | {"tokens_used": wrong})


def test_another_meter_is_a_change() -> None:
    changed = TEXT.replace("quantity: 100", "quantity: 50").replace(
        "  api.request: {feature: calls}\n", ""
    )

    assert [
        ('meters["api.request"]', '{"feature":"calls"}', ""),
        ("meters.batch.quantity", "100", "50"),
    ] == [(e.path, e.before, e.after) for e in diff(CATALOG, parse([Source("a.yaml", changed)]))]


@pytest.mark.parametrize(
    ("meter", "problem"),
    [
        ("5", ": must be a mapping such as {feature: api-calls}, not 5"),
        ("{quantity: 1}", ": has no feature; write 'feature: api-calls'"),
        ("{featur: calls}", ": unknown key 'featur', did you mean 'feature'?"),
        ("{feature: call}", ".feature: unknown feature 'call', did you mean 'calls'?"),
        (
            "{feature: seats}",
            ".feature: 'seats' is a gauge feature; events count metered features of kind counter",
        ),
        (
            "{feature: sso}",
            ".feature: 'sso' is a boolean feature; events count metered features of kind counter",
        ),
        (
            "{feature: calls, quantity: 0}",
            ".quantity: must be a whole number from 1, or a field of the event, not 0",
        ),
        (
            "{feature: calls, where: []}",
            ".where: must be a mapping such as {region: eu}, not a list",
        ),
        (
            "{feature: calls, where: {a: 0.5}}",
            ".where.a: must be text, a whole number, true or false, not 0.5",
        ),
        ("{feature: calls, where: {a: []}}", ".where.a: must have 1 to 20 values, not 0"),
    ],
)
def test_a_wrong_meter_is_refused_where_it_stands(meter: str, problem: str) -> None:
    text = TEXT.replace("{feature: calls, quantity: 100}", meter)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    assert (f"a.yaml: meters.batch{problem}",) == caught.value.problems
