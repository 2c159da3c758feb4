"""What a form means for the files: entries, several files, lines of problems."""

from pathlib import Path
from typing import Any

import pytest

from quotad.catalog import Source, parse, read_sources
from quotad.catalog.editing.addon_entries import (
    AddOnRow,
    read_addon_entry,
    write_addon_entry,
)
from quotad.catalog.editing.changes import GONE, Edit, PlanFiles
from quotad.catalog.editing.entries import EntryForm, LimitForm, read_entry, write_form
from quotad.catalog.editing.placed import Placed, placed
from quotad.errors import CatalogError, InvalidRequest
from quotad.model import Credit, Feature, FeatureType

EXAMPLE = Path(__file__).parents[2] / "examples" / "catalog"
CALLS = Feature("api-calls", FeatureType.METERED)
SSO = Feature("sso", FeatureType.BOOLEAN)
ROWS = Feature("rows", FeatureType.CONFIG)
SUPPORT = Feature("support", FeatureType.CONFIG, values=("email", "phone"))
CHAT = Feature("chat", FeatureType.METERED, credit=Credit("pool", 1))

ENTRIES: list[tuple[Feature, Any, EntryForm, Any]] = [
    (SSO, GONE, EntryForm("on"), True),
    (SSO, True, EntryForm("off"), False),
    (SSO, True, EntryForm(""), GONE),
    (SSO, True, EntryForm("on", ends="2027-01-01"), {"until": "2027-01-01"}),
    (
        SSO,
        {"rollout": {"percent": 5, "salt": "x"}},
        EntryForm("on", percent="10"),
        {"rollout": {"percent": 10, "salt": "x"}},
    ),
    (ROWS, 1000, EntryForm("on", value="5,000"), 5000),
    (ROWS, "1000", EntryForm("on", value="5000"), "5000"),
    (SUPPORT, "email", EntryForm("on", value="email, phone"), ["email", "phone"]),
    (
        SUPPORT,
        "email",
        EntryForm("on", value="phone", starts="2027-01-01"),
        {"value": "phone", "from": "2027-01-01"},
    ),
    (CALLS, GONE, EntryForm("on"), "unlimited"),
    (CHAT, True, EntryForm("on", ends="2027-01-01"), {"until": "2027-01-01"}),
    (
        CALLS,
        {"limit": 100, "per": "day", "timezone": "UTC"},
        EntryForm("on", (LimitForm("2,000", "month", soft=True),)),
        {"limit": 2000, "per": "month", "timezone": "UTC", "soft": True},
    ),
    (
        CALLS,
        {"limit": 1, "soft": True, "overage_limit": 2, "overage_price": {"amount": "1"}},
        EntryForm("on", (LimitForm("1", ""),)),
        {"limit": 1},
    ),
    (
        CALLS,
        {"limit": 5, "per": "day"},
        EntryForm("on", (LimitForm("5", "day"), LimitForm("", "month"))),
        {"limits": [{"limit": 5, "per": "day"}, {"unlimited": True, "per": "month"}]},
    ),
    (
        CALLS,
        {"limits": [{"limit": 5, "per": "day"}]},
        EntryForm("on", (LimitForm("6", "day", per_unit=True),)),
        {"limits": [{"limit": {"per_unit": 6}, "per": "day"}]},
    ),
]


@pytest.mark.parametrize(("feature", "written", "form", "expected"), ENTRIES)
def test_a_form_becomes_what_a_person_would_write(
    feature: Feature, written: Any, form: EntryForm, expected: Any
) -> None:
    assert write_form(form, feature, written) == expected
    if expected is not GONE:
        assert write_form(read_entry(expected, feature), feature, expected) == expected


def test_every_entry_of_the_example_comes_back_as_it_was() -> None:
    files = PlanFiles(read_sources(EXAMPLE))
    features = parse(read_sources(EXAMPLE)).definitions.features
    for plan_id in files.names("plans"):
        for feature_id, written in files.at(("plans", plan_id, "entitlements")).items():
            feature = features[feature_id]
            form = read_entry(written, feature)
            assert write_form(form, feature, written) == written
            touched = write_form(
                EntryForm(form.state, form.limits, form.value, form.percent, "2027-01-01", ""),
                feature,
                written,
            )
            assert touched["from"] == "2027-01-01"


