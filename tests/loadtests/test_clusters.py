"""The measurement of clusters, in a small run of one."""

from loadtests.bench.clusters import Measured, Row, measure, table


def test_a_run_counts_what_is_answered() -> None:
    found = measure(Row(1, shards=4), 0.2, 1)

    assert found.per_second > 0
    assert found.store_us >= 0


def test_the_table_shows_the_medians() -> None:
    runs = [Measured(1000.0 * number, 10.0, 2.0, 5.0) for number in (1, 2, 9)]

    assert (
        "| cluster of 3, each held at 0.05 of a core | 32 | 1 | 2,000 | 10.0 | 2.0 | 5.0 |"
        == table({Row(3, held=True): runs}).splitlines()[-1]
    )
