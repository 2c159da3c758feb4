"""What quotad has to do, in plain Python: counters, holds, leases and slots of customers."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from quotad.engine.leases import SHARE
from quotad.engine.reservations import GRACE_MS
from tests.integration.verbs.plans import CAPS, WEIGHTS

Items = tuple[tuple[str, int], ...]
"""Features and quantities."""

Place = tuple[str, str, int]
"""Customer, feature, and which of its counters."""


class Held(msgspec.Struct):
    """A reservation."""

    customer: str
    items: Items
    ends_ms: int


class Lent(msgspec.Struct):
    """A lease."""

    customer: str
    feature: str
    granted: int
    spent: int
    sequence: int
    ends_ms: int

    @property
    def holds(self) -> int:
        return self.granted - self.spent


class Slot(msgspec.Struct):
    """A slot."""

    customer: str
    quantity: int


class Model:
    """What was counted, and what is held."""

    def __init__(self) -> None:
        self.plans: dict[str, str] = {}
        self.counters: Counter[Place] = Counter()
        """What is taken in all: used, reserved and leased."""
        self.spent: Counter[tuple[str, str]] = Counter()
        """Without what is held: the most that is right to take back."""
        self.held: dict[str, Held] = {}
        self.lent: dict[str, Lent] = {}
        self.slots: dict[str, Slot] = {}
        self.denied: Counter[Place] = Counter()
        """What asking calls were denied, of each counter that had no room."""
        self.touched: set[str] = set()
        """Customers that a step was about."""

    def caps(self, customer: str, feature: str) -> Sequence[int]:
        self.touched.add(customer)
        return CAPS[self.plans.get(customer, "free")][feature]

    def room(self, customer: str, feature: str) -> int:
        """How many units fit; below 0: so many more are used than there may be."""
        counters = zip(self.caps(customer, feature), WEIGHTS[feature], strict=True)
        return min(
            (cap - self.counters[customer, feature, place]) // weight
            for place, (cap, weight) in enumerate(counters)
        )

    def fits(self, customer: str, items: Items) -> bool:
        """Whether that much may be asked for; past a limit not even nothing."""
        return all(
            quantity < 0 or quantity <= self.room(customer, feature) for feature, quantity in items
        )

    def deny(self, customer: str, items: Items, granted: int = 0) -> None:
        """Note what was denied of items by each counter without room."""
        for feature, quantity in items:
            caps = self.caps(customer, feature)
            for place, weight in enumerate(WEIGHTS[feature]):
                if self.counters[customer, feature, place] + quantity * weight > caps[place]:
                    self.denied[customer, feature, place] += (quantity - granted) * weight

    def add(self, customer: str, items: Items) -> None:
        """Count in all counters of features."""
        self.touched.add(customer)
        for feature, quantity in items:
            for place, weight in enumerate(WEIGHTS[feature]):
                self.counters[customer, feature, place] += quantity * weight
                assert self.counters[customer, feature, place] >= 0

    def spend(self, customer: str, items: Items) -> None:
        """Count what is really used."""
        self.add(customer, items)
        for feature, quantity in items:
            self.spent[customer, feature] += quantity

    def reserved(self, customer: str) -> Counter[Place]:
        """What reservations hold of each counter."""
        found: Counter[Place] = Counter()
        for each in self.held.values():
            for feature, quantity in each.items if each.customer == customer else ():
                for place, weight in enumerate(WEIGHTS[feature]):
                    found[customer, feature, place] += quantity * weight
        return found

    def leased(self, customer: str, now_ms: int) -> Counter[Place]:
        """What leases hold of each counter."""
        found: Counter[Place] = Counter()
        for each in self.lent.values():
            if each.customer == customer and now_ms < each.ends_ms + GRACE_MS:
                for place in range(len(WEIGHTS[each.feature])):
                    found[customer, each.feature, place] += each.holds
        return found

    def end(self, now_ms: int) -> None:
        """Give back what reservations have held that have ended; what leases held is used."""
        for hold_id, held in list(self.held.items()):
            if held.ends_ms + GRACE_MS <= now_ms:
                self.add(held.customer, tuple((feature, -n) for feature, n in held.items))
                del self.held[hold_id]
        for lease_id, lent in list(self.lent.items()):
            if lent.ends_ms + GRACE_MS <= now_ms:
                self.spent[lent.customer, lent.feature] += lent.granted
                del self.lent[lease_id]

    def lendable(self, customer: str, feature: str, wanted: int) -> int:
        """How much of a feature a new lease holds."""
        return max(min(wanted, self.room(customer, feature) // SHARE), 0)

    def relent(self, lent: Lent, spent: int, wanted: int) -> int | None:
        """How much a renewed lease holds; None: it is not renewed."""
        room = self.room(lent.customer, lent.feature)
        left = lent.granted - spent
        return None if room < 0 else min(wanted, max(left, (room + left) // SHARE))

    def in_flight(self, customer: str) -> int:
        return sum(each.quantity for each in self.slots.values() if each.customer == customer)
