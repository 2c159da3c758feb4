"""`RateLimit`, `RateLimit-Policy` and `Retry-After` of decisions."""

import re

import pytest

from quotad.decision import Decision, LimitStatus, Reason
from quotad.http.ratelimit import ratelimit_headers
from tests.http.serving import HttpRunning

NOW = 1_000_000


def status(limit: int | None, used: int, per: str, resets_at_ms: int | None) -> LimitStatus:
    remaining = max(0, (limit or 0) - used)
    return LimitStatus(limit, False, used, remaining, 0, per, resets_at_ms)


def headers(*limits: LimitStatus, retry_after_ms: int | None = None) -> dict[str, str]:
    answer = Decision(True, int(Reason.WITHIN_LIMIT), limits=limits, retry_after_ms=retry_after_ms)
    found = ratelimit_headers("api", answer, lambda: NOW)
    return {name.decode(): value.decode() for name, value in found}


@pytest.mark.parametrize(
    ("per", "policy"),
    [
        ("", '"api";q=10'),
        ("second", '"api/second";q=10;w=1'),
        ("5 hours", '"api/5 hours";q=10;w=18000'),
        ("week", '"api/week";q=10;w=604800'),
        ("month", '"api/month";q=10'),
        ("2 years", '"api/2 years";q=10'),
    ],
)
def test_a_policy_has_the_length_of_its_window_where_there_is_one(per: str, policy: str) -> None:
    assert {"ratelimit-policy": policy, "ratelimit": policy.split(";")[0] + ";r=9"} == headers(
        status(10, 1, per, None)
    )


def test_every_hard_limit_is_told_with_the_seconds_until_its_reset_rounded_up() -> None:
    found = headers(
        status(10, 1, "minute", NOW + 1), status(100, 100, "day", NOW + 5000), retry_after_ms=4001
    )

    assert {
        "ratelimit-policy": '"api/minute";q=10;w=60, "api/day";q=100;w=86400',
        "ratelimit": '"api/minute";r=9;t=1, "api/day";r=0;t=5',
        "retry-after": "5",
    } == found


def test_limits_that_deny_nothing_have_no_policy() -> None:
    soft = LimitStatus(10, True, 11, 0, 1, "day", NOW)
    shadow = LimitStatus(10, False, 11, 0, 0, "day", NOW, shadow=True)

    assert {} == headers(soft, shadow, status(None, 3, "day", NOW))


def test_names_are_strings_of_structured_fields_whatever_the_feature_is_called() -> None:
    answer = Decision(True, int(Reason.WITHIN_LIMIT), limits=(status(10**15, 1, "day", None),))
    found = dict(ratelimit_headers('ü"\\%', answer))

    assert b'"%C3%BC%22%5C%25/day";q=999999999999999;w=86400' == found[b"ratelimit-policy"]


def test_answers_to_one_feature_have_them(served: HttpRunning, customer: str) -> None:
    wanted = {"customer_id": customer, "feature_id": "minute", "quantity": 2}
    taken, denied = served.post("/v1/consume", wanted), served.post("/v1/consume", wanted)

    assert '"minute/minute";q=2;w=60' == taken.headers["ratelimit-policy"]
    assert re.fullmatch(r'"minute/minute";r=0;t=\d+', denied.headers["ratelimit"])
    assert "retry-after" not in taken.headers
    assert 0 < int(denied.headers["retry-after"]) <= 60
    assert (200, False) == (denied.status, denied.body["allowed"])
