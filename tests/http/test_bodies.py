"""Bodies while they arrive: what all of them take together is bounded, and given back."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from quotad.errors import Busy, InvalidRequest
from quotad.http import bodies
from quotad.http.bodies import Gone, query_fields, read_body
from quotad.http.problems import HttpRefusal


class Sending:
    """A client that sends parts, and then waits, goes away, or has sent all."""

    def __init__(self, parts: Sequence[bytes], end: str) -> None:
        self._messages = self._told(parts, end)

    async def _told(self, parts: Sequence[bytes], end: str) -> AsyncIterator[dict[str, Any]]:
        for part in parts:
            yield {"type": "http.request", "body": part, "more_body": True}
        if end == "gone":
            yield {"type": "http.disconnect"}
        yield {"type": "http.request", "body": b"", "more_body": False}

    async def __call__(self) -> dict[str, Any]:
        return await anext(self._messages)


async def test_parts_are_joined_and_what_they_took_is_given_back() -> None:
    assert b"abc" == await read_body(Sending([b"a", b"b", b"c"], "whole"), 3)
    assert 0 == bodies._Arriving.size


async def test_a_client_that_goes_away_asks_for_nothing() -> None:
    for parts in ([], [b"a"], [b"a", b"b"]):
        with pytest.raises(Gone):
            await read_body(Sending(parts, "gone"), 100)
    assert 0 == bodies._Arriving.size


async def test_what_is_too_large_is_dropped_and_refused() -> None:
    with pytest.raises(HttpRefusal, match="larger than 3 bytes"):
        await read_body(Sending([b"ab", b"cd", b"ef"], "whole"), 3)
    assert 0 == bodies._Arriving.size


async def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "ARRIVING_MAX", 10)
    with pytest.raises(Busy):
        await read_body(Sending([b"x" * 6, b"y" * 6], "whole"), 100)
    assert b"x" * 10 == await read_body(Sending([b"x" * 5, b"x" * 5], "whole"), 100)
    assert 0 == bodies._Arriving.size


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"name=Zo%C3%AB&a=b+c", {"name": "Zoë", "a": "b c"}),
        ("name=Zoë".encode(), {"name": "Zoë"}),
        (b"empty=&%E2%82%AC=1", {"empty": "", "€": "1"}),
    ],
)
def test_a_query_may_have_any_text(query: bytes, wanted: dict[str, str]) -> None:
    assert wanted == query_fields(query)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (b"name=%FF", "query: is not UTF-8"),
        (b"name=\xff", "query: is not UTF-8"),
        (b"a=1&a=2", "a: is there twice"),
        (b"&".join(b"f%d=1" % n for n in range(101)), "query: more than 100 fields"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_with_why(query: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        query_fields(query)
