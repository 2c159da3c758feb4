"""The measurement of clients that send together what waits together, with a few callers."""

from loadtests.bench.coalescing import measure


def test_every_kind_of_client_is_measured_and_counts_what_it_is_allowed() -> None:
    lines = measure(callers=(3,), seconds=0.1, rounds=1)

    assert [("threads", False), ("threads", True), ("tasks", False), ("tasks", True)] == [
        (line.kind, line.coalesce) for line in lines
    ]
    assert all(line.calls_s > 0 for line in lines)
