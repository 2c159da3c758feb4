"""`RateLimit`, `RateLimit-Policy` and `Retry-After` of a decision.

As draft-ietf-httpapi-ratelimit-headers-10 has them: one policy per hard limit, named by feature (or
credit pool) and window, `q` what it allows, `w` its length in seconds where all its periods are as
long, `r` what remains, `t` the seconds until it resets. Limits that deny nothing are left out, and
all of them where the store is gone and what was used is not known.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from quotad.decision import Decision
from quotad.http.operation import Headers

INTEGER_MAX = 999_999_999_999_999
"""Largest Integer of RFC 9651."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\%')


def ratelimit_headers(
    feature_id: str, answer: Decision, now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6
) -> Headers:
    """Return the headers of a decision on one feature."""
    policies: list[bytes] = []
    states: list[bytes] = []
    now = 0
    for status in () if answer.is_fallback else answer.limits:
        if status.limit is None or status.soft or status.shadow:
            continue
        name, policy = _policy(status.pool_id or feature_id, status.per, status.limit)
        remaining = min(status.remaining, INTEGER_MAX)
        if status.resets_at_ms is None:
            states.append(b"%s;r=%d" % (name, remaining))
        else:
            now = now or now_ms()
            left_s = max(0, -(-(status.resets_at_ms - now) // 1000))
            states.append(b"%s;r=%d;t=%d" % (name, remaining, left_s))
        policies.append(policy)
    if not states:
        return retry_after(answer)
    return [
        (b"ratelimit-policy", b", ".join(policies)),
        (b"ratelimit", b", ".join(states)),
        *retry_after(answer),
    ]


def retry_after(answer: Decision) -> Headers:
    """Return how long to wait (s) after a denial, when waiting helps."""
    if answer.retry_after_ms is None:
        return []
    return [(b"retry-after", b"%d" % max(1, -(-answer.retry_after_ms // 1000)))]


@lru_cache(maxsize=4096)
def _policy(limited: str, per: str, limit: int) -> tuple[bytes, bytes]:
    """Name and policy of a limit."""
    name = f'"{quote(f"{limited}/{per}" if per else limited, safe=_SAFE)}"'.encode()
    count, _, unit = per.rpartition(" ")
    length = _SECONDS.get(unit.removesuffix("s"), 0) * int(count or 1)
    window = b";w=%d" % length if length else b""
    return name, b"%s;q=%d%s" % (name, min(limit, INTEGER_MAX), window)
