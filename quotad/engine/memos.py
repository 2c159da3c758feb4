"""What is kept under an idempotency key, and decisions returned again from it."""

from functools import lru_cache
from hashlib import blake2b

import msgspec

from quotad.engine.fold import fold
from quotad.engine.meters import LimitTerms
from quotad.model import ConsumeRequest, Decision
from quotad.store import ChargeStatus, Settlement


class Memo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is stored under an idempotency key beside usage; only of what took something.

    New fields go to the end and have defaults, so that older ones are still read. Memos of earlier
    servers have three more, which are of decisions without counters.
    """

    catalog_version: int
    terms: tuple[LimitTerms, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Memo).decode


def encode_memo(version: int, terms: tuple[LimitTerms, ...]) -> bytes:
    """What is to be stored of a charge.

    Args:
        version: of the catalog.
        terms: the limits it is charged to.
    """
    return _encode(Memo(version, terms))


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
    """The decision that took something under an idempotency key, once more.

    The request is the same as the first one: the script has compared their fingerprints.
    """
    memo = _decode(settlement.memo)
    first = Settlement(ChargeStatus.ALLOWED, settlement.used, closes=settlement.closes)
    decision = fold(memo.terms, request, first, now_ms, memo.catalog_version)
    return msgspec.structs.replace(decision, replayed=True)
