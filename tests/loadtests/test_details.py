"""What it costs a front to hand over more than the request, measured."""

import pytest

from loadtests.bench import details, h2load


@pytest.mark.skipif(not h2load.is_installed(), reason="h2load is not installed")
def test_a_front_is_measured_with_and_without_details() -> None:
    costs = details.measure(["native"], calls=1000, rounds=1)

    assert [("native", case) for case in details.CASES] == list(costs)
