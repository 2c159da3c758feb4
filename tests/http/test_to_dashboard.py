"""Browsers that open the HTTP port are sent to the dashboard, where there is one."""

import uuid

import pytest

from tests.http.serving import HttpRunning, http_running


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("quota.example:8080", "http://quota.example:8099/"),
        ("127.0.0.1", "http://127.0.0.1:8099/"),
        ("[::1]:8080", "http://[::1]:8099/"),
    ],
)
def test_the_root_leads_to_the_dashboard_of_the_same_host(
    store_url: str, host: str, location: str
) -> None:
    settings = {"dashboard": "127.0.0.1:8099"}
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}", **settings) as made:
        reply = made.get("/", host=host)

    assert (303, location) == (reply.status, reply.headers["location"])


def test_without_a_dashboard_there_is_nothing_at_the_root(served: HttpRunning) -> None:
    assert 404 == served.get("/").status
