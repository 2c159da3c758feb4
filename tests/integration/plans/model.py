"""What quotad promises about plans, on dictionaries.

Knows the documents of catalogs and what they mean; knows no epoch, cache, key or script, and shares
no code with quotad.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.integration.plans.catalogs import Catalog, Limit, cost
from tests.integration.plans.customers import Customer, Refused
from tests.integration.plans.periods import period
from tests.integration.plans.rights import Right

MOST = 9 * 10**15
"""No counter grows beyond it."""


@dataclass(frozen=True)
class Side:
    """One limit that a call is counted against, before and after."""

    limit: Limit
    counter: tuple[Any, ...]
    weight: int
    pool_id: str
    decimals: int
    before: int
    amount: int
    resets_at_ms: int | None
    opens_until_ms: int | None
    """Of a closed window that opens at first use."""
    after: int = 0

    @property
    def stop(self) -> int:
        return MOST if self.limit.stop is None else self.limit.stop

    @property
    def passed(self) -> bool:
        return self.limit.limit is not None and self.before + self.amount > self.limit.limit

    def status(self) -> tuple[Any, ...]:
        """As `LimitStatus`."""
        limit = self.limit
        left = 0 if limit.limit is None else limit.limit - self.after
        return (
            limit.limit,
            limit.soft,
            self.after,
            max(left, 0),
            max(-left, 0) if limit.soft else 0,
            "" if limit.window is None else limit.window.per,
            self.resets_at_ms,
            limit.shadow,
            limit.overage,
            self.pool_id,
            self.decimals,
        )


@dataclass(frozen=True)
class Answer:
    """As `Decision`."""

    reason: str
    granted: int = 0
    top: tuple[Any, ...] = (None, False, 0, 0, 0, None)
    """Limit that decided, whether it is soft, used, remaining, overage, when it resets."""
    unlimited: bool = False
    pool_id: str = ""
    decimals: int = 0
    retry_at_ms: int | None = None
    limits: tuple[tuple[Any, ...], ...] = ()
    every: bool = False
    """Whether all limits are told though nobody asked."""
    values: tuple[str, ...] = ()
    value: str = ""
    variant: str = ""
    would_deny: bool = False
    missing: int = 0
    replayed: bool = False

    @property
    def allowed(self) -> bool:
        return self.reason in ("OVER_SOFT_LIMIT", "UNLIMITED", "FEATURE_ENABLED", "WITHIN_LIMIT")


class Model:
    """All customers, their usage, and the catalog in force."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.customers: dict[str, Customer] = {}
        self.used: dict[tuple[Any, ...], tuple[int, int | None]] = {}
        """Usage, and of a window that opens at first use when it closes."""
        self.first: dict[tuple[str, str], tuple[Any, Answer]] = {}

    def customer(self, customer_id: str) -> Customer:
        return self.customers.setdefault(customer_id, Customer(customer_id))

    def change(self, customer_id: str, what: str, said: dict[str, Any], now_ms: int) -> None:
        """Write a customer.

        Raises:
            Refused: nothing has changed.
        """
        customer = self.customer(customer_id)
        if not customer.known and what != "provision":
            raise Refused("NotFound")
        customer.settle(now_ms)
        verbs: dict[str, Callable[[], None]] = {
            "provision": lambda: customer.provision(self.catalog, now_ms, said),
            "change": lambda: customer.change(self.catalog, now_ms, said),
            "cancel": lambda: customer.cancel(self.catalog, now_ms, said),
            "override": lambda: customer.promise(self.catalog, now_ms, said),
            "promote": lambda: customer.promise(self.catalog, now_ms, said),
            "take back": lambda: customer.take_back(said),
            "archive": lambda: setattr(customer, "archived", True),
        }
        verbs[what]()

    def entitled(self, customer_id: str, resource_id: str, now_ms: int) -> tuple[str, list[str]]:
        """Why everything is denied; or the features that the customer has something of."""
        customer = self.customer(customer_id)
        denied, rights, _ = customer.rights(self.catalog, now_ms, resource_id)
        return denied, sorted(name for name in rights if name in self.catalog.features)

    def decide(self, customer_id: str, asked: dict[str, Any], now_ms: int) -> Answer | str:
        """The answer to a request; or the name of the error."""
        customer = self.customer(customer_id)
        resource_id, feature_id = asked["resource_id"], asked["feature_id"]
        feature = self.catalog.features.get(feature_id)
        denied, rights, variants = customer.rights(self.catalog, now_ms, resource_id)
        right = None if denied else rights.get(feature_id)
        sides: list[Side] = []
        if denied:
            given: Answer | None = Answer(denied)
        elif feature is None:
            given = Answer("FEATURE_NOT_FOUND")
        elif right is None:
            given = Answer("NOT_ENTITLED", variant=variants.get(feature_id, ""))
        elif right.revoked:
            given = Answer("REVOKED")
        elif feature["type"] != "metered":
            values = right.values if "values" in feature else ()
            value = right.values[-1] if right.values else ""
            given = Answer("FEATURE_ENABLED", values=values, value=value, variant=right.variant)
        else:
            given = self._pool_missing(feature, right, rights)
            if given is None:
                sides = self._sides(customer, asked, rights, now_ms)
        wanted = asked["requested_values"]
        gives_back = asked["quantity"] < 0 and feature and feature.get("kind") != "gauge"
        never = given is None and gives_back
        never = never or (wanted and feature is not None and "values" not in feature)
        if given is not None and given.allowed and not set(wanted) <= set(given.values):
            given = replace(given, reason="VALUE_NOT_ALLOWED")
        once = (customer_id, asked["idempotency_key"])
        parameters = [asked[k] for k in ("feature_id", "quantity", "resource_id")] + [wanted]
        keyed = asked["idempotency_key"] and not asked["check_only"]
        if keyed and once in self.first:
            known, answer = self.first[once]
            if known != parameters:
                return "IdempotencyMismatch"
            return replace(answer, replayed=True)
        if never:
            return "InvalidRequest"
        answer = given or self._settle(asked, sides, right.variant if right else "")
        if keyed and given is None and answer.allowed and asked["quantity"]:  # took something
            self.first[once] = parameters, answer
        return answer

    def _pool_missing(
        self, feature: dict[str, Any], right: Right, rights: dict[str, Right]
    ) -> Answer | None:
        if "credit" not in feature:
            return None
        pool_id = feature["credit"]["pool"]
        if pool_id in rights and not rights[pool_id].revoked:
            return None
        decimals = self.catalog.features[pool_id].get("decimals", 0)
        return Answer(
            "INSUFFICIENT_CREDITS", pool_id=pool_id, decimals=decimals, variant=right.variant
        )

    def _sides(
        self, customer: Customer, asked: dict[str, Any], rights: dict[str, Right], now_ms: int
    ) -> list[Side]:
        feature_id = asked["feature_id"]
        paid_by = [(feature_id, 1)]
        credit = self.catalog.features[feature_id].get("credit")
        if credit:
            paid_by.append((credit["pool"], cost(self.catalog.document, feature_id)))
        sides = []
        for of, weight in paid_by:
            feature, right = self.catalog.features[of], rights[of]
            generation = customer.generation(asked["resource_id"], now_ms)
            if feature.get("kind") == "gauge":
                generation = 0
            whose = (customer.customer_id, asked["resource_id"], of, generation)
            for limit in right.limits:
                when = period(limit.window, now_ms, right.anchor_ms)
                counter = (*whose, when.name)
                before, closes = self.used.get(counter, (0, None))
                opens = _at_first_use(limit)
                if opens and (closes is None or closes <= now_ms):
                    before, closes = 0, None
                sides.append(
                    Side(
                        limit,
                        counter,
                        weight,
                        of if of != feature_id else "",
                        feature.get("decimals", 0),
                        before,
                        asked["quantity"] * weight,
                        closes if opens else when.end_ms,
                        when.end_ms if opens and closes is None else None,
                        before,
                    )
                )
        return sides

    def _settle(self, asked: dict[str, Any], sides: Sequence[Side], variant: str) -> Answer:
        quantity = asked["quantity"]
        full = [s for s in sides if quantity >= 0 and s.before + s.amount > s.stop]
        if full:
            own = [side for side in full if not side.pool_id]
            reason = "LIMIT_EXCEEDED" if own else "INSUFFICIENT_CREDITS"
            top = max(own or full, key=_frees)
            waits = [_frees(side) for side in full]
            retry = None if max(waits) == NEVER else max(waits)
            missing = top.before + top.amount - top.stop
            return self._told(reason, top, sides, variant, retry_at_ms=retry, missing=missing)
        if not asked["check_only"] and quantity:
            sides = [self._counted(side) for side in sides]
        would_deny = quantity >= 0 and any(side.limit.shadow and side.passed for side in sides)
        reason, top = _why(sides)
        return self._told(
            reason, top, sides, variant, granted=_taken(quantity, sides), would_deny=would_deny
        )

    def _counted(self, side: Side) -> Side:
        after = max(side.before + side.amount, 0)
        closes = side.resets_at_ms
        if side.opens_until_ms is not None:
            closes = side.opens_until_ms
        first_use = "first_use" in side.counter[-1]
        self.used[side.counter] = (after, closes if first_use else None)
        return replace(side, after=after, resets_at_ms=closes)

    def _told(
        self, reason: str, top: Side, sides: Sequence[Side], variant: str, **more: Any
    ) -> Answer:
        limit, soft, used, remaining, overage, _, resets_at_ms, shadow, *_ = top.status()
        if shadow:  # nothing is said as if it were in force
            limit, remaining = None, 0
        return Answer(
            reason,
            top=(limit, soft, used, remaining, overage, resets_at_ms),
            unlimited=limit is None,
            pool_id=top.pool_id,
            decimals=top.decimals,
            limits=tuple(side.status() for side in sides),
            every=len(sides) > 1 or shadow or (_at_first_use(top.limit) and resets_at_ms is None),
            variant=variant,
            **more,
        )


