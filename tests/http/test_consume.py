"""`/v1/consume` on the real store: decisions as JSON, refusals by name, bounds."""

import pytest

from tests.http.serving import HttpRunning

ODD = ["a/b", "x%2Fy", "ü ñ", "a?b=c&d", "#", '"quoted"', "\N{GRINNING FACE}", "{}", "..", "a:b"]


def consume(served: HttpRunning, customer: str, **fields: object) -> dict[str, object]:
    reply = served.post("/v1/consume", {"customer_id": customer, "feature_id": "calls"} | fields)
    assert 200 == reply.status, reply.body
    body: dict[str, object] = reply.body
    return body


def test_a_consume_is_decided_and_counted(served: HttpRunning, customer: str) -> None:
    answer = consume(served, customer, quantity=2)

    assert {
        "allowed": True,
        "reason": "WITHIN_LIMIT",
        "granted": 2,
        "limit": 5,
        "unlimited": False,
        "soft_limit": False,
        "used": 2,
        "remaining": 3,
        "overage": 0,
        "resets_at": "2100-01-01T00:00:00Z",
        "retry_after_ms": None,
        "replayed": False,
        "is_fallback": False,
        "catalog_version": 1,
        "limits": [
            {
                "limit": 5,
                "soft_limit": False,
                "used": 2,
                "remaining": 3,
                "overage": 0,
                "per": "100 years",
                "resets_at": "2100-01-01T00:00:00Z",
            }
        ],
    } == answer
    assert 2 == sum(served.grpc.counters(customer).values())


def test_a_denial_is_an_answer_and_counts_nothing(served: HttpRunning, customer: str) -> None:
    answer = consume(served, customer, quantity=6)

    assert (False, "LIMIT_EXCEEDED", 0, 0) == tuple(
        answer[name] for name in ("allowed", "reason", "granted", "used")
    )
    assert {} == served.grpc.counters(customer)


@pytest.mark.parametrize(
    "headers", [{}, {"Idempotency_Key": '"k1"'}, {"Idempotency_Key": "k1"}], ids=str
)
def test_a_key_takes_once(served: HttpRunning, customer: str, headers: dict[str, str]) -> None:
    wanted = {"customer_id": customer, "feature_id": "calls"}
    if not headers:
        wanted["idempotency_key"] = "k1"

    first = served.post("/v1/consume", wanted, **headers)
    again = served.post("/v1/consume", wanted, **headers)
    other = served.post("/v1/consume", {**wanted, "quantity": 3}, **headers)

    assert (False, True) == (first.body["replayed"], again.body["replayed"])
    assert (400, "IDEMPOTENCY_MISMATCH") == (other.status, other.body["reason"])
    assert 1 == again.body["used"]


@pytest.mark.parametrize("odd", ODD)
def test_ids_may_hold_every_printable_character(
    served: HttpRunning, customer: str, odd: str
) -> None:
    assert consume(served, customer + odd)["used"] == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "body: input data was truncated"),
        (b"{", "body: input data was truncated"),
        (b"[]", "body: expected object, got array"),
        (b"null", "body: expected object, got null"),
        (b"\xff", "body: JSON is malformed: invalid character (byte 0)"),
        (b'{"customer_id": "\xff"}', "body: is not UTF-8"),
        (
            b'{"customer_id": "\\ud800", "feature_id": "calls"}',
            "body: JSON is malformed: unexpected end of escaped utf-16 surrogate pair (byte 23)",
        ),
        (b'{"feature_id": "calls"}', "customer_id: missing"),
        (
            b'{"customer_id": "", "feature_id": "calls"}',
            "customer_id: missing; give 1 to 256 bytes",
        ),
        (
            b'{"customer": "a", "feature_id": "calls"}',
            "customer: there is no such field, did you mean customer_id?",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "quantity": "1"}',
            "quantity: expected int, got str",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "quantity": 1' + b"0" * 400 + b"}",
            "quantity: expected int <= 1000000000000000",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "quantity": 1000000000000001}',
            "quantity: expected int <= 1000000000000000",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "mode": "SOMEHOW"}',
            "mode: invalid enum value 'SOMEHOW'",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "requested_values": ["a", 1]}',
            "requested_values[1]: expected str, got int",
        ),
        (
            b'{"customer_id": "a", "feature_id": "calls", "occurred_at": "2026-01-01T00:00:00Z"}',
            "occurred_at: is for the mode ADJUST_ONLY; leave it out",
        ),
        (b'{"customer_id":' + b"[" * 100_000, "customer_id: expected str, got array"),
    ],
)
def test_a_malformed_request_is_refused_by_the_name_of_the_field(
    served: HttpRunning, body: bytes, detail: str
) -> None:
    reply = served.post("/v1/consume", body)

    assert (400, "INVALID_REQUEST", detail) == (
        reply.status,
        reply.body["reason"],
        reply.body["detail"],
    )
    assert "application/problem+json" == reply.headers["content-type"]


def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(
    served: HttpRunning, customer: str
) -> None:
    reply = served.post("/v1/consume", b" " * (10 * 1024 * 1024))

    assert (413, "TOO_LARGE") == (reply.status, reply.body["reason"])
    assert 1 == consume(served, customer)["used"]


def test_headers_that_are_too_large_end_the_connection(served: HttpRunning, customer: str) -> None:
    head = b"POST /v1/consume HTTP/1.1\r\nX-A: "

    answer = served.raw(head + b"a" * 20_000)

    assert answer.startswith(b"HTTP/1.1 400 ") or not answer
    assert 1 == consume(served, customer)["used"]


def test_a_head_is_answered_as_a_get_without_its_body(served: HttpRunning) -> None:
    status, head = served.get("/v1/status"), served.send("HEAD", "/docs")

    assert (200, 200, "") == (status.status, head.status, head.body)
    assert int(head.headers["content-length"]) > 1000


def test_a_path_that_is_not_there_and_a_method_that_is_not_one_of_its(served: HttpRunning) -> None:
    missing, other = served.get("/v1/consumed"), served.get("/v1/consume")

    assert (404, "NO_SUCH_PATH") == (missing.status, missing.body["reason"])
    assert (405, "METHOD_NOT_ALLOWED", "POST") == (
        other.status,
        other.body["reason"],
        other.headers["allow"],
    )
