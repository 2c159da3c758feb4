"""Leases in the model of all verbs: what is lent, what of it is spent, and what becomes of it."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import pytest

from quotad.engine.leases import SHARE
from quotad.engine.reservations import GRACE_MS
from quotad.errors import InvalidRequest, NotFound, NotOpen
from quotad.lending import Renewal
from quotad.model import ConsumeRequest

TTL_MS = 5_000


class LentOut(msgspec.Struct):
    """A lease of the model; numbers count from its start."""

    customer: str
    feature: str
    granted: int
    ends_ms: int
    spent: int = 0
    """By its holder."""
    reported: int = 0
    sequence: int = 0


class LeaseModel(Protocol):
    """What leases need of the model."""

    leases: dict[str, LentOut]

    def add(self, customer: str, feature: str, quantity: int) -> None: ...

    def spend(self, customer: str, feature: str, quantity: int) -> None: ...

    def room(self, customer: str, feature: str) -> int: ...


def leased(model: LeaseModel, customer: str, counters: dict[str, Any]) -> Counter[str]:
    """What leases hold of each counter, as far as was reported."""
    held: Counter[str] = Counter()
    for lease in model.leases.values():
        if lease.customer == customer:
            for name in counters[lease.feature]:
                held[name] += lease.granted - lease.reported
    return held


def end_leases(model: LeaseModel, now_ms: int) -> None:
    """What has ended counts as used."""
    for lease_id, lease in list(model.leases.items()):
        if lease.ends_ms + GRACE_MS <= now_ms:
            _settle(model, lease, 0)
            del model.leases[lease_id]


def _settle(model: LeaseModel, lease: LentOut, back: int) -> None:
    """So much comes back, and everything else that was lent is used."""
    model.add(lease.customer, lease.feature, -lease.granted)
    model.spend(lease.customer, lease.feature, lease.granted - back)


class LeaseSteps:
    """Steps of a run that are about leases."""

    rng: random.Random
    bench: Any
    model: Any
    new_id: Callable[[], str]
    answered: Callable[[Any], Any]

    def lend(self, customer: str, feature: str) -> None:
        wanted, lease_id = self.rng.randint(1, 60), self.new_id()
        request = ConsumeRequest(customer, feature, wanted)
        if feature == "images":
            with pytest.raises(InvalidRequest, match="is paid for by a credit pool"):
                self.answered(lambda engine: engine.leases.acquire(request, lease_id, TTL_MS))
            return
        granted = max(0, min(wanted, self.model.room(customer, feature) // SHARE))

        lent = self.answered(lambda engine: engine.leases.acquire(request, lease_id, TTL_MS))

        assert (granted, granted > 0) == (lent.granted, lent.ends_ms > 0)
        if granted:
            self.model.add(customer, feature, granted)
            self.model.leases[lease_id] = LentOut(customer, feature, granted, lent.ends_ms)

    def spend_locally(self, customer: str, feature: str) -> None:
        for lease in self.model.leases.values():
            if self.bench.clock.now < lease.ends_ms:
                lease.spent += self.rng.randint(0, lease.granted - lease.spent)

    def renew_lease(self, customer: str, feature: str) -> None:
        found = self._some_lease()
        if found is None:
            return
        lease_id, lease = found
        wanted, left = self.rng.randint(0, 60), lease.granted - lease.spent
        asked = Renewal(lease.sequence + 1, lease.spent, wanted)
        room = self.model.room(lease.customer, lease.feature)
        try:
            renewed = self.answered(
                lambda engine: engine.leases.renew(lease.customer, lease_id, asked, TTL_MS)
            )
        except NotOpen:
            assert lease.ends_ms <= self.bench.clock.now
            return
        assert self.bench.clock.now < lease.ends_ms
        if room < 0:
            assert (0, lease.granted) == (renewed.ends_ms, renewed.granted)
            return
        holding = min(wanted, max(left, (room + left) // SHARE))
        assert lease.spent + holding == renewed.granted
        assert self.bench.clock.now + TTL_MS == renewed.ends_ms
        self.model.add(lease.customer, lease.feature, renewed.granted - lease.granted)
        lease.granted, lease.ends_ms = renewed.granted, renewed.ends_ms
        lease.reported, lease.sequence = asked.spent, asked.sequence

    def release_lease(self, customer: str, feature: str) -> None:
        with pytest.raises(NotFound):
            self.answered(lambda engine: engine.leases.release(customer, "nope", 0))
        found = self._some_lease()
        if found is None:
            return
        lease_id, lease = found
        for _ in range(2):
            returned = self.answered(
                lambda engine: engine.leases.release(lease.customer, lease_id, lease.spent)
            )
            assert lease.granted - lease.spent == returned
        _settle(self.model, lease, returned)
        del self.model.leases[lease_id]

    def _some_lease(self) -> tuple[str, LentOut] | None:
        leases = list(self.model.leases.items())
        return self.rng.choice(leases) if leases else None
