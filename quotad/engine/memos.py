"""What is kept under an idempotency key, and decisions returned again from it.

The only reader of what `lua/check_and_consume.lua` stores, and the only writer of its last part:

    <fingerprint><1><usage, joined by commas>|<memo>

    usage   of one limit before the charge: `<used>`, or `<used>@<closes_at>` of detailed limits
    memo    format 1: `Memo` in msgpack, an array. Any later format starts with its number in one
            byte, which no array does. Old and new servers run side by side: what is written under
            a key must be read by both, so a format is read for a release before it is written.
            format 2: `JointMemo`, of calls that earlier servers do not know.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from quotad.decision import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
    Reason,
)
from quotad.engine.fold import fold
from quotad.engine.joint import JointLayout, JointPart, fold_all, new_part
from quotad.engine.meters import Bound, LimitTerms
from quotad.held import HeldItem
from quotad.slots import AcquireRequest
from quotad.store import ChargeStatus, CounterSet, Settlement, join

FINGERPRINT_LENGTH = 16


class KeptCounter(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A counter of a hold: the customer may have other limits when the hold is settled."""

    suffix: str
    """Ending of its usage key, after that of the customer itself."""
    expires: int
    """As `store.charges` words it."""


class Memo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is stored beside usage; only of what took something.

    New fields go to the end and have defaults, so that older ones are still read.
    """

    catalog_version: int
    terms: tuple[LimitTerms, ...]
    # What earlier servers kept of decisions without counters, and read as none of these.
    _reason: int = 0
    _value: str = ""
    _given: Any = None
    quantity: int = 0
    """Of the request."""
    taken_s: int = 0
    """Unix time of the periods that it was taken from; 0: written by an earlier server."""


class HoldMemo(Memo, frozen=True, gc=False, array_like=True):
    """The same of what a hold takes."""

    items: tuple[HeldItem, ...] = ()
    counters: tuple[KeptCounter, ...] = ()
    """Which have it."""


class KeptPart(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One item of a `JointMemo`; without terms it is a boolean or config feature."""

    terms: tuple[LimitTerms, ...]
    places: tuple[int, ...]
    value: str = ""
    values: tuple[str, ...] = ()
    variant: str = ""
    reason: int = int(Reason.FEATURE_ENABLED)

    def part(self, version: int) -> JointPart:
        """What its decision is folded from.

        Args:
            version: of the catalog.
        """
        if self.terms:
            return new_part(self.terms, self.places)
        given = Decision(
            True,
            self.reason,
            version,
            value=self.value,
            values=self.values,
            variant=self.variant,
            detailed=True,
        )
        return new_part((), (), given)


class JointMemo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """As `Memo`, of a request about several features."""

    catalog_version: int
    parts: tuple[KeptPart, ...]
    items: tuple[HeldItem, ...] = ()
    """What was taken of each feature."""
    counters: tuple[KeptCounter, ...] = ()
    """Only of a hold: which have it."""
    taken_s: int = 0
    """As of `Memo`."""
    kept_ms: int = 0
    """Of a slot, how long it is to be remembered after its end."""


class KeptSlot(msgspec.Struct, frozen=True, gc=False):
    """Where a slot is found again by its id."""

    feature_id: str
    resource_id: str
    kept_ms: int


