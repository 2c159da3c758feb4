"""Which files are read, what is refused of them, and the strictness of each format."""

from pathlib import Path

import pytest

from quotad.catalog import Source, parse, read_sources, told_apart
from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE
from quotad.errors import CatalogError

VALID = "version: 1\nfeatures:\n  api-calls: {type: metered}\n"


def problems_of(*sources: Source) -> tuple[str, ...]:
    with pytest.raises(CatalogError) as caught:
        parse(sources)
    return caught.value.problems


def read_problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(CatalogError) as caught:
        read_sources(path)
    return caught.value.problems


# Reading


def test_one_file_is_one_source(tmp_path: Path) -> None:
    file = tmp_path / "plans.yaml"
    file.write_text(VALID)

    assert [Source("plans.yaml", VALID)] == read_sources(file)


def test_files_of_the_same_name_are_distinguished_by_their_paths() -> None:
    plans, other, features = (Source(name, "") for name in ("plans.yaml", "b.yaml", "f.yaml"))

    parts = [("one", [plans, features]), ("two/plans.yaml", [plans]), ("three", [other])]

    assert ["one/plans.yaml", "f.yaml", "two/plans.yaml", "b.yaml"] == [
        source.name for source in told_apart(parts)
    ]


def test_what_came_from_a_url_keeps_its_name() -> None:
    url = "http://127.0.0.1/plans"
    parts = [(url, [Source(f"{url}#.yaml", "")])] * 2

    assert [f"{url}#.yaml"] * 2 == [source.name for source in told_apart(parts)]


