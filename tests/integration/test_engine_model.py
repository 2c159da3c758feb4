"""A seeded random run of the engine on a real Valkey against a model in plain Python."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import IdempotencyMismatch, InvalidRequest, QuotadError
from tests.deciding import Bench, at, bench
from tests.raw import raw

# feature -> its limits: how many, per what, soft
PLANS: dict[str, dict[str, list[tuple[int | None, str, bool]]]] = {
    "free": {
        "calls": [(20, "day", False)],
        "builds": [(5, "hour", False), (12, "day", False), (30, "month", False)],
        "tokens": [(10, "month", True), (8, "hour", False)],
        "seats": [(4, "", False)],
        "export": [],
    },
    "pro": {
        "calls": [(10, "day", True)],
        "builds": [(9, "hour", False), (50, "month", True)],
        "tokens": [(None, "month", False)],
        "seats": [(None, "", False)],
    },
}
FEATURES = ("calls", "builds", "tokens", "seats", "export")
FORMATS = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "month": "%Y-%m", "": "life"}


def catalog() -> str:
    lines = ["version: 1", "default_plan: free", "features:"]
    for feature in FEATURES:
        kind = {"seats": "metered, kind: gauge", "export": "boolean"}.get(feature, "metered")
        lines.append(f"  {feature}: {{type: {kind}}}")
    lines.append("plans:")
    for plan, features in PLANS.items():
        lines += [f"  {plan}:", "    entitlements:"]
        for feature, limits in features.items():
            entries = [
                (f"{{limit: {limit}" if limit is not None else "{unlimited: true")
                + (f", per: {per}" if per else "")
                + (", soft: true}" if soft else "}")
                for limit, per, soft in limits
            ]
            value = f"{{limits: [{', '.join(entries)}]}}" if entries else "true"
            lines.append(f"      {feature}: {value}")
    return "\n".join(lines) + "\n"


class Model:
    """What quotad promises, on dictionaries. It knows of no catalog, epoch, cache or script."""

    def __init__(self) -> None:
        self.used: Counter[tuple[str, str, str]] = Counter()
        self.plan: dict[str, str] = {}
        self.archived: set[str] = set()
        self.first: dict[tuple[str, str], tuple[Any, Any]] = {}

    def decide(self, request: ConsumeRequest, now_ms: int) -> Any:
        """Allowed, reason, granted, usage per limit; or the error's class."""
        once = (request.customer_id, request.idempotency_key)
        parameters = (request.feature_id, request.quantity)
        keyed = bool(request.idempotency_key) and request.mode == Mode.NORMAL
        counter = request.feature_id in ("calls", "builds", "tokens")
        granted_feature = request.feature_id in self.granted(request.customer_id)
        if keyed and once in self.first:
            known, answer = self.first[once]
            return answer if known == parameters else IdempotencyMismatch
        if request.quantity < 0 and counter and granted_feature:
            return InvalidRequest
        answer = self.answer(request, now_ms)
        if keyed and answer[0] and answer[3] and request.quantity:  # took something
            self.first[once] = parameters, answer
        return answer

    def granted(self, customer: str) -> dict[str, list[tuple[int | None, str, bool]]]:
        return {} if customer in self.archived else PLANS[self.plan.get(customer, "free")]

    def answer(self, request: ConsumeRequest, now_ms: int) -> Any:
        customer, feature, quantity = request.customer_id, request.feature_id, request.quantity
        if customer in self.archived:
            return False, Reason.CUSTOMER_ARCHIVED, 0, []
        limits = self.granted(customer).get(feature)
        if limits is None:
            known = feature in FEATURES
            return False, Reason.NOT_ENTITLED if known else Reason.FEATURE_NOT_FOUND, 0, []
        if not limits:
            return True, Reason.FEATURE_ENABLED, 0, []
        moment = datetime.fromtimestamp(now_ms / 1000, UTC)
        keys = [(customer, feature, moment.strftime(FORMATS[per])) for _, per, _ in limits]
        before = [self.used[key] for key in keys]
        full = quantity >= 0 and any(
            limit is not None and not soft and used + quantity > limit
            for (limit, _, soft), used in zip(limits, before, strict=True)
        )
        if full:
            return False, Reason.LIMIT_EXCEEDED, 0, before
        after = [max(used + quantity, 0) for used in before]
        over = any(
            soft and limit is not None and used + quantity > limit
            for (limit, _, soft), used in zip(limits, before, strict=True)
        )
        reason = Reason.WITHIN_LIMIT
        if all(limit is None for limit, _, _ in limits):
            reason = Reason.UNLIMITED
        elif over:
            reason = Reason.OVER_SOFT_LIMIT
        if request.mode == Mode.CHECK_ONLY:
            return True, reason, 0, before
        self.used.update(
            {key: new - old for key, old, new in zip(keys, before, after, strict=True)}
        )
        return True, reason, after[0] - before[0], after


