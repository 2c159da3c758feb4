"""What few requests carry, and what is refused of it."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from quotad.decision import ConsumeRequest, Mode
from quotad.errors import InvalidRequest
from quotad.service import decode
from quotad.v1 import quota_pb2 as pb

IDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=9)
LONG_IDS = IDS | st.integers(120, 256).map(lambda size: "x" * size)


def message(**fields: Any) -> pb.CheckAndConsumeRequest:
    return pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls", **fields)


def read(payload: bytes) -> ConsumeRequest:
    """As the service does with what it does not know yet."""
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
    assert expected == decode.RequestDecoder().batch(batch.SerializeToString())[0][1]


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
        (
            {"occurred_at": Timestamp(seconds=5)},
            "occurred_at: is for MODE_ADJUST_ONLY; leave it out",
        ),
        (
            {"occurred_at": Timestamp(seconds=-5), "mode": pb.MODE_ADJUST_ONLY},
            "occurred_at: must be a moment from 1970-01-01 to 9999-12-31",
        ),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], refusal: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(message(**fields).SerializeToString())

    assert refusal == str(caught.value)
    batch = pb.BatchCheckAndConsumeRequest(requests=[message(), message(**fields)])
    good, refused = decode.RequestDecoder().batch(batch.SerializeToString())

    assert [read(message().SerializeToString())] == good
    assert {1: refusal} == {place: str(error) for place, error in refused.items()}


SENT = st.builds(
    pb.CheckAndConsumeRequest,
    customer_id=LONG_IDS | st.just(""),
    feature_id=IDS | st.just("a\nb"),
    quantity=st.none() | st.integers(-2, 300) | st.just(10**18),
    idempotency_key=st.just("") | IDS,
    resource_id=st.just("") | IDS,
    requested_values=st.lists(IDS, max_size=2),
    mode=st.integers(0, 4),
    occurred_at=st.none() | st.integers(0, 2**40).map(lambda s: Timestamp(seconds=s)),
)


def outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except InvalidRequest as error:
        return str(error)


@given(
    st.lists(SENT.map(lambda sent: sent.SerializeToString()) | st.binary(max_size=9), max_size=9)
)
def test_what_is_known_is_what_would_be_read(payloads: list[bytes]) -> None:
    requests = decode.RequestDecoder()

    for payload in payloads * 2:
        assert outcome(lambda: read(payload)) == outcome(lambda: requests.one(payload))  # noqa: B023


def assert_read_as_protobuf_does(requests: decode.RequestDecoder, written: bytes) -> None:
    batch = outcome(lambda: decode.parse(pb.BatchCheckAndConsumeRequest, written))
    if isinstance(batch, str):
        # As a whole, or a request that is no message in its own place.
        found = outcome(lambda: requests.batch(written))
        places = [found] if isinstance(found, str) else [str(e) for e in found[1].values()]
        assert any("is not a" in place for place in places)
        return
    good, refused = requests.batch(written)
    expected = [outcome(lambda one=one: read(one.SerializeToString())) for one in batch.requests]  # type: ignore[misc]
    found_all: list[object] = list(good)
    for place, problem in refused.items():
        found_all.insert(place, str(problem))
    assert expected == found_all


@given(st.lists(SENT, max_size=9), st.data())
def test_a_batch_is_read_as_protobuf_reads_it(sent: list[Any], data: st.DataObject) -> None:
    payload = bytearray(pb.BatchCheckAndConsumeRequest(requests=sent).SerializeToString())
    requests = decode.RequestDecoder()
    for changed in (False, True):
        if changed and payload:
            at = data.draw(st.integers(0, len(payload) - 1))
            payload[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        written = bytes(payload)
        for _ in range(2):
            assert_read_as_protobuf_does(requests, written)


@pytest.mark.parametrize("size", [1, 127, 128, 300, 17_000])
def test_a_batch_is_read_however_long_its_requests_are(size: int) -> None:
    sent = message(requested_values=["x" * min(size, 256)] * max(1, size // 256))
    written = pb.BatchCheckAndConsumeRequest(requests=[sent, message()]).SerializeToString()

    expected = [read(one.SerializeToString()) for one in (sent, message())]
    assert (expected, {}) == decode.RequestDecoder().batch(written)


def test_a_batch_of_too_many_is_refused() -> None:
    written = pb.BatchCheckAndConsumeRequest(requests=[message()] * 1001).SerializeToString()

    with pytest.raises(InvalidRequest, match=r"requests: 1001 of them; at most 1000"):
        decode.RequestDecoder().batch(written)


def test_requests_that_come_again_are_known_and_never_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "KNOWN_MAX", 10)
    requests = decode.RequestDecoder()
    plain = message().SerializeToString()

    assert requests.one(plain) is requests.one(bytes(bytearray(plain)))
    for quantity in range(2, 100):
        requests.one(message(quantity=quantity).SerializeToString())
        assert len(requests) <= 10


def test_requests_that_are_long_or_have_a_key_are_not_kept() -> None:
    requests = decode.RequestDecoder()
    requests.one(message(idempotency_key="k").SerializeToString())
    requests.one(message(resource_id="r" * 120).SerializeToString())

    assert 0 == len(requests)


def test_a_batch_that_is_cut_off_is_refused_also_where_a_field_ends() -> None:
    whole = pb.BatchCheckAndConsumeRequest(requests=[message(quantity=5)]).SerializeToString()
    cut = whole[:-2]
    assert read(cut[2:]).quantity == 1

    with pytest.raises(InvalidRequest, match="is not a BatchCheckAndConsumeRequest message"):
        decode.RequestDecoder().batch(cut)


@pytest.mark.parametrize("size", [1, 120])
def test_what_comes_alone_and_in_batches_is_known_in_both(size: int) -> None:
    requests = decode.RequestDecoder()
    sent = pb.CheckAndConsumeRequest(customer_id="x" * size, feature_id="f")
    written = pb.BatchCheckAndConsumeRequest(requests=[sent, sent]).SerializeToString()
    (first, second), _ = requests.batch(written)

    assert first is second is requests.one(sent.SerializeToString())


def test_values_are_found_also_behind_a_tag_of_more_bytes_than_it_needs() -> None:
    plain = message(mode=pb.MODE_NORMAL).SerializeToString()

    assert ("phone",) == read(plain + b"\xba\x00\x05phone").requested_values


def test_requests_for_values_are_not_kept() -> None:
    requests = decode.RequestDecoder()

    assert ("a",) == requests.one(
        message(requested_values=["a"]).SerializeToString()
    ).requested_values
    assert 0 == len(requests)


def test_only_so_many_features_are_kept_as_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_features", {})
    monkeypatch.setattr(decode, "FEATURES_MAX", 2)
    requests = decode.RequestDecoder()
    for customer in ("a", "b"):
        for feature in ("f1", "f2", "f3"):
            sent = pb.CheckAndConsumeRequest(customer_id=customer, feature_id=feature)
            requests.one(sent.SerializeToString())

    assert {"f1": "f1", "f2": "f2"} == vars(decode)["_features"]
