"""Requests about several features are read the same, whatever was read before."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeAllRequest
from quotad.errors import InvalidRequest
from quotad.service import decode_all
from quotad.v1 import quota_pb2 as pb

ITEMS = [
    pb.ConsumeItem(feature_id="requests"),
    pb.ConsumeItem(feature_id="tokens", quantity=1200),
]


def message(**fields: object) -> pb.CheckAndConsumeAllRequest:
    return pb.CheckAndConsumeAllRequest(**{"items": ITEMS, **fields})  # type: ignore[arg-type]


AFTER_THE_CUSTOMER = {
    "plain": message(),
    "checked only": message(mode=pb.MODE_CHECK_ONLY),
    "with a key": message(idempotency_key="k"),
    "explained": message(explain=True),
    "of a resource": message(items=[pb.ConsumeItem(feature_id="a", resource_id="r")]),
    "with values": message(items=[pb.ConsumeItem(feature_id="a", requested_values=["v"])]),
    "given back": message(items=[pb.ConsumeItem(feature_id="a", quantity=-1)]),
    "nothing of all": message(items=[pb.ConsumeItem(feature_id="a", quantity=0)]),
    "nothing of one": message(items=[*ITEMS, pb.ConsumeItem(feature_id="a", quantity=0)]),
    "of another customer": message(customer_id="other"),
    "without items": message(items=[]),
    "of an unknown mode": message(mode=pb.MODE_BEST_EFFORT),
}
CUSTOMERS = [b"a", b"b", b"\xc3\xa9", b"c" * 127, b"", b"\xff", b"\n", b"d" * 128]


def start(customer: bytes) -> bytes:
    """The field customer_id; its size in two bytes from 128 on."""
    size = len(customer)
    return (
        b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + customer
    )


def read(payload: bytes) -> ConsumeAllRequest | str:
    try:
        return decode_all.read_all(payload)
    except InvalidRequest as error:
        return str(error)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    yield
    forget()


def forget() -> None:
    for known in (decode_all._known, decode_all._of_others):
        known.young.clear()
        known.old.clear()


@pytest.mark.parametrize("rest", AFTER_THE_CUSTOMER.values(), ids=list(AFTER_THE_CUSTOMER))
def test_what_was_asked_of_other_customers_changes_nothing(
    rest: pb.CheckAndConsumeAllRequest,
) -> None:
    payloads = [start(customer) + rest.SerializeToString() for customer in CUSTOMERS]
    alone = []
    for payload in payloads:
        forget()
        alone.append(read(payload))

    assert alone == [read(payload) for payload in payloads]
    assert alone == [read(payload) for payload in payloads]


def test_the_same_question_about_another_customer_is_not_parsed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = message().SerializeToString()
    decode_all.read_all(start(b"a") + rest)
    monkeypatch.delattr(decode_all, "parse")

    request = decode_all.read_all(start(b"b") + rest)

    assert ["b", "b", "b"] == [request.customer_id, *(item.customer_id for item in request.items)]
    assert (1, 1200) == request.amounts
