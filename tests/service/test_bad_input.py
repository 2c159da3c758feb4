"""What never works gets a status, a reason word and the name of the field; never a traceback."""

from typing import Any

import grpc
import pytest

from quotad.decision import ID_BYTES_MAX
from quotad.model import QUANTITY_MAX
from quotad.service.quota import METHODS
from quotad.v1 import admin_pb2 as admin
from quotad.v1 import quota_pb2 as pb
from tests.raw import raw
from tests.running import CALL_S, Refusal, Running, refusal

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  ünï: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 1000000000000000}
      ünï: {limit: 5}
"""
ADMIN = "/quotad.v1.AdminService/"


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(CATALOG)
    return served


def send(quotad: Running, path: str, body: bytes) -> bytes:
    """Send bytes as they are."""
    call = quotad.channel.unary_unary(path)
    answer: bytes = call(body, timeout=CALL_S)
    return answer


def assert_names(failed: Refusal, field: str) -> None:
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST") == (failed.code, failed.reason)
    assert failed.message.startswith(f"{field}: "), failed
    assert "Traceback" not in failed.message
    assert "Error" not in failed.message


BAD_IDS = {
    "missing": "",
    "too long": "x" * (ID_BYTES_MAX + 1),
    "too long in bytes": "ü" * (ID_BYTES_MAX // 2 + 1),
    "line break": "a\nb",
    "control character": "a\x00b",
    "zero-width": "a\u200bb",
}


@pytest.mark.parametrize("bad", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize("field", ["customer_id", "feature_id", "idempotency_key"])
def test_bad_ids_are_refused_by_name(quotad: Running, field: str, bad: str) -> None:
    if field == "idempotency_key" and not bad:
        return  # no key is no error
    fields = {"customer_id": "acme", "feature_id": "calls", field: bad}

    assert_names(refusal(lambda: quotad.consume(**fields)), field)


@pytest.mark.parametrize("bad", BAD_IDS.values(), ids=BAD_IDS)
def test_bad_ids_are_refused_wherever_there_are_ids(quotad: Running, bad: str) -> None:
    quota, control = quotad.quota, quotad.admin
    one = pb.GetEntitlementRequest
    calls: list[tuple[str, Any, Any]] = [
        ("customer_id", quota.GetEntitlement, one(customer_id=bad, feature_id="calls")),
        ("feature_id", quota.GetEntitlement, one(customer_id="acme", feature_id=bad)),
        ("customer_id", quota.GetEntitlements, pb.GetEntitlementsRequest(customer_id=bad)),
        ("customer_id", quota.Refund, pb.RefundRequest(customer_id=bad, feature_id="calls")),
        ("feature_id", quota.Refund, pb.RefundRequest(customer_id="acme", feature_id=bad)),
        (
            "customer_id",
            control.ProvisionCustomer,
            admin.ProvisionCustomerRequest(customer_id=bad, plan_id="free"),
        ),
        (
            "plan_id",
            control.ProvisionCustomer,
            admin.ProvisionCustomerRequest(customer_id="acme", plan_id=bad),
        ),
        ("customer_id", control.GetCustomer, admin.GetCustomerRequest(customer_id=bad)),
        ("customer_id", control.ArchiveCustomer, admin.ArchiveCustomerRequest(customer_id=bad)),
    ]
    for field, method, request in calls:
        assert_names(refusal(lambda m=method, r=request: m(r, timeout=CALL_S)), field)  # type: ignore[misc]


GOOD_IDS = ["x" * ID_BYTES_MAX, "ü" * (ID_BYTES_MAX // 2), "a b", "a:b{c}%d", "*?[x]", "日本"]


@pytest.mark.parametrize("good", GOOD_IDS)
def test_printable_ids_up_to_the_longest_work(quotad: Running, customer: str, good: str) -> None:
    name = good if len(good) > 60 else good + customer

    answers = [quotad.consume(name, "calls", idempotency_key=good) for _ in range(2)]

    assert [True, True] == [a.allowed for a in answers]
    assert [False, True] == [a.replayed for a in answers]


@pytest.mark.parametrize(
    "quantity", [QUANTITY_MAX + 1, -QUANTITY_MAX - 1, 2**63 - 1, -(2**63), 2**53]
)
def test_quantities_out_of_range_are_refused(quotad: Running, quantity: int) -> None:
    failed = refusal(lambda: quotad.consume("acme", "calls", quantity=quantity))

    assert_names(failed, "quantity")
    assert str(quantity) in failed.message


def test_the_largest_quantity_is_counted_exactly(quotad: Running, customer: str) -> None:
    answer = quotad.consume(customer, "calls", quantity=QUANTITY_MAX)

    assert (True, QUANTITY_MAX, 0) == (answer.allowed, answer.used, answer.remaining)


@pytest.mark.parametrize("mode", [5, 99, 100, -1])
def test_unknown_modes_are_refused(quotad: Running, mode: int) -> None:
    assert_names(refusal(lambda: quotad.consume("acme", "calls", mode=mode)), "mode")


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(0, 0), (-1, 0), (0, 999_999), (0, -1), (-(2**63), 0)]
)
def test_a_time_to_live_below_a_millisecond_is_refused(
    quotad: Running, seconds: int, nanos: int
) -> None:
    request = pb.CheckAndConsumeRequest(customer_id="a", feature_id="calls", idempotency_key="k")
    request.idempotency_ttl.seconds, request.idempotency_ttl.nanos = seconds, nanos

    failed = refusal(lambda: quotad.quota.CheckAndConsume(request, timeout=CALL_S))

    assert_names(failed, "idempotency_ttl")


def test_an_endless_time_to_live_is_cut_to_the_servers(quotad: Running, customer: str) -> None:
    request = pb.CheckAndConsumeRequest(
        customer_id=customer, feature_id="calls", idempotency_key="k"
    )
    request.idempotency_ttl.seconds = 2**63 - 1
    quotad.quota.CheckAndConsume(request, timeout=CALL_S)

    left_ms = raw(quotad.store).pttl(quotad.keys.customer(customer).decision + "k")
    assert 0 < left_ms <= quotad.config.idempotency_ttl_ms


BAD_BODIES = {
    "not protobuf": b"\xff\xff\xff\xff",
    "cut off": b"\x0a\x10acme",
    "not UTF-8": b"\x0a\x02\xff\xfe\x12\x05calls",
    "JSON": b'{"customer_id": "acme"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
@pytest.mark.parametrize("path", METHODS)
def test_a_body_that_is_not_the_message_is_refused(quotad: Running, path: str, body: bytes) -> None:
    failed = refusal(lambda: send(quotad, path, body))

    assert_names(failed, "request")
    assert f"the body is not a {path.rpartition('/')[2]}Request message" in failed.message


@pytest.mark.parametrize("path", [ADMIN + "GetCustomer", "/grpc.health.v1.Health/Check"])
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_not_an_admin_message_is_refused(
    quotad: Running, path: str, body: bytes
) -> None:
    failed = refusal(lambda: send(quotad, path, body))

    assert_names(failed, "request")
    assert f"the body is not a message that {path} takes" in failed.message


@pytest.mark.parametrize("path", METHODS)
def test_an_empty_body_misses_its_first_field(quotad: Running, path: str) -> None:
    if path.endswith("BatchCheckAndConsume"):
        assert b"" == send(quotad, path, b"")  # no requests, no answers
        return
    assert_names(refusal(lambda: send(quotad, path, b"")), "customer_id")


def test_fields_of_a_newer_api_are_ignored(quotad: Running, customer: str) -> None:
    request = pb.CheckAndConsumeRequest(customer_id=customer, feature_id="calls")
    body = request.SerializeToString() + b"\xfa\x3f\x03new"  # field 1023

    answer = pb.CheckAndConsumeResponse.FromString(send(quotad, METHODS[0], body))

    assert answer.allowed


def test_a_method_that_does_not_exist_is_unimplemented(quotad: Running) -> None:
    for path in ("/quotad.v1.QuotaService/NoSuch", "/quotad.v1.NoSuch/CheckAndConsume"):
        assert grpc.StatusCode.UNIMPLEMENTED == refusal(lambda p=path: send(quotad, p, b"")).code  # type: ignore[misc]


def test_a_message_above_four_mebibytes_is_refused(quotad: Running, customer: str) -> None:
    request = pb.CheckAndConsumeRequest(
        customer_id=customer, feature_id="calls", idempotency_key="k" * (5 << 20)
    )

    failed = refusal(lambda: quotad.quota.CheckAndConsume(request, timeout=CALL_S))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == failed.code
    assert quotad.consume(customer, "calls").allowed


def test_a_message_below_four_mebibytes_is_looked_at(quotad: Running, customer: str) -> None:
    failed = refusal(
        lambda: quotad.consume(customer, "calls", idempotency_key="k" * ((4 << 20) - 1000))
    )

    assert_names(failed, "idempotency_key")


def test_an_error_text_may_hold_any_letter(quotad: Running, customer: str) -> None:
    failed = refusal(lambda: quotad.consume(customer, "ünï", quantity=-1))

    assert_names(failed, "quantity")
    assert "'ünï' is not a gauge" in failed.message


def test_the_reason_word_distinguishes_a_mismatch_from_other_bad_requests(
    quotad: Running, customer: str
) -> None:
    quotad.consume(customer, "calls", quantity=1, idempotency_key="kéy")

    failed = refusal(lambda: quotad.consume(customer, "calls", quantity=2, idempotency_key="kéy"))

    assert ("INVALID_ARGUMENT", "IDEMPOTENCY_MISMATCH") == (failed.code.name, failed.reason)
    assert failed.message.startswith("idempotency_key: 'kéy' was used before")
