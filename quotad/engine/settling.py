"""Settle and fold: planned charges through the script, its answers to decisions."""

import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import AllTaken, Decision
from quotad.engine.budget import Budget
from quotad.engine.fold import WITHIN_LIMIT, fold
from quotad.engine.given import damaged, mismatch
from quotad.engine.joint import fold_all
from quotad.engine.memos import replay
from quotad.engine.noting import LedgerNotes
from quotad.engine.rounds import AtPlace, KeptTogether, Round
from quotad.engine.shared import Shared
from quotad.engine.times import BatchTimes
from quotad.engine.views import view_name
from quotad.errors import (
    AnswerLost,
    Damaged,
    NotReady,
    ShardMoved,
    StoreError,
    StoreUnavailable,
)
from quotad.store import (
    Charge,
    ChargeScript,
    ChargeStatus,
    CustomerKeys,
    Link,
    Settlement,
    catalog_tag,
)
from quotad.store.charges import TAKE_LEFT, TAKE_LEFT_ONCE, PutsInLedger
from quotad.store.counters import ELSEWHERE
from quotad.store.damage import report_once
from quotad.store.exchange import WAITING_SHARE
from quotad.store.refusals import MOVING
from quotad.store.shard_map import tag_and_step

# As plain integers: comparing with an enum's member costs more than the rest of the line.
ALLOWED = int(ChargeStatus.ALLOWED)
SETTLED = (ALLOWED, int(ChargeStatus.DENIED))
UNSENT = int(ChargeStatus.UNSENT)
UNANSWERED = (UNSENT, int(ChargeStatus.UNSETTLED))
TAKING_LEFT = (TAKE_LEFT, TAKE_LEFT_ONCE)


class Settles(Protocol):
    """What settles charges: `store.ChargeScript`, or with what else is to be taken."""

    def settle(
        self,
        catalog: str,
        charges: Sequence[Charge],
        deadline: float,
        not_after_ms: int = 0,
        notes: PutsInLedger | None = None,
    ) -> tuple[list[Settlement], StoreError | None]:
        """Settle charges in order; as `ChargeScript.settle`."""
        ...


class _NotesOfSome(msgspec.Struct, frozen=True):
    """What puts some of the charges of a batch into the ledger."""

    notes: PutsInLedger
    places: Sequence[int]
    """Of these among all."""

    @property
    def kept(self) -> tuple[int, int]:
        """As of all."""
        return self.notes.kept

    def describe(self, places: Sequence[int]) -> bytes:
        """As of all, by places among some."""
        return self.notes.describe([self.places[place] for place in places])


