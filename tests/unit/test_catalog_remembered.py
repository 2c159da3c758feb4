"""What plans say alike is read once, and still means and is refused what it would be alone."""

import msgspec
import pytest

from quotad.catalog import Catalog, Source, carry, compile_snapshot, known, parse, parse_entitlement
from quotad.errors import CatalogError
from quotad.model import Limit
from tests.unit.catalogs import catalog, compiled

ALIKE = """
groups:
  basics: {entitlements: {calls: {limit: 5}, export: {rollout: {percent: 10}}}}
plans:
  one: {entitlements: {calls: {limit: 5}, credits: {limit: 5}, seats: {limit: 5}}}
  two: {entitlements: {calls: {limit: 5}, credits: {limit: 5}, size: 5}}
  six: {apply_to: new, entitlements: {calls: {limit: %d}, size: "5", image: {limit: 5}}}
"""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """The entries that are read and not remembered."""
    read: list[tuple[str, object]] = []
    parse_entry = parse_entitlement.parse_entry

    def noted(place: object, feature: object, value: object) -> object:
        read.append((feature.feature_id, value))  # type: ignore[attr-defined]
        return parse_entry(place, feature, value)  # type: ignore[arg-type]

    monkeypatch.setattr(known, "parse_entry", noted)
    return read


def test_entries_that_are_equal_are_read_once(parsed: list[tuple[str, object]]) -> None:
    before, after = (catalog(ALIKE % limit) for limit in (7, 8))
    document = carry(before, after).document
    parsed.clear()

    Catalog.from_document(document)

    assert 8 == len(parsed), parsed


def test_equal_entries_of_other_features_mean_what_they_mean_there() -> None:
    plans = compiled(ALIKE % 7).plans

    assert (Limit(5),) == plans["one"].entitlements["calls"].limits
    assert (Limit(500),) == plans["one"].entitlements["credits"].limits
    assert "calls" == plans["two"].entitlements["calls"].feature.feature_id


def test_rollouts_draw_by_the_feature_that_they_are_of() -> None:
    text = "{features: {a: {type: boolean}, b: {type: boolean}}, version: 1, plans: {p: "
    rights = "{entitlements: {a: {rollout: {percent: 5}}, b: {rollout: {percent: 5}}}}}}"
    [plan] = compile_snapshot(parse([Source("a.yaml", text + rights)]), 1).plans.values()

    assert ["a", "b"] == [
        right.rollout.salt for right in plan.entitlements.values() if right.rollout is not None
    ]


def test_what_is_wrong_is_reported_at_every_place() -> None:
    with pytest.raises(CatalogError) as caught:
        catalog(
            """
            plans:
              one: {entitlements: {calls: {limit: 5}, size: x}}
              two: {entitlements: {calls: {limit: '5'}, size: true}}
              six: {entitlements: {calls: {limit: '5'}, size: 'true'}}
              ten: {entitlements: {calls: {limit: 5, sfot: true}}}
              all: {entitlements: {calls: {limit: 5, sfot: true}}}
            """
        )

    assert [
        "plans.two.entitlements.calls.limit",
        "plans.two.entitlements.size",
        "plans.six.entitlements.calls.limit",
        "plans.ten.entitlements.calls",
        "plans.all.entitlements.calls",
    ] == [problem.split(": ")[1] for problem in caught.value.problems]


def test_a_date_is_not_taken_for_the_text_that_it_looks_like() -> None:
    text = 'version = 1\nfeatures.x.type = "config"\nplans.a.entitlements.x = "2026-01-01"\n'

    with pytest.raises(CatalogError, match="must be a number or text, not a date or time"):
        parse([Source("a.toml", text + "plans.b.entitlements.x = 2026-01-01\n")])


def test_a_number_too_long_to_be_spelled_is_refused_and_not_remembered() -> None:
    text = 'version = 1\nfeatures.x.type = "config"\nplans.b.entitlements.x = 0x1'

    with pytest.raises(CatalogError, match="must be a number or text, not a huge number"):
        parse([Source("a.toml", text + "0" * 5000)])


def test_what_is_not_remembered_any_more_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    document = carry(catalog(ALIKE % 7), catalog(ALIKE % 8)).document
    wanted = compile_snapshot(Catalog.from_document(document), 1)
    monkeypatch.setattr(known, "REMEMBERED_MAX", 2)

    assert wanted == compile_snapshot(Catalog.from_document(document), 1)


def test_a_published_document_stays_as_it_was_stored() -> None:
    """Another release may write it otherwise; its digest is what the store names it by."""
    document = msgspec.json.format(catalog(ALIKE % 7).document)
    read = Catalog.from_document(document)

    assert document == read.document
    assert catalog(ALIKE % 7).document == Catalog(read.definitions).document
    assert catalog(ALIKE % 7).digest != read.digest
