"""What a publish makes of the plans that were in force: who keeps what."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from quotad.catalog import ApplyTo, Catalog, Source, carry, compile_snapshot, fit, parse, restore
from quotad.catalog import revisions as module
from quotad.errors import CatalogError
from quotad.model import Credit, Entitlement, Feature, FeatureType, Limit, MeterKind, Plan, Rollout

FEATURES = """
version: 1
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
  export: {type: boolean}
plans:
"""
NEW, ALL = ApplyTo.NEW, ApplyTo.ALL


def plans(text: str, features: str = FEATURES) -> Catalog:
    return parse([Source("plans.yaml", features + text)])


def pro(limit: int, more: str = "") -> Catalog:
    return plans(f"  pro: {{entitlements: {{calls: {{limit: {limit}}}{more}}}}}\n")


def to_new(catalog: Catalog) -> Catalog:
    """As with `apply_to: new` in every plan."""
    return with_plans(catalog, apply_to_new=True)


def with_plans(catalog: Catalog, **changes: Any) -> Catalog:
    changed = {
        name: msgspec.structs.replace(plan, **changes)
        for name, plan in catalog.definitions.plans.items()
    }
    return Catalog(msgspec.structs.replace(catalog.definitions, plans=changed))


def limits(catalog: Catalog, plan_id: str = "pro") -> tuple[int, dict[int, int | None]]:
    """A plan's revision, and the limit of calls in each earlier one."""
    plan = catalog.definitions.plans[plan_id]
    return plan.revision, {
        revision: was.entitlements["calls"].limits[0].limit
        for revision, was in plan.earlier.items()
    }


def published(*steps: tuple[Catalog, ApplyTo | None]) -> Catalog:
    """The catalog in force after these publishes."""
    in_force: Catalog | None = None
    for catalog, apply_to in steps:
        in_force = carry(in_force, catalog, apply_to)
    assert in_force is not None
    return in_force


def test_the_first_publish_carries_nothing() -> None:
    assert (1, {}) == limits(carry(None, pro(10), NEW))


def test_a_change_for_everybody_makes_no_revision() -> None:
    assert (1, {}) == limits(published((pro(10), None), (pro(20), None)))


@pytest.mark.parametrize("way", ["file", "option"])
def test_a_change_for_new_subscriptions_keeps_what_the_plan_was(way: str) -> None:
    after = (to_new(pro(20)), None) if way == "file" else (pro(20), NEW)

    assert (2, {1: 10}) == limits(published((pro(10), None), after))


def test_the_option_of_the_publish_decides_over_the_file() -> None:
    assert (1, {}) == limits(published((pro(10), None), (to_new(pro(20)), ALL)))


def test_earlier_revisions_stay_while_changes_are_for_new_subscriptions() -> None:
    steps = [(pro(limit), NEW) for limit in (10, 20, 30, 10)]

    assert (4, {1: 10, 2: 20, 3: 30}) == limits(published(*steps))


def test_content_that_is_unchanged_keeps_its_revisions() -> None:
    before = published((pro(10), None), (pro(20), NEW))

    for apply_to in (None, NEW):
        assert before == carry(before, pro(20), apply_to)
        assert (2, {1: 10}) == limits(carry(before, pro(20), apply_to))


def test_a_change_for_everybody_ends_earlier_revisions_and_keeps_the_number() -> None:
    assert (2, {}) == limits(published((pro(10), None), (pro(20), NEW), (pro(30), None)))


def test_everybody_can_be_moved_to_a_plan_that_does_not_change() -> None:
    assert (2, {}) == limits(published((pro(10), None), (pro(20), NEW), (pro(20), ALL)))


def test_a_number_that_was_merged_into_a_later_one_is_not_given_again() -> None:
    steps = [(pro(10), None), (pro(20), NEW), (pro(30), ALL), (pro(40), NEW)]

    assert (3, {2: 30}) == limits(published(*steps))


