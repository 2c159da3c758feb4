"""Plays histories on the model and on the engine, and tells where the two differ."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from quotad.catalog import ApplyTo, Snapshot, Source, carry, parse, read_record, restore
from quotad.customers.overrides import (
    NewEntitlement,
    grant_promotion,
    remove_override,
    revoke_promotion,
    set_override,
)
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    Trial,
    archive,
    cancel_subscription,
    change_subscription,
    provision,
)
from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import NotFound, QuotadError
from quotad.records import CustomerRecord
from tests.deciding import Bench
from tests.integration.plans.catalogs import Catalog, published, rolled_back
from tests.integration.plans.customers import Refused
from tests.integration.plans.draw_catalogs import publishes
from tests.integration.plans.draw_histories import history, look_at, moments
from tests.integration.plans.model import Answer, Model, aspects
from tests.integration.plans.periods import EPOCH

ROUNDS = 4
"""Catalogs of one world, each published on top of the one before."""

STEPS = 4
"""Of every customer with each catalog."""

CUSTOMERS = 50
"""Of one world."""


class Difference(Exception):
    """Model and engine do not agree about a customer."""

    def __init__(self, customer_id: str, text: str, kind: str) -> None:
        super().__init__(text)
        self.customer_id = customer_id
        self.kind = kind
        """The same for differences that are likely to be one."""


class Script:
    """Everything that happens in one world, drawn from its seed."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"world {seed}")
        self.publishes = publishes(rng, ROUNDS)
        self.times = moments(rng, ROUNDS * STEPS)
        self.histories = {
            f"c{index}": history(random.Random(f"{seed}:{index}"), self.times)
            for index in range(CUSTOMERS)
        }


class World:
    """One store with its engine, and the model beside it."""

    def __init__(self, bench: Bench, script: Script) -> None:
        self.bench = bench
        self.script = script
        self.catalogs: list[Catalog] = []
        self.versions: list[int] = []
        self.seen: Counter[str] = Counter()
        self.where = ""

    def play(self) -> None:
        """Play the histories of all customers, side by side.

        Raises:
            Difference: of the first step after which model and engine do not agree.
        """
        for index, now_ms in enumerate(self.script.times):
            number, step = divmod(index, STEPS)
            self.bench.clock.now = now_ms
            self.where = f"step {index}, {EPOCH + timedelta(milliseconds=now_ms)}"
            if step == 0:
                self.publish(self.script.publishes[number], told=number % 2 == 0)
            steps = {name: history[index] for name, history in self.script.histories.items()}
            self._decide([(name, asked) for name, each in steps.items() for asked in each.requests])
            self._change({name: each.change for name, each in steps.items() if each.change})
            for name, each in steps.items():
                if each.look is not None:
                    self._look(name, each.look)

    def publish(self, said: dict[str, Any], *, told: bool) -> None:
        """Publish to both.

        Args:
            said: a document, or which of the catalogs before to go back to.
            told: whether the engine gets a notice; without it only the script can tell.
        """
        bench = self.bench
        before = bench.catalogs.current()
        known = read_record(before)
        now = self.catalogs[-1] if self.catalogs else None
        if now is not None and "back_to" in said:
            self.catalogs.append(rolled_back(now, self.catalogs[said["back_to"]]))
            target = read_record(bench.catalogs.get(self.versions[said["back_to"]]))
            assert target is not None
            made = restore(known, target)
        else:
            self.catalogs.append(published(now, said["document"], said["apply_to"]))
            apply_to = ApplyTo(said["apply_to"]) if said["apply_to"] else None
            made = carry(
                known, parse([Source("plans.json", json.dumps(said["document"]))]), apply_to
            )
        version = bench.catalogs.publish(made.document, made.digest).version
        if now is None:
            self.model = Model(self.catalogs[-1])
        self.versions.append(version)
        self.model.catalog = self.catalogs[-1]
        if told:
            bench.snapshots.refresh(bench.snapshots.peek)

    def _decide(self, asked: Sequence[tuple[str, dict[str, Any]]]) -> None:
        now_ms = self.bench.clock.now
        expected = [self.model.decide(name, each, now_ms) for name, each in asked]
        answers = self.bench.engine.decide([_request(name, each) for name, each in asked])
        for (name, each), mine, answer in zip(asked, expected, answers, strict=True):
            self.seen.update([mine] if isinstance(mine, str) else [mine.reason, *aspects(mine)])
            self._compare(name, str(each), told(mine, each, now_ms), answered(answer, each))

    def _look(self, customer_id: str, resource_id: str) -> None:
        """Everything that the customer is entitled to."""
        now_ms = self.bench.clock.now
        granted = self.bench.engine.entitlements(customer_id, resource_id)
        denied, features = self.model.entitled(customer_id, resource_id, now_ms)
        reason = granted.effective.denied
        found = ("" if reason is None else reason.name, sorted(granted.decisions))
        self._compare(customer_id, "entitlements", (denied, features), found)
        for feature_id in features:
            asked = look_at(feature_id, resource_id)
            mine = told(self.model.decide(customer_id, asked, now_ms), asked, now_ms)
            answer = answered(granted.decisions[feature_id], asked)
            self._compare(customer_id, f"entitlements: {feature_id}", mine, answer)

    def _change(self, changes: dict[str, tuple[str, dict[str, Any]]]) -> None:
        # As the admin service does; calls are refused by the script if they see an old catalog.
        self.bench.snapshots.refresh(self.bench.snapshots.peek)
        outcomes: dict[str, str] = {}
        writes = [(name, self._write(name, *change, outcomes)) for name, change in changes.items()]
        self.bench.customers.write_many(writes)
        for name, (what, said) in changes.items():
            mine = "done"
            try:
                self.model.change(name, what, said, self.bench.clock.now)
            except Refused as refused:
                mine = str(refused)
            self.seen[f"{what}: {mine}"] += 1
            found = outcomes[name]
            if mine != found.partition(":")[0]:
                self._compare(name, f"{what} {said}", mine, found)

    def _write(
        self, customer_id: str, what: str, said: dict[str, Any], outcomes: dict[str, str]
    ) -> Callable[[CustomerRecord | None], CustomerRecord]:
        """The change of a record; one that is refused leaves it as it is."""
        snapshot, now_ms = self.bench.snapshots.current(), self.bench.clock.now

        def change(before: CustomerRecord | None) -> CustomerRecord:
            outcomes[customer_id] = "done"
            try:
                if before is None and what != "provision":
                    raise NotFound("never provisioned")
                record = before or CustomerRecord(customer_id)
                return _change_of(record, what, said, (snapshot, now_ms))
            except QuotadError as error:
                outcomes[customer_id] = f"{type(error).__name__}: {error}"
                return before  # type: ignore[return-value]

        return change

    def _compare(self, customer_id: str, what: str, expected: Any, found: Any) -> None:
        if expected == found:
            return
        kind = f"{expected}, {found}"
        lines = [what, f"  model:  {expected}", f"  quotad: {found}"]
        if isinstance(expected, dict) and isinstance(found, dict):
            keys = [key for key in expected if expected[key] != found[key]]
            kind = f"{expected['reason']}, {found['reason']}, {', '.join(keys)}"
            lines[1:] = [f"  {key}: model {expected[key]}, quotad {found[key]}" for key in keys]
        raise Difference(customer_id, "\n".join([f"{customer_id}, {self.where}", *lines]), kind)


