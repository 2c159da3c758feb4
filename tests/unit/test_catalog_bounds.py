"""What is too large for a catalog is refused before it is worked out."""

import tomllib

import pytest

from quotad.catalog import Catalog, Source, fit, parse
from quotad.catalog.bounds import BYTES_MAX, VALUES_MAX
from quotad.errors import CatalogError

MANY_TABLES = "".join(f"[a{number}.{'b.' * 190}c]\n" for number in range(150))
MANY_NAMES = "".join(f"{'a.' * 40}b{number} = 1\n" for number in range(4000))


def problem_of(source: Source) -> str:
    with pytest.raises(CatalogError) as caught:
        parse([source])
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", "[" + "1," * (VALUES_MAX + 1), "a.json: more than 1,000,000 values"),
        ("a.json", '{"a":' * (VALUES_MAX + 1), "a.json: more than 1,000,000 values"),
        ("a.toml", "a=[" + "1," * (VALUES_MAX + 1), "a.toml: more than 1,000,000 values"),
        ("a.toml", "[a]\n" * (VALUES_MAX + 1), "a.toml: more than 1,000,000 values"),
        ("a.toml", MANY_TABLES, "a.toml: line 138: TOML syntax: too many dotted names"),
        ("a.toml", MANY_NAMES, "a.toml: line 3126: TOML syntax: too many dotted names"),
    ],
    ids=["json list", "json maps", "toml list", "toml tables", "toml deep tables", "toml names"],
)
def test_what_would_become_too_much_is_refused_before_it_is_parsed(
    name: str, text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(tomllib, "loads", refuse)
    monkeypatch.setattr("json.loads", refuse)

    assert why == problem_of(Source(name, text))


def test_the_limit_is_in_bytes_not_characters() -> None:
    text = "#" + "ü" * (BYTES_MAX // 2)

    assert problem_of(Source("a.yaml", text)).startswith("the catalog is larger than 16 MiB")


def test_a_large_catalog_of_many_values_is_fine() -> None:
    plans = ", ".join(f'"p{i}": {{"entitlements": {{"f": {{"limit": 5}}}}}}' for i in range(9000))
    text = f'{{"version": 1, "features": {{"f": {{"type": "metered"}}}}, "plans": {{{plans}}}}}'

    assert 9000 == len(parse([Source("a.json", text)]).definitions.plans)


def test_a_published_document_is_read_whatever_it_has_grown_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = parse(
        [Source("a.yaml", "version: 1\nfeatures: {f: {type: metered}}\nplans: {p: {}}\n")]
    )
    monkeypatch.setattr("quotad.catalog.bounds.VALUES_MAX", 3)
    monkeypatch.setattr("quotad.catalog.bounds.BYTES_MAX", 3)

    assert found == Catalog.from_document(found.document)


def test_entitlements_are_counted_before_inheritance_is_written_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was written out")

    monkeypatch.setattr(fit, "flatten", refuse)
    features = "".join(f"  f{i}: {{type: metered}}\n" for i in range(1001))
    own = "".join(f"      f{i}: {{limit: 5}}\n" for i in range(1001))
    heirs = "".join(f"  p{i}: {{extends: p0}}\n" for i in range(1, 1000))
    addon = "addons:\n  more: {entitlements: {f0: {add: 1}}}\n"
    text = f"version: 1\nfeatures:\n{features}plans:\n  p0:\n    entitlements:\n{own}{heirs}{addon}"

    assert problem_of(Source("a.yaml", text)) == (
        "a.yaml: plans: 1,001,000 entitlements with those inherited, at most 1,000,000 are allowed"
    )
