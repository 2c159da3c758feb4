"""Links between the pages, and into the repository, lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PATHS, prose
from tests.processes import ROOT

LINK = re.compile(r"\[(?:[^\]]|`[^`]*`)*\]\(([^)\s]+)\)")

FILE = re.compile(r"`((?:quotad|tests|docs|lua|examples|protos|loadtests|scripts)/[\w./-]+)`")

pages = pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PATHS])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pages
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_a_file_that_is_named_exists(page: Path) -> None:
    assert [] == [name for name in FILE.findall(prose(page)) if not (ROOT / name).exists()]


def test_every_page_is_linked_from_the_readme() -> None:
    readme = prose(PATHS[0])

    assert [] == [page.name for page in PATHS[1:] if f"docs/{page.name})" not in readme]
