"""The measurement of clusters, in a small run of one."""

from pathlib import Path

from loadtests.bench.clusters import ROWS, Measured, Row, chosen, compared, measure, picture, table

ONE, THREE = Row(0), Row(3)
HELD = (Row(1, held=0.05), Row(3, held=0.05))


def run(per_second: float, server_us: float, store_us: float, store_cores: float = 0.1) -> Measured:
    return Measured(per_second, server_us, store_us, 5.0, 0.5, store_cores)


def test_a_run_counts_what_is_answered() -> None:
    found = measure(Row(1, shards=4), 0.2, 1)

    assert found.per_second > 0
    assert found.store_us >= 0
    assert found.server_cores > 0


def test_the_table_shows_the_medians() -> None:
    runs = [run(1000.0 * number, 10.0, 2.0) for number in (1, 2, 9)]

    assert (
        "| cluster of 3, each held at 0.05 of a core | 32 | 1 | 2,000 | 10.0 | 2.0 | 5.0 | 0.50 |"
        " 0.10 |" == table({HELD[1]: runs}).splitlines()[-1]
    )


def test_rows_are_compared_round_by_round() -> None:
    found = {
        ONE: [run(1.0, 8.0, 2.0), run(1.0, 16.0, 4.0)],
        THREE: [run(1.0, 9.0, 3.0), run(1.0, 20.0, 10.0)],
    }

    assert [
        "cluster of 3, 32 shards, 1 worker: costs 1.35x of one server (median of 2 of 2 rounds;"
        " the best of each 1.20x)"
    ] == compared(found)


def test_held_nodes_are_compared_where_they_had_no_time_left() -> None:
    used_up = [run(250.0, 1.0, 1.0, 0.149), run(120.0, 1.0, 1.0, 0.06)]
    found = {HELD[0]: [run(100.0, 1.0, 1.0, 0.05)] * 2, HELD[1]: used_up}
    name = "cluster of 3, each held at 0.05 of a core"

    assert [
        f"{name}, 32 shards, 1 worker: does 2.50x of cluster of 1, each held at 0.05 of a core"
        " (median of 1 of 2 rounds; the best of each 2.50x)"
    ] == compared(found)
    idle = {HELD[0]: used_up[1:], HELD[1]: used_up[1:]}
    assert [f"{name}: its nodes had time left in every round, so they were not the limit"] == (
        compared(idle)
    )


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "clusters.png"

    picture({row: [run(1000.0, 10.0, 2.0)] for row in (ONE, THREE, *HELD)}, path)

    assert path.read_bytes().startswith(b"\x89PNG")
    picture({row: [run(1000.0, 10.0, 2.0)] for row in HELD}, path)  # of held ones alone


def test_rows_can_be_chosen() -> None:
    assert {*HELD} == set(chosen(ROWS, "held"))
    assert {0, 1, 3} == {row.nodes for row in chosen(ROWS, "alike")}
    assert list(ROWS) == chosen(ROWS, "all")
