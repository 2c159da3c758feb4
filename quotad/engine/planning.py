"""Plan: from requests to charges, on the catalog and the customers that are in memory.

Pure but for customers that are not in memory, which are read from the store.
"""

from collections.abc import Sequence

from quotad.catalog import Snapshot
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.budget import Budget
from quotad.engine.fallback import Fallback
from quotad.engine.given import (
    denied,
    judge_values,
    no_values,
    not_kept,
    not_this_way,
)
from quotad.engine.joint_planning import JointPlanner
from quotad.engine.memos import (
    encode_hold_memo,
    encode_memo,
    fingerprint,
)
from quotad.engine.meters import ALWAYS, Bound, Meter
from quotad.engine.once import once_of
from quotad.engine.rounds import AtPlace, KeptTogether, Planned, Round
from quotad.engine.shared import Shared
from quotad.engine.slot_plans import look_at_slots
from quotad.engine.times import BatchTimes
from quotad.engine.views import View, view_name
from quotad.errors import InvalidRequest, NotReady, QuotadError, StoreError, is_unsent
from quotad.ledger import SHARES, Noting
from quotad.records import CustomerRecord
from quotad.store import CounterSet, Link
from quotad.store.charges import (
    ANY_OUTCOME,
    CHECK,
    CONSUME,
    CONSUME_ONCE,
    DRAWN_OUTCOME,
    SETTLE_ONCE,
    TAKE_LEFT,
    TAKE_LEFT_ONCE,
)
from quotad.store.holds import TAKEN

# As plain integers: comparing with an enum's member costs more than the rest of the line.
NORMAL = int(Mode.NORMAL)
BEST_EFFORT, CHECK_ONLY = int(Mode.BEST_EFFORT), int(Mode.CHECK_ONLY)
REFUND = int(Mode.REFUND)

DENIED = {Noting.ALL: CounterSet(noting=ANY_OUTCOME)} | {
    noting: CounterSet(noting=DRAWN_OUTCOME + noting.level) for noting in SHARES.values()
}
"""Of what the plan denies and the ledger is to have."""

AHEAD_MAX_MS = 60_000
"""How far ahead of the store's clock a caller's may be."""


