"""What a feature's policy makes of a call while the store is gone; pure.

    deny    nothing is answered
    allow   what the plan grants is let through, however much of it was used
    local   so is a share of every limit, which is divided among the workers

Neither answers what only the store can: pools, slots, and windows that open at first use.
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.joint import JointPart, new_part
from quotad.engine.meters import LimitTerms
from quotad.engine.rounds import Planned
from quotad.errors import QuotadError
from quotad.fallback import ALLOW, DENY, FallbackPolicy, WithoutStore
from quotad.model import USED_MAX, FeatureType, MeterKind

_MODES = (Mode.NORMAL, Mode.BEST_EFFORT, Mode.CHECK_ONLY, Mode.ADJUST_ONLY)


class Policies:
    """The policies of a catalog's features.

    Args:
        snapshot: the catalog.
        default: of features that neither have one themselves nor from the catalog.
    """

    def __init__(self, snapshot: Snapshot, default: FallbackPolicy) -> None:
        self.snapshot = snapshot
        self._default = snapshot.on_store_failure or default
        features = snapshot.features.values()
        self._pools = {each.credit.pool_id for each in features if each.credit is not None}
        self.any = [name for name in snapshot.features if self.of(name) != DENY]
        """The features of which some calls are answered."""

    def of(self, feature_id: str) -> FallbackPolicy:
        """That of a feature."""
        feature = self.snapshot.features.get(feature_id)
        if (
            feature is None
            or feature.credit is not None
            or feature.kind is MeterKind.CONCURRENCY
            or feature_id in self._pools
        ):
            return DENY
        policy = feature.on_store_failure or self._default
        if policy.kind is WithoutStore.LOCAL and feature.type is not FeatureType.METERED:
            return ALLOW  # there is no limit to have a share of: the plan alone decides
        return policy


class KnownPolicies:
    """The policies of the catalog that was asked for last.

    Args:
        default: of features that neither have one themselves nor from the catalog.
    """

    def __init__(self, default: FallbackPolicy) -> None:
        self._default = default
        self._latest: Policies | None = None

    def of(self, snapshot: Snapshot) -> Policies:
        """Those of a catalog."""
        known = self._latest
        if known is None or known.snapshot is not snapshot:
            known = self._latest = Policies(snapshot, self._default)
        return known


class CounterShare(msgspec.Struct, frozen=True, gc=False):
    """What a call takes of one counter, and what a worker lets through there."""

    suffix: str
    amount: int
    most: int
    """Of what this worker lets through; of `allow` no bound, `USED_MAX`."""
    most_at_once: int
    """Of a single call: what has no room in an unused limit has none."""
    expires_ms: int
    """As `store.charges` spells it."""
    counted: bool
    """Whether there is a bound, which must be kept count of."""


class FallbackPlan(msgspec.Struct, frozen=True, gc=False):
    """What a call comes to without the store."""

    parts: tuple[JointPart, ...]
    """By feature, with the limits that are decided on."""
    counters: tuple[CounterShare, ...]


def plan_fallback(
    one: Planned, request: ConsumeRequest, policies: Policies, workers: int
) -> FallbackPlan | None:
    """Work out what a call comes to; None: it is denied, as only the store can answer it.

    Args:
        one: as it was planned for the store.
        request: what is asked.
        policies: of the catalog that it was planned on.
        workers: how many share what is let through.
    """
    given = one.given
    items: tuple[ConsumeRequest, ...] = (request,)
    if isinstance(given, QuotadError) or request.mode not in _MODES:
        return None
    if isinstance(request, ConsumeAllRequest):
        items = request.items
    elif request.mode == Mode.BEST_EFFORT and one.once is not None:
        return None  # what was granted could not be told from what the store keeps
    parts = (
        given
        if isinstance(given, tuple)
        else (new_part(one.terms, tuple(range(len(one.terms))), given),)
    )
    count, size, *words = one.counters.words
    amounts, most = [0] * count, [USED_MAX] * count
    at_once = [USED_MAX] * count
    shares: list[JointPart] = []
    for part, item in zip(parts, items, strict=True):
        policy = policies.of(item.feature_id)
        if policy == DENY or not all(map(_is_known, part.terms)):
            return None
        terms = part.terms
        if policy.kind is WithoutStore.LOCAL:
            terms = tuple([_share(term, policy, workers) for term in terms])
        for place, term, own in zip(part.places, terms, part.terms, strict=True):
            amounts[place] += item.quantity
            at_once[place] = min(at_once[place], own.cap)
            if policy.kind is WithoutStore.LOCAL:
                most[place] = min(most[place], term.cap)
        shares.append(new_part(terms, part.places, part.given))
    counters = [
        CounterShare(suffix, amounts[i], most[i], at_once[i], words[i * size + 1],
                     most[i] < USED_MAX)
        for i, suffix in enumerate(one.counters.suffixes)
    ]  # fmt: skip
    return FallbackPlan(tuple(shares), tuple(counters))


def fits(counters: Sequence[CounterShare], used: Sequence[int]) -> bool:
    """Whether a call has room in what a worker lets through.

    Args:
        counters: what it takes.
        used: what was let through already, by counter.
    """
    return all(
        each.amount <= 0 or (each.amount <= each.most_at_once and before + each.amount <= each.most)
        for each, before in zip(counters, used, strict=True)
    )


def denied_by_plan(parts: Sequence[JointPart]) -> bool:
    """Whether what decides without counters denies it."""
    return any(part.given is not None and not part.given.allowed for part in parts)


def as_fallback(answer: Decision) -> Decision:
    """Mark an answer as that of the policy."""
    return msgspec.structs.replace(answer, is_fallback=True, detailed=True)


def _is_known(term: LimitTerms) -> bool:
    """Whether it is known without the store which counter a limit has, and what it is for."""
    details = term.details
    return details is None or not (details.opens or details.slots or details.pool_id)


def _share(term: LimitTerms, policy: FallbackPolicy, workers: int) -> LimitTerms:
    """A limit as a worker decides on it; one that never denies stays as it is."""
    cap = term.cap
    if cap >= USED_MAX:
        return term
    share = policy.share_of(cap, workers)
    details = term.details
    if details is not None and details.overage_limit is not None:
        details = msgspec.structs.replace(details, overage_limit=None)
    return LimitTerms(share, False, term.per, term.resets_at_ms, details)
