"""Finding customers: through an index per shard, which is checked against the records.

Every write of a customer moves its members of the index in the script that writes the record. What
was written by servers without an index, before an update or while it is under way, is indexed from
time to time, shard by shard: `due` and `refresh`. A shard that never was is searched by reading all
of its customers.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from quotad.errors import InvalidRequest, StoreError
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.customers import CustomerPage, Customers
from quotad.store.facets import (
    Wanted,
    customer_of,
    facets,
    is_of_trials,
    is_repeated,
    starts_of,
)
from quotad.store.keys import KeySpace
from quotad.store.shard_commands import ShardCommands
from quotad.store.shard_map import with_tag

INDEXED_FOR_MS = 3_600_000
"""How long a shard counts as indexed, for what servers without an index may have written."""

EXAMINED_MAX = 2_000
"""Most customers read for one page; a page may be short, or empty, and have a next one."""

SHARDS_MAX = 1_024
"""Most shards looked into for one page."""

_WHOLE = b"\0"
"""Member of an index that holds all of its shard; one that was lost and begun again by a write
lacks it. No search starts so."""

_WITH_TRIALS = b"\0\0"
"""Member of an index that has the members of trials as well; a server of an earlier release takes
it out again when it has indexed the shard."""

WHOLE_MARKS = (_WHOLE, _WITH_TRIALS)

_CHUNK = 200
_CLAIM_MS = 60_000
_LAST = b"\xff"
"""Above every byte of UTF-8."""

Matches = Callable[[CustomerRecord], bool]


class _Place(msgspec.Struct):
    """Where a search has got to."""

    shard: int
    start: bytes = b""
    """What the members of the index start with that are looked through; empty: ids are."""
    after: bytes = b""
    """Empty: at the start of the shard."""


class CustomerIndex:
    """Finds the customers of one store."""

    def __init__(self, store: Store, keys: KeySpace, customers: Customers) -> None:
        self._store = store
        self._keys = keys
        self._customers = customers
        self._script = scripts.load("index_customer")
        self._commands = ShardCommands(store, keys)

    def search(self, wanted: Wanted, matches: Matches, token: str, size: int) -> CustomerPage:
        """Find customers, by shard, then by what they were found by, then by id.

        Args:
            wanted: which; the same for all pages.
            matches: whether a record is of one that is wanted.
            token: where the page before ended; empty for the first.
            size: most customers to return, at least 1.

        Raises:
            InvalidRequest: the token is not one that a page of the same search ended with.
            StoreUnavailable: the store refused or timed out.
        """
        place = self._read_token(token, wanted)
        end = self._keys.places.stop
        until = min(place.shard + SHARDS_MAX, end)
        marks = self._store.read(self._keys.shard_indexed[place.shard : until])
        found: list[StoredCustomer] = []
        first, examined = place.shard, 0
        while place.shard < until and len(found) < size and examined < EXAMINED_MAX:
            if not place.after:
                self._begin(place, wanted, marks[place.shard - first] is not None)
            members = self._members(place, wanted)
            ids = [customer_of(member) for member in members]
            for member, stored in zip(members, self._customers.try_many(ids), strict=True):
                examined += 1
                place.after = member
                if isinstance(stored, StoreError):
                    continue  # a damaged record
                record = stored.record
                if record is None or not matches(record):
                    continue
                if not (place.start and is_repeated(member, record, wanted)):
                    found.append(stored)
                    if len(found) == size:
                        break
            else:
                if len(members) < _CHUNK:
                    place = _Place(place.shard + 1)
        more = place.shard < end
        return CustomerPage(found, self._write_token(place, wanted) if more else "")

    def due(self, now_ms: int) -> list[int]:
        """The shards that are to be indexed.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        places = self._keys.places
        marks = self._store.read(self._keys.shard_indexed[places.start :])
        whole = self._store.execute_many(
            [("ZMSCORE", key, *WHOLE_MARKS) for key in self._keys.shard_indexes[places.start :]]
        )
        return [
            shard
            for shard, mark, there in zip(places, marks, whole, strict=True)
            if mark is None or None in there or not now_ms - INDEXED_FOR_MS < int(mark) <= now_ms
        ]

    def refresh(self, shard: int, now_ms: int, pause: Callable[[], bool]) -> None:
        """Index a shard: put in what is missing, take out what is wrong.

        Writes of its customers continue meanwhile. Nothing happens where another server does it.

        Args:
            shard: which.
            now_ms: Unix time.
            pause: called between chunks, so that others have their turn; True ends the work.

        Raises:
            StoreUnavailable: the store refused or timed out; the rest is for the next time.
        """
        claim = self._keys.indexing(shard)
        if shard not in self._keys.places:
            return  # it has moved
        if not self._store.execute("SET", claim, b"1", "NX", "PX", _CLAIM_MS):
            return
        for key in (self._keys.shard_customers[shard], self._keys.shard_indexes[shard]):
            after = b""
            while True:
                low = b"(" + after if after else b"-"
                members = self._store.execute("ZRANGEBYLEX", key, low, b"+", "LIMIT", 0, _CHUNK)
                self._store.execute("PEXPIRE", claim, _CLAIM_MS)
                self._mend(shard, members)
                if len(members) < _CHUNK:
                    break
                after = members[-1]
                if pause():
                    return
        commands = [
            ("ZADD", self._keys.shard_indexes[shard], 0, _WHOLE, 0, _WITH_TRIALS),
            ("SET", self._keys.shard_indexed[shard], now_ms),
            ("DEL", claim),
        ]
        self._commands.run_here(commands)

    def _mend(self, shard: int, members: Sequence[bytes]) -> None:
        """Compare the members of customers with their records.

        Args:
            shard: theirs.
            members: of the index, or ids.
        """
        there: dict[str, set[bytes]] = {}
        for member in members:
            if member in WHOLE_MARKS:
                continue
            there.setdefault(customer_of(member), set()).add(member)
        right = self._facets(there)
        index = self._keys.shard_indexes[shard]
        looked_for = [member for _, found_by in right.values() for member in found_by]
        scores: Iterable[bytes | None] = ()
        if looked_for:
            scores = self._store.execute("ZMSCORE", index, *looked_for)
        missing = {
            member for member, score in zip(looked_for, scores, strict=True) if score is None
        }
        calls: list[tuple[tuple[str, ...], list[Any]]] = []
        for customer_id, (epoch, found_by) in right.items():
            stale = {each for each in there[customer_id] if b"\0" in each} - found_by
            new = found_by & missing
            if stale or new:
                keys = self._keys.customer(customer_id)
                names = with_tag((keys.epoch, keys.index))
                calls.append((names, [epoch, len(stale), *stale, *new]))
        if calls:  # of a customer that has moved meanwhile its new shard will be due
            self._store.run_many(self._script, calls, or_moved=True)

    def _facets(self, customer_ids: Iterable[str]) -> dict[str, tuple[int, set[bytes]]]:
        """By customer its epoch and its members; without those whose record cannot be read."""
        ids = list(customer_ids)
        return {
            customer_id: (stored.epoch, facets(stored.record))
            for customer_id, stored in zip(ids, self._customers.try_many(ids), strict=True)
            if not isinstance(stored, StoreError)
        }

    def _begin(self, place: _Place, wanted: Wanted, is_indexed: bool) -> None:
        """Choose what a shard is looked through by: what leads to fewest customers."""
        starts = starts_of(wanted) if is_indexed else []
        place.start = starts[0] if starts else b""
        if len(starts) > 1 or (starts and wanted.id_prefix):
            index, ids = self._keys.shard_indexes[place.shard], wanted.id_prefix.encode()
            ways = [(index, start) for start in starts]
            if ids:
                ways.append((self._keys.shard_customers[place.shard], ids))
            counts = self._store.execute_many(
                [("ZLEXCOUNT", key, b"[" + start, b"(" + start + _LAST) for key, start in ways]
            )
            fewest = counts.index(min(counts))
            place.start = starts[fewest] if fewest < len(starts) else b""

    def _members(self, place: _Place, wanted: Wanted) -> list[bytes]:
        """The next members of the place's shard: of its index, or where that was lost, ids."""
        if place.start:
            key, start = self._keys.shard_indexes[place.shard], place.start
            mark = _WITH_TRIALS if is_of_trials(start) else _WHOLE
            whole, found = self._store.execute_many(
                [("ZSCORE", key, mark), _range(key, place.after, start)]
            )
            if place.after or whole is not None:
                return found  # type: ignore[no-any-return]
            place.start = b""  # it was lost, or is of an earlier release
        key, start = self._keys.shard_customers[place.shard], wanted.id_prefix.encode()
        return self._store.execute(*_range(key, place.after, start))  # type: ignore[no-any-return]

    def _write_token(self, place: _Place, wanted: Wanted) -> str:
        kind = "i" if place.start else "c"
        return f"{place.shard}:{kind}{_named(wanted)}:{place.after.hex()}"

    def _read_token(self, token: str, wanted: Wanted) -> _Place:
        places = self._keys.places
        if not token:
            return _Place(places.start)
        shard, _, rest = token.partition(":")
        named, _, after = rest.partition(":")
        try:
            place = _Place(int(shard), after=bytes.fromhex(after))
        except ValueError:
            place = _Place(-1)
        if named[:1] == "i":
            kinds = (start for start in starts_of(wanted) if place.after.startswith(start))
            place.start = next(kinds, b"")
        is_member = not place.after or bool(place.start) is (named[:1] == "i")
        if not is_member or not 0 <= place.shard < places.stop or named[1:] != _named(wanted):
            raise InvalidRequest(
                f"page_token: {token[:40]!r} is not one that this server gave for the same search"
            )
        return place if place.shard in places else _Place(places.start)


def _range(key: str, after: bytes, start: bytes) -> tuple[Any, ...]:
    """The command for the next members that start so."""
    low = b"(" + after if after else b"[" + start
    return ("ZRANGEBYLEX", key, low, b"(" + start + _LAST, "LIMIT", 0, _CHUNK)


def _named(wanted: Wanted) -> str:
    """A search in a few letters, so that its pages are not mixed with those of another."""
    fields = msgspec.structs.asdict(wanted)
    for name in (
        "promoted",
        "promotion_of",
        "in_trial",
    ):  # a page of an earlier release goes on here
        if not fields[name]:
            del fields[name]
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()[:8]