def _change_of(
    record: CustomerRecord, what: str, said: dict[str, Any], now: tuple[Snapshot, int]
) -> CustomerRecord:
    """The record after a change, by the functions that the admin service calls."""
    if what == "provision":
        return provision(record, Provision(**_wanted(said)), *now)
    if what == "change":
        return change_subscription(record, Change(**said), *now)
    if what == "cancel":
        return cancel_subscription(record, Cancellation(**said), *now)
    if what == "override":
        return set_override(record, NewEntitlement(**said), *now)
    if what == "promote":
        return grant_promotion(record, NewEntitlement(**said), *now)
    if what == "archive":
        return archive(record, now[1])
    back = remove_override if said["what"] == "override" else revoke_promotion
    return back(record, said["feature_id"], said["resource_id"], now[1])


def _wanted(said: dict[str, Any]) -> dict[str, Any]:
    trial = said["trial"]
    return said | {"trial": None if trial is None else Trial(**trial)}


def _request(customer_id: str, asked: dict[str, Any]) -> ConsumeRequest:
    return ConsumeRequest(
        customer_id,
        asked["feature_id"],
        asked["quantity"],
        Mode.CHECK_ONLY if asked["check_only"] else Mode.NORMAL,
        asked["idempotency_key"],
        every_limit=asked["every_limit"],
        resource_id=asked["resource_id"],
        requested_values=asked["requested_values"],
        explain=asked["explain"],
    )


def told(answer: Answer | str, asked: dict[str, Any], now_ms: int) -> Any:
    """An answer of the model, for comparison."""
    if isinstance(answer, str):
        return answer
    retry = answer.retry_at_ms
    return {
        "allowed": answer.allowed,
        "reason": answer.reason,
        "granted": answer.granted,
        "limit, soft, used, remaining, overage, resets": answer.top,
        "unlimited": answer.unlimited,
        "pool": (answer.pool_id, answer.decimals),
        "retry_after_ms": None if retry is None else max(retry - now_ms, 0),
        "limits": answer.limits if answer.every or asked["every_limit"] else (),
        "values": (answer.value, answer.values),
        "variant": answer.variant,
        "would_deny": answer.would_deny,
        "missing": answer.missing if asked["explain"] and not answer.replayed else 0,
        "replayed": answer.replayed,
    }


def answered(answer: Decision | QuotadError, asked: dict[str, Any]) -> Any:
    """An answer of the engine, for comparison."""
    if isinstance(answer, QuotadError):
        return type(answer).__name__
    top = (answer.limit, answer.soft_limit, answer.used, answer.remaining, answer.overage)
    explained = answer.explanation is not None and not answer.replayed
    return {
        "allowed": answer.allowed,
        "reason": Reason(answer.reason).name,
        "granted": answer.granted,
        "limit, soft, used, remaining, overage, resets": (*top, answer.resets_at_ms),
        "unlimited": answer.unlimited,
        "pool": (answer.pool_id, answer.decimals),
        "retry_after_ms": answer.retry_after_ms,
        "limits": tuple(
            (
                each.limit,
                each.soft,
                each.used,
                each.remaining,
                each.overage,
                each.per,
                each.resets_at_ms,
                each.shadow,
                each.overage_limit,
                each.pool_id,
                each.decimals,
            )
            for each in answer.limits
        ),
        "values": (answer.value, answer.values),
        "variant": answer.variant,
        "would_deny": answer.would_deny,
        "missing": answer.explanation.missing if answer.explanation and explained else 0,
        "replayed": answer.replayed,
    }
