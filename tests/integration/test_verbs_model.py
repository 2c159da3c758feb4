"""All verbs in turns, over two servers whose answers get lost, against a model in plain Python.

A seeded random run. The caller repeats under the same key or id what was not answered, as clients
do; after every step counters, holds and decisions are those of the model.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from quotad.engine import Engine
from quotad.engine.reservations import GRACE_MS
from quotad.errors import NotFound, NotOpen, StoreUnavailable
from quotad.held import Setting, UsedItem
from quotad.model import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.store import Link
from quotad.store.keys import slot_names
from tests.deciding import Bench, at
from tests.integration.lease_model import LeaseSteps, LentOut, end_leases, leased
from tests.integration.slotted import slot
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  several: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  jobs: {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      tokens: {limit: 500, per: month}
      several: {limits: [{limit: 300, per: month}, {limit: 500, per: year}]}
      images: unlimited
      budget: {limit: 900, per: month}
      jobs: {limit: 6}
"""
SLOTS = 6
COUNTERS = {
    "tokens": {"tokens month": (500, 1)},
    "several": {"several month": (300, 1), "several year": (500, 1)},
    "images": {"images": (10**15, 1), "budget month": (900, 3)},
}
"""By feature: its counters, each with its cap and the weight of a unit."""
STEPS = 1_000


class Losing:
    """A link whose answers get lost now and then, after the store has done what it was told."""

    def __init__(self, link: Link, rng: random.Random) -> None:
        self._link = link
        self._rng = rng
        self.share = 0.0

    def run(self, *words: Any) -> Any:
        answer = self._link.run(*words)
        if self._rng.random() < self.share:
            raise StoreUnavailable("lost")
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


def together(customer: str, items: dict[str, int], key: str = "") -> ConsumeAllRequest:
    """A request for several features."""
    asked = tuple([ConsumeRequest(customer, *each) for each in items.items()])
    return ConsumeAllRequest(customer, "", 0, idempotency_key=key, items=asked)


class Held:
    """A reservation of the model."""

    def __init__(self, customer: str, items: dict[str, int], ends_ms: int) -> None:
        self.customer, self.items, self.ends_ms = customer, items, ends_ms


class Model:
    """What was counted, and what is held."""

    def __init__(self) -> None:
        self.used: Counter[tuple[str, str]] = Counter()
        self.spent: Counter[tuple[str, str]] = Counter()
        """By customer and feature, without what is held: the most that is right to take back."""
        self.held: dict[str, Held] = {}
        self.slots: dict[str, tuple[str, int]] = {}
        """By slot: whose it is, and what it holds."""
        self.leases: dict[str, LentOut] = {}

    def add(self, customer: str, feature: str, quantity: int) -> None:
        """Count in all counters of a feature."""
        for name, (_, weight) in COUNTERS[feature].items():
            self.used[customer, name] += quantity * weight
            assert self.used[customer, name] >= 0

    def spend(self, customer: str, feature: str, quantity: int) -> None:
        """Count what is really used."""
        self.add(customer, feature, quantity)
        self.spent[customer, feature] += quantity

    def fits(self, customer: str, feature: str, quantity: int) -> bool:
        return self.all_fit(customer, {feature: quantity})

    def all_fit(self, customer: str, items: dict[str, int]) -> bool:
        """Whether there is room for all of it."""
        return all(
            self.used[customer, name] + quantity * weight <= cap
            for feature, quantity in items.items()
            for name, (cap, weight) in COUNTERS[feature].items()
        )

    def room(self, customer: str, feature: str) -> int:
        """What remains in units of a feature; negative: it is overdrawn."""
        return min(
            (cap - self.used[customer, name]) // weight
            for name, (cap, weight) in COUNTERS[feature].items()
        )

    def in_flight(self, customer: str) -> int:
        """What slots of a customer hold."""
        return sum(quantity for whose, quantity in self.slots.values() if whose == customer)

    def reserved(self, customer: str) -> Counter[str]:
        """What is held of each counter."""
        held: Counter[str] = Counter()
        for each in self.held.values():
            if each.customer == customer:
                for feature, quantity in each.items.items():
                    for name, (_, weight) in COUNTERS[feature].items():
                        held[name] += quantity * weight
        return held

    def end(self, now_ms: int) -> None:
        """Take back what has ended."""
        end_leases(self, now_ms)
        for hold_id, held in list(self.held.items()):
            if held.ends_ms + GRACE_MS <= now_ms:
                self.give_back(hold_id)

    def give_back(self, hold_id: str) -> None:
        held = self.held.pop(hold_id)
        for feature, quantity in held.items.items():
            self.add(held.customer, feature, -quantity)


