"""What every front does, whatever it is made of."""

import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from quotad.errors import (
    Busy,
    ConfigError,
    InvalidRequest,
    NotFound,
    QuotadError,
    StoreUnavailable,
    internal_error,
)
from quotad.fronts.interface import MESSAGE_BYTES_MAX, Bounds, Details
from quotad.fronts.status import PUSHBACK_KEY, RETRY_AFTER_KEY
from tests.fronts.serving import BESIDE, METHODS, SERVICE, Serving, same, serving
from tests.rawhttp2 import END_HEADERS, HEADERS, Connection, headers
from tests.running import CALL_S, FRONTS, Refusal, eventually, refusal

STOPPING = "UNAVAILABLE NOT_READY: the server is stopping; try again on another one"


@pytest.fixture(params=FRONTS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def served(kind: str) -> Iterator[Serving]:
    with serving(kind) as made:
        yield made


# Calls and answers


def test_every_call_gets_its_own_answer(served: Serving) -> None:
    for _ in range(3):
        served.decide(calls=16)

    calls = {(i, m): served.call(b"%d" % i, METHODS[m]) for i in range(150) for m in (0, 1)}

    assert {key: b"%d:%d" % key[::-1] for key in calls} == {
        key: call.result() for key, call in calls.items()
    }


def test_a_call_is_taken_once_and_no_more_than_asked_for_at_a_time(served: Serving) -> None:
    futures = [served.call() for _ in range(40)]
    batches: list[int] = []
    taken: Counter[int] = Counter()
    while taken.total() < len(futures):
        calls = served.front.recv_batch(7) or []
        batches.append(len(calls))
        taken.update(call.call_id for call in calls)
        served.front.answer(same(b"", calls))

    assert {b""} == {future.result() for future in futures}
    assert 7 >= max(batches)
    assert {1} == set(taken.values())


def test_answers_may_come_in_any_order_and_in_parts(served: Serving) -> None:
    futures = [served.call(b"%d" % i) for i in range(6)]
    calls = served.take(6)

    for part in (calls[:1:-1], [], calls[:2]):
        served.front.answer([(call.call_id, call.request) for call in part])

    assert [b"%d" % i for i in range(6)] == [future.result() for future in futures]


def test_requests_and_answers_may_be_empty(served: Serving) -> None:
    served.decide(lambda call: call.request)

    assert b"" == served.call(b"").result()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidRequest("quantity: 0 is too few"), "INVALID_ARGUMENT INVALID_REQUEST: quantity: 0"),
        (
            NotFound("feature_id: 'größe' is unknown\n✓ 100 %"),
            "NOT_FOUND NOT_FOUND: feature_id: 'gr",
        ),
        (StoreUnavailable("store.example: refused"), "UNAVAILABLE STORE_UNAVAILABLE: "),
        (internal_error(), "INTERNAL INTERNAL: internal error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, QuotadError) else "",
)
def test_an_error_leaves_with_its_status_reason_and_message(
    served: Serving, error: QuotadError, told: str
) -> None:
    served.decide(lambda _: error)

    failed = refusal(lambda: served.call().result())

    assert repr(failed).startswith(told)
    assert error.for_caller == failed.message


def test_an_error_that_passes_leaves_with_how_long_to_wait(kind: str, served: Serving) -> None:
    errors = {b"gone": StoreUnavailable("gone"), b"busy": Busy("busy"), b"bad": InvalidRequest("?")}
    served.decide(lambda call: errors[call.request])

    asked = {}
    for request in errors:
        trailers = dict(served.call(request).trailing_metadata())
        asked[request] = {key: trailers.get(key) for key in (RETRY_AFTER_KEY, PUSHBACK_KEY)}

    # The library of the native front keeps names that gRPC reserves for itself.
    wait = {RETRY_AFTER_KEY: "250", PUSHBACK_KEY: None if kind == "native" else "250"}
    none = dict.fromkeys(wait)
    assert {b"gone": wait, b"busy": wait, b"bad": none} == asked


