"""One batch of decisions from start to end; the only place that knows the order of checks.

    plan    pure: from memory, which counters and limits each request is about
    settle  one script call for all of them; catalog and epoch are checked in there (G4)
    fold    the script's answers -> decisions that say why

A charge that was planned on a catalog or a customer that has changed since is planned again on
fresh data. Requests that no counter takes part in (boolean, config, denied by the plan) go to the
script as well: only it can tell that nothing has changed.
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.engine.budget import Budget
from quotad.engine.explaining import explain_round
from quotad.engine.fold import fold
from quotad.engine.given import (
    damaged,
    denied,
    judge_values,
    mismatch,
    no_values,
    not_a_gauge,
)
from quotad.engine.memos import encode_memo, fingerprint, replay
from quotad.engine.meters import ALWAYS, Bound
from quotad.engine.rounds import Round
from quotad.engine.shared import Granted, Shared
from quotad.engine.views import View, view_name
from quotad.errors import (
    AnswerLost,
    Damaged,
    NotReady,
    QuotadError,
    StoreError,
    StoreUnavailable,
)
from quotad.model import (
    ConsumeRequest,
    CustomerRecord,
    Decision,
    Feature,
    Mode,
)
from quotad.store import (
    Charge,
    ChargeStatus,
    Counters,
    Link,
    Once,
    catalog_tag,
)
from quotad.store.counters import CHECK, CONSUME, CONSUME_ONCE
from quotad.store.damage import report_once
from quotad.store.keys import escape

ROUNDS_MAX = 5
"""How often a charge may turn out stale before the call is given up as UNAVAILABLE."""

# As plain integers: comparing with an enum's member costs more than the rest of the line.
SETTLED = (int(ChargeStatus.ALLOWED), int(ChargeStatus.DENIED))
CHECK_ONLY = int(Mode.CHECK_ONLY)


class Engine:
    """Decides; of one thread, over a connection of its own."""

    def __init__(self, shared: Shared, link: Link) -> None:
        self._snapshots = shared.snapshots
        self._views = shared.views
        self._customers = shared.customers
        self._health = shared.health
        self._clock = shared.clock
        self._settings = shared.settings
        self._link = link
        self._counters = Counters(link)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def decide(self, requests: Sequence[ConsumeRequest]) -> list[Decision | QuotadError]:
        """Decide a batch; requests of one customer, or of one resource of it, are settled in order.

        Returns:
            One entry per request. InvalidRequest: the request can never work. StoreUnavailable:
            the quantity may or may not have been taken; repeat it under the same idempotency key.
        """
        round_ = Round(requests)
        budget = Budget(self._settings.store_timeout_ms)
        try:
            for _ in range(ROUNDS_MAX):
                self._run(round_, budget)
                if not round_.pending:
                    return round_.answers  # type: ignore[return-value]
            error: QuotadError = StoreUnavailable("catalog or customer keeps changing; try again")
        except StoreError as failed:
            self._note(failed)
            error = failed
        return [error if answer is None else answer for answer in round_.answers]

    def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> tuple[Feature | None, Decision]:
        """What asking for one unit of a feature would be answered; None: no such feature.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        for _ in range(ROUNDS_MAX):
            (answer,) = self.decide([_look_at(customer_id, feature_id, resource_id)])
            if isinstance(answer, QuotadError):
                raise answer
            snapshot = self._snapshots.to_plan_on()
            if snapshot.version == answer.catalog_version:  # else another one came in between
                return snapshot.features.get(feature_id), answer
        raise StoreUnavailable("the catalog keeps changing; try again")

    def entitlements(self, customer_id: str, resource_id: str = "") -> Granted:
        """Everything a customer is entitled to, with usage, checked and read in one moment.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        budget = Budget(self._settings.store_timeout_ms)
        try:
            for _ in range(ROUNDS_MAX):
                granted = self._look(customer_id, resource_id, budget)
                if granted is not None:
                    return granted
        except StoreError as error:
            self._note(error)
            raise
        raise StoreUnavailable("catalog or customer keeps changing; try again")

    def plan_id(self, customer_id: str, resource_id: str = "") -> str:
        """The plan of a customer just decided about; empty: none, or not known any more."""
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, self._snapshots.to_plan_on(), self._clock.now_ms())
        return "" if view is None else view.effective.plan_id

    def _look(self, customer_id: str, resource_id: str, budget: Budget) -> Granted | None:
        """Check every feature of a customer in one script call; None: something was stale."""
        self._health.raise_if_down()
        now_ms = self._clock.now_ms()
        snapshot = self._snapshots.to_plan_on()
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, snapshot, now_ms)
        if view is None:
            keys = self._views.spell(customer_id, resource_id)
            (stored,) = self._customers.get_many_over(self._link, [keys], budget.ask())
            budget.answered()
            if isinstance(stored, StoreError):
                raise stored
            view = self._views.put(name, stored, snapshot, now_ms, keys)
        entitlements = view.effective.entitlements
        # One more than there are features, so that a customer without any is checked too.
        features = ["", *(name for name in snapshot.features if name in entitlements)]
        requests = [_look_at(customer_id, feature_id, resource_id) for feature_id in features]
        round_ = Round(requests)
        for i, request in enumerate(requests):
            self._plan(round_, i, request, view, now_ms)
        round_.pending = []
        if not self._settle(round_, snapshot, now_ms, budget):
            return None
        decisions: dict[str, Decision] = {}
        for feature_id, answer in zip(features, round_.answers, strict=True):
            if isinstance(answer, QuotadError):
                raise answer
            if feature_id and answer is not None:
                decisions[feature_id] = answer
        return Granted(view.effective, decisions, snapshot)

    def _run(self, round_: Round, budget: Budget) -> None:
        """Plan, settle and fold what is pending."""
        now_ms = self._clock.now_ms()
        try:
            snapshot = self._snapshots.to_plan_on()
        except NotReady:
            self._health.raise_if_down()  # the reason behind it
            raise
        pending, round_.pending = round_.pending, []
        requests = round_.requests
        unknown: dict[str, list[int]] = {}
        changes = self._views.changes
        records: dict[int, CustomerRecord | None] = {}
        for i in pending:
            request = requests[i]
            name = request.customer_id
            if request.resource_id:
                name = view_name(name, request.resource_id)
            view = self._views.get(name, snapshot, now_ms)
            # Once unknown, unknown for this batch, also when another thread has just loaded it:
            # a customer's requests stay in order. What is to be explained takes the record itself.
            if view is None or request.explain or name in unknown:
                unknown.setdefault(name, []).append(i)
            else:
                try:
                    self._plan(round_, i, request, view, now_ms)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    self._views.drop(name)  # the record may have been mended since
                    round_.failed(i)
        if not self._health.up:
            self._answer_without_store(round_)
        if self._views.changes != changes or changes % 2:
            round_.hold_back()  # another thread has put fresher views meanwhile
        if unknown:
            records = self._plan_unknown(round_, unknown, snapshot, now_ms, budget)
        if round_.charges:
            self._settle(round_, snapshot, now_ms, budget)
            round_.pending.sort()
        if records:
            explain_round(round_, records, snapshot, now_ms)

    def _answer_without_store(self, round_: Round) -> None:
        """Answer what is planned and was never sent to a store that is known to be down.

        Raises:
            NotReady: it is, for all that was not answered.
        """
        try:
            self._health.raise_if_down()
        except NotReady as down:
            round_.leave_unsettled(0, down)
            raise

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

        Returns:
            By request that is to be explained, the record that it is decided on.
        """
        records: dict[int, CustomerRecord | None] = {}
        first = [round_.requests[waiting[0]] for waiting in unknown.values()]
        keys = [self._views.spell(each.customer_id, each.resource_id) for each in first]
        stored = self._customers.get_many_over(self._link, keys, budget.ask())
        budget.answered()
        planned = round_.epochs()
        for at, (name, waiting) in enumerate(unknown.items()):
            one = stored[at]
            if isinstance(one, StoreError):
                for i in waiting:
                    round_.answers[i] = one
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
                try:
                    self._plan(round_, i, round_.requests[i], view, now_ms)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    self._views.drop(name)
                    round_.failed(i)
                    continue
                if round_.requests[i].explain:
                    records[i] = one.record
        return records

    def _plan(
        self, round_: Round, i: int, request: ConsumeRequest, view: View, now_ms: int
    ) -> None:
        """Write down a charge; of a request that can never work one that takes nothing."""
        meter = view.meters.get(request.feature_id) or view.meter(
            request.feature_id, self._settings.retention
        )
        answer: Decision | QuotadError | None = None
        bound = ALWAYS
        if meter is None:
            answer = denied(request.feature_id, view.effective, view.snapshot)
        elif meter.given is not None:
            answer = meter.given
        elif request.quantity < 0 and not meter.gauge:
            answer = not_a_gauge(request)
        else:
            bound = meter.bound
            if not bound.from_ms <= now_ms < bound.until_ms:
                bound = meter.bind(now_ms)
        if request.requested_values and not isinstance(answer, QuotadError):
            feature = view.snapshot.features.get(request.feature_id)
            if feature is not None and not feature.values:
                answer, bound = no_values(request), ALWAYS
            elif answer is not None:
                answer = judge_values(answer, request)
        verb, once = CONSUME, None
        if request.mode == CHECK_ONLY:
            verb = CHECK
        elif request.idempotency_key:
            verb, once = CONSUME_ONCE, self._once(request, view.snapshot.version, bound)
        round_.at.append(i)
        round_.terms.append(bound.terms)
        round_.given.append(answer)
        round_.charges.append(
            Charge(
                view.keys,
                view.epoch,
                request.quantity,
                verb,
                bound.suffixes,
                bound.limit_words,
                once,
            )
        )

    def _once(self, request: ConsumeRequest, version: int, bound: Bound) -> Once:
        ttl_ms = self._settings.idempotency_ttl_ms
        if request.idempotency_ttl_ms:
            ttl_ms = min(ttl_ms, request.idempotency_ttl_ms)
        memo = encode_memo(version, bound.terms)
        return Once(escape(request.idempotency_key), fingerprint(request), memo, ttl_ms)

    def _settle(self, round_: Round, snapshot: Snapshot, now_ms: int, budget: Budget) -> bool:
        """Settle and fold the charges of a round; returns whether none of them was stale."""
        tag = catalog_tag(snapshot.version, snapshot.digest)
        deadline = budget.ask()
        settled, error = self._counters.settle(
            tag, round_.charges, deadline, self._health.not_after_ms(deadline)
        )
        if error is not None:
            self._note(error)
            if isinstance(error, AnswerLost):
                budget.wait_out()  # who repeats the call must not race with it
            round_.leave_unsettled(len(settled), error)
        requests, answers, version = round_.requests, round_.answers, snapshot.version
        stale_clock, in_force = False, None
        for i, given, terms, settlement in zip(
            round_.at, round_.given, round_.terms, settled, strict=False
        ):
            status = settlement.status
            if status in SETTLED:
                try:
                    answers[i] = given or fold(terms, requests[i], settlement, now_ms, version)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    round_.failed(i)
            elif status == ChargeStatus.REPLAYED:
                try:
                    answers[i] = replay(requests[i], settlement, now_ms)
                except msgspec.MsgspecError:
                    answers[i] = damaged(round_.charges[round_.at.index(i)], requests[i])
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    round_.failed(i)
            elif status == ChargeStatus.MISMATCH:
                answers[i] = mismatch(requests[i])
            elif status == ChargeStatus.DAMAGED:
                answers[i] = damaged(round_.charges[round_.at.index(i)], requests[i])
            else:
                round_.pending.append(i)
                if status == ChargeStatus.STALE_CUSTOMER:
                    self._views.drop(view_name(requests[i].customer_id, requests[i].resource_id))
                elif status in (ChargeStatus.STALE_CLOCK, ChargeStatus.TOO_LATE):
                    stale_clock = True
                else:
                    in_force = settlement.memo
        round_.clear()
        if round_.pending:
            budget.answered()
        if stale_clock:
            self._health.sync_clock()
        if in_force is not None:
            self._snapshots.follow(snapshot, in_force.decode(errors="replace"), budget)
        return not round_.pending

    def _note(self, error: StoreError) -> None:
        """Open the breaker, if it is the store that failed and not the batch."""
        if not isinstance(error, StoreUnavailable):
            if not isinstance(error, Damaged):  # which is in the log by its key
                report_once(str(error))
        elif not isinstance(error, NotReady):
            self._health.mark_down(error)


def _look_at(customer_id: str, feature_id: str, resource_id: str) -> ConsumeRequest:
    return ConsumeRequest(
        customer_id, feature_id, mode=CHECK_ONLY, every_limit=True, resource_id=resource_id
    )