class Planner:
    """Plans rounds; of one thread, over its own connection."""

    def __init__(self, shared: Shared, link: Link, times: BatchTimes) -> None:
        self._times = times
        self._views = shared.views
        self._customers = shared.customers
        self._health = shared.health
        self._settings = shared.settings
        self._fallback = shared.fallback
        self._link = link
        self._joint = JointPlanner(shared.views, shared.settings, self.plan)

    def plan_all(
        self, round_: Round, snapshot: Snapshot, now_ms: int, budget: Budget
    ) -> dict[int, CustomerRecord | None]:
        """Plan what is pending; what must wait for the next round stays pending.

        Args:
            round_: the batch.
            snapshot: the catalog.
            now_ms: Unix time.
            budget: of the batch.

        Returns:
            By request that is to be explained, the record that it is decided on.

        Raises:
            NotReady: the store is known to be down, for all that was not answered.
        """
        changes = self._views.changes
        unknown = self._plan_pending(round_, snapshot, now_ms)
        if not self._health.up:
            self._answer_without_store(round_, unknown, snapshot, now_ms)
        if self._views.changes != changes or changes % 2:
            round_.hold_back()  # another thread has put fresher views meanwhile
        return self._plan_unknown(round_, unknown, snapshot, now_ms, budget) if unknown else {}

    def _plan_pending(self, round_: Round, snapshot: Snapshot, now_ms: int) -> dict[str, list[int]]:
        """Plan what can be planned from memory; returns the places of the others by view name."""
        pending, round_.pending = round_.pending, []
        requests = round_.requests
        unknown: dict[str, list[int]] = {}
        young, add, add_place = self._views.young, round_.planned.append, round_.places.append
        for i in pending:
            request = requests[i]
            name = request.customer_id
            if request.resource_id:
                name = view_name(name, request.resource_id)
            view = young.get(name)
            # What nearly every call comes to in `_plan_known`, without the calls.
            if view is not None and view.snapshot is snapshot and name not in unknown:
                kept = view.kept
                if kept is not None and kept.feature_id != request.feature_id:
                    kept = view.kept_of(request.feature_id)
                quantity = request.quantity
                if (
                    kept is not None
                    and kept.from_ms <= now_ms < kept.until_ms
                    and quantity > 0
                    and request.mode == NORMAL
                    and not request.idempotency_key
                    and not request.requested_values
                    and not request.every_limit
                    and not request.explain
                ):
                    add(kept if quantity == kept.quantity else kept.of(quantity))
                    add_place(i)
                    continue
                if quantity == 0 and view.together and type(request) is ConsumeAllRequest:
                    one: KeptTogether | None = view.together
                    if one.features is not request.features:  # type: ignore[union-attr]
                        one = view.kept_together(request.features)
                    if (
                        one is not None
                        and one.from_ms <= now_ms < one.until_ms
                        and request.mode == NORMAL
                        and not request.idempotency_key
                    ):
                        amounts = request.amounts
                        add(one if amounts == one.quantity else one.of(amounts))
                        add_place(i)
                        continue
            if (
                view is None
                or view.snapshot is not snapshot
                or not view.since_ms <= now_ms < view.until_ms
            ):
                view = self._views.get(name, snapshot, now_ms)
            # Once unknown, unknown for this batch, also when another thread has just loaded it:
            # a customer's requests stay in order. What is to be explained takes the record itself.
            if (
                view is None
                or request.explain
                or name in unknown
                or not self._plan_known(round_, i, request, view, now_ms)
            ):
                unknown.setdefault(name, []).append(i)
        return unknown

    def _plan_known(
        self, round_: Round, place: int, request: ConsumeRequest, view: View, now_ms: int
    ) -> bool:
        """As `plan`; what cannot be worked out is answered with an error."""
        try:
            return self.plan(round_, place, request, view, now_ms)
        except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
            # The record may have been mended since.
            self._views.drop(view_name(request.customer_id, request.resource_id))
            round_.failed(place)
            return True

    def plan(
        self, round_: Round, place: int, request: ConsumeRequest, view: View, now_ms: int
    ) -> bool:
        """Plan one request; one that can never work gets a charge that takes nothing.

        Returns:
            False: it is not planned, as resources that it is about are not in memory.
        """
        meter = view.meters.get(request.feature_id)
        if meter is None:
            if isinstance(request, ConsumeAllRequest):
                return self._joint.plan(round_, place, request, view, now_ms)
            meter = view.meter(request.feature_id, self._settings.retention)
        given: Decision | QuotadError | None = None
        bound = ALWAYS
        if meter is None:
            given = denied(request.feature_id, view.effective, view.snapshot)
        elif meter.given is not None:
            given = meter.given
            if meter.slots:
                given = look_at_slots(round_, place, request, view, meter, now_ms)
        elif request.quantity < 0 and (
            request.mode == REFUND if meter.gauge else request.mode < REFUND
        ):
            given = not_this_way(request)
        else:
            bound = meter.bound
            if not bound.from_ms <= now_ms < bound.until_ms:
                bound = meter.bind(now_ms)
        if request.requested_values and not isinstance(given, QuotadError):
            feature = view.snapshot.features.get(request.feature_id)
            if feature is not None and not feature.values:
                given, bound = no_values(request), ALWAYS
            elif given is not None:
                given = judge_values(given, request)
        verb, once, key = CONSUME, None, request.idempotency_key
        if request.mode != NORMAL:
            if request.mode == CHECK_ONLY:
                verb, key = CHECK, ""
            elif request.mode == BEST_EFFORT:
                verb = TAKE_LEFT
                round_.partial = True
            elif bound is not ALWAYS and meter is not None:
                bound, given = _recording(meter, request, now_ms)
        if key:
            if verb is TAKE_LEFT:
                verb = TAKE_LEFT_ONCE
            else:
                verb = CONSUME_ONCE if request.mode <= REFUND else SETTLE_ONCE
            taken_ms = request.occurred_ms or now_ms
            version = view.snapshot.version
            if key[0] == TAKEN:
                memo = encode_hold_memo(version, bound, request, taken_ms)
            else:
                memo = encode_memo(version, bound.terms, request.quantity, taken_ms)
            ttl_ms = self._settings.idempotency_ttl_ms
            once = once_of(request, fingerprint(request), memo, ttl_ms)
        round_.places.append(place)
        if once is None and given is None and bound.alone is not None and _is_plain(request):
            round_.planned.append(view.keep(request.feature_id, bound, request.quantity))
            return True
        counters = bound.counters
        if given is not None and isinstance(given, Decision) and not given.allowed:
            counters = DENIED.get(view.snapshot.noting(request.feature_id), counters)
        charge = view.keys, view.epoch, request.quantity, verb, counters, once
        round_.planned.append(Planned(*charge, terms=bound.terms, given=given))
        return True

    def read_view(
        self, customer_id: str, resource_id: str, snapshot: Snapshot, now_ms: int, budget: Budget
    ) -> View:
        """The view of a customer or resource, from memory or the store.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, snapshot, now_ms)
        if view is None:
            keys = self._views.keys_of(customer_id, resource_id)
            (stored,) = self._customers.get_many_over(self._link, [keys], budget.ask())
            budget.answered()
            if isinstance(stored, StoreError):
                raise stored
            view = self._views.put(name, stored, snapshot, now_ms, keys)
        return view

    def _answer_without_store(
        self, round_: Round, unknown: dict[str, list[int]], snapshot: Snapshot, now_ms: int
    ) -> None:
        """Answer what was never sent to a store that is known to be down.

        Raises:
            NotReady: it is, for all that was not answered.
        """
        try:
            self._health.raise_if_down()
        except NotReady as down:
            left: Sequence[AtPlace] = round_.placed
            if self._fallback is not None and round_.falls_back:
                left = self._fall_back(self._fallback, round_, unknown, snapshot, now_ms)
            round_.leave_unsettled(left, down)
            raise

    def _fall_back(
        self,
        fallback: Fallback,
        round_: Round,
        unknown: dict[str, list[int]],
        snapshot: Snapshot,
        now_ms: int,
    ) -> list[AtPlace]:
        """Answer by the policies of features what is planned, and what is about customers that
        cannot be read, who are taken to be on the default plan; returns what is denied.

        Args:
            fallback: decides.
            round_: the batch.
            unknown: requests by view name.
            snapshot: the catalog.
            now_ms: Unix time.
        """
        guessed: set[int] = set()
        for name, waiting in unknown.items():
            view = self._views.get(name, snapshot, now_ms)  # there is one if it is to be explained
            if view is None:
                customer_id, _, resource_id = name.partition("\0")
                view = fallback.guess(customer_id, resource_id, snapshot, now_ms)
                guessed.update(waiting)
            for i in waiting:
                try:
                    self.plan(round_, i, round_.requests[i], view, now_ms)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    round_.failed(i)
        return fallback.answer(round_, round_.placed, snapshot, now_ms, guessed)

    def _plan_unknown(
        self,
        round_: Round,
        unknown: dict[str, list[int]],
        snapshot: Snapshot,
        now_ms: int,
        budget: Budget,
    ) -> dict[int, CustomerRecord | None]:
        """Read the records of customers, and plan their requests on views made of them.

        Args:
            round_: the batch.
            unknown: requests by view name.
            snapshot: the catalog.
            now_ms: Unix time.
            budget: of the batch.
        """
        records: dict[int, CustomerRecord | None] = {}
        first = [round_.requests[waiting[0]] for waiting in unknown.values()]
        keys = [self._views.keys_of(each.customer_id, each.resource_id) for each in first]
        self._times.customers_read += len(keys)
        stored = self._customers.get_many_over(self._link, keys, budget.ask())
        budget.answered()
        planned = round_.epochs()
        gone: dict[str, list[int]] = {}
        for at, (name, waiting) in enumerate(unknown.items()):
            one = stored[at]
            if isinstance(one, StoreError):
                for i in waiting:
                    round_.answers[i] = one
                if is_unsent(one):
                    gone[name] = waiting
                continue
            try:
                view = self._views.put(name, one, snapshot, now_ms, keys[at])
            except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                round_.failed(*waiting)
                continue
            usage = keys[at].usage
            if usage in round_.held or planned.get(usage, view.epoch) != view.epoch:
                # Earlier requests wait for the next round, or were planned on a view that is
                # stale, as can be seen now; they go first.
                round_.pending += waiting
                continue
            for i in waiting:
                request = round_.requests[i]
                try:
                    if isinstance(request, ConsumeAllRequest):
                        self._joint.put_resources(request, one, snapshot, now_ms)
                    if not self.plan(round_, i, request, view, now_ms):
                        round_.pending.append(i)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    self._views.drop(name)
                    round_.failed(i)
                    continue
                if request.explain:
                    records[i] = one.record
        if gone and self._fallback is not None and round_.falls_back:
            kept = round_.planned, round_.places
            round_.planned, round_.places = [], []
            self._fall_back(self._fallback, round_, gone, snapshot, now_ms)
            round_.planned, round_.places = kept  # what is denied was answered above
        return records


def _is_plain(request: ConsumeRequest) -> bool:
    """Whether it asks for a quantity, without a key, and for no more than that."""
    return (
        request.mode == NORMAL
        and request.quantity > 0
        and not request.requested_values
        and not request.every_limit
        and not request.explain
    )


def _recording(
    meter: Meter, request: ConsumeRequest, now_ms: int
) -> tuple[Bound, InvalidRequest | None]:
    """Where to count what has happened already; or why it cannot be counted."""
    occurred_ms = request.occurred_ms
    if occurred_ms > now_ms + AHEAD_MAX_MS:
        return ALWAYS, InvalidRequest("occurred_at: is in the future; leave it out for now")
    capped = request.mode == Mode.SETTLE_WITHIN
    bound = meter.bind_recording(now_ms, 0 if occurred_ms >= now_ms else occurred_ms, capped)
    return (ALWAYS, not_kept(request)) if bound is None else (bound, None)
