"""Every metric of a server is in the table of the page, and every line of the table is one."""

from quotad.config import Config
from quotad.server.exposition import Exposition
from quotad.server.workers import Workers
from tests.docs.pages import table
from tests.docs.test_tables import words
from tests.processes import ROOT

PAGE = ROOT / "docs" / "metrics.md"


def test_the_metrics_are_those_of_a_server() -> None:
    rows = table(PAGE, "The metrics", "metric")

    assert {(each.name, each.kind) for each in Exposition(Workers(Config())).families()} == {
        (words(name)[0], kind) for name, kind, *_ in rows
    }
