"""What is kept under an idempotency key, and decisions returned again from it.

The only reader of what `lua/check_and_consume.lua` stores, and the only writer of its last part:

    <fingerprint><1><usage, joined by commas>|<memo>

    usage   of one limit before the charge: `<used>`, or `<used>@<closes_at>` of wide limits
    memo    format 1: `Memo` in msgpack, an array. Any later format starts with its number in one
            byte, which no array does. Old and new servers run side by side: what is written under
            a key must be read by both, so a format is read for a release before it is written.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from quotad.engine.fold import fold
from quotad.engine.meters import LimitTerms
from quotad.model import ConsumeRequest, Decision, Mode
from quotad.store import ChargeStatus, Settlement


class Memo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is stored beside usage; only of what took something.

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
    if request.mode != Mode.NORMAL:
        text = f"{request.mode} {request.occurred_ms} {text}"
    if request.resource_id or request.requested_values:
        # Ids are printable, so what is joined by zeros cannot be read in two ways.
        return _digest("\0".join((text, request.resource_id, *request.requested_values)))
    return _known_digest(text)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


_known_digest = lru_cache(maxsize=4096)(_digest)
"""Most calls ask for one unit of a few features."""


def replay(request: ConsumeRequest, stored: bytes, now_ms: int) -> Decision | None:
    """The decision that took something under an idempotency key, once more.

    The request is the same as the first one: the script has compared their fingerprints.

    Args:
        request: the repeated one.
        stored: what is kept under its key, without the fingerprint.
        now_ms: Unix time.

    Returns:
        None: what is stored cannot be read.
    """
    head, _, memo = stored.partition(b"|")
    try:
        used, closes = _read_usage(head[1:].split(b","))
        first = _decode(memo)
    except (ValueError, msgspec.DecodeError):
        return None
    settled = Settlement(ChargeStatus.ALLOWED, used, closes=closes)
    decision = fold(first.terms, request, settled, now_ms, first.catalog_version)
    return msgspec.structs.replace(decision, replayed=True)


def _read_usage(texts: list[bytes]) -> tuple[Sequence[int], Sequence[int]]:
    """Usage before the charge and when windows close, per limit."""
    if b"@" not in texts[0]:
        return [int(text) for text in texts], ()
    pairs = [text.split(b"@") for text in texts]
    return [int(used) for used, _ in pairs], [int(closes) for _, closes in pairs]
