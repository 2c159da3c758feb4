"""The measurement of decisions in the caller's process, with a few of them."""

from loadtests.bench.leases import measure


def test_every_kind_of_caller_is_measured_and_counts_what_it_is_allowed() -> None:
    lines = measure(decisions=1_000, rounds=1)

    assert ["dictionary", "LeasedClient", "AsyncLeasedClient"] == [line.kind for line in lines]
    assert all(line.rate > 0 for line in lines)
