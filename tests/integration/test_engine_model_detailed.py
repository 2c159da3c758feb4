"""Random runs against a model in plain Python: pools, first use, shadow, overage, resources."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import IdempotencyMismatch, QuotadError
from quotad.records import CustomerRecord, Subscription
from tests.deciding import Bench, bench

HOUR = 3_600_000


class Rule(NamedTuple):
    """A limit, as the model has it."""

    limit: int | None
    per: str
    """hour, day, month; or `first`: three hours from the first use."""
    soft: bool = False
    overage: int | None = None
    shadow: bool = False


COSTS = {"image": ("credits", 5), "chat": ("credits", 1), "embed": ("tokens", 1)}
PLANS: dict[str, dict[str, list[Rule]]] = {
    "free": {
        "credits": [Rule(40, "day"), Rule(60, "first")],
        "image": [Rule(6, "hour"), Rule(20, "month", shadow=True)],
        "chat": [],
        "calls": [Rule(9, "first"), Rule(15, "day", soft=True, overage=10)],
        "tokens": [Rule(5, "day", shadow=True)],
    },
    "pro": {
        "credits": [Rule(70, "day", soft=True, overage=20)],
        "image": [Rule(None, "hour")],
        "chat": [Rule(30, "day")],
        "embed": [],
        "calls": [Rule(20, "day", soft=True, overage=0)],
        "tokens": [Rule(12, "first", soft=True)],
    },
    "none": {"chat": [Rule(5, "day")]},
}
FEATURES = ("credits", "tokens", "image", "chat", "embed", "calls")
FORMATS = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "month": "%Y-%m"}


def catalog() -> str:
    lines = ["version: 1", "features:", "  credits: {type: metered, decimals: 1}"]
    lines += ["  tokens: {type: metered}", "  calls: {type: metered}"]
    for feature, (pool, cost) in COSTS.items():
        shown = cost / 10 if pool == "credits" else cost
        lines.append(f"  {feature}: {{type: metered, credit: {{pool: {pool}, cost: {shown}}}}}")
    lines.append("plans:")
    for plan, features in PLANS.items():
        lines += [f"  {plan}:", "    usage_on_change: reset", "    entitlements:"]
        for feature, rules in features.items():
            entries = ", ".join(spell(feature, rule) for rule in rules)
            lines.append(f"      {feature}: {f'{{limits: [{entries}]}}' if rules else 'true'}")
    return "\n".join(lines) + "\n"


def spell(feature: str, rule: Rule) -> str:
    units = 10 if feature == "credits" else 1
    parts = [f"limit: {rule.limit // units}" if rule.limit is not None else "unlimited: true"]
    first = rule.per == "first"
    parts.append("per: 3 hours, anchor: first_use" if first else f"per: {rule.per}")
    if rule.soft:
        parts.append("soft: true")
    if rule.overage is not None:
        parts.append(f"overage_limit: {rule.overage // units}")
    if rule.shadow:
        parts.append("enforce: shadow")
    return "{" + ", ".join(parts) + "}"


class Side(NamedTuple):
    """One counter that a request is about."""

    rule: Rule
    key: tuple[str, ...]
    amount: int
    before: int
    pool: str

    @property
    def full(self) -> bool:
        rule = self.rule
        if rule.limit is None or rule.shadow or (rule.soft and rule.overage is None):
            return False
        return self.before + self.amount > rule.limit + (rule.overage or 0)

    @property
    def passed(self) -> bool:
        return self.rule.limit is not None and self.before + self.amount > self.rule.limit


class Model:
    """What quotad promises, on dictionaries."""

    def __init__(self) -> None:
        self.used: Counter[tuple[str, ...]] = Counter()
        self.closes: dict[tuple[str, ...], int] = {}
        self.plans: dict[tuple[str, str], str] = {}
        self.resets: Counter[tuple[str, str]] = Counter()
        self.first: dict[tuple[str, str], tuple[Any, Any]] = {}

    def decide(self, request: ConsumeRequest, now_ms: int) -> Any:
        once = (request.customer_id, request.idempotency_key)
        parameters = (request.feature_id, request.quantity, request.resource_id)
        keyed = bool(request.idempotency_key) and request.mode == Mode.NORMAL
        if keyed and once in self.first:
            known, answer = self.first[once]
            return answer if known == parameters else IdempotencyMismatch
        answer = self.answer(request, now_ms)
        if keyed and answer[0] and answer[4] and request.quantity:  # took something
            self.first[once] = parameters, answer
        return answer

    def sides(
        self, request: ConsumeRequest, plan: dict[str, list[Rule]], now_ms: int
    ) -> list[Side]:
        who = (request.customer_id, request.resource_id)
        pool, cost = COSTS.get(request.feature_id, ("", 0))
        moment = datetime.fromtimestamp(now_ms / 1000, UTC)
        sides = []
        for feature, weight in ((request.feature_id, 1), (pool, cost)):
            for rule in plan.get(feature, []):
                period = "first" if rule.per == "first" else moment.strftime(FORMATS[rule.per])
                key = (*who, feature, rule.per, period, str(self.resets[who]))
                if self.closes.get(key, now_ms + 1) <= now_ms:
                    del self.closes[key], self.used[key]
                amount = request.quantity * weight
                paid = pool if feature == pool else ""
                sides.append(Side(rule, key, amount, self.used[key], paid))
        return sides

    def answer(self, request: ConsumeRequest, now_ms: int) -> Any:
        plan_id = self.plans.get((request.customer_id, request.resource_id))
        if plan_id is None:
            missing = not any(customer == request.customer_id for customer, _ in self.plans)
            none = Reason.CUSTOMER_NOT_FOUND if missing else Reason.NO_ACTIVE_SUBSCRIPTION
            return False, none, 0, False, []
        plan = PLANS[plan_id]
        if request.feature_id not in plan:
            return False, Reason.NOT_ENTITLED, 0, False, []
        pool, _ = COSTS.get(request.feature_id, ("", 0))
        if pool and pool not in plan:
            return False, Reason.INSUFFICIENT_CREDITS, 0, False, []
        sides = self.sides(request, plan, now_ms)
        full = [side for side in sides if side.full]
        if full:
            own = any(not side.pool for side in full)
            reason = Reason.LIMIT_EXCEEDED if own else Reason.INSUFFICIENT_CREDITS
            return False, reason, 0, False, [self.told(side, side.before) for side in sides]
        counts = request.mode == Mode.NORMAL and request.quantity > 0
        for side in sides:
            if counts:
                self.used[side.key] += side.amount
                if side.rule.per == "first":
                    self.closes.setdefault(side.key, now_ms + 3 * HOUR)
        enforced = [s for s in sides if s.rule.limit is not None and not s.rule.shadow]
        reason = Reason.WITHIN_LIMIT if enforced else Reason.UNLIMITED
        if any(side.rule.soft and side.passed for side in enforced):
            reason = Reason.OVER_SOFT_LIMIT
        would_deny = any(side.rule.shadow and side.passed for side in sides)
        granted = request.quantity if request.mode == Mode.NORMAL else 0
        return True, reason, granted, would_deny, [self.told(s, self.used[s.key]) for s in sides]

    def told(self, side: Side, used: int) -> Any:
        closes = self.closes.get(side.key) if side.rule.per == "first" else None
        return used, side.pool, side.rule.shadow, closes


def told(answer: Decision | QuotadError) -> Any:
    """An answer of the engine as the model gives it."""
    if isinstance(answer, QuotadError):
        return type(answer)
    assert answer.detailed or not (answer.would_deny or answer.pool_id or answer.variant)
    limits = [
        (
            status.used,
            status.pool_id,
            status.shadow,
            status.resets_at_ms if status.per == "3 hours" else None,
        )
        for status in answer.limits
    ]
    return answer.allowed, answer.reason, answer.granted, answer.would_deny, limits


def some_request(rng: random.Random) -> ConsumeRequest:
    return ConsumeRequest(
        f"c{rng.randrange(4)}",
        rng.choice(FEATURES),
        rng.choice((0, 1, 1, 1, 2, 3, 7)),
        Mode.CHECK_ONLY if rng.random() < 0.15 else Mode.NORMAL,
        f"k{rng.randrange(60)}" if rng.random() < 0.2 else "",
        every_limit=True,
        resource_id=rng.choice(("", "", "w")),
    )


def subscribe(engine: Bench, model: Model, rng: random.Random) -> None:
    """Put a customer or its resource on a plan, as the admin service would."""
    customer, resource = f"c{rng.randrange(4)}", rng.choice(("", "w"))
    plan = rng.choice(list(PLANS))
    if model.plans.get((customer, resource)) == plan:
        return
    if (customer, resource) in model.plans:
        model.resets[customer, resource] += 1
    model.plans[customer, resource] = plan
    phases = [
        Subscription(name, 0, resource_id=where)
        for (who, where), name in model.plans.items()
        if who == customer
    ]
    resets = {where: model.resets[customer, where] for where in ("", "w")}
    record = CustomerRecord(customer, tuple(phases), updated_ms=engine.clock.now, resets=resets)
    engine.customers.update(customer, lambda _: record)


@pytest.mark.parametrize("seed", range(8))
def test_a_random_run_agrees_with_the_model(store_url: str, prefix: str, seed: int) -> None:
    rng = random.Random(seed)
    model = Model()
    with bench(store_url, prefix, "2031-01-30 22:00") as engine:
        engine.publish(catalog())
        seen: Counter[Any] = Counter()
        for _ in range(250):
            requests = [some_request(rng) for _ in range(rng.randrange(1, 16))]
            expected = [model.decide(request, engine.clock.now) for request in requests]

            answers = engine.engine.decide(requests)

            assert expected == [told(answer) for answer in answers]
            seen.update(each[1] if isinstance(each, tuple) else each for each in expected)
            seen.update(each[3] for each in expected if isinstance(each, tuple))
            if rng.random() < 0.1:
                subscribe(engine, model, rng)
            if rng.random() < 0.3:
                engine.clock.now += rng.choice((1, 60_000, HOUR, 5 * HOUR))
            if rng.random() < 0.05:
                # Equal, so that nothing changes but the version; only the script can tell.
                engine.publish_elsewhere(
                    catalog() + f"  spare-{rng.random()}: {{entitlements: {{}}}}\n"
                )
        assert {
            Reason.NO_ACTIVE_SUBSCRIPTION,
            Reason.NOT_ENTITLED,
            Reason.LIMIT_EXCEEDED,
            Reason.INSUFFICIENT_CREDITS,
            Reason.OVER_SOFT_LIMIT,
            Reason.UNLIMITED,
            Reason.WITHIN_LIMIT,
            IdempotencyMismatch,
            True,
            False,
        } <= set(seen)
