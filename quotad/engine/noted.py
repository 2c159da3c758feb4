"""Reading the ledger: from the record of a script call to the entries in it, see `noting`."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from quotad.decision import (
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
    Reason,
)
from quotad.engine.acts import ACTS_FORMAT, DONE, LATE, LEASED, NotedAct, NotedActs
from quotad.engine.fold import fold
from quotad.engine.joint import fold_all
from quotad.engine.meters import NO_DETAILS, LimitTerms, room_for
from quotad.engine.noting import FORMAT, NotedCall, NotedCharge, NotedPart, NotedRow
from quotad.ledger import CHANGE, NOBODY, CounterLimit, LedgerEntry, Noting, Taker
from quotad.slots import SLOT
from quotad.store import ChargeStatus, Settlement
from quotad.store.holds import SETTLED, TAKEN, UNDONE
from quotad.store.keys import escape
from quotad.store.ledger import LedgerRecord
from quotad.store.noted_changes import CHANGE_FORMAT, NotedChange

ALLOWED, DENIED = int(ChargeStatus.ALLOWED), int(ChargeStatus.DENIED)
REPLAYED = int(ChargeStatus.REPLAYED)

_BY_START = {TAKEN: "reserve", SETTLED: "settle", UNDONE: "refund", SLOT: "acquire"}
_BY_MODE = {Mode.ADJUST_ONLY: "record", Mode.REFUND: "refund"}
_BY_MODE |= {Mode.SETTLE: "set", Mode.SETTLE_WITHIN: "set"}

_decode = msgspec.msgpack.Decoder(NotedCall).decode
_decode_change = msgspec.msgpack.Decoder(NotedChange).decode
_decode_acts = msgspec.msgpack.Decoder(NotedActs).decode


class _Head(msgspec.Struct, frozen=True, array_like=True):
    format: int


_decode_head = msgspec.msgpack.Decoder(_Head).decode


_unpack = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_unpack_number = msgspec.msgpack.Decoder(int).decode
_KNOWN = frozenset(bytes((number,)) for number in (FORMAT, ACTS_FORMAT, CHANGE_FORMAT))
"""The second byte of a record, after that of its array."""
_TEXTS = frozenset(bytes((byte,)) for byte in (*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB))
"""What texts of msgpack start with: what is replayed, in bytes of any kind."""
_JOINED = frozenset(bytes((byte,)) for byte in b"-0123456789")
"""What a list of numbers starts with that is joined by commas, and a packed one never does."""


class _Counted(NamedTuple):
    """What a part of a charge has moved, by the endings of usage keys."""

    got: dict[str, int]
    came_to: dict[str, int]
    """Without windows that were left alone."""
    closes: dict[str, int]
    limits: dict[str, CounterLimit]


_NOTHING = _Counted({}, {}, {}, {})


class Unreadable(Exception):
    """A record that cannot be read: of a newer release, or damaged."""


def read_record(record: LedgerRecord) -> list[LedgerEntry]:
    """The entries of a record; what was replayed, stale or not to be noted is none.

    Raises:
        Unreadable: it is of a format that this release does not know, or damaged.
    """
    try:
        format_ = _decode_head(record.charges).format
        if format_ == ACTS_FORMAT:
            return _acts(record)
        if format_ == CHANGE_FORMAT:
            return [_change(record)]
        if format_ != FORMAT:
            raise Unreadable(f"format {format_}, which this release does not know")
        noted = _decode(record.charges)
        return [
            entry
            for place, (charge, settled) in enumerate(_settled(noted, record.became))
            if isinstance(charge, NotedCharge) and settled is not None
            for entry in _entries(noted, charge, settled, record, place)
        ]
    except (msgspec.MsgspecError, ValueError, IndexError, StopIteration, TypeError) as error:
        raise Unreadable(f"damaged: {error}") from error


def naming(texts: Sequence[str]) -> Callable[[bytes], bool]:
    """Returns whether a record can have an entry with all of these texts, by what it has of its
    charges, without unpacking it; of one of an unknown format that is not known."""
    packed = [msgspec.msgpack.encode(text) for text in texts]
    if len(packed) == 1:
        (only,) = packed
        return lambda charges: only in charges or charges[1:2] not in _KNOWN
    return lambda charges: charges[1:2] not in _KNOWN or all([text in charges for text in packed])


def _change(record: LedgerRecord) -> LedgerEntry:
    """The entry of a write by an admin."""
    noted, (made,) = _decode_change(record.charges), _values(record.became)
    change = noted.change
    return LedgerEntry(
        id=f"{record.id}-0",
        at_ms=record.at_ms,
        verb=CHANGE,
        customer_id=noted.customer_id,
        feature_id="",
        quantity=0,
        allowed=True,
        reason="",
        catalog_version=made if noted.of_catalog else 0,
        actor=change.actor,
        call=change.call,
        changes=change.changes,
        comment=change.comment,
        epoch=made if noted.customer_id else 0,
    )


def _acts(record: LedgerRecord) -> list[LedgerEntry]:
    """The entries of what other scripts have carried out."""
    noted, became = _decode_acts(record.charges), _values(record.became)
    return [
        LedgerEntry(
            id=f"{record.id}-{place}",
            at_ms=record.at_ms,
            verb=act.verb,
            customer_id=act.customer_id,
            feature_id=act.feature_id,
            quantity=act.quantity,
            allowed=True,
            reason=Reason.WITHIN_LIMIT.name,
            resource_id=act.resource_id,
            key=act.key,
            occurred_ms=act.occurred_ms,
            late=became[act.step] == LATE,
            catalog_version=noted.catalog_version,
            counters=act.counters if became[act.step] == DONE else {},
            came_to=_came_to(act, became),
            actor=act.actor,
            edge=act.edge,
        )
        for place, act in enumerate(noted.acts)
        if became[act.step] in (DONE, LATE)
    ]


def _came_to(act: NotedAct, became: list[int]) -> dict[str, int]:
    """What the counters of a lease have then; of other acts, and of leases that an earlier release
    has noted, that is not known."""
    if act.verb not in LEASED or len(became) != 1 + len(act.counters):
        return {}
    return {
        ending: max(before + amount, 0)
        for (ending, amount), before in zip(act.counters.items(), became[1:], strict=True)
    }


def _settled(
    noted: NotedCall, became: bytes
) -> Iterator[tuple[NotedCharge | int, Settlement | None]]:
    """Every charge with what became of it; None: nothing that is noted."""
    values = _values(became)
    at = 0
    for charge in noted.charges:
        status = values[at]
        at += 1
        settled = None
        if status in (ALLOWED, DENIED):
            if isinstance(charge, int):
                at += charge
            else:
                row = noted.rows[charge.row]
                end = at + row.size * len(row.suffixes)
                numbers = values[at:end]
                used, closes = numbers[:: row.size], numbers[1 :: row.size] if row.size > 1 else ()
                settled = Settlement(status, used, closes=closes)
                at = end
        elif status == REPLAYED:
            at += 1
        yield charge, settled
    if at != len(values):
        raise ValueError(f"{len(values)} values, {at} expected")


def _values(became: bytes) -> list[int]:
    """What the script has returned; 0 for what is replayed."""
    if became[:1] in _JOINED:
        return [int(word or 0) for word in became.split(b",")]
    return [0 if bytes(raw)[:1] in _TEXTS else _unpack_number(raw) for raw in _unpack(became)]


def _entries(
    noted: NotedCall, charge: NotedCharge, settled: Settlement, record: LedgerRecord, place: int
) -> list[LedgerEntry]:
    row = noted.rows[charge.row]
    taker = noted.takers[noted.whose[place] if noted.whose else 0] if noted.takers else NOBODY
    make = partial(
        _entry,
        drawn=record.drawn,
        taker=taker,
        record_id=f"{record.id}-{place}",
        at_ms=record.at_ms,
        charge=charge,
    )
    if not isinstance(charge.quantity, tuple):
        (part,) = row.parts
        request = ConsumeRequest(
            charge.customer_id,
            part.feature_id,
            charge.quantity,
            charge.mode,
            resource_id=charge.resource_id,
        )
        decision = part.part(noted.catalog_version).given or fold(
            part.terms, request, settled, record.at_ms, noted.catalog_version
        )
        prefix = escape(charge.resource_id) if charge.resource_id else ""
        counted = _counted(row, part, request, settled, list(settled.used), prefix)
        return make(part=part, request=request, decision=decision, counted=counted)
    items = tuple(
        ConsumeRequest(
            charge.customer_id,
            part.feature_id,
            quantity,
            charge.mode,
            resource_id=part.resource_id,
        )
        for part, quantity in zip(row.parts, charge.quantity, strict=True)
    )
    request = ConsumeAllRequest(charge.customer_id, "", 0, charge.mode, items=items)
    parts = [part.part(noted.catalog_version) for part in row.parts]
    answer = fold_all(parts, request, settled, record.at_ms, noted.catalog_version)
    used = list(settled.used)
    entries: list[LedgerEntry] = []
    for number, (part, item, decision) in enumerate(
        zip(row.parts, items, answer.items, strict=True)
    ):
        if not answer.allowed and decision.allowed:
            continue  # it would have been taken alone
        counted = _counted(row, part, item, settled, used)
        found = make(part=part, request=item, decision=decision, counted=counted)
        entries += [msgspec.structs.replace(each, id=f"{each.id}.{number}") for each in found]
    return entries


def _entry(
    drawn: int,
    taker: Taker,
    record_id: str,
    at_ms: int,
    charge: NotedCharge,
    part: NotedPart,
    request: ConsumeRequest,
    decision: Decision,
    counted: _Counted,
) -> list[LedgerEntry]:
    """The entry of one feature of a charge; none where it is not to be noted."""
    noting = Noting.TAKEN if decision.allowed else Noting.ALL
    took = decision.granted or any(counted.got.values())
    if part.noting < noting or (decision.allowed and not took):
        return []
    if not decision.allowed and drawn < Noting(part.noting).level:
        return []
    key, start = charge.key, charge.key[:1]
    if start in _BY_START:
        key = key[1:].partition(UNDONE)[0]
    verb = _BY_START.get(start) or _BY_MODE.get(Mode(charge.mode), "consume")
    return [
        LedgerEntry(
            id=record_id,
            at_ms=at_ms,
            verb=verb,
            customer_id=charge.customer_id,
            feature_id=request.feature_id,
            quantity=decision.granted if decision.allowed else request.quantity,
            allowed=decision.allowed,
            reason=Reason(decision.reason).name,
            resource_id=request.resource_id,
            key=key,
            limit=decision.limit,
            used=decision.used,
            remaining=decision.remaining,
            pool_id=decision.pool_id,
            resets_at_ms=decision.resets_at_ms,
            occurred_ms=charge.occurred_ms,
            catalog_version=decision.catalog_version,
            counters=counted.got,
            came_to=counted.came_to,
            closes=counted.closes,
            limits=counted.limits,
            actor=taker[0],
            edge=taker[1],
        )
    ]


def _counted(
    row: NotedRow,
    part: NotedPart,
    request: ConsumeRequest,
    settled: Settlement,
    used: list[int],
    prefix: str = "",
) -> _Counted:
    """What each counter of a feature got; moves `used` on to what is in it then."""
    if settled.status != ALLOWED:
        return _NOTHING._replace(limits=_limits(row, part, settled, used, prefix))
    quantity = request.quantity
    if request.mode == Mode.BEST_EFFORT:
        quantity = room_for(part.terms, [used[place] for place in part.places], quantity)
    counted = _Counted({}, {}, {}, {})
    for term, place in zip(part.terms, part.places, strict=True):
        suffix = prefix + row.suffixes[place]
        if _is_elsewhere(term, request, settled, place):
            counted.got[suffix] = 0
            continue
        after = max(used[place] + quantity * _weight(term), 0)
        counted.got[suffix] = after - used[place]
        counted.came_to[suffix] = used[place] = after
        if settled.closes and settled.closes[place]:
            counted.closes[suffix] = settled.closes[place]
    limits = _limits(row, part, settled, used, prefix)
    return counted._replace(
        limits={suffix: limit for suffix, limit in limits.items() if suffix in counted.came_to}
    )


def _limits(
    row: NotedRow, part: NotedPart, settled: Settlement, used: list[int], prefix: str
) -> dict[str, CounterLimit]:
    """The limits of a feature, with what is used of each."""
    found: dict[str, CounterLimit] = {}
    for term, place in zip(part.terms, part.places, strict=True):
        details = term.details or NO_DETAILS
        if term.limit is None or details.slots:
            continue
        resets_ms = term.resets_at_ms
        if details.opens:
            resets_ms = (settled.closes[place] if settled.closes else 0) or None
        found[prefix + row.suffixes[place]] = CounterLimit(
            term.limit, used[place], term.per, resets_ms, details.pool_id, details.decimals
        )
    return found


def _weight(term: LimitTerms) -> int:
    return 1 if term.details is None else term.details.weight


def _is_elsewhere(
    term: LimitTerms, request: ConsumeRequest, settled: Settlement, place: int
) -> bool:
    """Whether the window that is settled is not the one that is open, and was left alone."""
    opens = term.details is not None and term.details.opens
    return opens and request.mode >= Mode.SETTLE and not settled.closes[place]
