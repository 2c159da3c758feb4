"""One batch of decisions from start to end; the only place that knows the order of checks.

    plan    pure: from memory, which counters and limits each request is about
    settle  one script call for all of them; catalog and epoch are checked in there (G4)
    fold    the script's answers -> decisions with their reasons

A charge that was planned on a catalog or a customer that has changed since is planned again on
fresh data. Requests that no counter takes part in (boolean, config, denied by the plan) go to the
script as well: only it knows that nothing has changed.
"""

from collections.abc import Sequence

from quotad.decision import ConsumeRequest, Decision
from quotad.engine.budget import Budget
from quotad.engine.explaining import explain_round
from quotad.engine.held import HeldAmounts, HeldReader
from quotad.engine.in_place import in_place
from quotad.engine.leases import Leases
from quotad.engine.planning import CHECK_ONLY, Planner
from quotad.engine.reservations import Reservations
from quotad.engine.rounds import Round, StrictRound
from quotad.engine.setting import UsageSetter
from quotad.engine.settlements import named
from quotad.engine.settling import Settler
from quotad.engine.shared import Acting, Granted, Shared
from quotad.engine.slots import Slots
from quotad.engine.times import BatchTimes
from quotad.engine.undoing import NO_ITEM, refuse_gauges, summed_up, undoing
from quotad.engine.views import view_name
from quotad.entitlements.experiment import Group
from quotad.errors import NotReady, QuotadError, StoreError, StoreUnavailable
from quotad.held import Correction, Setting
from quotad.ledger import NO_TAKERS, Takers
from quotad.model import Feature
from quotad.prices import OveragePrice
from quotad.store import ChargeStatus, Link
from quotad.store.corrections import CorrectionNotes

ROUNDS_MAX = 5
"""How often a charge may turn out stale before the call is given up as UNAVAILABLE."""


