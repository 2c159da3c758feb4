"""Whether plans that extend one have its rollouts too: only where the rollout says so."""

import msgspec
import pytest

from quotad.catalog import Catalog, Source, advice, carry, compile_snapshot, diff, parse
from quotad.entitlements.resolve import resolve
from quotad.errors import CatalogError
from quotad.model import Limit
from quotad.records import CustomerRecord, Subscription

NOW = 1_800_000_000_000

TEXT = """
version: 1
features:
  editor: {type: boolean}
  upload: {type: config}
groups:
  trial: {entitlements: {editor: {rollout: {percent: 10 GROUP}}}}
plans:
  free: {groups: [trial], entitlements: {upload: {value: 9, rollout: {percent: 10 PLAN}}}}
  base: {entitlements: {upload: 1}}
  middle: {extends: base, entitlements: {upload: {value: 5, rollout: {percent: 10 PLAN}}}}
  pro: {extends: free}
  team: {extends: middle}
  leaf: {entitlements: {editor: {rollout: {percent: 10}}}}
"""


def catalog(inherit: str = "") -> Catalog:
    text = TEXT.replace(" GROUP", inherit).replace(" PLAN", inherit)
    return parse([Source("plans.yaml", text)])


def values_of(found: Catalog, plan_id: str, feature_id: str) -> set[str | None]:
    """What a thousand customers of a plan have of a feature."""
    snapshot = compile_snapshot(found, 1)
    record = CustomerRecord("", (Subscription(plan_id, NOW),), updated_ms=NOW)
    values: set[str | None] = set()
    for name in (f"customer-{i}" for i in range(1000)):
        of_one = msgspec.structs.replace(record, customer_id=name)
        right = resolve(of_one, snapshot, NOW, name).entitlements.get(feature_id)
        values.add(None if right is None else right.value)
    return values


@pytest.mark.parametrize("inherit", ["", ", inherit: false"])
def test_a_rollout_is_for_the_plan_that_has_it(inherit: str) -> None:
    found = catalog(inherit)

    assert {None, ""} == values_of(found, "free", "editor")
    assert {None} == values_of(found, "pro", "editor")
    assert {"1", "5"} == values_of(found, "middle", "upload")
    assert {"1"} == values_of(found, "team", "upload")
    assert compile_snapshot(found, 1) == compile_snapshot(Catalog.from_document(found.document), 1)


def test_a_rollout_with_inherit_is_for_plans_that_extend_its_plan_too() -> None:
    found = catalog(", inherit: true")

    assert {None, ""} == values_of(found, "pro", "editor")
    assert {"1", "5"} == values_of(found, "team", "upload")
    assert found == Catalog.from_document(found.document)


def test_a_catalog_that_was_published_before_there_was_a_choice_keeps_its_meaning() -> None:
    document = catalog().document.replace(b',"inherit":false', b"")
    before = Catalog.from_document(document)

    assert {None, ""} == values_of(before, "pro", "editor")
    assert {"1", "5"} == values_of(before, "team", "upload")
    assert {
        "groups.trial.entitlements.editor.rollout.inherit",
        "plans.free.entitlements.upload.rollout.inherit",
        "plans.middle.entitlements.upload.rollout.inherit",
    } == {change.path for change in diff(before, carry(before, catalog()))}
    assert catalog(", inherit: true").document == document


def test_a_document_is_as_servers_of_an_earlier_release_read_it_where_nothing_is_inherited() -> (
    None
):
    alone = "\n".join(line for line in TEXT.splitlines() if "extends: " not in line)
    found = parse([Source("plans.yaml", alone.replace(" GROUP", "").replace(" PLAN", ""))])

    assert b'"rollout"' in found.document
    assert b'"inherit"' not in found.document


def test_whether_a_rollout_is_inherited_makes_no_revision_of_its_plan() -> None:
    text = TEXT.replace("{groups: [trial]", "{apply_to: new, groups: [trial]")
    text = text.replace("pro: {", "pro: {apply_to: new, ")
    before, after = (
        parse([Source("plans.yaml", text.replace(" GROUP", said).replace(" PLAN", said))])
        for said in (", inherit: true", "")
    )

    plans = carry(before, after).definitions.plans

    assert (1, 2) == (plans["free"].revision, plans["pro"].revision)


def test_unlimited_counts_in_the_windows_of_a_rollout_that_the_base_keeps_for_itself() -> None:
    text = """
version: 1
features: {calls: {type: metered}}
plans:
  free: {entitlements: {calls: {limit: 9, per: day, rollout: {percent: 50}}}}
  pro: {extends: free, entitlements: {calls: unlimited}}
"""
    plans = compile_snapshot(parse([Source("plans.yaml", text)]), 1).plans
    [day] = plans["free"].entitlements["calls"].limits

    assert (Limit(None, day.window),) == plans["pro"].entitlements["calls"].limits


def test_advice_names_every_rollout_that_is_not_inherited_any_more() -> None:
    said = dict(line.split(".rollout: ") for line in advice(catalog().definitions))

    assert [] == advice(catalog(", inherit: true").definitions)
    assert [] == advice(catalog(", inherit: false").definitions)
    assert {
        "groups.trial.entitlements.editor",
        "plans.free.entitlements.upload",
        "plans.middle.entitlements.upload",
    } == said.keys()
    assert "to plans that extend it (team) it does" in said["plans.middle.entitlements.upload"]


def test_rollouts_that_are_not_inherited_may_lie_above_one_another_without_end() -> None:
    plans = "\n".join(
        f"  p{i}: {{extends: p{i - 1}, entitlements: {{upload: {{value: {i}, rollout: "
        f"{{percent: 10}}}}}}}}"
        for i in range(1, 20)
    )
    text = f"version: 1\nfeatures: {{upload: {{type: config}}}}\nplans:\n  p0: {{}}\n{plans}\n"

    found = compile_snapshot(parse([Source("plans.yaml", text)]), 1)

    right = found.plans["p19"].entitlements["upload"]
    assert ("19", None) == (right.value, right.otherwise)


def test_inherit_is_true_or_false() -> None:
    with pytest.raises(CatalogError) as caught:
        catalog(", inherit: 'yes'")

    assert all(
        problem.endswith("rollout.inherit: must be true or false, not the text 'yes'")
        for problem in caught.value.problems
    )
    assert 3 == len(caught.value.problems)
