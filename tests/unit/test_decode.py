"""What few requests carry, and what is refused of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.errors import InvalidRequest
from quotad.model import ConsumeRequest, Mode
from quotad.service import decode
from quotad.v1 import quota_pb2 as pb

IDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=9)
LONG_IDS = IDS | st.integers(120, 256).map(lambda size: "x" * size)


def message(**fields: Any) -> pb.CheckAndConsumeRequest:
    return pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls", **fields)


def read(payload: bytes) -> ConsumeRequest:
    """As the service does."""
    parsed = decode.parse(pb.CheckAndConsumeRequest, payload)
    return decode.consume_request(parsed, payload)


@given(
    LONG_IDS,
    LONG_IDS,
    st.none() | st.integers(-2, 300) | st.integers(-(10**15), 10**15),
    st.just("") | IDS,
    st.just("") | IDS,
    st.lists(IDS, max_size=3),
    st.booleans(),
)
def test_no_field_is_missed_whatever_the_others_are(
    customer: str,
    feature: str,
    quantity: int | None,
    key: str,
    resource: str,
    values: list[str],
    explain: bool,
) -> None:
    sent = pb.CheckAndConsumeRequest(
        customer_id=customer,
        feature_id=feature,
        quantity=quantity,
        idempotency_key=key,
        resource_id=resource,
        requested_values=values,
        explain=explain,
    )
    expected = ConsumeRequest(
        customer,
        feature,
        1 if quantity is None else quantity,
        Mode.NORMAL,
        key,
        every_limit=explain,
        resource_id=resource,
        requested_values=tuple(values),
        explain=explain,
    )

    assert expected == read(sent.SerializeToString())
    batch = pb.BatchCheckAndConsumeRequest(requests=[message(), sent])
    assert expected == decode.batch_requests(batch.SerializeToString())[1]


def test_fields_are_found_wherever_they_stand() -> None:
    """Nothing says that fields come in the order of their numbers, or only once."""
    explain = pb.CheckAndConsumeRequest(explain=True).SerializeToString()
    five = pb.CheckAndConsumeRequest(quantity=5).SerializeToString()
    plain = message().SerializeToString()

    answers = [read(explain + plain), read(five + plain), read(five + plain + five + explain)]

    assert [(1, True), (5, False), (5, True)] == [(a.quantity, a.explain) for a in answers]


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"resource_id": "a\nb"}, "resource_id: 'a\\nb' has characters that cannot be printed"),
        ({"resource_id": "x" * 257}, "resource_id: 257 bytes long; at most 256 are allowed"),
        ({"requested_values": ["a", ""]}, "requested_values[1]: missing; give 1 to 256 bytes"),
        (
            {"requested_values": ["a\0b"]},
            "requested_values[0]: 'a\\x00b' has characters that cannot be printed",
        ),
        ({"requested_values": ["a"] * 1001}, "requested_values: 1001 of them; at most 1000"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], refusal: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(message(**fields).SerializeToString())

    assert refusal == str(caught.value)
    batch = pb.BatchCheckAndConsumeRequest(requests=[message(), message(**fields)])
    with pytest.raises(InvalidRequest) as caught:
        decode.batch_requests(batch.SerializeToString())

    assert f"requests[1].{refusal}" == str(caught.value)