def test_only_plans_that_changed_get_a_revision() -> None:
    text = (
        "  free: {entitlements: {calls: {limit: 1}}}\n  pro: {entitlements: {calls: {limit: %d}}}\n"
    )
    after = published((plans(text % 10), None), (plans(text % 20), NEW))

    assert (1, {}) == limits(after, "free")
    assert (2, {1: 10}) == limits(after, "pro")


def test_a_changed_base_makes_a_revision_of_every_plan_that_extends_it() -> None:
    text = (
        "  free: {entitlements: {calls: {limit: %d}}}\n"
        "  pro: {extends: free, entitlements: {export: true}}\n"
    )
    after = published((plans(text % 10), None), (plans(text % 20), NEW), (plans(text % 30), NEW))

    assert (3, {1: 10, 2: 20}) == limits(after, "pro")
    assert ["calls", "export"] == list(after.definitions.plans["pro"].earlier[1].entitlements)
    assert () == after.definitions.plans["pro"].earlier[1].bases


def test_other_spellings_of_the_same_content_are_no_change() -> None:
    split = plans(
        "  base: {entitlements: {calls: {limit: 10}}}\n  pro: {extends: base, name: Professional}\n"
    )

    assert (1, {}) == limits(published((pro(10), None), (split, NEW)))


def test_archiving_a_plan_is_no_change_of_its_content() -> None:
    assert (1, {}) == limits(published((pro(10), None), (with_plans(pro(10), archived=True), NEW)))


OTHER = plans("  max: {entitlements: {calls: unlimited}}\n")


def test_a_plan_that_comes_back_goes_on_counting_and_has_lost_its_earlier_revisions() -> None:
    steps = [(pro(10), None), (pro(20), NEW), (OTHER, NEW), (pro(30), NEW)]

    back = published(*steps)

    assert {"pro": 2} == published(*steps[:3]).definitions.gone
    assert ((2, {}), {}) == (limits(back), back.definitions.gone)
    assert parse([Source("a.json", pro(30).document.decode())]).digest == back.source_digest


def test_who_was_on_a_plan_that_came_back_keeps_what_it_has_from_then_on() -> None:
    """Else its number would stand above the plan's, and follow every change for the new ones."""
    steps = [(pro(limit), NEW) for limit in (10, 20, 30)]
    steps += [(OTHER, NEW), (pro(40), NEW), (pro(50), NEW), (pro(60), NEW)]

    snapshot = compile_snapshot(published(*steps), 1)

    found = [snapshot.plan("pro", revision) for revision in (1, 3, 4, 5)]
    kept = [plan.entitlements["calls"].limits[0].limit for plan in found if plan is not None]
    assert [40, 40, 50, 60] == kept


def test_a_rollback_to_a_plan_that_was_taken_out_goes_on_counting_as_well() -> None:
    first = published((pro(10), None))
    gone = carry(published((pro(10), None), (pro(20), NEW), (pro(30), NEW)), OTHER, NEW)

    back = restore(gone, first)

    assert (3, {}) == limits(back)
    assert {} == back.definitions.gone
    assert (4, {3: 10}) == limits(carry(back, pro(20), NEW))
    assert {"pro": 3} == restore(back, published((OTHER, None))).definitions.gone


def test_only_so_many_plans_that_are_gone_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GONE_MAX", 2)
    in_force: Catalog | None = None
    for name in ("a", "b", "c"):
        for limit in (1, 2):
            text = f"  {name}: {{entitlements: {{calls: {{limit: {limit}}}}}}}\n"
            in_force = carry(in_force, plans(text), NEW)
    assert in_force is not None

    assert {"b": 2, "c": 2} == carry(in_force, OTHER, NEW).definitions.gone


