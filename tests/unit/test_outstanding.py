"""What is outstanding is counted until it has come back or ended, and not beyond a number."""

import pytest

from quotad.engine import outstanding
from quotad.engine.outstanding import Outstanding


def test_it_is_counted_until_it_has_come_back_or_ended() -> None:
    made = Outstanding()
    for number in range(3):
        made.note("acme", f"h{number}", 10_000)
    made.note("other", "h0", 20_000)
    assert 4 == made.count(9_000)

    made.drop("acme", "h0")
    made.drop("acme", "h0")
    made.drop("acme", "unknown")
    made.note("acme", "h1", 30_000)  # extended

    assert 3 == made.count(10_999)
    assert 2 == made.count(11_000)
    assert 1 == made.count(21_000)
    assert 0 == made.count(31_000)


def test_more_than_there_may_be_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outstanding, "OUTSTANDING_MAX", 2)
    made = Outstanding()
    for number in range(3):
        made.note("acme", f"h{number}", 10_000)
    made.note("acme", "h0", 20_000)

    assert 2 == made.count(0)
    assert 1 == made.count(15_000)
