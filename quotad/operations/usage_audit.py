"""Comparing counters with the ledger: whether each has what was noted of it."""

import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import groupby

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.engine import Snapshots
from quotad.entitlements.counted import CountedPeriod, CountedPeriods
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.ledger import Noting
from quotad.model import Anchor, Feature, MeterKind
from quotad.operations.insights import metered_named
from quotad.operations.ledger import LedgerOperations
from quotad.operations.tallies import OPENING_SLACK_MS, CounterTally, LedgerTallies
from quotad.store import Catalogs, Customers
from quotad.store.ledger import DIGEST_BYTES, digest_of
from quotad.store.usage import CounterName, CounterValue, UsageStore

ROWS_MAX = 5_000
"""Counters that a page reports, about; it ends with a whole customer."""

DAY_MS = 86_400_000

AT_ONCE = 300
"""Counters that are read together, about: a tenth of a millisecond of the store's time."""

CUSTOMERS_AT_ONCE = 500
"""Most customers whose records are read together."""

VERSIONS_MAX = 100
"""Versions of the catalog that are looked at for what they had in the ledger."""


class Doubt(StrEnum):
    """Why the ledger does not say what a counter should have."""

    NOT_LEDGERED = "not_ledgered"
    """Something that it counts is not in the ledger, or was not for a while."""
    NOTHING_NOTED = "nothing_noted"
    """It was counted before its feature was ledgered, or longer ago than records are kept."""
    BEGINNING = "beginning"
    """What it had when the ledger begins is not known."""
    RECORDS = "records"
    """Records were dropped before they were read, or cannot be read."""
    DAMAGED = "damaged"
    """The counter holds no usage."""


class LookedAt(msgspec.Struct, frozen=True):
    """A counter that may have usage now."""

    its: CountedPeriod
    name: CounterName
    provisioned: bool
    """Whether the customer has a record."""

    @property
    def opens(self) -> bool:
        """Whether its window opens at first use."""
        return self.its.window is not None and self.its.window.anchor is Anchor.FIRST_USE


class AuditedCounter(msgspec.Struct, frozen=True):
    """A counter that has not what the ledger says, or of which that is not known."""

    looked: LookedAt
    closes_ms: int
    """Of a window that opens at first use: when it closes; 0: of any other."""
    counted: int
    """What it has."""
    by_ledger: int
    """What it should have."""
    since_ms: int | None
    """From when on the ledger has it (Unix ms); None: it has nothing of it."""
    doubt: Doubt | None
    """None: it differs from the ledger."""
    rebuilds: int
    """How often the customer's counters had been brought back to the ledger."""
    rebuilt: bool = False
    """Whether this has been done to it now."""

    @property
    def name(self) -> CounterName:
        """Which it is."""
        return self.looked.name

    @property
    def feature(self) -> Feature:
        """What it counts."""
        return self.looked.its.feature

    @property
    def per(self) -> str:
        """The window as a catalog spells it; empty: a lifetime."""
        window = self.looked.its.window
        return "" if window is None else window.per

    @property
    def start_ms(self) -> int | None:
        """Unix time; None: of a lifetime, or of a window that opens at first use."""
        return None if self.looked.opens else self.looked.its.period.start_ms

    @property
    def end_ms(self) -> int | None:
        """When its period ends; None: never, or it is not open."""
        return (self.closes_ms or None) if self.looked.opens else self.looked.its.period.end_ms

    @property
    def difference(self) -> int:
        """What it has more than the ledger; below 0: so much was lost."""
        return self.counted - self.by_ledger


class UsageAudit(msgspec.Struct, frozen=True):
    """What an audit has found of some customers."""

    counters: list[AuditedCounter]
    """Those that differ, and those of which it cannot be said."""
    agreed: int
    """How many have what the ledger says."""
    next_token: str
    """Of the customers that come next; empty: there are none."""

    @property
    def drifted(self) -> list[AuditedCounter]:
        """Those that differ."""
        return [each for each in self.counters if each.doubt is None]


