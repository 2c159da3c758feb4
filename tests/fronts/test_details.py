"""What calls carry beside the request, on every front, and only when it is asked for."""

import struct
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from quotad.fronts.interface import Call, Details
from quotad.fronts.origin import ORIGIN_KEY
from tests.fronts.serving import BESIDE_ORIGIN, BESIDE_STREAM, METHODS, Serving, serving
from tests.rawhttp2 import Connection, headers
from tests.running import CALL_S, FRONTS

ALL = Details(("authorization", "x-trace"), origin=True, deadline=True)
EMPTY = struct.pack(">BI", 0, 0)


@pytest.fixture(params=FRONTS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def asking(kind: str) -> Iterator[Serving]:
    with serving(kind, details=ALL) as made:
        yield made


def answer(served: Serving, method: Any, *metadata: tuple[str, str | bytes]) -> Call:
    """Make a call, and return it as it was taken."""
    future = method.future(b"x", timeout=CALL_S, metadata=metadata, wait_for_ready=True)
    [call] = served.take(1)
    served.front.answer([(call.call_id, b"")])
    assert b"" == future.result()
    return call


def test_a_call_carries_the_metadata_that_is_asked_for_and_no_other(asking: Serving) -> None:
    hot = asking.channel.unary_unary(METHODS[0])

    none = answer(asking, hot)
    both = answer(
        asking, hot, ("x-trace", "1"), ("authorization", "Bearer qd_1_x"), ("x-other", "no")
    )
    repeated = answer(asking, hot, ("x-trace", "1"), ("x-trace", "2"))

    assert () == none.metadata
    assert (("authorization", "Bearer qd_1_x"), ("x-trace", "1")) == both.metadata
    assert (("x-trace", "1"), ("x-trace", "2")) == repeated.metadata
    assert b"x" == both.request


def test_calls_of_one_connection_carry_what_each_of_them_was_sent_with(asking: Serving) -> None:
    hot = asking.channel.unary_unary(METHODS[0])
    values = ["a", "a", "b", "a", None, "a"]

    carried = [answer(asking, hot, *([("x-trace", one)] if one else [])).metadata for one in values]

    assert [((("x-trace", one),) if one else ()) for one in values] == carried


def test_a_call_carries_the_address_of_its_client(kind: str) -> None:
    for target, peer in (("127.0.0.1:0", "ipv4:127.0.0.1:"), ("[::1]:0", "ipv6:[::1]:")):
        with (
            serving(kind, target=target, details=Details(origin=True)) as served,
            Connection(served.front.address.replace("[", "").replace("]", "")) as raw,
        ):
            raw.send_message(headers(METHODS[0]), EMPTY)
            [call] = served.take(1)
            served.front.answer([(call.call_id, b"")])

            assert f"{peer}{raw.port}" == call.peer
            assert ((), (), None) == (call.client_names, call.metadata, call.deadline_s)


def test_an_ipv4_client_of_an_ipv6_address_has_an_ipv4_address(kind: str) -> None:
    with serving(kind, target="[::]:0", details=Details(origin=True)) as served:
        port = served.front.address.rpartition(":")[2]
        with Connection(f"127.0.0.1:{port}") as raw:
            raw.send_message(headers(METHODS[0]), EMPTY)
            [call] = served.take(1)
            served.front.answer([(call.call_id, b"")])

            assert f"ipv4:127.0.0.1:{raw.port}" == call.peer


def test_a_call_carries_its_deadline_on_the_monotonic_clock(asking: Serving) -> None:
    before = time.monotonic()
    bounded = answer(asking, asking.channel.unary_unary(METHODS[0]))
    after = time.monotonic()
    with Connection(asking.front.address) as raw:
        raw.send_message(headers(METHODS[0]), EMPTY)
        [unbounded] = asking.take(1)
        asking.front.answer([(unbounded.call_id, b"")])

    assert bounded.deadline_s is not None
    # gRPC rounds the time that is left; to a hundredth at most.
    assert before + CALL_S - 0.3 < bounded.deadline_s < after + CALL_S + 0.3
    assert unbounded.deadline_s is None


def test_a_call_carries_nothing_that_is_not_asked_for(kind: str) -> None:
    with serving(kind) as served:
        call = answer(served, served.channel.unary_unary(METHODS[0]), ("authorization", "x"))

        assert Call(call.call_id, 0, b"x") == call


def test_calls_that_are_not_hot_have_their_metadata_and_where_they_come_from(
    asking: Serving, kind: str
) -> None:
    unary = asking.channel.unary_unary(BESIDE_ORIGIN)
    stream = asking.channel.unary_stream(BESIDE_STREAM)
    sent = (("authorization", "Bearer qd_1_x"), (ORIGIN_KEY, "0 ipv4:192.0.2.1:1 admin"))
    peer = answer(asking, asking.channel.unary_unary(METHODS[0])).peer
    # Of one channel, so of one connection. The native front does not pass on where it comes from.
    expected: list[Any] = [None if kind == "native" else peer, [], "Bearer qd_1_x"]

    one = unary(b"", timeout=CALL_S, metadata=sent)
    two = list(stream(b"", timeout=CALL_S, metadata=sent))

    assert [expected] * 3 == [msgspec.json.decode(each) for each in (one, *two)]


def test_keys_of_bytes_cannot_be_asked_for() -> None:
    for wrong in ("trace-bin", "Authorization", ""):
        with pytest.raises(ValueError, match=r"^details\.metadata: "):
            Details((wrong,))
