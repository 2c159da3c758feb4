"""What a diff shows, and revisions of plans in published documents."""

import pytest

from quotad.catalog import Catalog, CatalogChange, Source, compile_snapshot, diff, parse
from quotad.errors import CatalogError

YAML = """
# The same catalog in three formats.
version: 1
default_plan: free
features:
  seats: {kind: gauge, type: metered}
  api-calls: {type: metered, kind: counter, unit: call}
  size: {type: config}
plans:
  pro:
    extends: free
    entitlements:
      size: 2.5
      api-calls: {unlimited: true}
  free:
    entitlements:
      size: 10
      api-calls: {limit: 1_000, per: 1 week, week_starts: monday, timezone: UTC, soft: no}
"""


def test_a_diff_lists_changes_as_a_person_would() -> None:
    old = parse([Source("a.yaml", YAML)])
    new = parse(
        [
            Source(
                "b.yaml",
                """
                version: 1
                features:
                  api-calls: {type: metered, unit: request}
                  size: {type: config}
                  "a.b": {type: boolean}
                plans:
                  free:
                    name: Free
                    entitlements:
                      "a.b": true
                      size: 10
                      api-calls:
                        limits: [{limit: 2000, per: week, soft: true}, {limit: 5, per: day}]
                  team: {extends: free, entitlements: {size: 3}}
                """,
            )
        ]
    )

    assert [
        ("default_plan", '"free"', ""),
        ("features.api-calls.unit", '"call"', '"request"'),
        ('features["a.b"]', "", '{"type":"boolean"}'),
        ("features.seats", '{"type":"metered","kind":"gauge"}', ""),
        ("plans.free.name", "", '"Free"'),
        ("plans.free.entitlements.api-calls.limits[0].limit", "1000", "2000"),
        ("plans.free.entitlements.api-calls.limits[0].soft", "", "true"),
        ("plans.free.entitlements.api-calls.limits[1]", "", '{"limit":5,"per":"day"}'),
        ('plans.free.entitlements["a.b"]', "", "true"),
        ("plans.pro", '{"extends":"free"}', ""),
        ("plans.pro.entitlements.api-calls", '"unlimited"', ""),
        ("plans.pro.entitlements.size", '"2.5"', ""),
        ("plans.team", "", '{"extends":"free"}'),
        ("plans.team.entitlements.size", "", '"3"'),
    ] == [(change.path, change.before, change.after) for change in diff(old, new)]


def test_a_first_catalog_is_all_new() -> None:
    catalog = parse(
        [Source("a.yaml", "version: 1\nfeatures: {a: {type: boolean}}\nplans: {p: {}}")]
    )

    assert [
        CatalogChange("features.a", "", '{"type":"boolean"}'),
        CatalogChange("plans.p", "", "{}"),
    ] == diff(None, catalog)


def test_an_entitlement_of_another_shape_is_one_change() -> None:
    before, after = (
        parse(
            [
                Source(
                    "a.yaml",
                    "version: 1\nfeatures: {a: {type: metered}}\n"
                    f"plans: {{p: {{entitlements: {{a: {value}}}}}}}",
                )
            ]
        )
        for value in ("unlimited", "{limit: 5}")
    )

    assert [CatalogChange("plans.p.entitlements.a", '"unlimited"', '{"limits":[{"limit":5}]}')] == (
        diff(before, after)
    )


def published(text: str) -> Catalog:
    head = '{"version": 1, "features": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}, '
    return Catalog.from_document((head + text + "}").encode())


def test_a_diff_lists_groups_and_add_ons_as_it_lists_plans() -> None:
    old = published('"groups": {"g": {"entitlements": {"a": true}}}, "plans": {"p": {}}')
    new = published(
        '"groups": {"g": {"entitlements": {"b": true}}}, "plans": {"p": {"groups": ["g"]}},'
        '"addons": {"x": {"max_quantity": 5, "plans": ["p"], "entitlements": {"a": true}}}'
    )

    assert [
        CatalogChange("groups.g.entitlements.a", "true", ""),
        CatalogChange("groups.g.entitlements.b", "", "true"),
        CatalogChange("plans.p.groups", "", '["g"]'),
        CatalogChange("addons.x", "", '{"max_quantity":5,"plans":["p"]}'),
        CatalogChange("addons.x.entitlements.a", "", "true"),
    ] == diff(old, new)


