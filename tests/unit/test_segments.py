"""Ids are found again in paths, also those that browsers would take out of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.http.routing import Routes
from quotad.segments import read_segment, written_segment

ODD = (".", "..", "~.", "~..", "~~.", "~", "...", "a/b", "a%2Fb", "%2E%2E", "?x#y", "\U0001f47e")


@given(st.one_of(st.sampled_from(ODD), st.text("~.%/a", min_size=1), st.text(min_size=1)))
def test_a_text_is_read_as_it_was_written_and_is_no_dot_segment(text: str) -> None:
    routes: Routes[str] = Routes()
    routes.add("GET", "/v1/customers/{customer_id}/archive", "found")
    written = written_segment(text)

    found = routes.find("GET", f"/v1/customers/{written}/archive".encode())

    assert ("found", {"customer_id": text}) == found
    assert written not in (".", "..")
    assert "/" not in written


@pytest.mark.parametrize(
    ("text", "written"), [("..", "~.."), ("~.", "~~."), ("~a", "~a"), ("a/..", "a%2F..")]
)
def test_only_texts_of_dots_have_a_tilde(text: str, written: str) -> None:
    assert written == written_segment(text)
    assert text == read_segment(written.replace("%2F", "/"))