def test_a_directory_is_its_catalog_files_by_name(tmp_path: Path) -> None:
    for name in ("b.toml", "a.yml", "d.JSON", "c.yaml"):
        (tmp_path / name).write_text(name)
    for name in (".c.yaml.swp", ".hidden.yaml", "a.yml~", "#b.toml#", "c.yaml.orig", "README.md"):
        (tmp_path / name).write_text("not a catalog")
    (tmp_path / "old.yaml").mkdir()
    (tmp_path / "old.yaml" / "deep.yaml").write_text("not read")

    assert ["a.yml", "b.toml", "c.yaml", "d.JSON"] == [
        source.name for source in read_sources(tmp_path)
    ]


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / f"..2025_{version}").mkdir()
        (tmp_path / f"..2025_{version}" / "plans.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("..2025_1")
    (tmp_path / "plans.yaml").symlink_to("..data/plans.yaml")

    assert [Source("plans.yaml", "1")] == read_sources(tmp_path)

    (tmp_path / "..swap").symlink_to("..2025_2")
    (tmp_path / "..swap").rename(tmp_path / "..data")

    assert [Source("plans.yaml", "2")] == read_sources(tmp_path)


def test_files_beside_a_data_folder_that_was_left_over_are_read_themselves(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "plans.yaml").write_text("old")
    (tmp_path / "..data" / "gone.yaml").write_text("old")
    (tmp_path / "plans.yaml").write_text("new")
    (tmp_path / "other.yaml").symlink_to("plans.yaml")

    assert [Source("other.yaml", "new"), Source("plans.yaml", "new")] == read_sources(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_bytes(b'\xef\xbb\xbf{"version": 1}')

    assert [Source("plans.json", '{"version": 1}')] == read_sources(tmp_path)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "plans.yaml"

    assert (f"{missing}: No such file or directory",) == read_problems(missing)


def test_a_directory_without_catalog_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")

    assert (f"{tmp_path}: no catalog files here (.yaml, .yml, .json, .toml)",) == (
        read_problems(tmp_path)
    )


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plans.txt"
    file.write_text(VALID)

    assert (f"{file}: a catalog file ends in .yaml, .yml, .json, .toml",) == read_problems(file)
    assert ("plans.txt: a catalog file ends in .yaml, .yml, .json, .toml",) == (
        problems_of(Source("plans.txt", VALID))
    )


def test_everything_that_cannot_be_read_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"version: 1\nname: caf\xe9\n")
    (tmp_path / "b.yaml").write_bytes(b"#" * (BYTES_MAX + 1))
    (tmp_path / "c.yaml").symlink_to("gone.yaml")
    (tmp_path / "d.yaml").write_bytes(b"#" * BYTES_MAX)

    assert (
        f"{tmp_path}/a.yaml: line 2: not UTF-8",
        f"{tmp_path}/b.yaml: the catalog is {TOO_LARGE}",
        f"{tmp_path}/c.yaml: No such file or directory",
    ) == read_problems(tmp_path)


def test_files_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    half = "#" * (BYTES_MAX // 2) + "\n"
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(half)

    assert (f"{tmp_path}/b.yaml: the catalog is {TOO_LARGE}",) == read_problems(tmp_path)
    assert (f"the catalog is {TOO_LARGE}",) == problems_of(
        Source("a.yaml", half), Source("b.yaml", half)
    )


def test_a_url_has_the_format_of_its_path() -> None:
    parse([Source("https://example.com/plans.yaml?token=a.b#c.d", VALID)])


# Several files


def test_a_name_defined_in_two_files_is_refused_with_both() -> None:
    text = "version: 1\ndefault_plan: free\nfeatures: {a: {type: boolean}}\nplans: {free: {}}\n"

    assert (
        "b.yaml: version: is already defined in a.yaml",
        "b.yaml: default_plan: is already defined in a.yaml",
        "b.yaml: features.a: is already defined in a.yaml",
        "b.yaml: plans.free: is already defined in a.yaml",
    ) == problems_of(Source("a.yaml", text), Source("b.yaml", text))


def test_a_version_missing_in_all_files_is_reported_once() -> None:
    files = [Source(f"{name}.yaml", "plans: {}") for name in "abcd"]
    files[1] = Source("b.yaml", "")

    assert (
        "a.yaml, b.yaml, c.yaml, ...: version is missing; write 'version: 1' in one file",
    ) == problems_of(*files)


def test_no_file_at_all_is_no_catalog() -> None:
    assert ("catalog: version is missing; write 'version: 1' in one file",) == problems_of()


def test_a_file_that_cannot_be_read_does_not_make_its_names_unknown() -> None:
    plans = "default_plan: fre\nplans: {pro: {extends: free, entitlements: {a: true}, x: 1}}"

    assert (
        "features.yaml: line 2, column 1: YAML syntax: while parsing a flow mapping,"
        " did not find expected ',' or '}'",
        "plans.yaml: plans.pro: unknown key 'x' (known: extends, groups, entitlements, archived,"
        " apply_to, billing, usage_on_change, prices, name, description, metadata)",
    ) == problems_of(Source("features.yaml", "{version: 1"), Source("plans.yaml", plans))


def test_a_badly_defined_feature_is_still_known() -> None:
    text = "version: 1\nfeatures: {a: {type: bolean}}\nplans: {free: {entitlements: {a: true}}}"

    assert ("a.yaml: features.a.type: unknown type 'bolean', did you mean 'boolean'?",) == (
        problems_of(Source("a.yaml", text))
    )


# Formats


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n"version" 1}', "line 2, column 11: JSON syntax: Expecting ':' delimiter"),
        ('{"version": NaN}', "JSON syntax: NaN is not a JSON number"),
        ('{"version": %s}' % ("9" * 5000), "JSON syntax: a number has too many digits"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "must hold a mapping of names, not a list"),
        ('{"version": 1, "version": 1}', "version: is defined twice"),
        (
            '{"version": 1, "features": {"a": {"type": "boolean", "type": "metered"}}}',
            "features.a.type: is defined twice",
        ),
        (
            '{"version": 1, "features": {"\\ud800": {"type": "boolean"}}}',
            'features["\\ud800"]: an id must be printable text',
        ),
        (
            '{"version": 1, "features": {"a": {"type": "boolean", "name": "\\ud800"}}}',
            "features.a.name: holds half of a surrogate pair, which is not text",
        ),
    ],
)
def test_json_is_read_strictly(text: str, problem: str) -> None:
    assert (f"a.json: {problem}",) == problems_of(Source("a.json", text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = \n", "TOML syntax: Invalid value (at line 1, column 11)"),
        ("version = 1\nversion = 1\n", "TOML syntax: Cannot overwrite a value (at line 2"),
        ("version = 1\na = " + "[" * 50_000, "is nested too deeply"),
        ("version = 1\na" + ".a" * 50_000 + " = 1", "line 2: TOML syntax: more than 200 dots"),
        ("version = " + "9" * 5000, "TOML syntax: a number has too many digits"),
        ("version = 0x" + "9" * 5000, "version: unknown version a huge number"),
        ("version = 2025-11-23", "version: must be the number 1, not a date or time"),
    ],
)
def test_toml_is_read_strictly(text: str, problem: str) -> None:
    (found,) = problems_of(Source("a.toml", text))

    assert found.startswith(f"a.toml: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 1\nfeatures: {a: \x01}", "YAML syntax: control characters are not allowed"),
        ("version: " + "9" * 5000, "line 1: a number has too many digits"),
        ("[" * 100_000, "line 1: is nested too deeply"),
        ("- " * 100_000, "line 1: is nested too deeply"),
        ("? " * 100_000, "line 1: is nested too deeply"),
    ],
)
def test_yaml_is_read_strictly(text: str, problem: str) -> None:
    assert (f"a.yaml: {problem}",) == problems_of(Source("a.yaml", text))


def test_a_flood_of_problems_is_counted_not_listed() -> None:
    listed = ", ".join(f"f{index}: true" for index in range(1500))
    text = f"version: 1\nplans: {{free: {{entitlements: {{{listed}}}}}}}"

    found = problems_of(Source("a.yaml", text))

    assert 1001 == len(found)
    assert "and 500 more problems" == found[-1]


@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1/plans#.yaml",
        "http://127.0.0.1/v1.2/plans?format=toml#.YAML",
        "http://127.0.0.1/plans.yaml?v=1.toml",
        "http://127.0.0.1/plans.yaml#top.json",
    ],
)
def test_the_format_of_a_url_is_in_its_path_or_else_behind_its_hash(name: str) -> None:
    text = "version: 1\nfeatures: {}\nplans: {free: {entitlements: {}}}"

    assert ["free"] == list(parse([Source(name, text)]).definitions.plans)
