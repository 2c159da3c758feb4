"""What a mistyped word probably means."""

import pytest

from quotad.nearest import WORD_MAX, nearest
from tests.unit.test_layers import FILES


@pytest.mark.parametrize(
    ("word", "name"),
    [("api-cals", "api-calls"), ("API-Calls", "api-calls"), ("seats", "Seats"), ("zebra", None)],
)
def test_the_nearest_name_is_found_whatever_its_case(word: str, name: str | None) -> None:
    assert name == nearest(word, ["Seats", "api-calls"])


def test_a_word_that_is_too_long_to_be_mistyped_is_not_compared() -> None:
    word = "a" * (WORD_MAX + 1)

    assert nearest(word, [word]) is None
    assert nearest(word[1:], [word]) == word


def test_only_this_module_compares_words() -> None:
    users = [path.name for path in FILES if "get_close_matches" in path.read_text()]

    assert ["nearest.py"] == users
