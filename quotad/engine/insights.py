"""Customers near a limit or past it: noted while deciding, looked up in the counters when asked."""

import heapq
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import Protocol

import msgspec

from quotad.decision import ConsumeRequest, Decision, LimitStatus, Mode
from quotad.engine.engine import Engine
from quotad.engine.views import view_name
from quotad.errors import Damaged, StoreError
from quotad.experiments import CONTROL
from quotad.marks import NEAR_PERCENT, is_near
from quotad.store.demand import DemandStore
from quotad.store.nearby import Nearby, NearbyStore

NOTED_MAX = 10_000
"""Most customers noted between two flushes; those left out come with their next decision."""

_TOGETHER = 200
"""Customers looked up in one batch, so that calls do not wait behind a long one."""


class Nearness(msgspec.Struct, frozen=True, gc=False):
    """A customer's usage of the limit that it has used, or asked for, most of."""

    customer: Nearby
    status: LimitStatus
    denied: int = 0
    """What the limit had no room for."""
    plan_id: str = ""
    since_ms: int = 0
    """Since when it has been near a limit or past it, whenever somebody looked; 0: unknown."""

    @property
    def share(self) -> Fraction:
        """Used and denied of the limit, exactly."""
        return Fraction(self.status.used + self.denied, self.status.limit or 1)

    @property
    def demand_percent(self) -> int:
        """The same in whole percent, rounded down."""
        return (self.status.used + self.denied) * 100 // (self.status.limit or 1)

    @property
    def percent(self) -> int:
        """Used of the limit in whole percent, rounded down."""
        return self.status.used * 100 // (self.status.limit or 1)


class GroupCount(msgspec.Struct, frozen=True, gc=False):
    """How many customers of one group of an experiment are worth a look."""

    experiment: str
    variant: str
    above: int
    near: int


class Insights(msgspec.Struct, frozen=True):
    """The customers of one feature that are worth a look."""

    above: list[Nearness]
    """Those that have used or asked for more than a limit, the most of it first."""
    near: list[Nearness]
    """From 80 % on and not past it, the nearest first."""
    groups: list[GroupCount] = []
    """Of experiments, by name and variant: all of both kinds, also where the lists are cut off.
    Where there are customers of one group, the other is listed, too."""


class NearbyLists(Protocol):
    """What noting needs of `quotad.store.nearby.NearbyStore`."""

    def note(self, found: Iterable[Nearby], now_ms: int) -> None:
        """Put customers at the front of their features' lists."""
        ...


class Notes:
    """Collects customers near a limit; shared by the decision threads of a worker."""

    def __init__(self, nearby: NearbyLists) -> None:
        self._nearby = nearby
        self._lock = threading.Lock()
        self._noted: set[Nearby] = set()
        self.known: defaultdict[str, set[str]] = defaultdict(set)
        """By feature asked for, the view names of customers and resources noted since the last
        flush: for the one look-up that spares a decision all others."""

    def note(self, request: ConsumeRequest, decision: Decision) -> None:
        """Note the customer of a decision until the next flush, if most of a limit is used.

        Under the feature whose limit it is: the one asked for, or a pool that pays for it.
        """
        near = near_features(request.feature_id, decision)
        if near and len(self._noted) < NOTED_MAX:
            customer_id, resource_id = request.customer_id, request.resource_id
            self._noted.update(Nearby(name, customer_id, resource_id) for name in near)
            self.known[request.feature_id].add(view_name(customer_id, resource_id))

    def flush(self, now_ms: int) -> None:
        """Write what was noted to the store.

        Raises:
            StoreUnavailable: it refused or timed out; what was noted is lost, and comes again.
        """
        with self._lock:
            noted, self._noted, self.known = self._noted, set(), defaultdict(set)
        if noted:
            # A copy: a decision thread that had just looked may still be adding one.
            self._nearby.note(list(noted), now_ms)


def near_features(feature_id: str, decision: Decision) -> set[str]:
    """The features, pools included, of whose limits a decision shows that most is used."""
    told = decision.limits or (decision,)
    return {each.pool_id or feature_id for each in told if is_near(each.limit, each.remaining)}


