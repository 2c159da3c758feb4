"""Two people edit the same plans: what does not clash comes together, the rest is shown."""

from quotad.catalog import Source
from quotad.catalog.editing.merging import Clash, merge

BASE = """version: 1
# What can be limited.
features:
  api-calls: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      api-calls: {limit: 100, per: day}   # generous
  pro:
    name: Pro
    entitlements:
      api-calls: {limit: 5000, per: day}
"""


def files(text: str) -> list[Source]:
    return [Source("catalog.yaml", text)]


def test_edits_of_different_lines_come_together_with_the_comments_of_both() -> None:
    mine = BASE.replace("100,", "200,").replace("generous", "more generous")
    theirs = BASE.replace("name: Pro", "name: Pro   # renamed soon")
    merged = merge(files(BASE), files(mine), files(theirs))

    assert not merged.clashes
    assert "200, per: day}   # more generous" in merged.files[0].text
    assert "name: Pro   # renamed soon" in merged.files[0].text


def test_edits_of_different_values_of_one_line_come_together() -> None:
    mine = BASE.replace("limit: 100,", "limit: 200,")
    theirs = BASE.replace("limit: 100, per: day", "limit: 100, per: week")
    merged = merge(files(BASE), files(mine), files(theirs))

    assert not merged.clashes
    assert "{limit: 200, per: week}   # generous" in merged.files[0].text


def test_what_both_have_changed_is_shown_and_chosen() -> None:
    mine = BASE.replace("limit: 100,", "limit: 200,").replace("name: Pro", "name: Professional")
    theirs = BASE.replace("limit: 100,", "limit: 300,")
    path = "plans.free.entitlements.api-calls.limit"
    merged = merge(files(BASE), files(mine), files(theirs))
    chosen = merge(files(BASE), files(mine), files(theirs), keep_mine=[path])

    clash = Clash(path, "100", "200", "300")
    assert merged.clashes == chosen.clashes == (clash,)
    assert "limit: 300" in merged.files[0].text
    assert "limit: 200" in chosen.files[0].text
    assert all("name: Professional" in each.files[0].text for each in (merged, chosen))


def test_the_same_edit_by_both_is_no_clash() -> None:
    mine = BASE.replace("limit: 100,", "limit: 200,")
    merged = merge(files(BASE), files(mine), files(mine))

    assert not merged.clashes
    assert merged.files[0].text == mine


def test_a_plan_that_they_removed_and_i_changed_is_a_clash() -> None:
    mine = BASE.replace("name: Pro", "name: Professional")
    theirs = BASE[: BASE.index("  pro:")]
    merged = merge(files(BASE), files(mine), files(theirs))

    assert [each.path for each in merged.clashes] == ["plans.pro"]
    assert "pro:" not in merged.files[0].text


def test_files_that_were_renamed_meanwhile_are_merged_by_value() -> None:
    mine = BASE.replace("limit: 100,", "limit: 200,")
    merged = merge(files(BASE), files(mine), [Source("other.yaml", BASE)])

    assert not merged.clashes
    assert merged.files == (Source("other.yaml", mine),)