class UsageAudits(msgspec.Struct, frozen=True):
    """Compares counters of the periods under way with the ledger; for all threads."""

    ledger: LedgerOperations
    counters: UsageStore
    customers: Customers
    catalogs: Catalogs
    snapshots: Snapshots
    clock: Clock
    idle_ms: int = 0
    """How long lifetime counters of customers without a record are kept; 0: for ever."""

    def audit(
        self,
        customer_id: str = "",
        feature_id: str = "",
        token: str = "",
        since_ms: int | None = None,
    ) -> UsageAudit:
        """Compare counters with the ledger while decisions go on.

        All records are read once and added up. Then counters are read together with the ends of
        the streams, in one step of the store, and the records up to there are added: no decision
        is in one of them alone.

        Args:
            customer_id: of one customer; empty: of all that the ledger has.
            feature_id: of one feature; empty: of all.
            token: of the page before; empty: the first page.
            since_ms: from when on the archive is read (Unix ms); None: of the last day.

        Raises:
            InvalidRequest: of the wrong shape, or the feature is not counted.
            NotFound: there is no such feature.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        if customer_id:
            check_id(customer_id, "customer_id")
        snapshot = self.snapshots.newest()
        features = _audited(snapshot, feature_id)
        tallies = LedgerTallies(self.ledger, customer_id, _read_token(token))
        tallies.read(self.clock.now_ms() - DAY_MS if since_ms is None else since_ms)
        return _Comparison(self, snapshot, features, tallies).run(customer_id)


class _Comparison:
    """One audit, once the ledger was read."""

    def __init__(
        self,
        parts: UsageAudits,
        snapshot: Snapshot,
        features: Sequence[str],
        tallies: LedgerTallies,
    ) -> None:
        self._parts = parts
        self._tallies = tallies
        self._now_ms = parts.clock.now_ms()
        self._periods = CountedPeriods(snapshot, features, self._now_ms)
        self._past = _PastNoting(parts.catalogs, snapshot)
        self._oldest_ms = max(
            (end.ms for end in parts.ledger.streams.ends(tallies.shards).values()), default=0
        )
        self._rebuilds: dict[str, int] = {}
        self._found: list[AuditedCounter] = []
        self._agreed = 0

    def run(self, customer_id: str) -> UsageAudit:
        names, up_to = self._tallies.customers(), self._tallies.up_to
        if customer_id:
            names = [customer_id]
        for at in range(0, len(names), CUSTOMERS_AT_ONCE):
            some = names[at : at + CUSTOMERS_AT_ONCE]
            group = self._parts.counters.group
            for _, together in groupby(sorted(some, key=group), group):
                self._compare(list(together))
            if len(self._found) >= ROWS_MAX and at + CUSTOMERS_AT_ONCE < len(names):
                up_to = digest_of(some[-1])
                break
        return UsageAudit(self._found, self._agreed, "" if up_to is None else up_to.hex())

    def _compare(self, customer_ids: Sequence[str]) -> None:
        looked: list[LookedAt] = []
        stored = self._parts.customers.get_many(customer_ids)
        for customer_id, each in zip(customer_ids, stored, strict=True):
            time.sleep(0)  # so that decisions do not wait for it
            for its in self._periods.of(each.record):
                feature_id, period_id = its.feature.feature_id, its.period.period_id
                for number in range(its.generations):
                    name = CounterName(customer_id, its.resource_id, feature_id, period_id, number)
                    looked.append(LookedAt(its, name, each.record is not None))
        for at in range(0, len(looked), AT_ONCE):
            some = looked[at : at + AT_ONCE]
            then = self._parts.counters.read_at_once([each.name for each in some])
            self._tallies.read_up_to(then.ends)
            self._rebuilds = then.rebuilt
            for one, value in zip(some, then.values, strict=True):
                self._judge(one, value)

    def _judge(self, looked: LookedAt, value: CounterValue | None) -> None:
        tally = self._tallies.tally(looked.name.customer_id, looked.name.ending)
        counted = 0 if value is None else value.used
        if tally is None:
            closed = looked.opens and value is not None and (value.closes_ms or 0) <= self._now_ms
            if (counted and not closed) or value is None:
                self._add(looked, counted, None, Doubt.NOTHING_NOTED)
            return
        if looked.opens and tally.closes_ms <= self._now_ms + OPENING_SLACK_MS:
            return  # it has closed, or closes now: what it has means nothing
        if not counted and self._is_idle(looked, tally):
            return
        if value is not None and counted == tally.expected:
            self._agreed += 1
        else:
            doubt = Doubt.DAMAGED if value is None else self._doubt(looked, tally)
            self._add(looked, counted, tally, doubt)

    def _is_idle(self, looked: LookedAt, tally: CounterTally) -> bool:
        """Whether it is a lifetime counter that has expired, as it was not used for long."""
        if looked.its.window is not None or looked.provisioned or not self._parts.idle_ms:
            return False
        return tally.last_ms + self._parts.idle_ms <= self._now_ms

    def _doubt(self, looked: LookedAt, tally: CounterTally) -> Doubt | None:
        if self._tallies.incomplete:
            return Doubt.RECORDS
        if not self._past.is_whole(looked.name.feature_id, tally.first_ms):
            return Doubt.NOT_LEDGERED
        start_ms = looked.its.period.start_ms
        if tally.before is None and (start_ms is None or self._oldest_ms > start_ms):
            return Doubt.BEGINNING
        return None

    def _add(
        self, looked: LookedAt, counted: int, tally: CounterTally | None, doubt: Doubt | None
    ) -> None:
        self._found.append(
            AuditedCounter(
                looked,
                0 if tally is None else tally.closes_ms,
                counted,
                0 if tally is None else tally.expected,
                None if tally is None else tally.first_ms,
                doubt,
                self._rebuilds.get(looked.name.customer_id, 0),
            )
        )


class _PastNoting:
    """Whether all that a counter counts has been in the ledger since some moment."""

    def __init__(self, catalogs: Catalogs, snapshot: Snapshot) -> None:
        self._catalogs = catalogs
        self._snapshot = snapshot
        self._versions: list[tuple[int, _Document]] | None = None

    def is_whole(self, feature_id: str, since_ms: int) -> bool:
        """Whether it was, by the catalogs that were in force.

        Args:
            feature_id: whose counter it is: of a pool also that of what it pays for.
            since_ms: Unix time.
        """
        if self._versions is None:
            self._versions = [*self._read()]
        for published_ms, document in self._versions:
            for name, feature in document.features.items():
                pool_id = "" if feature.credit is None else feature.credit.pool
                if feature_id in (name, pool_id) and not self._is_noted(feature):
                    return False
            if published_ms <= since_ms:
                return True
        return True

    def _is_noted(self, feature: "_DocumentFeature") -> bool:
        if feature.ledger is None:
            return self._snapshot.ledger is not Noting.NOTHING
        return feature.ledger is not False

    def _read(self) -> Iterator[tuple[int, "_Document"]]:
        """The newest versions, newest first."""
        for record in self._catalogs.history(VERSIONS_MAX):
            document = self._catalogs.get(record.version).document
            yield record.published_ms, _decode_document(document)


class _DocumentCredit(msgspec.Struct):
    pool: str = ""


class _DocumentFeature(msgspec.Struct):
    ledger: bool | str | None = None
    credit: _DocumentCredit | None = None


class _Document(msgspec.Struct):
    features: dict[str, _DocumentFeature] = {}


_decode_document = msgspec.json.Decoder(_Document).decode


def _audited(snapshot: Snapshot, feature_id: str) -> list[str]:
    """The features whose counters are compared: those of which something is in the ledger.

    Raises:
        InvalidRequest, NotFound: as of `metered_named`; or nothing is counted of it by period.
    """
    named = metered_named(snapshot, feature_id)
    if feature_id and snapshot.features[feature_id].kind is MeterKind.CONCURRENCY:
        raise InvalidRequest(f"feature_id: {feature_id!r} is counted by its slots, not by period")
    noted = {name for name in snapshot.features if snapshot.noting(name)}
    features = snapshot.features
    noted |= {credit.pool_id for name in noted if (credit := features[name].credit) is not None}
    found = [
        name for name in named if name in noted and features[name].kind is not MeterKind.CONCURRENCY
    ]
    if feature_id and not found:
        raise InvalidRequest(
            f"feature_id: {feature_id!r} is not in the ledger, so there is nothing to compare it"
            " with; `ledger: true` puts it there"
        )
    return found


def _read_token(token: str) -> bytes:
    try:
        digest = bytes.fromhex(token)
    except ValueError:
        digest = b"?"
    if token and len(digest) != DIGEST_BYTES:
        raise InvalidRequest("page_token: is none that a page of an audit has")
    return digest if token else b""