def test_what_is_gone_is_read_again_from_the_document() -> None:
    gone = published((pro(10), None), (pro(20), NEW), (OTHER, NEW))

    assert {"pro": 2} == Catalog.from_document(gone.document).definitions.gone
    for wrong in (b'{"pro":"2"}', b'{"pro":0}', b'{"pro":true}', b'["pro"]'):
        document = gone.document.replace(b'{"pro":2}', wrong)
        with pytest.raises(CatalogError, match=r"^catalog.json: gone"):
            Catalog.from_document(document)
    with pytest.raises(CatalogError, match="'gone' is kept by the published catalog"):
        parse([Source("plans.json", gone.document.decode())])


def test_a_feature_that_is_gone_is_gone_from_earlier_revisions() -> None:
    before = published((pro(10, ", export: true"), None), (pro(20, ", export: true"), NEW))
    without = FEATURES.replace("  export: {type: boolean}\n", "")
    after = carry(before, plans("  pro: {entitlements: {calls: {limit: 20}}}\n", without), NEW)

    assert (2, {1: 10}) == limits(after)
    assert ["calls"] == list(after.definitions.plans["pro"].earlier[1].entitlements)


def test_earlier_revisions_that_have_become_the_same_are_merged_into_the_later() -> None:
    with_export = [(pro(10, ", export: true"), None), (pro(10), NEW), (pro(20), NEW)]
    without = FEATURES.replace("  export: {type: boolean}\n", "")
    after = carry(
        published(*with_export), plans("  pro: {entitlements: {calls: {limit: 20}}}\n", without)
    )

    assert (3, {2: 10}) == limits(after)


def changed(catalog: Catalog, feature: Feature) -> Catalog:
    """A catalog with another definition of a feature."""
    features = catalog.definitions.features | {feature.feature_id: feature}
    return Catalog(msgspec.structs.replace(catalog.definitions, features=features))


def test_a_feature_that_becomes_another_kind_is_as_in_the_latest_revision() -> None:
    before = published(
        (pro(10, ", seats: {limit: 3}"), None), (pro(20, ", seats: {limit: 5}"), NEW)
    )
    counter = Feature("seats", FeatureType.METERED, MeterKind.COUNTER)
    after = carry(before, changed(pro(20, ", seats: {limit: 7}"), counter))
    (earlier,) = after.definitions.plans["pro"].earlier.values()

    assert (2, {1: 10}) == limits(after)
    assert Entitlement(counter, limits=(Limit(7),)) == earlier.entitlements["seats"]


def test_a_feature_that_is_only_described_in_other_words_is_no_change() -> None:
    calls = Feature("calls", FeatureType.METERED, unit="request")
    after = published((pro(10), None), (pro(20), NEW), (changed(pro(20), calls), NEW))

    assert (2, {1: 10}) == limits(after)
    assert calls == after.definitions.plans["pro"].earlier[1].entitlements["calls"].feature


def earlier_entitlement(held: Entitlement, feature: Feature) -> Entitlement | None:
    """What becomes of one, of revision 1, when its feature is defined anew."""
    definitions = pro(20).definitions
    plan = msgspec.structs.replace(
        definitions.plans["pro"],
        revision=2,
        earlier={
            1: Plan(
                "pro",
                {
                    "calls": Entitlement(
                        Feature("calls", FeatureType.METERED), limits=(Limit(10),)
                    ),
                    feature.feature_id: held,
                },
            )
        },
    )
    features = definitions.features | {feature.feature_id: held.feature}
    before = Catalog(msgspec.structs.replace(definitions, plans={"pro": plan}, features=features))
    after = carry(before, changed(pro(20), feature))
    return after.definitions.plans["pro"].earlier[1].entitlements.get(feature.feature_id)


def test_values_stay_granted_in_the_order_that_the_feature_has_now() -> None:
    was = Feature("support", FeatureType.CONFIG, values=("none", "email", "phone"))
    now = Feature("support", FeatureType.CONFIG, values=("phone", "email"))
    held = Entitlement(was, "phone", values=("email", "phone"))

    assert Entitlement(now, "email", values=("phone", "email")) == earlier_entitlement(held, now)


