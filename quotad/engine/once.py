"""How long the idempotency key of a call is remembered, and with what."""

from quotad.decision import ConsumeRequest, Mode
from quotad.slots import SLOT
from quotad.store import Once
from quotad.store.holds import SETTLED, TAKEN

LASTING = (TAKEN, SETTLED, SLOT)
"""Begin the keys of what is held, which are remembered for longer than others."""

RECORDED_KEY_MS = 7 * 86_400_000
"""Longest that the key of a recorded fact is remembered, where the setting is shorter: reports of
usage are repeated by queues and jobs, days later."""
_RECORDED = (int(Mode.ADJUST_ONLY), int(Mode.SETTLE), int(Mode.REFUND))


def once_of(request: ConsumeRequest, print_: str, memo: bytes, ttl_ms: int) -> Once:
    """Return what is remembered under the key of a call.

    Args:
        request: with a key.
        print_: of its parameters.
        memo: what the decision is returned by again.
        ttl_ms: how long keys are remembered whose call asks for no time: the setting.
    """
    asked_ms = request.idempotency_ttl_ms
    if asked_ms and request.idempotency_key[0] in LASTING:
        ttl_ms = asked_ms  # of a hold, for as long as it may be open
    elif asked_ms:
        longest_ms = max(ttl_ms, RECORDED_KEY_MS) if request.mode in _RECORDED else ttl_ms
        ttl_ms = min(asked_ms, longest_ms)
    return Once(request.idempotency_key, print_, memo, ttl_ms)
