"""What a counter should have, by entries of the ledger in whatever order they are read."""

from itertools import permutations

from quotad.operations.tallies import CounterTally, Moved


def tally(*moved: tuple[int, Moved]) -> CounterTally:
    made = CounterTally(moved[0][0])
    for at_ms, each in moved:
        made.add(at_ms, each)
    made.settle()
    return made


def got(amount: int, came_to: int | None, shard: int = 0, sets: bool = False) -> Moved:
    return Moved(shard, amount, came_to, 0, sets)


def test_what_a_counter_had_before_its_first_entry_is_known_from_it() -> None:
    assert (40, 47) == (tally((1, got(3, 43)), (2, got(4, 47))).before, 47)
    assert 47 == tally((1, got(3, None)), (2, got(4, 47))).expected


def test_what_was_lost_in_between_is_still_expected() -> None:
    assert 10 == tally((1, got(5, 5)), (2, got(3, 3)), (3, got(2, 5))).expected


def test_entries_of_one_millisecond_in_several_streams_are_put_in_order() -> None:
    moment = [got(2, 7, 0), got(1, 8, 1), got(-5, 3, 2, sets=True), got(4, 7, 3)]
    for order in permutations(moment):
        together = [(2, each) for each in order]
        assert 8 == tally((1, got(5, 5)), *together, (3, got(1, 8))).expected
        assert 7 == tally(*together).expected


def test_a_window_that_opens_at_first_use_is_added_up_from_when_it_opened() -> None:
    hour = 3_600_000
    first, lost = Moved(0, 9, 9, 5 * hour, False), Moved(0, 2, 2, 6 * hour, False)
    later = Moved(0, 4, 4, 11 * hour, False)

    assert 11 == tally((0, first), (hour, lost)).expected  # it was open, and is gone
    assert 4 == tally((0, first), (6 * hour, later)).expected
    emptied = Moved(0, -9, 0, 5 * hour, False)
    assert 2 == tally((0, first), (1, emptied), (hour, lost)).expected