@pytest.mark.parametrize(
    ("held", "now"),
    [
        pytest.param(
            Entitlement(Feature("x", FeatureType.CONFIG, values=("a", "b")), "a", values=("a",)),
            Feature("x", FeatureType.CONFIG, values=("b", "c")),
            id="value",
        ),
        pytest.param(
            Entitlement(Feature("x", FeatureType.METERED, credit=Credit("calls", 2))),
            Feature("x", FeatureType.METERED),
            id="only-its-pool",
        ),
        pytest.param(
            Entitlement(
                Feature("x", FeatureType.CONFIG, values=("a", "b")),
                "b",
                values=("b",),
                rollout=Rollout(1000, "x", "rollout"),
                otherwise=Entitlement(
                    Feature("x", FeatureType.CONFIG, values=("a", "b")), "a", values=("a",)
                ),
            ),
            Feature("x", FeatureType.CONFIG, values=("b", "c")),
            id="rollout",
        ),
    ],
)
def test_what_means_nothing_any_more_is_not_kept(held: Entitlement, now: Feature) -> None:
    assert earlier_entitlement(held, now) is None


def test_more_earlier_revisions_than_are_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EARLIER_MAX", 2)
    before = published(*[(pro(limit), NEW) for limit in (1, 2, 3)])

    with pytest.raises(CatalogError) as caught:
        carry(before, pro(4), NEW)

    assert (
        "plans.pro: 3 earlier revisions, at most 2 are kept",
        "to move everybody to the latest revisions, publish with --apply-to all",
    ) == caught.value.problems
    assert (3, {}) == limits(carry(before, pro(4), ALL))


EVERYTHING = """
version: 1
features:
  credits: {type: metered, decimals: 2}
  images: {type: metered, credit: {pool: credits, cost: 1.25}}
  videos: {type: metered, credit: {pool: credits, cost: 8}}
  seats: {type: metered, kind: gauge}
  support: {type: config, values: [forum, email, phone]}
  rows: {type: config}
  editor: {type: boolean}
groups:
  basics: {entitlements: {seats: {limit: 3, enforce: shadow}, support: forum}}
plans:
  base:
    groups: [basics]
    entitlements:
      rows: 10
      images: {limit: 5, per: 2 days, anchor: first_use, timezone: Europe/Berlin}
  pro:
    extends: base
    billing: year
    usage_on_change: reset
    apply_to: new
    entitlements:
      credits: {limit: %d, per: month, anchor: subscription, soft: true, overage_limit: 5}
      images: unlimited
      videos: true
      support: [email, phone]
      rows: {value: "20", rollout: {percent: 12.5, salt: s}}
      editor: {rollout: {percent: 10}}
"""


def test_earlier_revisions_of_any_content_read_back_as_they_were() -> None:
    before, after = (parse([Source("plans.yaml", EVERYTHING % limit)]) for limit in (100, 200))
    in_force = carry(before, after)
    was = compile_snapshot(before, 1).plans["pro"]
    earlier = in_force.definitions.plans["pro"].earlier
    read = Catalog.from_document(in_force.document)

    assert {1: msgspec.structs.replace(was, bases=())} == earlier
    assert earlier == read.definitions.plans["pro"].earlier
    assert in_force == read == Catalog(read.definitions) == carry(read, after)
    assert after.digest == read.source_digest


def test_another_billing_period_is_another_content() -> None:
    yearly = plans("  pro: {billing: year, entitlements: {calls: {limit: 10}}}\n")
    earlier = published((pro(10), None), (yearly, NEW)).definitions.plans["pro"].earlier

    assert ["month"] == [was.billing.per for was in earlier.values()]


def test_a_catalog_that_could_not_be_read_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "ENTITLEMENTS_MAX", 1)
    before = published((pro(10), None))

    with pytest.raises(CatalogError) as caught:
        carry(before, pro(20), NEW)

    assert (
        "catalog.json: plans: 2 entitlements with those inherited, at most 1 are allowed",
        "to move everybody to the latest revisions, publish with --apply-to all",
    ) == caught.value.problems


