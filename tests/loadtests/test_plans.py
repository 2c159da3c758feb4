"""The measurement of views and catalogs, run once; how long it takes is no matter of tests."""

import pytest

from loadtests.bench.plans import Cost, measure


def test_views_and_catalogs_are_measured() -> None:
    costs = measure(1)

    assert [
        ("view: a subscription", "30 us"),
        ("view: a subscription, 3 add-ons, an override, a promotion", "30 us"),
        ("read: 50 plans x 200 features", ""),
        ("compile: 50 plans x 200 features", "200 ms"),
    ] == [(cost.what, cost.row[2]) for cost in costs]
    assert all(cost.seconds > 0 for cost in costs)


@pytest.mark.parametrize(("seconds_max", "too_long"), [(None, False), (0.5, False), (0.4, True)])
def test_only_what_takes_longer_than_it_may_fails(
    seconds_max: float | None, too_long: bool
) -> None:
    assert too_long is Cost("x", 0.45, "ms", seconds_max).too_long
