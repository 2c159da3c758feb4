"""`/authorize`: what gateways are answered, by headers and by their URL."""

import re

import pytest
import yaml

from quotad.errors import ConfigError
from quotad.http.authorize import header_names
from tests.http.serving import HttpRunning, Reply
from tests.processes import ROOT

# As Traefik and Caddy send them: the visitor's own headers are among them.
FORWARDED = {
    "X-Forwarded-Method": "POST",
    "X-Forwarded-Uri": "/upload",
    "Origin": "https://shop.example",
    "Cookie": "a=b",
}


def ask(served: HttpRunning, query: str = "", **headers: str) -> Reply:
    named = {f"X-{name.replace('_', '-')}": value for name, value in headers.items()}
    return served.send("GET", f"/authorize{query}", None, FORWARDED | named)


def test_a_request_with_room_passes_and_counts(served: HttpRunning, customer: str) -> None:
    reply = ask(served, customer_id=customer, feature_id="minute", quantity="2")

    assert (200, "WITHIN_LIMIT") == (reply.status, reply.headers["x-quotad-reason"])
    assert '"minute/minute";q=2;w=60' == reply.headers["ratelimit-policy"]
    assert [2] == list(served.grpc.counters(customer).values())


@pytest.mark.parametrize(
    ("query", "status"), [("", 429), ("?status=429", 429), ("?status=403", 403)]
)
def test_a_request_without_room_is_429_or_403_where_the_gateway_knows_no_other(
    served: HttpRunning, customer: str, query: str, status: int
) -> None:
    reply = ask(served, query, customer_id=customer, feature_id="minute", quantity="3")

    assert (status, "LIMIT_EXCEEDED") == (reply.status, reply.body["reason"])
    assert "application/problem+json" == reply.headers["content-type"]
    assert {} == served.grpc.counters(customer)
    full = ask(served, query, customer_id=customer, feature_id="minute", quantity="2")
    denied = ask(served, query, customer_id=customer, feature_id="minute")
    assert (200, status) == (full.status, denied.status)
    assert 0 < int(denied.headers["retry-after"]) <= 60
    assert denied.headers["ratelimit"].startswith('"minute/minute";r=0;t=')


def test_what_does_not_pass_with_time_is_403(served: HttpRunning, customer: str) -> None:
    for feature, reason in (("sso", "NOT_ENTITLED"), ("nothing", "FEATURE_NOT_FOUND")):
        reply = ask(served, customer_id=customer, feature_id=feature)

        assert (403, reason) == (reply.status, reply.body["reason"])
        assert "retry-after" not in reply.headers


def test_the_url_decides_before_headers_that_a_visitor_may_have_sent(
    served: HttpRunning, customer: str
) -> None:
    query = f"?feature_id=calls&quantity=1&customer_id={customer}"
    reply = ask(served, query, customer_id="somebody-else", feature_id="export", quantity="5")

    assert 200 == reply.status
    assert [1] == list(served.grpc.counters(customer).values())


@pytest.mark.parametrize(
    ("query", "headers", "status", "reason"),
    [
        ("", {"feature_id": "calls"}, 401, "NO_CUSTOMER"),
        ("", {"customer_id": "a"}, 400, "INVALID_REQUEST"),
        ("", {"customer_id": "a", "feature_id": "calls", "quantity": "x"}, 400, "INVALID_REQUEST"),
        ("?status=500", {"customer_id": "a", "feature_id": "calls"}, 400, "INVALID_REQUEST"),
        ("?feature=calls", {"customer_id": "a"}, 400, "INVALID_REQUEST"),
        ("?feature_id=a&feature_id=b", {"customer_id": "a"}, 400, "INVALID_REQUEST"),
        ("?feature_id=%ff", {"customer_id": "a"}, 400, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    served: HttpRunning, query: str, headers: dict[str, str], status: int, reason: str
) -> None:
    reply = ask(served, query, **headers)

    assert (status, reason) == (reply.status, reply.body["reason"])


def test_a_header_that_is_there_twice_names_nobody(served: HttpRunning) -> None:
    answer = served.raw(
        b"GET /authorize?feature_id=calls HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"X-Customer-Id: a\r\nX-Customer-Id: b\r\n\r\n"
    )

    assert b" 400 " in answer
    assert b"x-customer-id: is there twice" in answer


def test_the_names_of_headers_are_settings() -> None:
    assert {"customer_id": b"x-tenant", "idempotency_key": b"x-request-id"} == header_names(
        ["customer_id=X-Tenant", "idempotency_key=X-Request-Id"]
    )
    for wrong in ("customer_id", "customer=X-Tenant", "customer_id=", "status=X-Status"):
        with pytest.raises(ConfigError, match="authorize_headers: "):
            header_names([wrong])


# Of `ForwardAuth` in Traefik 3.7; it starts with no key that it does not know.
TRAEFIK = {
    "address",
    "tls",
    "trustForwardHeader",
    "authResponseHeaders",
    "authResponseHeadersRegex",
    "authRequestHeaders",
    "maxResponseBodySize",
    "addAuthCookiesToResponse",
    "headerField",
    "forwardBody",
    "maxBodySize",
    "preserveLocationHeader",
    "preserveRequestMethod",
    "authSigninURL",
}


def test_what_the_page_shows_for_traefik_has_keys_that_it_reads_and_a_url_that_is_ours(
    served: HttpRunning, customer: str
) -> None:
    page = (ROOT / "docs" / "http.md").read_text()
    (block,) = re.findall(r"```text\n(http:\n  middlewares:\n.*?)```", page, re.DOTALL)
    asked = yaml.safe_load(block)["http"]["middlewares"]["quota"]["forwardAuth"]

    assert set(asked) <= TRAEFIK
    query = "?" + asked["address"].partition("?")[2].replace("api-calls", "calls")
    (header,) = asked["authRequestHeaders"]
    reply = served.send("GET", f"/authorize{query}", None, FORWARDED | {header: customer})
    (told,) = asked["authResponseHeaders"]
    assert (200, "WITHIN_LIMIT") == (reply.status, reply.headers[told.lower()])