def test_a_diff_shows_which_earlier_revisions_are_kept() -> None:
    once = published('"plans": {"p": {"entitlements": {"a": true}}}')
    twice = published(
        '"plans": {"p": {"revision": 3, "earlier": {'
        '"1": {"entitlements": {"a": true}}, "2": {"entitlements": {"b": true}}}}}'
    )
    later = published(
        '"plans": {"p": {"revision": 3, "earlier": {'
        '"2": {"billing": "year", "entitlements": {"a": true}}}}}'
    )

    assert [
        CatalogChange("plans.p.revision", "", "3"),
        CatalogChange("plans.p.entitlements.a", "true", ""),
        CatalogChange("plans.p.earlier", "", "[1,2]"),
    ] == diff(once, twice)
    assert [
        CatalogChange("plans.p.earlier", "[1,2]", "[2]"),
        CatalogChange("plans.p.earlier.2.billing", "", '"year"'),
        CatalogChange("plans.p.earlier.2.entitlements.a", "", "true"),
        CatalogChange("plans.p.earlier.2.entitlements.b", "true", ""),
    ] == diff(twice, later)


# Revisions


@pytest.mark.parametrize(
    ("plan", "problems"),
    [
        ('{"revision": 0, "earlier": []}', (
            ".revision: must be a number from 1, not 0",
            ".earlier: must be a mapping such as {}, not a list",
        )),
        ('{"revision": 2, "earlier": {"2": {}, "01": {}, "x": {}, "1": 5}}', (
            '.earlier.2: must be a revision before 2',
            '.earlier.01: must be a revision before 2',
            '.earlier.x: must be a revision before 2',
            ".earlier.1: must be a mapping such as {entitlements: {}}, not 5",
        )),
        ('{"revision": 2, "earlier": {"1": {"extends": "q", "entitlements": {"a": false}}}}', (
            ".earlier.1: unknown key 'extends' (known: entitlements, billing, usage_on_change, "
                "prices)",
            ".earlier.1.entitlements.a: must be written out: nothing is inherited here",
        )),
        ('{"revision": 2, "earlier": {"1": {"entitlements": '
            '{"a": {"otherwise": true}, "b": {"rollout": {"percent": 5}, "otherwise": 5}}}}}', (
            ".earlier.1.entitlements.a.otherwise: stands below 1 to 7 rollouts",
            ".earlier.1.entitlements.b.otherwise: is a boolean feature: write true or false, not 5",
        )),
    ],
)  # fmt: skip
def test_revisions_of_a_document_are_checked(plan: str, problems: tuple[str, ...]) -> None:
    with pytest.raises(CatalogError) as caught:
        published(f'"plans": {{"p": {plan}}}')

    assert tuple(f"catalog.json: plans.p{text}" for text in problems) == caught.value.problems


def test_an_earlier_plan_keeps_its_rollouts_and_what_the_others_have() -> None:
    catalog = published(
        '"plans": {"p": {"revision": 2, "earlier": {"1": {"entitlements": {'
        '"b": {"rollout": {"percent": 5}}, '
        '"a": {"rollout": {"percent": 5}, "otherwise": {"rollout": {"percent": 9, "salt": "x"}, '
        '"otherwise": true}}}}}}}'
    )

    plan = compile_snapshot(catalog, 1).earlier["p", 1]
    assert ["a", "b"] == list(plan.entitlements)
    assert ("a", "b") == plan.conditional
    shares, right = [], plan.entitlements["a"]
    while right.rollout is not None and right.otherwise is not None:
        shares.append(right.rollout.per_myriad)
        right = right.otherwise
    assert [500, 900] == shares
    assert right.rollout is None
    assert catalog == Catalog.from_document(catalog.document)
    assert plan == compile_snapshot(Catalog.from_document(catalog.document), 1).earlier["p", 1]


@pytest.mark.parametrize(
    ("revision", "value"),
    [(1, "b"), (2, "b"), (3, "d"), (4, "d"), (5, "e"), (6, "e"), (99, "e")],
)
def test_a_subscription_has_the_first_kept_revision_that_is_not_older(
    revision: int, value: str
) -> None:
    catalog = Catalog.from_document(
        b'{"version": 1, "features": {"x": {"type": "config"}}, "plans": {"p": {"revision": 5,'
        b'"entitlements": {"x": "e"}, "earlier": {"2": {"entitlements": {"x": "b"}},'
        b'"4": {"entitlements": {"x": "d"}}}}}}'
    )
    snapshot = compile_snapshot(catalog, 1)

    plan = snapshot.plan("p", revision)

    assert plan is not None
    assert value == plan.entitlements["x"].value
    assert snapshot.plan("q", revision) is None