def pool(decimals: int, more: str = "") -> Catalog:
    return parse(
        [
            Source(
                "a.yaml",
                "version: 1\nfeatures:\n  ai-credits: {type: metered, "
                f"decimals: {decimals}}}\n  calls: {{type: metered{more}}}\n",
            )
        ]
    )


@pytest.mark.parametrize("publish", [carry, restore])
def test_the_unit_that_is_counted_in_does_not_change(
    publish: Callable[[Catalog | None, Catalog], Catalog],
) -> None:
    with pytest.raises(CatalogError) as caught:
        publish(pool(2), pool(3, ", decimals: 1"))

    why = "because what is counted is in units of it; define another feature"
    assert (
        f"features.ai-credits.decimals: cannot change from 2 to 3, {why}",
        f"features.calls.decimals: cannot change from 0 to 1, {why}",
    ) == caught.value.problems


@pytest.mark.parametrize(
    "features", ["{ai-credits: {type: boolean}}", "{other: {type: metered, decimals: 3}}"]
)
def test_a_unit_that_nothing_is_counted_in_any_more_is_no_obstacle(features: str) -> None:
    after = parse([Source("a.yaml", f"version: 1\nfeatures: {features}\n")])

    assert after == carry(pool(2), after)
    assert pool(2) == carry(after, pool(2))


def test_the_source_digest_is_that_of_the_files() -> None:
    files = pro(20)
    in_force = published((pro(10), None), (files, NEW))

    assert files.digest == files.source_digest == in_force.source_digest


def test_a_rollback_brings_back_what_everybody_had() -> None:
    first = published((pro(10), None), (pro(20), NEW))
    second = carry(first, pro(30), NEW)

    assert (3, {1: 10, 2: 20}) == limits(second)
    assert (3, {1: 10}) == limits(restore(second, first))
    assert 20 == limit_of(restore(second, first), 2) == limit_of(restore(second, first), 3)


def test_a_rollback_gives_no_number_to_another_content() -> None:
    first = published((pro(10), None))
    second = carry(first, pro(20), NEW)
    after = carry(restore(second, first), pro(30), NEW)

    assert [10, 10, 30] == [limit_of(after, revision) for revision in (1, 2, 3)]


def test_a_rollback_takes_plans_as_they_were_where_nothing_stands_against_it() -> None:
    first = published((pro(10), None), (pro(20), NEW))
    second = carry(first, plans("  max: {entitlements: {calls: {limit: 1}}}\n"))

    assert first == restore(second, first) == restore(None, first) == restore(first, first)


def limit_of(catalog: Catalog, revision: int) -> int | None:
    """What a subscription of a revision has, by the rule."""
    plan = catalog.definitions.plans["pro"]
    kept = [number for number in sorted(plan.earlier) if number >= revision]
    of = plan.earlier[kept[0]] if kept else compile_snapshot(catalog, 1).plans["pro"]
    return of.entitlements["calls"].limits[0].limit


@pytest.mark.parametrize("seed", range(50))
def test_everybody_has_what_they_were_promised(seed: int) -> None:
    """Any publishes: a change for new subscriptions changes nothing for anybody who has one."""
    rng = random.Random(seed)
    in_force = carry(None, pro(0))
    had: dict[int, int | None] = {}
    for _ in range(30):
        had[in_force.definitions.plans["pro"].revision] = limit_of(in_force, 10**9)
        limit = rng.randrange(4)
        apply_to = rng.choice([None, NEW, NEW, ALL])
        same = limit == limit_of(in_force, 10**9)
        in_force = carry(in_force, pro(limit), apply_to)
        if apply_to is ALL or (apply_to is None and not same):
            had = dict.fromkeys(had, limit)

        assert had == {revision: limit_of(in_force, revision) for revision in had}