def aspects(answer: Answer) -> list[str]:
    """What is special about an answer, to count what a run has seen."""
    found = {
        "replayed": answer.replayed,
        "would deny": answer.would_deny,
        "by a pool": answer.pool_id,
        "overage": answer.top[4],
        "several limits": len(answer.limits) > 1,
        "values": answer.values,
        "variant": answer.variant,
    }
    return [name for name, seen in found.items() if seen]


NEVER = 1 << 62


def _at_first_use(limit: Limit) -> bool:
    return limit.window is not None and limit.window.anchor == "first_use"


def _or_never(at_ms: int | None) -> int:
    return NEVER if at_ms is None else at_ms


def _frees(side: Side) -> float:
    """When a full limit has room for what was asked."""
    return _or_never(side.resets_at_ms) if side.amount <= side.stop else NEVER


def _why(sides: Sequence[Side]) -> tuple[str, Side]:
    """Why it is allowed, and by which limit: the soft one passed furthest, else the nearest."""
    limited = [s for s in sides if s.limit.limit is not None and not s.limit.shadow]
    passed = [side for side in limited if side.limit.soft and side.passed]
    if passed:
        return "OVER_SOFT_LIMIT", max(passed, key=lambda side: side.status()[4] // side.weight)
    if limited:
        return "WITHIN_LIMIT", min(limited, key=lambda side: side.status()[3] // side.weight)
    return "UNLIMITED", min(sides, key=lambda side: side.limit.shadow)


def _taken(quantity: int, sides: Sequence[Side]) -> int:
    """What a call took, in units of the feature."""
    first = sides[0]
    return (first.after - first.before) // first.weight if quantity else 0
