"""One change of many customers: worked out for each beforehand, then made one by one.

Customers are named with their epoch, so that one that was written in between is left as it is.
"""

from collections.abc import Iterable

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.customers.overrides import NewEntitlement, grant_promotion
from quotad.customers.subscriptions import Change, change_subscription
from quotad.engine import Snapshots
from quotad.entitlements.phases import no_earlier_than_written, subscription_of
from quotad.entitlements.resolve import resolve
from quotad.entitlements.trace import Trace
from quotad.errors import QuotadError, StaleEpoch
from quotad.model import Entitlement
from quotad.operations.customers import CustomerOperations
from quotad.records import CustomerRecord, StoredCustomer

BULK_MAX = 500
"""Most customers of one bulk change."""


class MoveToLatest(msgspec.Struct, frozen=True):
    """Subscriptions to an earlier revision of their plan go to the latest."""

    plan_id: str = ""
    """Only those to this plan; empty: to any."""


class PromoteAll(msgspec.Struct, frozen=True):
    """All get the same promotion."""

    wanted: NewEntitlement


BulkChange = MoveToLatest | PromoteAll


class RevisionMove(msgspec.Struct, frozen=True):
    """What becomes of one subscription."""

    plan_id: str
    revision: int
    latest: int
    subscription_id: str
    resource_id: str


class BulkTarget(msgspec.Struct, frozen=True):
    """A customer that would be changed."""

    record: CustomerRecord
    epoch: int
    moves: tuple[RevisionMove, ...] = ()
    replaces: bool = False
    """Whether a promotion of the feature makes way."""
    had: Entitlement | None = None
    """Of the promoted feature, when the promotion starts; None: nothing."""
    has: Entitlement | None = None
    """The same with the promotion."""


class BulkLeft(msgspec.Struct, frozen=True):
    """A customer that would be left as it is."""

    customer_id: str
    why: str


class BulkOperations(msgspec.Struct, frozen=True):
    """Works out bulk changes, and makes them; for all threads."""

    customers: CustomerOperations
    snapshots: Snapshots
    clock: Clock

    def preview(
        self, change: BulkChange, found: Iterable[StoredCustomer]
    ) -> tuple[list[BulkTarget], list[BulkLeft]]:
        """Return who would be changed and how, and who would not and why; writes nothing.

        Raises:
            NotReady: no catalog was published yet.
        """
        snapshot, now_ms = self.snapshots.newest(), self.clock.now_ms()
        targets: list[BulkTarget] = []
        left: list[BulkLeft] = []
        for stored in found:
            if stored.record is None:
                continue
            try:
                targets.append(_target(change, stored.record, stored.epoch, snapshot, now_ms))
            except QuotadError as error:
                left.append(BulkLeft(stored.record.customer_id, error.for_caller))
            except _Left as error:
                left.append(BulkLeft(stored.record.customer_id, str(error)))
        return targets, left

    def make(
        self, change: BulkChange, customer_id: str, epoch: int, actor: str, comment: str
    ) -> None:
        """Change one customer as it was previewed.

        Raises:
            InvalidRequest: it is not possible any more, or the comment is too long.
            NotFound: the customer is gone.
            StaleEpoch: it was written since.
            StoreUnavailable: the store refused or timed out; it may have been changed.
        """
        customers = self.customers.by(actor, comment)
        if isinstance(change, PromoteAll):
            customers.grant_promotion(customer_id, change.wanted, epoch)
            return
        stored = customers.get(customer_id)
        assert stored.record is not None
        if stored.epoch != epoch:
            raise StaleEpoch("it was changed since it was looked at", stored.epoch)
        now_ms = self.clock.now_ms()
        for move in _moves(stored.record, change.plan_id, self.snapshots.newest(), now_ms):
            epoch = customers.change_subscription(customer_id, _moved(move), epoch).epoch


class _Left(Exception):
    """A customer is left as it is."""


def _target(
    change: BulkChange, record: CustomerRecord, epoch: int, snapshot: Snapshot, now_ms: int
) -> BulkTarget:
    """What would become of a customer; by the rules of the write itself."""
    if record.archived:
        raise _Left("is archived")
    if isinstance(change, PromoteAll):
        promoted = grant_promotion(record, change.wanted, snapshot, now_ms)
        at_ms = max(now_ms, change.wanted.start_ms or 0)
        had, has = (_right(each, change.wanted, snapshot, at_ms) for each in (record, promoted))
        named = (change.wanted.feature_id, change.wanted.resource_id)
        replaces = any((each.feature_id, each.resource_id) == named for each in record.promotions)
        return BulkTarget(record, epoch, (), replaces, had, has)
    moves = _moves(record, change.plan_id, snapshot, now_ms)
    if not moves:
        raise _Left("is on the latest revision")
    for move in moves:
        change_subscription(record, _moved(move), snapshot, now_ms)
    return BulkTarget(record, epoch, moves)


def _right(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, at_ms: int
) -> Entitlement | None:
    """What a customer has of the feature of a promotion; of no other it is worked out."""
    trace = Trace(wanted.feature_id)
    found = resolve(record, snapshot, at_ms, record.customer_id, wanted.resource_id, trace)
    return found.entitlements.get(wanted.feature_id)


def _moves(
    record: CustomerRecord, plan_id: str, snapshot: Snapshot, now_ms: int
) -> tuple[RevisionMove, ...]:
    """Subscriptions that are not over, to an earlier revision of their plan."""
    now_ms = no_earlier_than_written(record, now_ms)
    moves: dict[tuple[str, str], RevisionMove] = {}
    for phase in record.subscriptions:
        plan = snapshot.plans.get(phase.plan_id)
        is_over = phase.end_ms is not None and phase.end_ms <= now_ms
        if plan is None or is_over or plan_id not in ("", phase.plan_id):
            continue
        if phase.revision < plan.revision:
            move = RevisionMove(
                phase.plan_id,
                phase.revision,
                plan.revision,
                phase.subscription_id,
                phase.resource_id,
            )
            moves.setdefault(subscription_of(phase), move)
    return tuple(moves.values())


def _moved(move: RevisionMove) -> Change:
    return Change(move.subscription_id, move.resource_id, latest_revision=True)
