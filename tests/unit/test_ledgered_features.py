"""`ledger` of a feature: what the catalog writes of it, and what holds where it writes nothing."""

import pytest

from quotad.catalog import Catalog, Source, compile_snapshot, parse
from quotad.config import Config
from quotad.errors import CatalogError
from quotad.ledger import NOTING_WORDS, Noting


def catalog(feature: str) -> Catalog:
    return parse(
        [Source("plans.yaml", f"version: 1\nfeatures: {{a: {feature}}}\nplans: {{p: {{}}}}")]
    )


@pytest.mark.parametrize(
    ("written", "noting", "text"),
    [
        ("true", Noting.TAKEN, "true"),
        ("false", Noting.NOTHING, "false"),
        ("all", Noting.ALL, '"all"'),
        ("{denials: 0.1}", Noting.TENTH, '{"denials":0.1}'),
        ("{denials: 0.001}", Noting.THOUSANDTH, '{"denials":0.001}'),
    ],
)
def test_a_feature_says_what_of_it_is_noted_and_the_document_keeps_it(
    written: str, noting: Noting, text: str
) -> None:
    made = catalog(f"{{type: metered, ledger: {written}}}")

    assert f'"ledger":{text}'.encode() in made.document
    again = compile_snapshot(Catalog.from_document(made.document), 1)
    assert noting is again.noting("a")
    assert Noting.NOTHING is again.noting("unknown")


def test_a_feature_that_says_nothing_has_no_word_in_the_document() -> None:
    assert b"ledger" not in catalog("{type: metered}").document


@pytest.mark.parametrize("written", ["'true'", "denials", "1", "[all]"])
def test_another_word_is_refused_with_those_that_there_are(written: str) -> None:
    with pytest.raises(CatalogError, match=r"a\.ledger: must be true, false, all or \{denials"):
        catalog(f"{{type: boolean, ledger: {written}}}")


def test_the_setting_has_a_word_for_everything_that_can_be_noted() -> None:
    assert {each for each in Noting if not each.level} == set(NOTING_WORDS.values())
    assert Noting.NOTHING is NOTING_WORDS[Config().ledger]
    assert ["false", "true", "all"] == [noting.word for noting in Noting if not noting.level]


@pytest.mark.parametrize("written", ["[80, 100]", "[]", "[1]", "[1000]"])
def test_thresholds_are_kept_in_the_document_and_noted(written: str) -> None:
    made = catalog(f"{{type: metered, thresholds: {written}}}")

    assert f'"thresholds":{written.replace(" ", "")}'.encode() in made.document
    again = compile_snapshot(Catalog.from_document(made.document), 1)
    assert (Noting.NOTHING if written == "[]" else Noting.TAKEN) is again.noting("a")


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        ("thresholds: 80", "thresholds: must be a list of percentages such as"),
        ("thresholds: ['80']", "thresholds: must be a list of percentages such as"),
        ("thresholds: [true]", "thresholds: must be a list of percentages such as"),
        ("thresholds: [0]", "thresholds: must be from 1 to 1000 percent"),
        ("thresholds: [100, 80]", "thresholds: must rise from one to the next"),
        ("thresholds: [80, 80]", "thresholds: must rise from one to the next"),
        ("thresholds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]", "thresholds: has 11 percentages"),
        ("ledger: false, thresholds: [80]", "ledger: must not be false: what reaches thresholds"),
    ],
)
def test_thresholds_that_cannot_be_are_refused(feature: str, problem: str) -> None:
    with pytest.raises(CatalogError, match=problem):
        catalog(f"{{type: metered, {feature}}}")


@pytest.mark.parametrize("share", ["0.5", "1", "0", "true", "'0.1'", ".nan"])
def test_a_share_of_denials_is_one_of_those_that_can_be_noted(share: str) -> None:
    with pytest.raises(CatalogError, match=r"ledger\.denials: must be one of 0\.1, 0\.01, 0\.001"):
        catalog(f"{{type: metered, ledger: {{denials: {share}}}}}")


def test_shares_are_of_powers_of_ten() -> None:
    assert [0.0, 0.0, 1.0, 0.1, 0.01, 0.001] == [noting.denials for noting in Noting]
    assert [0, 0, 0, 1, 2, 3] == [noting.level for noting in Noting]
