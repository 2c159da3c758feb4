"""What is kept under an idempotency key, and decisions told again from it."""

from functools import lru_cache
from hashlib import blake2b

import msgspec

from quotad.engine.fold import fold
from quotad.engine.meters import LimitTerms
from quotad.model import ConsumeRequest, Decision, Reason
from quotad.store import Settlement

FIRST_ALLOWED = int(Reason.OVER_SOFT_LIMIT)
"""Reasons are numbered in order of precedence: from here on they allow."""


class GivenMemo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What few decisions that took no counter have."""

    values: tuple[str, ...] = ()
    variant: str = ""
    pool_id: str = ""
    decimals: int = 0


_NO_MORE = GivenMemo()


class Memo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is stored under an idempotency key beside outcome and usage.

    New fields go to the end and have defaults, so that older ones are still read.
    """

    catalog_version: int
    terms: tuple[LimitTerms, ...]
    reason: int = 0
    """Of a decision that took no counter; 0: usage decides."""
    value: str = ""
    given: GivenMemo | None = None
    """None: nothing but the above."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Memo).decode


def encode_memo(version: int, terms: tuple[LimitTerms, ...], given: Decision | None) -> bytes:
    """What is to be stored of a charge.

    Args:
        version: of the catalog.
        terms: the limits it is charged to.
        given: the decision, where no counter takes part.
    """
    if given is None:
        return _encode(Memo(version, terms))
    more = GivenMemo(given.values, given.variant, given.pool_id, given.decimals)
    return _encode(
        Memo(version, terms, given.reason, given.value, None if more == _NO_MORE else more)
    )


def fingerprint(request: ConsumeRequest) -> str:
    """What must not change between calls under one idempotency key, in 16 characters."""
    text = f"{request.quantity}:{request.feature_id}"
    if request.resource_id or request.requested_values:
        # Ids are printable, so what is joined by zeros cannot be read in two ways.
        return _digest("\0".join((text, request.resource_id, *request.requested_values)))
    return _known_digest(text)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


_known_digest = lru_cache(maxsize=4096)(_digest)
"""Most calls ask for one unit of a few features."""


def replay(request: ConsumeRequest, settlement: Settlement, now_ms: int) -> Decision:
    """The first decision under an idempotency key, told again.

    The request is the same as the first one: the script has compared their fingerprints.
    """
    memo = _decode(settlement.memo)
    if memo.reason:
        more = memo.given or _NO_MORE
        return Decision(
            memo.reason >= FIRST_ALLOWED,
            memo.reason,
            memo.catalog_version,
            value=memo.value,
            replayed=True,
            values=more.values,
            variant=more.variant,
            pool_id=more.pool_id,
            decimals=more.decimals,
            more=True,
        )
    first = Settlement(settlement.first, settlement.used, closes=settlement.closes)
    decision = fold(memo.terms, request, first, now_ms, memo.catalog_version)
    return msgspec.structs.replace(decision, replayed=True)