class Run(LeaseSteps):
    """One run: two engines, a model, and what was done so far."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bench = bench
        self.links = [Losing(bench.store.connect(), self.rng) for _ in range(2)]
        self.engines = [Engine(bench.shared, link) for link in self.links]
        self.model = Model()
        self.taken: dict[str, tuple[str, str, int]] = {}
        """By key: customer, feature and quantity of what was taken under it and not undone."""
        self.together: dict[str, tuple[str, dict[str, int]]] = {}
        """The same of what was taken of several features."""
        self.ids = 0

    def close(self) -> None:
        for engine in self.engines:
            engine.close()

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids}"

    def answered(self, ask: Any) -> Any:
        """Ask one of the servers until it answers."""
        for link in self.links:
            link.share = 0.15
        try:
            while True:
                try:
                    answer = ask(self.rng.choice(self.engines))
                except StoreUnavailable:
                    assert self.bench.health.probe()
                    continue
                if isinstance(answer, StoreUnavailable):
                    assert self.bench.health.probe()
                    continue
                return answer
        finally:
            for link in self.links:
                link.share = 0.0

    def decide(self, request: ConsumeRequest) -> Decision:
        answer = self.answered(lambda engine: engine.decide([request])[0])
        assert isinstance(answer, Decision), answer
        return answer

    def step(self) -> None:
        self.bench.clock.now += self.rng.choice([0, 10, 500, 2_000])
        self.model.end(self.bench.clock.now)
        customer, feature = self.rng.choice(["a", "b"]), self.rng.choice(list(COUNTERS))
        verbs: Sequence[Any] = (
            *(self.consume, self.consume, self.reserve, self.reserve, self.reserve),
            *(self.commit, self.commit, self.release, self.extend, self.record, self.refund),
            *(self.take_what_is_left, self.undo, self.check, self.consume_one_of_another_time),
            *(self.acquire, self.acquire, self.leave, self.beat, self.let_slots_end),
            *(self.lend, self.lend, self.spend_locally, self.renew_lease, self.release_lease),
            *(self.consume_all, self.undo_together, self.reserve_all, self.set_usage),
        )
        self.rng.choice(verbs)(customer, feature)

    def consume(self, customer: str, feature: str) -> None:
        quantity, key = self.rng.randint(0, 60), self.new_id()
        fits = self.model.fits(customer, feature, quantity)

        answer = self.decide(ConsumeRequest(customer, feature, quantity, idempotency_key=key))

        assert fits == answer.allowed
        if fits and quantity:
            self.model.spend(customer, feature, quantity)
            self.taken[key] = (customer, feature, quantity)

    def consume_one_of_another_time(self, customer: str, feature: str) -> None:
        """Under a key that has taken already: nothing is taken."""
        if self.taken:
            key = self.rng.choice(list(self.taken))
            first = ConsumeRequest(*self.taken[key], idempotency_key=key)
            assert self.decide(first).replayed

    def check(self, customer: str, feature: str) -> None:
        quantity = self.rng.randint(0, 200)
        answer = self.decide(ConsumeRequest(customer, feature, quantity, Mode.CHECK_ONLY))
        assert self.model.fits(customer, feature, quantity) == answer.allowed

    def take_what_is_left(self, customer: str, feature: str) -> None:
        quantity, key = self.rng.randint(1, 60), self.new_id()
        left = quantity
        while left and not self.model.fits(customer, feature, left):
            left -= 1

        answer = self.decide(ConsumeRequest(customer, feature, quantity, Mode.BEST_EFFORT, key))

        assert (left > 0, left) == (answer.allowed, answer.granted)
        self.model.spend(customer, feature, left)

    def record(self, customer: str, feature: str) -> None:
        quantity = self.rng.randint(1, 20)
        request = ConsumeRequest(customer, feature, quantity, Mode.ADJUST_ONLY, self.new_id())
        assert quantity == self.decide(request).granted
        self.model.spend(customer, feature, quantity)

    def refund(self, customer: str, feature: str) -> None:
        quantity = self.rng.randint(1, 80)
        if quantity <= self.model.spent[customer, feature]:
            request = ConsumeRequest(customer, feature, -quantity, Mode.REFUND, self.new_id())
            assert -quantity == self.decide(request).granted
            self.model.spend(customer, feature, -quantity)

    def undo(self, customer: str, feature: str) -> None:
        if not self.taken:
            return
        key = self.rng.choice(list(self.taken))
        customer, feature, quantity = self.taken.pop(key)
        request = ConsumeRequest(customer, feature, 0, Mode.REFUND)
        if quantity <= self.model.spent[customer, feature]:
            answer = self.answered(lambda engine: engine.undo(request, key))
            assert -quantity == answer.granted
            self.model.spend(customer, feature, -quantity)

    def reserve(self, customer: str, feature: str) -> None:
        quantity, hold_id = self.rng.randint(1, 90), self.new_id()
        ttl_ms = self.rng.choice([1_000, 5_000, 60_000])
        fits = self.model.fits(customer, feature, quantity)
        request = ConsumeRequest(customer, feature, quantity)

        reserved = self.answered(
            lambda engine: engine.reservations.reserve(request, hold_id, ttl_ms)
        )

        assert fits == reserved.decision.allowed
        if fits:
            self.model.add(customer, feature, quantity)
            self.model.held[hold_id] = Held(customer, {feature: quantity}, reserved.ends_ms)

    def some_items(self, most: int) -> dict[str, int]:
        """Quantities of two or three features, in any order."""
        features = self.rng.sample(list(COUNTERS), self.rng.randint(2, len(COUNTERS)))
        return {feature: self.rng.randint(1, most) for feature in features}

    def consume_all(self, customer: str, feature: str) -> None:
        items, key = self.some_items(40), self.new_id()
        fits = self.model.all_fit(customer, items)

        answer = self.decide(together(customer, items, key))

        assert fits == answer.allowed
        if fits:
            for name, quantity in items.items():
                self.model.spend(customer, name, quantity)
            self.together[key] = (customer, items)

    def undo_together(self, customer: str, feature: str) -> None:
        """One of several features that were taken together, or all that is left of them."""
        if not self.together:
            return
        key = self.rng.choice(list(self.together))
        customer, items = self.together[key]
        name = self.rng.choice(["", *items])
        back = dict(items) if not name else {name: items[name]}
        if any(quantity > self.model.spent[customer, each] for each, quantity in back.items()):
            return
        request = ConsumeRequest(customer, name, 0, Mode.REFUND)
        self.answered(lambda engine: engine.undo(request, key))
        for each, quantity in back.items():
            self.model.spend(customer, each, -quantity)
            del items[each]
        if name or not items:
            self.together.pop(key)  # what was taken back once, is not again: see below
            again = self.answered(lambda engine: engine.undo(request, key))
            assert again.replayed

    def reserve_all(self, customer: str, feature: str) -> None:
        items, hold_id = self.some_items(60), self.new_id()
        ttl_ms = self.rng.choice([1_000, 5_000, 60_000])
        fits = self.model.all_fit(customer, items)

        reserved = self.answered(
            lambda engine: engine.reservations.reserve(together(customer, items), hold_id, ttl_ms)
        )

        assert fits == reserved.decision.allowed
        if fits:
            for name, quantity in items.items():
                self.model.add(customer, name, quantity)
            self.model.held[hold_id] = Held(customer, items, reserved.ends_ms)

    def set_usage(self, customer: str, feature: str) -> None:
        """Of a limit without another one, so that it is known what may be taken back."""
        lent = [each for each in self.model.leases.values() if each.customer == customer]
        reported = sum(each.reported for each in lent if each.feature == "tokens")
        used, key = reported + self.rng.randint(0, 300), self.new_id()
        setting = Setting(customer, "tokens", used, idempotency_key=key)
        held = self.model.reserved(customer)["tokens month"]
        held += leased(self.model, customer, COUNTERS)["tokens month"]

        answer = self.answered(lambda engine: engine.set_usage(setting))

        change = used + held - self.model.used[customer, "tokens month"]
        assert change == answer.granted
        self.model.add(customer, "tokens", change)
        self.model.spent[customer, "tokens"] = used - reported

    def settle(self, hold_id: str, held: Held, used: dict[str, int], overrun: bool) -> None:
        """Settle by what was used; of features that are not named, by all that is held."""
        used_of_all = held.items | used
        changes = {name: used_of_all[name] - held.items[name] for name in held.items}
        more = {name: change for name, change in changes.items() if change > 0}
        fits = overrun or self.model.all_fit(held.customer, more)
        ended = held.ends_ms <= self.bench.clock.now
        actual = [UsedItem(name, quantity=quantity) for name, quantity in used.items()]
        try:
            answer = self.answered(
                lambda engine: engine.reservations.commit(held.customer, hold_id, actual, overrun)
            )
        except NotOpen:
            assert ended
            return
        assert not ended
        assert fits == answer.allowed
        if fits:
            self.model.give_back(hold_id)
            for name, quantity in used_of_all.items():
                self.model.spend(held.customer, name, quantity)

    def some_held(self) -> tuple[str, Held] | None:
        held = list(self.model.held.items())
        return self.rng.choice(held) if held else None

    def commit(self, customer: str, feature: str) -> None:
        found = self.some_held()
        if found:
            names = [name for name in found[1].items if self.rng.random() < 0.7]
            used = {name: self.rng.choice([0, self.rng.randint(0, 140)]) for name in names}
            self.settle(*found, used, self.rng.random() < 0.3)

    def release(self, customer: str, feature: str) -> None:
        found = self.some_held()
        if found:
            self.settle(*found, dict.fromkeys(found[1].items, 0), False)
        with pytest.raises(NotFound):
            self.answered(lambda engine: engine.reservations.commit(customer, f"not {self.ids}", 1))

    def extend(self, customer: str, feature: str) -> None:
        """The store's clock is not the engine's here, so that it never ends earlier."""
        found = self.some_held()
        if found and found[1].ends_ms > self.bench.clock.now:
            hold_id, held = found
            ends_ms = self.answered(
                lambda engine: engine.reservations.extend(held.customer, hold_id, 1_000)
            )
            assert ends_ms == held.ends_ms

    def acquire(self, customer: str, feature: str) -> None:
        """A slot, and what is counted with it: all of it, or nothing."""
        quantity, more, slot_id = self.rng.randint(1, 3), self.rng.randint(0, 60), self.new_id()
        free = self.model.in_flight(customer) + quantity <= SLOTS
        fits = self.model.fits(customer, feature, more)
        fields = {"customer_id": customer, "also": {feature: more}, "ttl_ms": 3_600_000}
        request = slot(slot_id, quantity, "jobs", **fields)  # type: ignore[arg-type]

        acquired = self.answered(lambda engine: engine.slots.acquire(request))

        assert (free and fits) == acquired.decision.allowed
        if free and fits:
            self.model.slots[slot_id] = (customer, quantity)
            self.model.spend(customer, feature, more)
            again = self.answered(lambda engine: engine.slots.acquire(request))
            assert again.decision.replayed

    def some_slot(self) -> str | None:
        return self.rng.choice(list(self.model.slots)) if self.model.slots else None

    def leave(self, customer: str, feature: str) -> None:
        slot_id = self.some_slot()
        if slot_id is not None:
            whose, _ = self.model.slots.pop(slot_id)
            self.answered(lambda engine: engine.slots.release(whose, slot_id))
            with pytest.raises(NotOpen):
                self.answered(lambda engine: engine.slots.extend(whose, slot_id, 60_000))

    def beat(self, customer: str, feature: str) -> None:
        slot_id = self.some_slot()
        if slot_id is not None:
            whose, _ = self.model.slots[slot_id]
            self.answered(lambda engine: engine.slots.extend(whose, slot_id, 60_000))

    def let_slots_end(self, customer: str, feature: str) -> None:
        """Holders of some slots are gone, and by the store's clock their time is over."""
        ends, _ = slot_names(self.bench.keys.customer(customer), "jobs")
        for slot_id, (whose, _) in list(self.model.slots.items()):
            if whose == customer and self.rng.random() < 0.5:
                raw(self.bench.store).zadd(ends, {slot_id: 1})
                del self.model.slots[slot_id]

    def look(self) -> None:
        """Compare what customers are told of their usage."""
        for customer in ("a", "b"):
            granted = self.answered(lambda engine, who=customer: engine.entitlements(who))
            assert self.model.in_flight(customer) == granted.decisions["jobs"].used
            for feature, counters in COUNTERS.items():
                limits = granted.decisions[feature].limits
                told = [(each.used, each.reserved, each.leased) for each in limits]
                reserved = self.model.reserved(customer)
                lent = leased(self.model, customer, COUNTERS)
                assert told == [
                    (self.model.used[customer, n] - reserved[n] - lent[n], reserved[n], lent[n])
                    for n in counters
                ]


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Bench]:
    made = Bench(store_url, prefix, "2031-01-15 12:00")
    made.publish(CATALOG)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(4))
def test_every_verb_does_once_what_it_is_to_do(bench: Bench, seed: int) -> None:
    run = Run(bench, seed)
    try:
        for _ in range(STEPS):
            run.step()
            if run.rng.random() < 0.1:
                run.look()
        # What is left ends, and everything is as if it had never been held.
        bench.clock.now = at("2031-01-15 16:00")
        run.model.end(bench.clock.now)
        assert not run.model.held
        assert not run.model.leases
        run.look()
    finally:
        run.close()
