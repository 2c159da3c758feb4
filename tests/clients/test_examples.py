"""The examples in examples/ do what the pages of the documentation promise."""

from tests.docs.pages import all_blocks
from tests.processes import ROOT


def test_parts_of_examples_on_a_page_are_those_of_the_files() -> None:
    names = ("express/*.js", "react/src/*.tsx")
    files = [path.read_text() for name in names for path in (ROOT / "examples").glob(name)]

    found = all_blocks("js", "tsx")

    assert found
    assert [] == [b.place for b in found if not any(b.text in text for text in files)]
