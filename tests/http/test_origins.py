"""Pages of other origins: those that are allowed read answers, others write nothing."""

import uuid
from collections.abc import Iterator

import pytest

from tests.http.conftest import CATALOG
from tests.http.serving import HttpRunning, http_running

APP = "https://app.example"


@pytest.fixture(scope="module")
def open_to_app(store_url: str) -> Iterator[HttpRunning]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with http_running(store_url, prefix, cors_origins=(APP,)) as made:
        made.publish_and_wait(CATALOG)
        yield made


def wanted(customer: str) -> dict[str, str]:
    return {"customer_id": customer, "feature_id": "calls"}


def test_a_browser_that_asks_first_is_told_what_an_allowed_page_may(
    open_to_app: HttpRunning,
) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, idempotency-key, x-api-key",
    }
    for path in ("/v1/consume", "/graphql"):
        reply = open_to_app.send("OPTIONS", path, None, asked)

        assert 200 == reply.status
        assert APP == reply.headers["access-control-allow-origin"]
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert "idempotency-key" in reply.headers["access-control-allow-headers"].lower()


def test_an_allowed_page_reads_answers_refusals_and_rate_limits(
    open_to_app: HttpRunning, customer: str
) -> None:
    taken = open_to_app.send("POST", "/v1/consume", wanted(customer), {"Origin": APP})
    refused = open_to_app.send("POST", "/v1/consume", {}, {"Origin": APP})

    assert (200, 400) == (taken.status, refused.status)
    for reply in (taken, refused):
        assert APP == reply.headers["access-control-allow-origin"]
        assert "RateLimit" in reply.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example", ""])
def test_a_foreign_page_writes_nothing(
    open_to_app: HttpRunning, customer: str, origin: str
) -> None:
    # Without content type or headers of its own no browser asks first.
    reply = open_to_app.send("POST", "/v1/consume", wanted(customer), {"Origin": origin})

    assert (403, "ORIGIN_NOT_ALLOWED") == (reply.status, reply.body["reason"])
    assert "access-control-allow-origin" not in reply.headers
    assert {} == open_to_app.grpc.counters(customer)


def test_a_foreign_page_may_not_read_either(open_to_app: HttpRunning) -> None:
    reply = open_to_app.send("GET", "/v1/status", None, {"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in reply.headers


def test_a_page_of_the_server_itself_may_write(open_to_app: HttpRunning, customer: str) -> None:
    for scheme in ("http", "https"):  # a proxy before it may speak TLS
        origin = {"Origin": f"{scheme}://{open_to_app.address}"}
        assert 200 == open_to_app.send("POST", "/v1/consume", wanted(customer), origin).status


def test_any_origin_may_be_allowed(store_url: str, customer: str) -> None:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}", cors_origins=("*",)) as made:
        made.publish_and_wait(CATALOG)
        reply = made.send("POST", "/v1/consume", wanted(customer), {"Origin": "https://a.example"})

        assert (200, "*") == (reply.status, reply.headers["access-control-allow-origin"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example:8080", 403),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:8080", 200),
        ("quotad.localhost", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
    ],
)
def test_without_tokens_a_name_that_a_page_may_have_given_this_machine_is_refused(
    open_to_app: HttpRunning, customer: str, host: str, status: int
) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}

    written = open_to_app.send("POST", "/v1/consume", wanted(customer), headers)
    read = open_to_app.send("GET", f"/v1/customers/{customer}/entitlements", None, {"Host": host})
    asked = open_to_app.send("POST", "/graphql", {"query": "{ __typename }"}, headers)

    assert [status] * 2 == [written.status, read.status]
    assert (status == 403) is ("errors" in asked.body)
    if status == 403:
        assert ["HOST_NOT_ALLOWED"] * 2 == [each.body["reason"] for each in (written, read)]
