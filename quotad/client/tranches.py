"""The tranches of one leased client: found by what a call is about, tended when they are due."""

import atexit
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakSet

from quotad.client.calls import Consumption
from quotad.client.tranche import Seconds, Tranche, boottime

TRANCHE = 1_000
"""Most units that are leased at a time."""

TRANCHES_MAX = 10_000
"""Most features of customers that are leased, or looked at whether they are worth it."""

LOOK_S = 0.1
"""How often it is looked for what is due."""

FORGET_S = 5.0
"""How often it is looked for what is not asked for any more."""

Name = tuple[str, str, str]
"""Of customer, feature and resource."""


class Tranches:
    """By name; safe to share between threads.

    Args:
        most: units that are leased at a time.
        wake: called when something is due.
        clock: seconds.
    """

    def __init__(self, most: int, wake: Callable[[], None], clock: Seconds = boottime) -> None:
        if most < 1:
            raise ValueError(f"tranche: must be 1 or more, not {most}")
        self.most = most
        self._wake = wake
        self.clock = clock
        self.by_name: dict[Name, Tranche] = {}
        self._urgent: deque[Tranche] = deque()
        self._forgot = clock()

    def miss(self, name: Name, quantity: int) -> None:
        """Note a call that the server has to decide."""
        if quantity > self.most:
            return
        tranche = self.by_name.get(name)
        if tranche is None:
            if len(self.by_name) >= TRANCHES_MAX:
                return
            customer_id, feature_id, resource_id = name
            consumption = Consumption(customer_id, feature_id, resource_id=resource_id)
            tranche = Tranche(consumption, self.most, self._put, self.clock)
            tranche = self.by_name.setdefault(name, tranche)
        tranche.miss(quantity)

    @property
    def wait_s(self) -> float | None:
        """How long it may be waited for something urgent; None: until there is something."""
        return LOOK_S if self.by_name else None

    def urgent(self) -> list[Tranche]:
        """Those that are to be tended now, before others."""
        found: list[Tranche] = []
        with suppress(IndexError):
            while True:
                found.append(self._urgent.popleft())
        return found

    def due(self) -> list[Tranche]:
        """Those whose time has come; forgets what is not asked for any more."""
        now = self.clock()
        found = [each for each in list(self.by_name.values()) if each.due <= now]
        if now - self._forgot >= FORGET_S:
            self._forgot = now
            for name, tranche in list(self.by_name.items()):
                if tranche.forget_if_idle(now):
                    del self.by_name[name]
        return [each for each in found if each.claim(now)]

    def _put(self, tranche: Tranche) -> None:
        self._urgent.append(tranche)
        self._wake()


class Lender(Protocol):
    """A client that holds leases."""

    def give_all_back(self) -> None:
        """Release all leases, at the end of the process."""
        ...

    def drop_all(self) -> None:
        """Forget all leases, in a child of the process that holds them."""
        ...


_lenders: WeakSet[Any] = WeakSet()


def register(lender: Lender) -> None:
    """Have leases given back when the process ends, and forgotten in its children."""
    _lenders.add(lender)


def _each() -> Sequence[Lender]:
    return list(_lenders)


def _at_exit() -> None:
    for lender in _each():
        lender.give_all_back()


def _in_child() -> None:
    for lender in _each():
        lender.drop_all()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