class Engine:
    """Decides; of one thread, over its own connection."""

    def __init__(self, shared: Shared, link: Link) -> None:
        self._shared = shared
        self._snapshots = shared.snapshots
        self._views = shared.views
        self._health = shared.health
        self._clock = shared.clock
        self._settings = shared.settings
        self._link = link
        self.times = BatchTimes()
        self.acting = Acting()
        self._planner = Planner(shared, link, self.times)
        self._settler = Settler(shared, link, times=self.times)
        self._holds = shared.holds
        self._demand = shared.demand
        self.reservations = Reservations(shared, link, self._decide_strictly, self._decide_as_held)
        self._held = HeldReader(shared, self._planner, self.reservations)
        self.leases = Leases(
            shared, link, self._decide_strictly, self.reservations, self._settler.note, self.acting
        )
        self.slots = Slots(shared, link, self._run, self._take_back, self.acting)
        self._setter = UsageSetter(shared, self._held, self._decide_strictly)
        self._corrections = CorrectionNotes(link)
        self._as_held = False
        """Whether to decide on what counters hold, reservations that have ended among it."""

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def decide(
        self, requests: Sequence[ConsumeRequest], takers: Takers = NO_TAKERS
    ) -> list[Decision | QuotadError]:
        """Decide a batch; requests of one customer, or of one resource of it, are settled in order.

        Args:
            requests: the batch.
            takers: whose doing they are.

        Returns:
            One entry per request. InvalidRequest: the request can never work. StoreUnavailable:
            the quantity may or may not have been taken; repeat it under the same idempotency key.
            What was not sent to a store that is gone is answered by the policies of features.
        """
        return self._decide(Round(requests, takers))

    def _decide_strictly(self, requests: Sequence[ConsumeRequest]) -> list[Decision | QuotadError]:
        """The same of an act of its own, only by the store."""
        return self._decide(StrictRound(requests, Takers((self.acting.taker,))))

    def _decide(self, round_: Round) -> list[Decision | QuotadError]:
        requests = round_.requests
        budget = Budget(self._settings.store_timeout_ms)
        explained = False
        try:
            if self._holds.any and not self._as_held and self._health.up:
                self.reservations.make_room(requests)
            for _ in range(ROUNDS_MAX):
                explained |= self._run(round_, budget)
                if not round_.pending:
                    if round_.looks is not None:
                        self.slots.look(round_)
                    if round_.denied:
                        self._deny(round_)
                    if explained and self._holds.any and not self._as_held:
                        self._held.show(requests, round_.answers, self._decide_one_as_held)
                    return round_.answers  # type: ignore[return-value]
                self.times.stale_rounds += 1
            error: QuotadError = StoreUnavailable("catalog or customer keeps changing; try again")
        except StoreError as failed:
            self._settler.note(failed)
            error = failed
        return [error if answer is None else answer for answer in round_.answers]

    def undo(self, request: ConsumeRequest, key: str) -> Decision | QuotadError:
        """Take back what was taken under an idempotency key, once; again: the first answer.

        Args:
            request: a REFUND of the feature that was asked for; without one, of all that were
                asked for together, and a `SettledDecision` is returned.
            key: of the call that is undone.
        """
        try:
            stored = self._recall(request, key)
            undone = undoing(request, key, stored)
            refuse_gauges(undone, self._snapshots.to_plan_on().features)
            answers: list[Decision] = []
            for answer in self._decide_strictly(undone):
                if isinstance(answer, QuotadError):
                    return answer
                answers.append(named(answer, (NO_ITEM,)))
        except QuotadError as error:
            return error
        return answers[0] if request.feature_id else summed_up(undone, answers)

    @in_place
    def _recall(self, request: ConsumeRequest, key: str) -> bytes | None:
        keys = self._views.keys_of(request.customer_id, request.resource_id)
        budget = Budget(self._settings.store_timeout_ms)
        return self._settler.recall(keys, key, budget.ask())

    def set_usage(self, setting: Setting) -> Decision:
        """Set what was used of one limit in its current period; as `UsageSetter.set`."""
        return self._setter.set(setting)

    @in_place
    def note_correction(self, customer_id: str, correction: Correction) -> None:
        """Note what was corrected, for people.

        Raises:
            StoreUnavailable: the store refused or timed out; what was corrected, is.
        """
        key = self._views.corrections_of(customer_id)
        deadline = Budget(self._settings.store_timeout_ms).ask()
        self._corrections.note(key, correction, deadline)

    def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> tuple[Feature | None, Decision]:
        """What asking for one unit of a feature would be answered; None: no such feature.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        request = _look_at(customer_id, feature_id, resource_id)
        for tries in range(ROUNDS_MAX):
            held = self._held.read(customer_id)
            (answer,) = self._decide_strictly([request])
            if isinstance(answer, QuotadError):
                raise answer
            snapshot = self._snapshots.to_plan_on()
            if snapshot.version != answer.catalog_version:
                continue  # another one came in between
            last = tries == ROUNDS_MAX - 1 or not self._holds.any
            if not last and self._held.read(customer_id, held) is not held:
                continue
            if held:
                answer = held.apart(answer, self._held.counters(request))
            return snapshot.features.get(feature_id), answer
        raise StoreUnavailable("the catalog keeps changing; try again")

    def entitlements(self, customer_id: str, resource_id: str = "") -> Granted:
        """Everything a customer is entitled to, with usage, checked and read in one moment.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        try:
            for tries in range(ROUNDS_MAX):
                held = self._held.read(customer_id)
                budget = Budget(self._settings.store_timeout_ms)
                granted = self._look(customer_id, resource_id, budget, held)
                if granted is None:
                    continue
                if not self._holds.any or tries == ROUNDS_MAX - 1:
                    return granted
                if self._held.read(customer_id, held) is held:
                    return granted
        except StoreError as error:
            self._settler.note(error)
            raise
        raise StoreUnavailable("catalog or customer keeps changing; try again")

    def _decide_as_held(
        self, requests: Sequence[ConsumeRequest], takers: Takers = NO_TAKERS
    ) -> list[Decision | QuotadError]:
        """Decide for reservations, which take back what has ended themselves."""
        self._as_held = True
        try:
            return self._decide(StrictRound(requests, takers))
        finally:
            self._as_held = False

    def _decide_one_as_held(self, request: ConsumeRequest) -> Decision | QuotadError:
        (answer,) = self._decide_as_held([request])
        return answer

    def _take_back(self, customer_id: str) -> bool:
        """Give back what reservations have held that have ended; returns whether any had."""
        return self._holds.any and self.reservations.take_back([customer_id])

    def _deny(self, round_: Round) -> None:
        """Decide again what was denied while something had ended, and note what is denied."""
        denied = round_.denied
        if (
            self._holds.any
            and not self._as_held
            and self.reservations.decide_again(round_, self._decide_as_held)
        ):
            denied = [each for each in denied if each[2].status == ChargeStatus.ALLOWED]
        self._demand.note(round_, denied)

    def plan_id(self, customer_id: str, resource_id: str = "") -> str:
        """The plan of a customer just decided about; empty: none, or not known any more."""
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, self._snapshots.to_plan_on(), self._clock.now_ms())
        return "" if view is None else view.effective.plan_id

    def overage_price(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> OveragePrice | None:
        """What a customer just decided about pays past a soft limit; None: nothing, or not known
        any more."""
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, self._snapshots.to_plan_on(), self._clock.now_ms())
        found = None if view is None else view.effective.entitlements.get(feature_id)
        return None if found is None else found.overage_price

    def experiment(self, customer_id: str, resource_id: str = "") -> Group | None:
        """Where a customer just decided about is in an experiment; None: nowhere, or not known."""
        name = view_name(customer_id, resource_id)
        view = self._views.get(name, self._snapshots.to_plan_on(), self._clock.now_ms())
        return None if view is None else view.effective.group

    def counters(self, customer_id: str, feature_id: str, resource_id: str = "") -> list[str]:
        """Keys of the counters of a customer just decided about, by limit; empty: not known."""
        name, now_ms = view_name(customer_id, resource_id), self._clock.now_ms()
        view = self._views.get(name, self._snapshots.to_plan_on(), now_ms)
        meter = None if view is None else view.meter(feature_id, self._settings.retention)
        if view is None or meter is None or meter.given is not None:
            return []
        return [view.keys.usage + suffix for suffix in meter.at(now_ms).counters.suffixes]

    def _look(
        self, customer_id: str, resource_id: str, budget: Budget, held: HeldAmounts
    ) -> Granted | None:
        """Check every feature of a customer in one script call; None: something was stale."""
        self._health.raise_if_down()
        now_ms = self._clock.now_ms()
        snapshot = self._snapshots.to_plan_on()
        view = self._planner.read_view(customer_id, resource_id, snapshot, now_ms, budget)
        entitlements = view.effective.entitlements
        # One more than there are features, so that a customer without any is checked too.
        features = ["", *(name for name in snapshot.features if name in entitlements)]
        requests = [_look_at(customer_id, feature_id, resource_id) for feature_id in features]
        round_ = StrictRound(requests)
        round_.pending = []
        for i, request in enumerate(requests):
            self._planner.plan(round_, i, request, view, now_ms)
        placed = round_.placed
        self._settler.settle(round_, snapshot, now_ms, budget)
        if round_.pending:
            return None
        if round_.looks is not None:
            self.slots.look(round_)
        decisions: dict[str, Decision] = {}
        for place, one in placed:
            feature_id, answer = features[place], round_.answers[place]
            if isinstance(answer, QuotadError):
                raise answer
            if held and answer is not None:
                names = [view.keys.usage + suffix for suffix in one.counters.suffixes]
                answer = held.apart(answer, names)
            if feature_id and answer is not None:
                decisions[feature_id] = answer
        return Granted(view.effective, decisions, snapshot)

    def _run(self, round_: Round, budget: Budget, settler: Settler | None = None) -> bool:
        """Plan, settle and fold what is pending; returns whether some of it was explained.

        Args:
            round_: the batch.
            budget: of the batch.
            settler: None: the engine's own.
        """
        now_ms = self._clock.now_ms()
        try:
            snapshot = self._snapshots.to_plan_on()
        except NotReady:
            self._health.raise_if_down()  # the reason behind it
            raise
        records = self._planner.plan_all(round_, snapshot, now_ms, budget)
        if round_.planned:
            (settler or self._settler).settle(round_, snapshot, now_ms, budget)
        if records:
            explain_round(round_, records, snapshot, now_ms)
        return bool(records)


def _look_at(customer_id: str, feature_id: str, resource_id: str) -> ConsumeRequest:
    return ConsumeRequest(
        customer_id, feature_id, mode=CHECK_ONLY, every_limit=True, resource_id=resource_id
    )
