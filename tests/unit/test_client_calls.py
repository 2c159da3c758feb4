"""The client's retry policy and what it makes of answers that it does not know."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quotad.client import (
    AsyncClient,
    Client,
    Decision,
    QuotaServerError,
    QuotaUnavailable,
    answers,
    calls,
    target,
)
from quotad.client.admin import AdminClient
from quotad.client.calls import Attempt, Consumption, Pause, Policy, Steps
from quotad.client.errors import WAIT_MAX_S, from_result
from quotad.config import Config
from quotad.v1 import quota_pb2


def consume(policy: Policy, consumption: Consumption) -> Steps[Decision]:
    return calls.decide(policy, calls.consume_request(policy, consumption))


def test_pauses_double_up_to_a_second_and_are_half_random() -> None:
    policy = Policy(timeout_s=60, retries=10)

    for attempt, ceiling in enumerate([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]):
        pauses = [policy.pause_s(attempt) for _ in range(200)]

        assert ceiling / 2 <= min(pauses)
        assert max(pauses) <= ceiling
        assert 1 < len(set(pauses))


def test_pause_after_very_many_attempts_is_still_a_second_at_most() -> None:
    assert Policy(timeout_s=60, retries=10**6).pause_s(10**6) <= 1.0


def test_a_call_that_may_still_run_is_repeated_only_when_it_can_take_nothing_any_more() -> None:
    policy = Policy(timeout_s=60, retries=10)
    broke = QuotaUnavailable("Socket closed", code="UNAVAILABLE")
    answered = QuotaUnavailable("no", code="UNAVAILABLE", reason="STORE_UNAVAILABLE")
    unreached = QuotaUnavailable("failed to connect to all addresses; last error: refused")

    pauses = [policy.pause_s(0, broke) for _ in range(50)]
    assert calls.GIVEN_UP_S <= min(pauses)
    assert min(pauses) < max(pauses) <= calls.GIVEN_UP_S + 0.02
    assert max(policy.pause_s(0, answered), policy.pause_s(0, unreached)) <= 0.02
    assert calls.GIVEN_UP_S > Config().store_timeout_ms / 1000


@pytest.mark.parametrize(("asked_ms", "least_s"), [(250, 0.25), (86_400_000, WAIT_MAX_S), (-1, 0)])
def test_a_call_is_repeated_after_what_the_server_asks_for_within_bounds(
    asked_ms: int, least_s: float
) -> None:
    policy = Policy(timeout_s=60, retries=10)
    busy = QuotaUnavailable("no", code="UNAVAILABLE", reason="BUSY", retry_after_ms=asked_ms)

    pauses = [policy.pause_s(0, busy) for _ in range(50)]

    assert least_s < min(pauses) < max(pauses) <= least_s + 0.02


@pytest.mark.parametrize("many", [False, True])
def test_the_pause_of_a_call_and_of_a_batch_is_that_of_its_error(many: bool) -> None:
    policy, one = Policy(timeout_s=30, retries=1), Consumption("acme", "api-calls")
    steps = calls.consume_many(policy, [one]) if many else consume(policy, one)
    next(steps)

    pause = steps.throw(QuotaUnavailable("Socket closed", code="UNAVAILABLE"))

    assert isinstance(pause, Pause)
    assert calls.GIVEN_UP_S <= pause.seconds


def test_call_is_made_again_after_a_pause_with_what_is_left_of_the_timeout() -> None:
    steps = consume(Policy(timeout_s=30, retries=1), Consumption("acme", "api-calls"))

    first = next(steps)
    pause = steps.throw(QuotaUnavailable("away"))
    second = steps.send(None)

    assert isinstance(first, Attempt)
    assert isinstance(pause, Pause)
    assert isinstance(second, Attempt)
    assert first.request == second.request
    assert 0 < second.timeout_s < first.timeout_s <= 30


def test_last_try_raises_its_error() -> None:
    steps = consume(Policy(timeout_s=30, retries=0), Consumption("acme", "api-calls"))
    next(steps)

    with pytest.raises(QuotaUnavailable, match="away"):
        steps.throw(QuotaUnavailable("away"))


def test_no_try_is_made_when_its_pause_would_outlast_the_timeout() -> None:
    steps = consume(Policy(timeout_s=0.01, retries=1000), Consumption("acme", "api-calls"))
    next(steps)

    with pytest.raises(QuotaUnavailable, match="away"):
        steps.throw(QuotaUnavailable("away"))


def test_key_outlives_the_retries_of_a_slow_call() -> None:
    assert 60 == Policy(timeout_s=1, retries=2).key_ttl.ToTimedelta().total_seconds()
    assert 240 == Policy(timeout_s=120, retries=2).key_ttl.ToTimedelta().total_seconds()


def test_batch_answer_of_the_wrong_length_is_everybodys_error() -> None:
    steps = calls.consume_many(Policy(timeout_s=30, retries=0), [Consumption("acme", "seats")] * 2)
    next(steps)

    with pytest.raises(StopIteration) as done:
        steps.send(quota_pb2.BatchCheckAndConsumeResponse())

    first, second = done.value.value
    assert isinstance(first, QuotaServerError)
    assert "0 results for 2 requests" == str(second)


def test_answers_that_differ_in_one_field_are_not_taken_for_each_other() -> None:
    plain: dict[str, Any] = {"allowed": True, "reason": 3, "granted": 1, "limit": 9, "used": 4}
    others: list[dict[str, Any]] = [
        {},
        {"used": 5},
        {"remaining": 5},
        {"used": 0},
        {"granted": 2},
        {"limit": 0},
        {"overage": 1},
        {"overage": 2},
        {"soft_limit": True},
        {"unlimited": True},
        {"replayed": True},
        {"is_fallback": True},
        {"catalog_version": 7},
        {"value": "a", "values": ["a", "b"]},
        {"variant": "control"},
        {"would_deny": True},
        {"pool_id": "p", "decimals": 2},
        {"reserved": 1, "leased": 2},
        {"resets_at": Timestamp(seconds=1)},
        {"retry_after": Duration(seconds=1)},
        {"limits": [quota_pb2.LimitStatus(per="day", used=1)]},
        {"limits": [quota_pb2.LimitStatus(per="day", used=2)]},
        {"explanation": quota_pb2.Explanation(missing=1)},
        {"allowed": False},
    ]

    for fields in [*others, *others]:  # the second time each has been read before
        message = quota_pb2.CheckAndConsumeResponse(**plain | fields)
        read = answers.decision(message)

        wanted = plain | {"remaining": 0} | fields
        for name in wanted.keys() - {"resets_at", "retry_after", "limits", "explanation", "values"}:
            assert wanted[name] == getattr(read, name), name
        assert ("resets_at" in fields) == (read.resets_at is not None)
        assert ("retry_after" in fields) == (read.retry_after is not None)
        assert [each.used for each in fields.get("limits", ())] == [u.used for u in read.limits]
        assert ("explanation" in fields) == (read.explanation is not None)
        assert tuple(fields.get("values", ())) == read.values


def test_reason_of_a_newer_server_passes_through() -> None:
    message = quota_pb2.CheckAndConsumeResponse(allowed=False)
    message.reason = 77  # type: ignore[assignment]

    decision = answers.decision(message)

    assert not decision.allowed
    assert 77 == decision.reason
    assert "REASON_77" == decision.reason.name


def test_source_of_a_newer_server_passes_through() -> None:
    message = quota_pb2.CheckAndConsumeResponse()
    message.explanation.sources.add(source_id="x").kind = 99  # type: ignore[assignment]

    explanation = answers.decision(message).explanation

    assert explanation is not None
    assert "SOURCE_KIND_99" == explanation.sources[0].kind.name


def test_unknown_code_in_a_batch_is_a_server_error() -> None:
    error = from_result(quota_pb2.Error(code=99, message="odd"))

    assert isinstance(error, QuotaServerError)
    assert "UNKNOWN" == error.code
    assert "QuotaServerError('odd', code=UNKNOWN, reason=)" == repr(error)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"timeout": 0}, "timeout: must be above 0"), ({"retries": -1}, "retries: must be 0 or")],
)
def test_impossible_settings_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Client(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "extra", "secure", "authority"),
    [
        ("ipv4:10.0.0.1:50051,10.0.0.2:50051", {}, False, "10.0.0.1:50051"),
        ("ipv4:///10.0.0.1:50051,10.0.0.2:50051", {}, False, "10.0.0.1:50051"),
        ("ipv6:[::1]:50051,[::2]:50051", {}, False, "[::1]:50051"),
        ("ipv4:10.0.0.1:50051,10.0.0.2:50051", {"grpc.default_authority": "q"}, False, "q"),
        # With TLS it is the name that certificates are checked against.
        ("ipv4:10.0.0.1:50051,10.0.0.2:50051", {}, True, None),
        ("ipv4:10.0.0.1:50051", {}, False, None),
        ("quotad.internal:50051", {}, False, None),
        ("unix:/run/a,b", {}, False, "localhost"),
        ("unix:/run/a,b", {"grpc.default_authority": "q"}, False, "q"),
    ],
)
def test_the_authority_is_one_that_every_server_takes(
    address: str, extra: dict[str, str], secure: bool, authority: str | None
) -> None:
    options = dict(target.channel_options(address, list(extra.items()), secure))

    assert authority == options.get("grpc.default_authority")


@pytest.mark.parametrize(
    "address",
    [None, "", "  ", 42, "localhost", "quotad.internal:", "host:99999", "http://localhost:50051"],
)
@pytest.mark.parametrize("client", [Client, AsyncClient, AdminClient])
def test_an_address_that_names_no_server_is_refused_at_once(client: Any, address: Any) -> None:
    with pytest.raises(ValueError, match=r"^address: must be HOST:PORT, such as ") as refused:
        client(address)

    assert str(refused.value).endswith(f" not {address!r}")


def test_with_tls_an_address_needs_no_port() -> None:
    assert "quotad.example.com" == target.checked("quotad.example.com", secure=True)
