"""What charges have in the ledger beside what becomes of them: packed here, read in `noted`.

One record for each call of the script that counts:

    charges   format 1: `NotedCall` in msgpack, an array. Later formats have other numbers;
              old and new servers run side by side, so a format is read for a release before it is
              written.
    became    what the script has returned of all charges of the call: a list of numbers in msgpack,
              or joined by commas where the store cannot pack
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.joint import JointPart, new_part
from quotad.engine.meters import LimitTerms
from quotad.engine.rounds import Planned, Round
from quotad.ledger import NOBODY, LedgerKept, Noting, Taker
from quotad.recent import Recent
from quotad.store import CounterSet, KeySpace
from quotad.store.charges import CHECK, DETAILED_ARGS

FORMAT = 1

NORMAL = int(Mode.NORMAL)

ROWS_MAX = 4096
"""Most rows that are remembered; made anew where a period ends."""


class NotedPart(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is noted of one feature of a charge; new fields go to the end and have defaults."""

    feature_id: str
    noting: int
    """A `Noting`."""
    terms: tuple[LimitTerms, ...]
    places: tuple[int, ...]
    """Which counters of the charge its limits are."""
    resource_id: str = ""
    """Of one of several features; of the only one the charge has it."""
    reason: int = 0
    """A `Reason`, where no counter takes part; 0: counters decide."""
    allowed: bool = True
    """With a reason: what was planned."""

    def part(self, version: int) -> JointPart:
        """What its decision is folded from.

        Args:
            version: of the catalog.
        """
        given = Decision(self.allowed, self.reason, version) if self.reason else None
        return new_part(self.terms, self.places, given)


