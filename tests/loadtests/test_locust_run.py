"""The run that is under way in a process."""

from loadtests.scenarios.run import PUBLISHED_MAX, Run
from quotad.store.publishing import HISTORY_MAX


def test_a_run_stops_publishing_while_the_catalog_before_it_is_still_kept() -> None:
    run = Run()
    run.start("lt-1")
    first, last = 41, 41 + PUBLISHED_MAX

    assert [False, False, True, False] == [
        run.published(version) for version in (first, last - 1, last, last + 1)
    ]
    assert not run.publishes
    assert last + 1 - (first - 1) < HISTORY_MAX

    run.start("lt-2")
    assert (True, False) == (run.publishes, run.published(last + 2))