def look_up(
    engine: Engine, nearby: NearbyStore, demand: DemandStore, feature_id: str, size: int
) -> Insights:
    """Rank the customers on a feature's list by what they have used and were denied now.

    Those that are far from their limits again leave the list.

    Args:
        engine: of the calling thread.
        nearby: the lists.
        demand: what was denied.
        feature_id: a metered feature.
        size: most customers in each part of the answer.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    found = nearby.latest(feature_id)
    since = nearby.since(feature_id)
    above: list[Nearness] = []
    near: list[Nearness] = []
    far: list[Nearby] = []
    for start in range(0, len(found), _TOGETHER):
        part = found[start : start + _TOGETHER]
        every = _statuses(engine, part)
        denied = _denied(engine, demand, part)
        for customer, statuses, its in zip(part, every, denied, strict=True):
            if statuses is None:
                continue
            nearness = _nearness(customer, statuses, its)
            if nearness is None or nearness.share * 100 < NEAR_PERCENT:
                far.append(customer)
            elif nearness.share > 1:
                above.append(nearness)
            else:
                near.append(nearness)
    if far:
        nearby.forget(far)
    groups = _groups(engine, above, near)
    above = _since(_first(engine, above, size), since)
    return Insights(above, _since(_first(engine, near, size), since), groups)


def _since(found: Sequence[Nearness], since: Mapping[tuple[str, str], int]) -> list[Nearness]:
    return [
        msgspec.structs.replace(
            one, since_ms=since.get((one.customer.customer_id, one.customer.resource_id), 0)
        )
        for one in found
    ]


def _groups(
    engine: Engine, above: Sequence[Nearness], near: Sequence[Nearness]
) -> list[GroupCount]:
    """Count both kinds by the groups of experiments that their customers are in."""
    counts: dict[tuple[str, str], list[int]] = {}
    for kind, found in enumerate((above, near)):
        for one in found:
            group = engine.experiment(one.customer.customer_id, one.customer.resource_id)
            if group is not None:
                experiment = group.experiment
                for variant in (CONTROL, experiment.to):
                    counts.setdefault((experiment.name, variant), [0, 0])
                counts[experiment.name, group.variant][kind] += 1
    return [GroupCount(*group, *numbers) for group, numbers in sorted(counts.items())]


def _statuses(engine: Engine, customers: Sequence[Nearby]) -> list[tuple[LimitStatus, ...] | None]:
    """The limits of each; None: what this customer has cannot be worked out, see the log."""
    answers = engine.decide(
        [
            ConsumeRequest(
                one.customer_id,
                one.feature_id,
                quantity=0,
                mode=Mode.CHECK_ONLY,
                every_limit=True,
                resource_id=one.resource_id,
            )
            for one in customers
        ]
    )
    statuses: list[tuple[LimitStatus, ...] | None] = []
    for answer in answers:
        if isinstance(answer, StoreError) and not isinstance(answer, Damaged):
            raise answer
        statuses.append(answer.limits if isinstance(answer, Decision) else None)
    return statuses


def _denied(
    engine: Engine, demand: DemandStore, customers: Sequence[Nearby]
) -> list[Sequence[int]]:
    """What each limit of each customer had no room for, of customers that were just looked at."""
    counters = [
        engine.counters(one.customer_id, one.feature_id, one.resource_id) for one in customers
    ]
    found = iter(demand.read(list(chain.from_iterable(counters))))
    return [list(islice(found, len(its))) for its in counters]


def _nearness(
    customer: Nearby, statuses: Sequence[LimitStatus], denied: Sequence[int]
) -> Nearness | None:
    """By the limit of the feature itself that most is used or asked for of; None without one.

    A pool that pays for it has a separate list.
    """
    if len(denied) != len(statuses):  # the customer has changed in between
        denied = [0] * len(statuses)
    limits = [
        Nearness(customer, status, its)
        for status, its in zip(statuses, denied, strict=True)
        if status.limit and not status.pool_id
    ]
    return max(limits, key=lambda one: one.share, default=None)


def rank(one: Nearness) -> tuple[float, int, str, str, str]:
    """What customers are sorted by: who wants most of a limit first."""
    who, status = one.customer, one.status
    share = (status.used + one.denied) / (status.limit or 1)
    return (-share, -status.used, who.customer_id, who.resource_id, who.feature_id)


def _first(engine: Engine, found: list[Nearness], size: int) -> list[Nearness]:
    """The first of them, with their plans."""
    return [
        msgspec.structs.replace(
            one, plan_id=engine.plan_id(one.customer.customer_id, one.customer.resource_id)
        )
        for one in heapq.nsmallest(size, found, key=rank)
    ]