class NotedRow(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What charges have in common that are to the same counters."""

    size: int
    """Values that the script returns of each counter."""
    suffixes: tuple[str, ...]
    """Endings of the usage keys, after that of the customer or of its resource."""
    parts: tuple[NotedPart, ...]


class NotedCharge(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One charge; what most of them do not have is at the end, and left out there."""

    row: int
    customer_id: str
    quantity: int | tuple[int, ...]
    """Asked for; of several features, of each of them."""
    mode: int = NORMAL
    key: str = ""
    resource_id: str = ""
    occurred_ms: int = 0


class NotedCall(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a script call has noted."""

    format: int
    catalog_version: int
    rows: tuple[NotedRow, ...]
    charges: tuple[NotedCharge | int, ...]
    """In the order of the call; of one that is not to be noted, how many values there are of it."""
    takers: tuple[Taker, ...] = ()
    """Whose doing they are; without any the server's own."""
    whose: tuple[int, ...] = ()
    """Of each charge, which of these; empty: all are of the first."""


_encode = msgspec.msgpack.Encoder().encode


class LedgerNotes:
    """Describes the charges of rounds for the ledger; of one thread.

    Args:
        kept: how much of the ledger the store keeps.
        keys: of the store, whose shards share that.
    """

    def __init__(self, kept: LedgerKept, keys: KeySpace) -> None:
        self._kept = kept
        self._keys = keys
        self._rows: Recent[tuple[object, ...], tuple[CounterSet, object, msgspec.Raw]] = Recent(
            ROWS_MAX
        )
        self.round = Round(())
        """Whose charges come next."""
        self.snapshot: Snapshot | None = None
        """That it is planned on."""

    @property
    def kept(self) -> tuple[int, int]:
        """How many records the stream of a shard keeps, and for how long (ms)."""
        return self._kept.of_shard(self._keys.shards)

    def describe(self, places: Sequence[int]) -> bytes:
        """What a record has of its charges, which are these of the round; as `NotedCall`."""
        planned, requests, in_batch = self.round.planned, self.round.requests, self.round.places
        rows: list[msgspec.Raw] = []
        numbers: dict[int, int] = {}
        noted: list[object] = []
        last: CounterSet | None = None
        at = 0
        for place in places:
            one, request = planned[place], requests[in_batch[place]]
            counters = one.counters
            plain = one.plain is not None and not request.resource_id
            if plain and counters is last:  # nearly always, without detours
                noted.append((at, request.customer_id, one.quantity))
                continue
            if not counters.noting or one.verb == CHECK:
                noted.append(_values_of(counters))
                continue
            row = self._row(one, request)
            at = numbers.setdefault(id(row), len(rows))
            if at == len(rows):
                rows.append(row)
            last = counters
            noted.append((at, *_noted(request, plain)))
        version = 0 if self.snapshot is None else self.snapshot.version
        takers = self.round.takers
        if len(takers.who) == 1:
            who = () if takers.who[0] == NOBODY else takers.who
            return _encode((FORMAT, version, rows, noted, who))
        each = [takers.at(in_batch[place]) for place in places]
        number = {taker: at for at, taker in enumerate(dict.fromkeys(each))}
        whose = [number[taker] for taker in each]
        return _encode((FORMAT, version, rows, noted, list(number), whose))

    def _row(self, one: Planned, request: ConsumeRequest) -> msgspec.Raw:
        """The row of a charge, encoded; the same one for charges to the same counters."""
        counters, given = one.counters, one.given
        if isinstance(given, Decision):
            name: tuple[object, ...] = (request.feature_id, given.reason)
        else:
            name = (id(counters), id(given))
        known = self._rows.get(name)
        # Who holds counters and parts keeps their ids from being given to others.
        if known is not None and known[0] is counters and (known[1] is given or len(name) == 2):
            return known[2]
        row = msgspec.Raw(_encode(self._new_row(one, request)))
        self._rows.put(name, (counters, given, row))
        return row

    def _new_row(self, one: Planned, request: ConsumeRequest) -> NotedRow:
        counters, given = one.counters, one.given
        if isinstance(given, tuple) and isinstance(request, ConsumeAllRequest):
            parts = [
                self._part(item.feature_id, part.terms, part.places, item.resource_id, part.given)
                for part, item in zip(given, request.items, strict=True)
            ]
        else:
            decided = given if isinstance(given, Decision) else None
            places = tuple(range(len(one.terms)))
            parts = [self._part(request.feature_id, one.terms, places, "", decided)]
        return NotedRow(_size_of(counters), counters.suffixes, tuple(parts))

    def _part(
        self,
        feature_id: str,
        terms: tuple[LimitTerms, ...],
        places: tuple[int, ...],
        resource_id: str,
        given: Decision | None,
    ) -> NotedPart:
        noting = Noting.NOTHING if self.snapshot is None else self.snapshot.noting(feature_id)
        reason, allowed = (0, True) if given is None else (given.reason, given.allowed)
        return NotedPart(feature_id, int(noting), terms, places, resource_id, reason, allowed)


class AlsoCounted:
    """Describes one charge that its script settles beside something else.

    Args:
        notes: of the thread.
        planned: the charge; its counters are those that the script is given.
        request: what was asked for of them.
    """

    def __init__(self, notes: LedgerNotes, planned: Planned, request: ConsumeRequest) -> None:
        self._notes = notes
        self._round = Round((request,), notes.round.takers)
        self._round.add(0, planned)

    @property
    def kept(self) -> tuple[int, int]:
        """As of the notes."""
        return self._notes.kept

    def describe(self, places: Sequence[int]) -> bytes:
        """What a record has of the charge."""
        self._notes.round = self._round
        return self._notes.describe(places)


def _noted(request: ConsumeRequest, plain: bool) -> tuple[object, ...]:
    """What a charge has beside its row; as `NotedCharge`."""
    quantity: object = request.quantity
    if isinstance(request, ConsumeAllRequest):
        quantity = [item.quantity for item in request.items]
    if plain:
        return request.customer_id, quantity
    key, resource_id = request.idempotency_key, request.resource_id
    return request.customer_id, quantity, request.mode, key, resource_id, _occurred_ms(request)


def _occurred_ms(request: ConsumeRequest) -> int:
    if isinstance(request, ConsumeAllRequest):
        return request.items[0].occurred_ms
    return request.occurred_ms


def _size_of(counters: CounterSet) -> int:
    return 2 if counters.words[1] == DETAILED_ARGS else 1


def _values_of(counters: CounterSet) -> int:
    return _size_of(counters) * len(counters.suffixes)