@pytest.mark.parametrize(
    ("feature", "form", "problem"),
    [
        (
            CALLS,
            EntryForm("on", (LimitForm("many", "day"),)),
            "limit0: 'many' is not a whole number",
        ),
        (SSO, EntryForm("on", percent="-1"), "percent: '-1' is not a number"),
        (SUPPORT, EntryForm("on", value=""), "value: is missing"),
    ],
)
def test_a_form_with_a_wrong_field_is_refused(
    feature: Feature, form: EntryForm, problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        write_form(form, feature, GONE)


def test_each_change_goes_into_the_file_that_has_the_name() -> None:
    files = read_sources(EXAMPLE)
    changed = PlanFiles(files).changed(
        [
            Edit(("plans", "pro", "entitlements", "exports", "limit"), 60),
            Edit(("features", "reports"), {"type": "boolean", "name": "Reports"}),
            Edit(("plans", "free", "entitlements", "support"), GONE),
        ]
    )

    lines = [
        sorted(set(new.text.splitlines()) ^ set(old.text.splitlines()))
        for old, new in zip(files, changed, strict=True)
    ]
    assert lines == [
        ["  reports: {type: boolean, name: Reports}"],
        [
            "      exports: {limit: 50, per: week}",
            "      exports: {limit: 60, per: week}",
            "      support: community",
        ],
    ]
    assert parse(changed).definitions.features["reports"].name == "Reports"


WRONG = """version: 1
features:
  api-calls: {type: metered}
plans:
  pro:
    extends: fre
    entitlements:
      api-cals: unlimited
      api-calls:
        limits:
          - {limit: 100, per: minute}
          - {limit: -1, per: mounth}
  "a.b": {name: 5, entitlements: {}}
"""


def test_each_problem_has_the_line_that_it_is_about() -> None:
    files = [Source("pro.yaml", WRONG)]
    with pytest.raises(CatalogError) as refused:
        parse(files)

    found = placed(refused.value.problems, files)
    assert {(each.line, each.path) for each in found} == {
        (6, "plans.pro.extends"),
        (8, "plans.pro.entitlements.api-cals"),
        (12, "plans.pro.entitlements.api-calls.limits[1].per"),
        (12, "plans.pro.entitlements.api-calls.limits[1].limit"),
        (13, 'plans["a.b"].name'),
    }


def test_a_file_that_cannot_be_read_has_its_line_too() -> None:
    files = [Source("a.yaml", "version: 1\nplans: [\n")]
    with pytest.raises(CatalogError) as refused:
        parse(files)

    (found,) = placed(refused.value.problems, files)
    assert (found.file, found.line) == ("a.yaml", 3)
    assert placed(["version is missing"], files) == [Placed("", 0, "", "version is missing")]


ADDON_ENTRIES: list[tuple[Feature, Any, AddOnRow, Any]] = [
    (CALLS, GONE, AddOnRow("add", "1,000", "month"), {"add": 1000, "per": "month"}),
    (CALLS, {"add": 5, "per": "day"}, AddOnRow("add", "5", "day"), {"add": 5, "per": "day"}),
    (
        CALLS,
        {"add": 5, "per": "month", "anchor": "subscription"},
        AddOnRow("set", "7", "month"),
        {"set": 7, "per": "month", "anchor": "subscription"},
    ),
    (CALLS, {"add": {"per_unit": 5}}, AddOnRow("add", "6"), {"add": {"per_unit": 6}}),
    (CALLS, {"add": 5}, AddOnRow("unlimited"), "unlimited"),
    (CALLS, {"unlimited": True}, AddOnRow("unlimited"), {"unlimited": True}),
    (CALLS, {"add": 5}, AddOnRow(), GONE),
    (CHAT, GONE, AddOnRow("on"), True),
    (SSO, GONE, AddOnRow("on"), True),
    (ROWS, GONE, AddOnRow("value", value="100"), 100),
    (SUPPORT, "email", AddOnRow("value", value="email, phone"), ["email", "phone"]),
]


@pytest.mark.parametrize(("feature", "written", "row", "after"), ADDON_ENTRIES)
def test_an_addon_entry_is_written_as_its_form_has_it(
    feature: Feature, written: Any, row: AddOnRow, after: Any
) -> None:
    assert after == write_addon_entry(row, feature, written)
    if after is not GONE:
        assert after == write_addon_entry(read_addon_entry(after, feature), feature, after)


@pytest.mark.parametrize(
    ("feature", "row", "why"),
    [
        (CALLS, AddOnRow("add"), "number0: missing; how much is it?"),
        (CALLS, AddOnRow("add", "many"), "number0: 'many' is not a whole number"),
        (CALLS, AddOnRow("on"), "an add-on cannot give 'on' of 'api-calls'"),
        (SSO, AddOnRow("add", "5"), "an add-on cannot give 'add' of 'sso'"),
        (ROWS, AddOnRow("value"), "value0: is missing"),
    ],
)
def test_an_addon_entry_that_cannot_be_is_refused(
    feature: Feature, row: AddOnRow, why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why):
        write_addon_entry(row, feature, GONE)