def test_calls_to_a_server_that_stops_may_go_elsewhere_at_once(served: Serving) -> None:
    served.drain()

    refused = served.call()

    assert STOPPING == repr(refusal(refused.result))
    assert RETRY_AFTER_KEY not in dict(refused.trailing_metadata())


def test_an_error_ends_its_own_call_only(served: Serving) -> None:
    served.decide(lambda call: InvalidRequest("no") if call.request == b"bad" else call.request)

    calls = [served.call(b"bad" if i % 3 == 0 else b"good") for i in range(60)]

    assert ["INVALID_ARGUMENT", "OK", "OK"] * 20 == [call.code().name for call in calls]


def test_a_method_that_is_not_there_is_unimplemented(served: Serving) -> None:
    for path in (f"/{SERVICE}/Third", "/no.such.Service/First"):
        assert grpc.StatusCode.UNIMPLEMENTED == served.call(path=path).code()


def test_what_is_not_hot_reaches_its_servicer(served: Serving) -> None:
    assert b"beside:body" == served.call(b"body", BESIDE).result()


# Sizes


def test_the_largest_request_and_a_large_answer_arrive_whole(served: Serving) -> None:
    served.decide(lambda call: call.request + call.request)
    body = bytes(range(256)) * (MESSAGE_BYTES_MAX // 256)

    assert body + body == served.call(body).result()


def test_a_request_that_is_too_large_is_refused_and_none_beside_it(served: Serving) -> None:
    served.decide()

    large, small = served.call(bytes(MESSAGE_BYTES_MAX + 1)), served.call()

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == large.code()
    assert b"0:x" == small.result()


def test_the_largest_request_is_a_setting_of_hot_methods(kind: str) -> None:
    size = 70_000
    with serving(kind, bounds=Bounds(max_message_bytes=size)) as served:
        served.decide()
        whole, larger = served.call(bytes(size)), served.call(bytes(size + 1))

        assert 2 + size == len(whole.result())
        assert grpc.StatusCode.RESOURCE_EXHAUSTED == larger.code()
        assert f"request of {size + 1} bytes is larger than {size}" == larger.details()
        assert 7 + size + 1 == len(served.call(bytes(size + 1), BESIDE).result())


# Calls that end early


def test_a_call_ends_at_its_deadline_and_a_later_answer_is_ignored(served: Serving) -> None:
    late = served.call(timeout_s=0.2)
    calls = served.take(1)
    assert grpc.StatusCode.DEADLINE_EXCEEDED == late.code()

    served.front.answer(same(b"late", calls))
    served.decide()

    assert b"0:x" == served.call().result()


def test_calls_that_are_cancelled_take_no_other_with_them(served: Serving) -> None:
    futures = [served.call(b"%d" % i) for i in range(40)]
    calls = served.take(20)
    for future in futures[::2]:
        future.cancel()
    served.front.answer([(call.call_id, call.request) for call in calls])
    served.decide(lambda call: call.request)

    assert [b"%d" % i for i in range(1, 40, 2)] == [future.result() for future in futures[1::2]]


def test_an_answer_to_a_call_that_never_was_is_ignored(served: Serving) -> None:
    served.front.answer([(10**9, b"nobody"), (10**9 + 1, InvalidRequest("nobody"))])
    served.decide()

    assert b"0:x" == served.call().result()


def test_a_client_that_goes_away_takes_no_other_client_with_it(served: Serving) -> None:
    with grpc.insecure_channel(served.front.address) as other:
        gone = other.unary_unary(METHODS[0]).future(b"gone", timeout=CALL_S, wait_for_ready=True)
        calls = served.take(1)
    assert gone.done()
    served.front.answer(same(b"late", calls))
    served.decide()

    assert b"0:x" == served.call().result()


def test_requests_that_are_never_finished_go_with_their_connections(
    kind: str, served: Serving
) -> None:
    served.decide()
    half = struct.pack(">BI", 0, 100) + b"half of it"
    streams = range(1, 401, 2)  # as many as a connection may have, nearly
    # More in all than the fast front has calls at once.
    for _ in range(20 if kind == "grpcio" else 110):
        with Connection(served.front.address) as raw:
            opened = [
                raw.frame(HEADERS, END_HEADERS, stream, headers(METHODS[0])) for stream in streams
            ]
            raw.send_frames(*opened, *(raw.frame(0, 0, stream, half) for stream in streams))

    assert b"0:x" == served.call().result()


# Health


def test_health_is_reported_of_the_server_and_of_each_service(served: Serving) -> None:
    for ready, told in ((False, "NOT_SERVING"), (True, "SERVING"), (False, "NOT_SERVING")):
        served.front.set_ready(ready)
        assert {told} == {served.health(), served.health(SERVICE)}


# The end


def test_a_drain_answers_what_came_before_it_and_refuses_what_comes_after(served: Serving) -> None:
    served.front.set_ready(True)
    taken, waiting = served.call(b"taken"), served.call(b"waiting")
    calls = served.take(1)
    eventually(lambda: served.call(path=BESIDE).result(), bool)

    served.drain()
    late = [served.call(b"late") for _ in range(20)]

    assert {STOPPING} == {repr(Refusal(call)) for call in late}
    assert "NOT_SERVING" == served.health()
    calls += served.take(1)
    served.front.answer([(call.call_id, call.request) for call in calls])
    assert [b"taken", b"waiting"] == [taken.result(), waiting.result()]


def test_every_thread_that_waits_for_calls_ends_with_a_drain(served: Serving) -> None:
    for _ in range(3):
        served.decide()
    assert b"0:x" == served.call().result()

    served.drain()

    served.wait_for_deciders()


def test_answers_that_were_given_before_a_stop_arrive(served: Serving) -> None:
    """100 of 50 kB: more than sockets hold at once."""
    futures = [served.call() for _ in range(100)]
    served.front.answer(same(b"!" * 50_000, served.take(100)))

    served.stop()

    assert {None} == {future.exception() for future in futures}


def test_a_stop_ends_the_calls_that_were_not_answered(served: Serving) -> None:
    future = served.call()
    served.take(1)

    served.stop()

    assert grpc.StatusCode.UNAVAILABLE == future.code()
    served.front.answer([(1, b"too late")])


def test_no_call_is_lost_or_hangs_while_a_front_stops_under_load(served: Serving) -> None:
    served.decide()
    served.decide()
    codes: Counter[str] = Counter()
    started = threading.Event()

    def load() -> None:
        while True:
            call = served.call()
            code = call.code().name
            codes[code] += 1
            if code != "OK":
                return
            started.set()

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert started.wait(CALL_S)
    served.drain()
    for thread in threads:
        thread.join()

    assert {"OK", "UNAVAILABLE"} == set(codes)


# Addresses


def test_an_address_shows_the_port_that_was_free(kind: str) -> None:
    for target in ("127.0.0.1:0", "[::1]:0"):
        with serving(kind, target=target) as served:
            host, _, port = served.front.address.rpartition(":")
            served.decide()

            assert target == f"{host}:0"
            assert 0 < int(port)
            assert b"0:x" == served.call().result()


def test_it_listens_on_a_unix_socket_again_and_again(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "front.sock"
    for _ in range(2):
        with serving(kind, target=f"unix:{path}", details=Details(origin=True)) as served:
            served.decide(lambda call: repr(call.peer).encode())

            assert f"unix:{path}" == served.front.address
            assert b"None" == served.call().result()
            assert b"beside:x" == served.call(b"x", BESIDE).result()
        assert not path.exists()


def test_an_address_in_use_is_reported_in_one_line(served: Serving, kind: str) -> None:
    with pytest.raises(ConfigError, match=r"^listen: cannot listen on [^\n]*$"):
        Serving(kind, target=served.front.address)


def test_several_fronts_may_share_an_address_when_they_are_asked_to(kind: str) -> None:
    with serving(kind, reuse_port=True) as one:
        one.decide()
        with serving(kind, target=one.front.address, reuse_port=True) as other:
            other.decide()
            assert b"0:x" == one.call().result()
            assert b"0:x" == other.call().result()

        assert b"0:x" == eventually(one.call, lambda call: call.exception() is None).result()
