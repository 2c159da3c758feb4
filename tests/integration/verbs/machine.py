"""The state machine: every verb is a rule, and what customers are shown is compared after each."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine import Engine
from quotad.errors import NotFound, NotOpen, QuotadError
from quotad.held import Setting, UsedItem
from quotad.lending import Renewal
from quotad.operations.usage import UsageOperations
from quotad.slots import SLOT, AcquireRequest
from quotad.store.keys import slot_names
from quotad.store.usage import UsageStore
from tests.integration.verbs.model import Held, Items, Lent, Model, Slot
from tests.integration.verbs.plans import COUNTED, LENDABLE, LIMITS, PER
from tests.integration.verbs.servers import Servers
from tests.raw import raw

CUSTOMERS = ("a", "b")
customers = st.sampled_from(CUSTOMERS)
features = st.sampled_from(COUNTED)
quantities = st.integers(1, 90)
lucks = st.integers(0, 2**16)
"""Which servers are asked and what gets lost; 0: the first one, and nothing."""
pairs = st.lists(
    st.tuples(features, st.integers(1, 60)), min_size=2, max_size=3, unique_by=lambda item: item[0]
).map(tuple)
extras = st.lists(st.tuples(features, quantities), max_size=1).map(tuple)
terms_ms = st.sampled_from([1_000, 5_000, 60_000])


class Verbs(RuleBasedStateMachine):
    """All verbs in turns; a caller repeats under the same key or id what was not answered."""

    url: ClassVar[str]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).steps -= 1  # the invariant is looked at before the first step, too
        self.servers = Servers(self.url, f"t-{uuid.uuid4().hex[:12]}")
        self.model = Model()
        self.taken: dict[str, tuple[str, dict[str, int]]] = {}
        """By key: customer, and by feature what was taken under it and not undone."""
        self.asked: dict[str, Any] = {}
        """By key: what was asked under it."""
        self.ids = 0

    def teardown(self) -> None:
        try:
            self.servers.advance(4 * 3_600_000)
            self.model.end(self.now)
            assert not self.model.held
            assert not self.model.lent
            self._compare()
            self._compare_denied()
        finally:
            self.servers.close()

    @property
    def now(self) -> int:
        return self.servers.clock.now

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids}"

    def decide(self, luck: int, request: ConsumeRequest) -> Any:
        answer = self.servers.answered(luck, lambda engine: engine.decide([request])[0])
        assert isinstance(answer, Decision), answer
        return answer

    # Time and plans.

    @rule(ms=st.sampled_from([10, 500, 2_000, 10_000]))
    def wait(self, ms: int) -> None:
        self.servers.advance(ms)
        self.model.end(self.now)
        self.model.touched.update(CUSTOMERS)

    @rule(customer=customers, plan=st.sampled_from(["free", "pro"]), at=st.sampled_from([0, 1]))
    def change_plan(self, customer: str, plan: str, at: int) -> None:
        self.servers.all[at].bench.provision(customer, plan)
        self.model.plans[customer] = plan

    # Asking.

    @rule(customer=customers, feature=features, quantity=st.integers(0, 90), luck=lucks)
    def consume(self, customer: str, feature: str, quantity: int, luck: int) -> None:
        items, key = ((feature, quantity),), self.new_id()
        fits = self.model.fits(customer, items)

        request = ConsumeRequest(customer, feature, quantity, idempotency_key=key)
        answer = self.decide(luck, request)

        assert fits == answer.allowed
        self._note_taken(customer, items if fits else (), key, request)
        if not fits:
            self.model.deny(customer, items)

    @rule(customer=customers, items=pairs, luck=lucks)
    def consume_all(self, customer: str, items: Items, luck: int) -> None:
        fits, key = self.model.fits(customer, items), self.new_id()

        asked = tuple(ConsumeRequest(customer, *item) for item in items)
        request = ConsumeAllRequest(customer, "", items=asked, idempotency_key=key)
        answer = self.decide(luck, request)

        assert fits == answer.allowed
        self._note_taken(customer, items if fits else (), key, request)
        if not fits:
            self.model.deny(customer, items)

    @rule(customer=customers, feature=features, quantity=quantities, luck=lucks)
    def take_what_is_left(self, customer: str, feature: str, quantity: int, luck: int) -> None:
        left = max(min(quantity, self.model.room(customer, feature)), 0)
        request = ConsumeRequest(customer, feature, quantity, Mode.BEST_EFFORT, self.new_id())

        answer = self.decide(luck, request)

        assert (left > 0, left) == (answer.allowed, answer.granted)
        self.model.spend(customer, ((feature, left),))

    @rule(customer=customers, feature=features, quantity=st.integers(0, 900), luck=lucks)
    def check(self, customer: str, feature: str, quantity: int, luck: int) -> None:
        answer = self.decide(luck, ConsumeRequest(customer, feature, quantity, Mode.CHECK_ONLY))
        assert self.model.fits(customer, ((feature, quantity),)) == answer.allowed

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), luck=lucks)
    def repeat(self, data: st.DataObject, luck: int) -> None:
        """Under a key that has taken already nothing more is taken, undone or not."""
        key = data.draw(st.sampled_from(sorted(self.asked)))
        assert self.decide(luck, self.asked[key]).replayed

    # What has happened already, and what is taken back.

    @rule(customer=customers, feature=features, quantity=st.integers(1, 30), luck=lucks)
    def record(self, customer: str, feature: str, quantity: int, luck: int) -> None:
        request = ConsumeRequest(customer, feature, quantity, Mode.ADJUST_ONLY, self.new_id())
        assert quantity == self.decide(luck, request).granted
        self.model.spend(customer, ((feature, quantity),))

    @rule(customer=customers, feature=features, quantity=quantities, luck=lucks)
    def give_back(self, customer: str, feature: str, quantity: int, luck: int) -> None:
        """A refund, or of a gauge a negative quantity."""
        quantity = min(quantity, self.model.spent[customer, feature])
        if quantity:
            mode = Mode.NORMAL if feature == "seats" else Mode.REFUND
            request = ConsumeRequest(customer, feature, -quantity, mode, self.new_id())
            assert -quantity == self.decide(luck, request).granted
            self.model.spend(customer, ((feature, -quantity),))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), together=st.booleans(), luck=lucks)
    def undo(self, data: st.DataObject, together: bool, luck: int) -> None:
        """All that was taken under a key, or one feature of it."""
        key = data.draw(st.sampled_from(sorted(self.taken)))
        customer, taken = self.taken[key]
        chosen = list(taken) if together else [data.draw(st.sampled_from(sorted(taken)))]
        spent = self.model.spent
        if any(taken[each] > spent[customer, each] or each == "seats" for each in chosen):
            return
        named = "" if together and isinstance(self.asked[key], ConsumeAllRequest) else chosen[0]
        request = ConsumeRequest(customer, named, 0, Mode.REFUND)

        answer = self.servers.answered(luck, lambda engine: engine.undo(request, key))

        assert not isinstance(answer, QuotadError), answer
        for feature in chosen:
            self.model.spend(customer, ((feature, -taken.pop(feature)),))
        if not taken:
            del self.taken[key]

    @rule(customer=customers, used=st.integers(0, 300), luck=lucks)
    def set_usage(self, customer: str, used: int, luck: int) -> None:
        """What is held stays beside it; what leases have reported is part of it."""
        feature = "tokens"  # of one limit, so that it is known what may be taken back
        lent = [each for each in self.model.lent.values() if each.customer == customer]
        reported = sum(each.spent for each in lent if each.feature == feature)
        where = (customer, feature, 0)
        held = self.model.reserved(customer)[where] + self.model.leased(customer, self.now)[where]
        change = reported + used + held - self.model.counters[where]
        setting = Setting(customer, feature, reported + used, idempotency_key=self.new_id())

        answer = self.servers.answered(luck, lambda engine: engine.set_usage(setting))

        assert change == answer.granted
        self.model.add(customer, ((feature, change),))
        self.model.spent[customer, feature] = used

    # Reservations.

    @rule(customer=customers, feature=features, quantity=quantities, ttl_ms=terms_ms, luck=lucks)
    def reserve(self, customer: str, feature: str, quantity: int, ttl_ms: int, luck: int) -> None:
        request = ConsumeRequest(customer, feature, quantity)
        self._reserve(request, ((feature, quantity),), ttl_ms, luck)

    @rule(customer=customers, items=pairs, ttl_ms=terms_ms, luck=lucks)
    def reserve_all(self, customer: str, items: Items, ttl_ms: int, luck: int) -> None:
        asked = tuple(ConsumeRequest(customer, *item) for item in items)
        self._reserve(ConsumeAllRequest(customer, "", items=asked), items, ttl_ms, luck)

    @precondition(lambda self: self.model.held)
    @rule(data=st.data(), used=st.integers(0, 140), overrun=st.booleans(), luck=lucks)
    def commit(self, data: st.DataObject, used: int, overrun: bool, luck: int) -> None:
        """By a quantity of its only feature, or of its first one; the others by what they hold."""
        hold_id = data.draw(st.sampled_from(sorted(self.model.held)))
        (first, _), *others = self.model.held[hold_id].items
        spent = ((first, used), *others)
        how = [UsedItem(first, quantity=used)] if others else used
        self._settle(
            hold_id,
            spent,
            overrun,
            lambda engine, customer: engine.reservations.commit(customer, hold_id, how, overrun),
            luck,
        )

    @precondition(lambda self: self.model.held)
    @rule(data=st.data(), all_of_it=st.booleans(), luck=lucks)
    def commit_or_release(self, data: st.DataObject, all_of_it: bool, luck: int) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.model.held)))
        items = self.model.held[hold_id].items
        spent = items if all_of_it else tuple((feature, 0) for feature, _ in items)

        def settle(engine: Engine, customer: str) -> Decision:
            if all_of_it:
                return engine.reservations.commit(customer, hold_id, None)
            return engine.reservations.release(customer, hold_id)

        self._settle(hold_id, spent, False, settle, luck)

    @precondition(lambda self: self.model.held)
    @rule(data=st.data(), luck=lucks)
    def extend(self, data: st.DataObject, luck: int) -> None:
        """The store's clock is far behind the engines' here, so that it ends no later."""
        hold_id = data.draw(st.sampled_from(sorted(self.model.held)))
        held = self.model.held[hold_id]
        if held.ends_ms > self.now:
            assert held.ends_ms == self.servers.answered(
                luck, lambda engine: engine.reservations.extend(held.customer, hold_id, 1_000)
            )

    @rule(customer=customers, luck=lucks)
    def settle_what_is_unknown(self, customer: str, luck: int) -> None:
        def commit(engine: Engine) -> Decision:
            return engine.reservations.commit(customer, "nope", 1)

        def release(engine: Engine) -> Decision:
            return engine.reservations.release(customer, "nope")

        for settle in (commit, release):
            with pytest.raises(NotFound):
                self.servers.answered(luck, settle)

    # Leases.

    @rule(customer=customers, feature=st.sampled_from(LENDABLE), wanted=quantities, luck=lucks)
    def acquire_lease(self, customer: str, feature: str, wanted: int, luck: int) -> None:
        self._compare([customer])  # what has ended is back: a lease is a share of what remains
        lease_id = self.new_id()
        granted = self.model.lendable(customer, feature, wanted)

        request = ConsumeRequest(customer, feature, wanted)
        leased = self.servers.answered(
            luck, lambda engine: engine.leases.acquire(request, lease_id, 5_000)
        )

        assert granted == leased.granted
        if granted:
            self.model.add(customer, ((feature, granted),))
            lent = Lent(customer, feature, granted, 0, 0, leased.ends_ms)
            self.model.lent[lease_id] = lent

    @precondition(lambda self: self.model.lent)
    @rule(data=st.data(), wanted=quantities, luck=lucks)
    def renew_lease(self, data: st.DataObject, wanted: int, luck: int) -> None:
        lease_id = data.draw(st.sampled_from(sorted(self.model.lent)))
        lent = self.model.lent[lease_id]
        self._compare([lent.customer])
        spent = data.draw(st.integers(lent.spent, lent.granted))
        asked = Renewal(lent.sequence + 1, spent, wanted)
        holds = self.model.relent(lent, spent, wanted)
        try:
            leased = self.servers.answered(
                luck, lambda engine: engine.leases.renew(lent.customer, lease_id, asked, 5_000)
            )
        except NotOpen:
            assert lent.ends_ms <= self.now
            return
        assert lent.ends_ms > self.now
        if holds is None:
            assert not leased.ends_ms
            return
        assert spent + holds == leased.granted
        self.model.add(lent.customer, ((lent.feature, leased.granted - lent.granted),))
        lent.granted, lent.spent = leased.granted, spent
        lent.sequence, lent.ends_ms = asked.sequence, leased.ends_ms

    @precondition(lambda self: self.model.lent)
    @rule(data=st.data(), luck=lucks)
    def release_lease(self, data: st.DataObject, luck: int) -> None:
        lease_id = data.draw(st.sampled_from(sorted(self.model.lent)))
        lent = self.model.lent[lease_id]
        spent = data.draw(st.integers(lent.spent, lent.granted))

        back = self.servers.answered(
            luck, lambda engine: engine.leases.release(lent.customer, lease_id, spent)
        )

        assert lent.granted - spent == back
        self.model.add(lent.customer, ((lent.feature, -back),))
        self.model.spent[lent.customer, lent.feature] += spent
        del self.model.lent[lease_id]

    # Slots.

    @rule(customer=customers, items=extras, luck=lucks)
    def acquire_slot(self, customer: str, items: Items, luck: int) -> None:
        slot_id = self.new_id()
        free = self.model.in_flight(customer) < self.model.caps(customer, "jobs")[0]
        fits = free and self.model.fits(customer, items)
        asked = [("jobs", 1), *items]
        request = AcquireRequest(
            customer,
            "",
            items=tuple(ConsumeRequest(customer, *item) for item in asked),
            idempotency_key=SLOT + slot_id,
            ttl_ms=3_600_000,
        )

        acquired = self.servers.answered(luck, lambda engine: engine.slots.acquire(request))

        assert fits == acquired.decision.allowed
        if fits:
            self.model.spend(customer, items)
            self.model.slots[slot_id] = Slot(customer, 1)
        else:
            self.model.deny(customer, items)

    @precondition(lambda self: self.model.slots)
    @rule(data=st.data(), ended=st.booleans(), luck=lucks)
    def free_slot(self, data: st.DataObject, ended: bool, luck: int) -> None:
        """Release one, or let it end: the store's clock is its own, so its end is moved."""
        slot_id = data.draw(st.sampled_from(sorted(self.model.slots)))
        customer = self.model.slots.pop(slot_id).customer
        if ended:
            bench = self.servers.all[0].bench
            ends, _ = slot_names(bench.keys.customer(customer), "jobs")
            raw(bench.store).zadd(ends, {slot_id: 1})
        else:
            self.servers.answered(luck, lambda engine: engine.slots.release(customer, slot_id))
        again = self.servers.answered(luck, lambda engine: engine.slots.release(customer, slot_id))
        assert not again
        with pytest.raises(NotOpen):
            self.servers.answered(
                luck, lambda engine: engine.slots.extend(customer, slot_id, 3_600_000)
            )

    @precondition(lambda self: self.model.slots)
    @rule(data=st.data(), luck=lucks)
    def beat(self, data: st.DataObject, luck: int) -> None:
        slot_id = data.draw(st.sampled_from(sorted(self.model.slots)))
        customer = self.model.slots[slot_id].customer
        self.servers.answered(
            luck, lambda engine: engine.slots.extend(customer, slot_id, 3_600_000)
        )

    # What is always so.

    @invariant()
    def nothing_is_lost_or_counted_twice(self) -> None:
        type(self).steps += 1
        # A step about one of them has no key of the other; time passes for both.
        self._compare(sorted(self.model.touched) or CUSTOMERS)
        self.model.touched.clear()

    def _compare(self, about: Sequence[str] = CUSTOMERS) -> None:
        """Compare what customers are shown of their usage (G10)."""
        self.servers.look()
        at = self.ids % 2
        for customer in about:
            granted = self.servers.all[at].engine.entitlements(customer)
            reserved, leased = self.model.reserved(customer), self.model.leased(customer, self.now)
            limits = LIMITS[self.model.plans.get(customer, "free")]
            for feature in COUNTED:
                told = granted.decisions[feature].limits
                for place, status in enumerate(told):
                    where = (customer, feature, place)
                    total = self.model.counters[where]
                    held = (reserved[where], leased[where])
                    expected = (total - sum(held), *held)
                    shown = (status.used, status.reserved, status.leased)
                    assert expected == shown, (where, expected, shown)
                    if status.limit is not None:
                        assert limits[feature][place] == status.limit
                        assert max(0, status.limit - total) == status.remaining
            (jobs,) = granted.decisions["jobs"].limits or (granted.decisions["jobs"],)
            assert self.model.in_flight(customer) == jobs.used

    def _compare_denied(self) -> None:
        """Denied demand is counted once, or by each of the two servers that were asked."""
        told: Counter[tuple[str, str, int]] = Counter()
        for each in self.servers.all:
            bench = each.bench
            bench.demand.flush(bench.clock.now)
        for customer in CUSTOMERS:
            bench = self.servers.all[0].bench
            counters = UsageStore(bench.store, bench.keys)
            usage = UsageOperations(
                bench.customers, counters, bench.snapshots, bench.clock, bench.demand
            )
            for one in usage.of_customer(customer).usage:
                feature = "images" if one.feature.feature_id == "budget" else one.feature.feature_id
                place = 1 if feature == "images" else PER[feature].index(one.per)
                told[customer, feature, place] = one.denied
        for where, denied in self.model.denied.items():
            assert denied <= told[where], where

    def _note_taken(self, customer: str, items: Items, key: str, request: Any) -> None:
        if any(quantity for _, quantity in items):
            self.model.spend(customer, items)
            self.taken[key] = (customer, dict(items))
            self.asked[key] = request

    def _reserve(self, request: ConsumeRequest, items: Items, ttl_ms: int, luck: int) -> None:
        customer, hold_id = request.customer_id, self.new_id()
        fits = self.model.fits(customer, items)

        reserved = self.servers.answered(
            luck, lambda engine: engine.reservations.reserve(request, hold_id, ttl_ms)
        )

        assert fits == reserved.decision.allowed
        if fits:
            self.model.add(customer, items)
            self.model.held[hold_id] = Held(customer, items, reserved.ends_ms)
        else:
            self.model.deny(customer, items)

    def _settle(self, hold_id: str, spent: Items, overrun: bool, ask: Any, luck: int) -> None:
        held = self.model.held[hold_id]
        more = tuple(
            (feature, used - quantity)
            for (feature, used), (_, quantity) in zip(spent, held.items, strict=True)
            if used > quantity
        )
        fits = overrun or self.model.fits(held.customer, more)
        ended = held.ends_ms <= self.now
        try:
            answer = self.servers.answered(luck, lambda engine: ask(engine, held.customer))
        except NotOpen:
            assert ended
            return
        assert not ended
        assert fits == answer.allowed
        if fits:
            self.model.add(held.customer, tuple((feature, -n) for feature, n in held.items))
            self.model.spend(held.customer, spent)
            del self.model.held[hold_id]