JOINT = b"\x02"
"""Begins a memo of format 2."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HoldMemo).decode
_decode_joint = msgspec.msgpack.Decoder(JointMemo).decode


def encode_memo(
    version: int, terms: tuple[LimitTerms, ...], quantity: int = 0, taken_ms: int = 0
) -> bytes:
    """What is to be stored of a charge.

    Args:
        version: of the catalog.
        terms: the limits it is charged to.
        quantity: of the request.
        taken_ms: Unix time of the periods that it is taken from.
    """
    return _encode(Memo(version, terms, 0, "", None, quantity, taken_ms // 1000))


def encode_hold_memo(version: int, bound: Bound, request: ConsumeRequest, taken_ms: int) -> bytes:
    """The same of a charge for a hold, which is settled on the counters that it was taken from.

    Args:
        version: of the catalog.
        bound: the limits it is charged to.
        request: what is to be held.
        taken_ms: Unix time of the periods that it is taken from.
    """
    item = HeldItem(request.feature_id, request.quantity, request.resource_id)
    counters, _ = join([(request.resource_id, bound.counters)])
    kept = (item,), kept_counters(counters)
    return _encode(
        HoldMemo(version, bound.terms, 0, "", None, request.quantity, taken_ms // 1000, *kept)
    )


def kept_counters(counters: CounterSet) -> tuple[KeptCounter, ...]:
    """Counters of a charge as they are kept."""
    _, size, *words = counters.words
    return tuple(map(KeptCounter, counters.suffixes, words[1::size]))


def encode_joint_memo(
    version: int, layout: JointLayout, request: ConsumeAllRequest, taken_ms: int, hold: bool = False
) -> bytes:
    """What is to be stored of a joint charge.

    Args:
        version: of the catalog.
        layout: of its items.
        request: what is to be taken.
        taken_ms: Unix time of the periods that it is taken from.
        hold: whether to keep also which counters it is taken from.
    """
    parts = []
    for part in layout.parts:
        given = part.given
        if given is None:
            parts.append(KeptPart(part.terms, part.places))
        else:
            kept = (given.value, given.values, given.variant, given.reason)
            parts.append(KeptPart((), (), *kept))
    items = tuple(
        [HeldItem(one.feature_id, one.quantity, one.resource_id) for one in request.items]
    )
    counters = kept_counters(layout.counters) if hold else ()
    kept_ms = 0
    if isinstance(request, AcquireRequest):
        kept_ms = request.idempotency_ttl_ms - request.ttl_ms
    return JOINT + _encode(
        JointMemo(version, tuple(parts), items, counters, taken_ms // 1000, kept_ms)
    )


def encode_settled_memo(version: int, layout: JointLayout, request: ConsumeAllRequest) -> bytes:
    """What is to be stored of the settlement of a hold, of one feature as of any charge.

    Args:
        version: of the catalog.
        layout: of its items.
        request: the differences to what is held.
    """
    (part, *others), (item, *_) = layout.parts, request.items
    if others:
        return encode_joint_memo(version, layout, request, item.occurred_ms)
    return encode_memo(version, part.terms, item.quantity, item.occurred_ms)


def joint_fingerprint(request: ConsumeAllRequest) -> str:
    """As `fingerprint`, over all items."""
    if len(request.items) == 1 and request.mode >= Mode.SETTLE:  # a hold of one feature
        return fingerprint(request.items[0])
    return _digest("\0".join(map(fingerprint, request.items)))


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
        used, closes = read_usage(head[1:].split(b","))
        settled = Settlement(ChargeStatus.ALLOWED, used, closes=closes)
        if isinstance(request, ConsumeAllRequest):
            return _replay_all(request, settled, memo, now_ms)
        first = _decode(memo)
    except (ValueError, msgspec.DecodeError):
        return None
    decision = fold(first.terms, request, settled, now_ms, first.catalog_version)
    return msgspec.structs.replace(decision, replayed=True)


def _replay_all(
    request: ConsumeAllRequest, settled: Settlement, memo: bytes, now_ms: int
) -> ConsumeAllDecision:
    first = read_parts(memo)
    if request.mode >= Mode.SETTLE:  # the differences of then, whatever they would be now
        pairs = zip(request.items, first.items, strict=True)
        items = [msgspec.structs.replace(item, quantity=was.quantity) for item, was in pairs]
        request = msgspec.structs.replace(request, items=tuple(items))
    decision = fold_all(first.parts, request, settled, now_ms, first.version)
    return msgspec.structs.replace(decision, replayed=True)


class KeptParts(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a charge, of one feature or several."""

    version: int
    parts: tuple[JointPart, ...]
    items: tuple[HeldItem, ...]
    counters: tuple[KeptCounter, ...]
    taken_s: int


def read_parts(memo: bytes) -> KeptParts:
    """Read a memo of either format.

    Raises:
        msgspec.DecodeError: it is none.
    """
    if not memo.startswith(JOINT):
        one = _decode(memo)
        given = None if one.terms else Decision(True, int(Reason.WITHIN_LIMIT), one.catalog_version)
        part = new_part(one.terms, tuple(range(len(one.terms))), given)
        items = one.items or (HeldItem("", one.quantity),)
        return KeptParts(one.catalog_version, (part,), items, one.counters, one.taken_s)
    all_ = _decode_joint(memo[1:])
    parts = tuple([kept.part(all_.catalog_version) for kept in all_.parts])
    return KeptParts(all_.catalog_version, parts, all_.items, all_.counters, all_.taken_s)


def read_usage(texts: list[bytes]) -> tuple[Sequence[int], Sequence[int]]:
    """Usage before the charge and when windows close after it, per limit."""
    if b"@" not in texts[0]:
        return [int(text) for text in texts], ()
    pairs = [text.split(b"@") for text in texts]
    return [int(used) for used, _ in pairs], [int(closes) for _, closes in pairs]


def read_slot(stored: bytes) -> KeptSlot | None:
    """The slot of a record, its fingerprint first; None: it cannot be read."""
    memo = stored[FINGERPRINT_LENGTH:].partition(b"|")[2]
    try:
        kept = _decode_joint(memo.removeprefix(JOINT))
    except msgspec.DecodeError:
        return None
    slot = kept.items[0]
    return KeptSlot(slot.feature_id, slot.resource_id, kept.kept_ms)
