"""The small helpers of the base: the marks of a limit, the pause before a repetition, the cache."""

import random

import pytest

from quotad.backoff import pause_s
from quotad.marks import is_near, mark
from quotad.model import USED_MAX
from quotad.nearest import did_you_mean
from quotad.recent import Recent
from tests.unit.test_layers import FILES


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        (10, 0, 0),
        (10, 7, 0),
        (10, 8, 80),
        (10, 9, 80),
        (10, 10, 100),
        (10, 25, 100),
        (3, 2, 0),
        (1, 0, 0),
        (1, 1, 100),
        (0, 0, 100),
        (USED_MAX, USED_MAX - 1, 80),
        (None, 5, 0),
    ],
)
def test_marks_are_at_80_and_100_percent_of_a_limit(
    limit: int | None, used: int, expected: int
) -> None:
    assert expected == mark(limit, used)
    # A limit of 0 is used up from the start, and nobody comes near it.
    assert (expected >= 80 and limit != 0) == is_near(limit, max(0, (limit or 0) - used))


def test_a_pause_doubles_up_to_its_bound() -> None:
    assert [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == [pause_s(n, 0.1, 1.0) for n in range(6)]
    assert 1.0 == pause_s(100_000, 0.1, 1.0)


@pytest.mark.parametrize("failures", [0, 3, 50])
def test_half_of_a_pause_is_random_for_a_caller_that_draws(failures: int) -> None:
    whole = pause_s(failures, 0.1, 2.0)

    assert [whole / 2, whole * 0.75] == [pause_s(failures, 0.1, 2.0, n) for n in (0.0, 0.5)]


def test_without_a_name_that_is_near_something_else_is_suggested() -> None:
    assert "did you mean 'seats'?" == did_you_mean("seat", ["seats"], "these exist: seats")
    assert "these exist: seats" == did_you_mean("zebra", ["seats"], "these exist: seats")


@pytest.mark.parametrize("size", [1, 2, 3, 10, 101])
def test_a_cache_never_holds_more_than_it_may(size: int) -> None:
    cache: Recent[int, str] = Recent(size)
    rng = random.Random(size)

    for _ in range(1000):
        key = rng.randrange(3 * size)
        found = cache.get(key)
        assert found in {None, str(key)}
        if found is None:
            cache.put(key, str(key))
        assert len(cache) <= max(size, 2)


def test_what_is_used_stays_in_a_cache_and_what_is_not_goes() -> None:
    cache: Recent[str, int] = Recent(10)
    cache.put("often", 1)
    cache.put("once", 2)

    for number in range(100):
        cache.put(str(number), number)
        assert 1 == cache.get("often")

    assert cache.get("once") is None


def test_what_is_dropped_is_not_found_in_either_generation() -> None:
    cache: Recent[str, int] = Recent(4)
    for name in ("a", "b", "c"):
        cache.put(name, 1)

    for name in ("a", "c", "never there"):
        cache.drop(name)

    assert [None, 1, None] == [cache.get(name) for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("spelling", "owner"),
    [
        ("* 2.0 ** min(", "backoff.py"),
        ("(100 - NEAR_PERCENT)", "marks.py"),
        (".young, {}", "recent.py"),
    ],
)
def test_only_one_module_of_the_base_spells_a_rule(spelling: str, owner: str) -> None:
    assert [owner] == [path.name for path in FILES if spelling in path.read_text()]