def told(answer: Decision | QuotadError) -> Any:
    """An answer of the engine as the model gives it."""
    if isinstance(answer, QuotadError):
        return type(answer)
    used = [status.used for status in answer.limits]
    if not used and answer.reason not in NO_COUNTER:
        used = [answer.used]
    return answer.allowed, answer.reason, answer.granted, used


NO_COUNTER = (
    Reason.CUSTOMER_ARCHIVED,
    Reason.NOT_ENTITLED,
    Reason.FEATURE_NOT_FOUND,
    Reason.FEATURE_ENABLED,
)


def some_request(rng: random.Random) -> ConsumeRequest:
    feature = rng.choice((*FEATURES, "no-such"))
    quantity = rng.choice((0, 1, 1, 1, 2, 3, 7, 25))
    if feature == "seats" and rng.random() < 0.5:
        quantity = -quantity
    elif rng.random() < 0.02:
        quantity = -1
    key = f"k{rng.randrange(40)}" if rng.random() < 0.3 else ""
    mode = Mode.CHECK_ONLY if rng.random() < 0.15 else Mode.NORMAL
    return ConsumeRequest(f"c{rng.randrange(5)}", feature, quantity, mode, key)


def change_something(rng: random.Random, engine: Bench, model: Model) -> None:
    """Move the clock, change a customer, or publish again."""
    customer = f"c{rng.randrange(5)}"
    what = rng.randrange(6)
    if what < 2:
        engine.clock.now += rng.choice((1000, 600_000, 3_600_000, 43_200_000))
    elif what == 2:
        plan = rng.choice(list(PLANS))
        engine.provision(customer, plan)
        model.plan[customer] = plan
        model.archived.discard(customer)
    elif what == 3 and customer in model.plan:
        engine.archive(customer)
        model.archived.add(customer)
    elif what == 4:
        # Other text, same meaning; without a notice, so that only the script can tell.
        engine.publish_elsewhere(
            catalog() + f"  spare-{rng.random()}: {{entitlements: {{export: true}}}}\n"
        )
    else:
        raw(engine.store).script_flush()


@pytest.mark.parametrize("seed", range(6))
def test_a_random_run_agrees_with_the_model(store_url: str, prefix: str, seed: int) -> None:
    rng = random.Random(seed)
    model = Model()
    with bench(store_url, prefix, "2031-01-29 22:00") as engine:
        engine.publish(catalog())
        seen: Counter[Any] = Counter()
        for _ in range(160):
            requests = [some_request(rng) for _ in range(rng.randrange(1, 25))]
            expected = [model.decide(request, engine.clock.now) for request in requests]

            answers = engine.engine.decide(requests)

            assert expected == [told(answer) for answer in answers]
            assert {engine.catalogs.version()} >= {
                each.catalog_version
                for each in answers
                if isinstance(each, Decision) and not each.replayed
            }
            seen.update(each[1] if isinstance(each, tuple) else each for each in expected)
            if rng.random() < 0.5:
                change_something(rng, engine, model)
        assert engine.clock.now > at("2031-02-01 00:00"), "the run has seen a month end"
        # The run was worth something: it has seen every answer there is.
        assert {
            *NO_COUNTER,
            Reason.LIMIT_EXCEEDED,
            Reason.OVER_SOFT_LIMIT,
            Reason.UNLIMITED,
            Reason.WITHIN_LIMIT,
            InvalidRequest,
            IdempotencyMismatch,
        } == set(seen)