class Settler:
    """Settles rounds; of one thread, over its own connection."""

    def __init__(
        self,
        shared: Shared,
        link: Link,
        settles: Settles | None = None,
        times: BatchTimes | None = None,
    ) -> None:
        self._snapshots = shared.snapshots
        self._views = shared.views
        self._health = shared.health
        self._fallback = shared.fallback
        self._moves = shared.moves
        self._counters = ChargeScript(link)
        self._tagged: Snapshot | None = None
        self._tag = ""
        """Of the catalog that the latest round was planned on."""
        self._settles = settles or self._counters
        self._times = times or BatchTimes()
        self._notes: LedgerNotes | None = None
        if shared.settings.ledger is not None:
            self._notes = LedgerNotes(shared.settings.ledger, shared.views.keys)

    def settle(self, round_: Round, snapshot: Snapshot, now_ms: int, budget: Budget) -> None:
        """Settle and fold what is planned; what was stale is pending again.

        Args:
            round_: the batch.
            snapshot: the catalog that it was planned on.
            now_ms: Unix time.
            budget: of the batch.
        """
        if self._tagged is not snapshot:
            self._tagged, self._tag = snapshot, catalog_tag(snapshot.version, snapshot.digest)
        notes = self._notes
        if notes is not None:
            notes.round, notes.snapshot = round_, snapshot
        deadline = budget.ask()
        timed = self._times.timed
        if timed:
            self._times.ask()
        settles = self._settles.settle
        if self._moves is not None and self._moves.keys.moving:
            settles = self._settle_in_place
        settled, error = settles(
            self._tag, round_.planned, deadline, self._health.not_after_ms(deadline), notes
        )
        if timed:
            self._times.answered()
        if error is not None:
            self.note(error)
            if isinstance(error, AnswerLost):
                budget.wait_out()  # a repetition of the call must not race with it
            self._leave_unsettled(round_, settled, error, now_ms)
        stale = _fold_all(round_, settled, now_ms, snapshot.version)
        if stale or round_.pending:
            budget.answered()
            round_.clear()
            self._renew(round_, stale, snapshot, budget)
            round_.pending.sort()

    def _settle_in_place(
        self,
        catalog: str,
        charges: Sequence[Charge],
        deadline: float,
        not_after_ms: int = 0,
        notes: PutsInLedger | None = None,
    ) -> tuple[list[Settlement], StoreError | None]:
        """Settle while shards move."""
        assert self._moves is not None
        catalog += self._moves.step  # first: what is known of the shards is no older
        if self._settles is not self._counters:
            return self._settles.settle(catalog, charges, deadline, not_after_ms, notes)
        gone = self._moves.gone
        at = [place for place, charge in enumerate(charges) if charge.keys.catalog not in gone]
        settled = [ELSEWHERE] * len(charges)
        some, error = self._counters.settle(
            catalog,
            [charges[place] for place in at],
            deadline,
            not_after_ms,
            None if notes is None else _NotesOfSome(notes, at),
        )
        for place, settlement in zip(at, some, strict=True):
            settled[place] = settlement
        return settled, error

    def recall(self, keys: CustomerKeys, key: str, deadline: float) -> bytes | None:
        """What is kept under an idempotency key; None: nothing.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        try:
            self._health.raise_if_down()
            return self._counters.recall(keys, key, deadline)
        except StoreError as error:
            self.note(error)
            raise

    def note(self, error: StoreError) -> None:
        """Count a failure, and open the breaker, if it is the store's and not the batch's."""
        self._times.fail(error)
        if not isinstance(error, StoreUnavailable):
            if not isinstance(error, Damaged):  # which is in the log by its key
                report_once(str(error))
        elif not (error.partial or isinstance(error, NotReady)):
            self._health.mark_down(error)

    def _leave_unsettled(
        self, round_: Round, settled: Sequence[Settlement], error: StoreError, now_ms: int
    ) -> None:
        """Answer the charges that are not settled: by policy, where they were not sent."""
        left: list[AtPlace] = []
        unsent: list[AtPlace] = []
        for placed, settlement in zip(round_.placed, settled, strict=True):
            if settlement.status == UNSENT:
                unsent.append(placed)
            elif settlement.status in UNANSWERED:
                left.append(placed)
        if unsent and self._fallback is not None and self._tagged is not None:
            unsent = self._fallback.answer(round_, unsent, self._tagged, now_ms)
        round_.leave_unsettled(left + unsent, error)

    def _renew(
        self,
        round_: Round,
        stale: list[tuple[int, Settlement]],
        snapshot: Snapshot,
        budget: Budget,
    ) -> None:
        """Fetch what stale charges were planned without, and leave them to the next round."""
        is_late, in_force = False, None
        for place, settlement in stale:
            status = settlement.status
            round_.pending.append(place)
            if status == ChargeStatus.STALE_CUSTOMER:
                request = round_.requests[place]
                self._views.drop(view_name(request.customer_id, request.resource_id))
            elif status in (ChargeStatus.STALE_CLOCK, ChargeStatus.TOO_LATE):
                is_late = True
            else:
                in_force = settlement.memo
        if is_late:
            self._health.sync_clock()
        if in_force is not None:
            tag = in_force.decode(errors="replace")
            if self._moves is not None and self._moves.concerns(tag, self._tag):
                self._find_again(round_, stale, budget)
            else:
                self._snapshots.follow(snapshot, tag_and_step(tag)[0], budget)

    def _find_again(
        self, round_: Round, stale: list[tuple[int, Settlement]], budget: Budget
    ) -> None:
        """Let stale charges be planned where their shards are by now; those of one that is being
        moved wait until it has, and are answered that it has not."""
        moves = self._moves
        assert moves is not None
        for place, _ in stale:
            request = round_.requests[place]
            self._views.drop_of(view_name(request.customer_id, request.resource_id), moves.gone)
        closed = [at for at, _ in stale if moves.is_closed(round_.requests[at].customer_id)]
        if not closed:
            return
        asked_s = time.monotonic()
        ends = asked_s + (budget.ask() - asked_s) * WAITING_SHARE
        is_open = moves.wait(ends)
        budget.answered()
        for place in () if is_open else closed:
            round_.answers[place] = ShardMoved(MOVING)
            round_.pending.remove(place)


def _fold_all(
    round_: Round, settled: Sequence[Settlement], now_ms: int, version: int
) -> list[tuple[int, Settlement]]:
    """Answer the settled charges of a round; returns the places of those that were stale."""
    requests, answers = round_.requests, round_.answers
    stale: list[tuple[int, Settlement]] = []
    for one, place, settlement in zip(round_.planned, round_.places, settled, strict=True):
        status = settlement.status
        try:
            term = one.plain
            if term is not None and status == ALLOWED:
                # As `fold`, without the call and what is known of such a request.
                after = settlement.used[0] + one.quantity  # type: ignore[operator]
                answers[place] = Decision(
                    True,
                    WITHIN_LIMIT,
                    version,
                    one.quantity,  # type: ignore[arg-type]
                    term.limit,
                    False,
                    False,
                    after,
                    term.limit - after,  # type: ignore[operator]
                    0,
                    term.resets_at_ms,
                )
            elif status in SETTLED:
                given = one.given
                if given is None:
                    answers[place] = fold(one.terms, requests[place], settlement, now_ms, version)
                elif type(one) is KeptTogether and status:
                    answers[place] = AllTaken(
                        True,
                        WITHIN_LIMIT,
                        version,
                        hard=one.hard,
                        amounts=one.quantity,  # type: ignore[arg-type]
                        before=settlement.used,
                    )
                elif isinstance(given, tuple):
                    request = requests[place]
                    answers[place] = fold_all(given, request, settlement, now_ms, version)
                else:
                    answers[place] = given
                if not status:
                    round_.denied.append((place, one, settlement))
            elif status == ChargeStatus.REPLAYED:
                request = requests[place]
                answers[place] = replay(request, settlement.memo, now_ms) or damaged(one, request)
            elif status == ChargeStatus.MISMATCH:
                answers[place] = mismatch(requests[place])
            elif status == ChargeStatus.DAMAGED:
                answers[place] = damaged(one, requests[place])
            elif status not in UNANSWERED:
                stale.append((place, settlement))
        except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
            round_.failed(place)
    if round_.partial:
        round_.denied += [
            (place, one, settlement)
            for (place, one), settlement in zip(round_.placed, settled, strict=True)
            if settlement.status == ALLOWED and one.verb in TAKING_LEFT
        ]
    return stale
