"""The measurement of a worker among many provisioned customers, with a handful of them."""

from loadtests.bench.provisioned import measure


def test_every_customer_is_decided_for_and_a_cache_with_room_is_no_growth() -> None:
    made, grew = measure(60)

    assert ["store", "worker, half of them seen", "worker, all of them seen", "growth"] == [
        row.what for row in made
    ]
    assert made[2].how.startswith("RSS, 60 of them remembered")
    assert not grew
