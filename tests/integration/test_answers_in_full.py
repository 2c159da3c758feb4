"""Resources, resets, shadow, overage, values, rollouts and overrides, on a real store."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import IdempotencyMismatch, InvalidRequest, QuotadError
from quotad.model import Entry, Limit
from quotad.records import CustomerRecord, Override, Subscription
from tests.deciding import Bench, at, bench

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  trial-calls: {type: metered}
  seats: {type: metered, kind: gauge}
  support: {type: config, values: [community, email, phone]}
  region: {type: config}
  export: {type: boolean}
  editor: {type: boolean}
  builds: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 3, per: month}
      tokens: {limit: 10, per: month, soft: true, overage_limit: 5}
      trial-calls: {limits: [{limit: 2, per: day, enforce: shadow}, {limit: 4, per: month}]}
      seats: {limit: 5}
      support: [community, email]
      region: eu
      export: true
      editor: {rollout: {percent: 50}}
      builds: {limit: 5, per: month, rollout: {percent: 50, salt: spring, variant: large}}
  pro:
    extends: free
    usage_on_change: reset
    entitlements:
      calls: {limit: 9, per: month}
"""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield made


def store(engine: Bench, record: CustomerRecord) -> None:
    record = msgspec.structs.replace(record, updated_ms=engine.clock.now)
    engine.customers.update(record.customer_id, lambda _: record)


def ask(engine: Bench, *requests: ConsumeRequest) -> list[Decision]:
    """Decide, and see that what has more to tell says so."""
    answers = engine.decide(*requests)
    plain = Decision(True, 1)
    for answer in answers:
        fields = ("value", "values", "variant", "would_deny", "pool_id", "decimals", "explanation")
        if any(getattr(answer, name) != getattr(plain, name) for name in fields):
            assert answer.detailed
    return answers


def test_a_resource_has_a_subscription_and_counters_of_its_own(engine: Bench) -> None:
    start = engine.clock.now
    subscriptions = (
        Subscription("free", start),
        Subscription("pro", start, resource_id="team-a"),
        Subscription("free", start, resource_id="team-b"),
    )
    store(engine, CustomerRecord("acme", subscriptions))

    answers = ask(
        engine,
        ConsumeRequest("acme", "calls", 3),
        ConsumeRequest("acme", "calls", 5, resource_id="team-a"),
        ConsumeRequest("acme", "calls", 2, resource_id="team-b"),
        ConsumeRequest("acme", "calls"),
        ConsumeRequest("acme", "calls", resource_id="team-a"),
        ConsumeRequest("acme", "calls", resource_id="team-c"),
        ConsumeRequest("nobody", "calls", resource_id="team-a"),
    )

    assert [
        (Reason.WITHIN_LIMIT, 3, 3),
        (Reason.WITHIN_LIMIT, 9, 5),
        (Reason.WITHIN_LIMIT, 3, 2),
        (Reason.LIMIT_EXCEEDED, 3, 3),
        (Reason.WITHIN_LIMIT, 9, 6),
        (Reason.NO_ACTIVE_SUBSCRIPTION, None, 0),
        (Reason.NO_ACTIVE_SUBSCRIPTION, None, 0),
    ] == [(answer.reason, answer.limit, answer.used) for answer in answers]
    granted = engine.engine.entitlements("acme", "team-a")
    assert ("pro", 6) == (granted.effective.plan_id, granted.decisions["calls"].used)
    _, answer = engine.engine.entitlement("acme", "calls", "team-b")
    assert 2 == answer.used


def test_a_resource_is_never_decided_on_an_old_record(engine: Bench) -> None:
    store(engine, CustomerRecord("acme", (Subscription("free", 0, resource_id="team"),)))
    request = ConsumeRequest("acme", "calls", 3, resource_id="team")
    assert ask(engine, request)[0].allowed

    store(engine, CustomerRecord("acme", (Subscription("pro", 0, resource_id="team"),)))

    answers = ask(engine, request, ConsumeRequest("acme", "calls"))
    assert [(True, 9), (False, None)] == [(answer.allowed, answer.limit) for answer in answers]


def test_an_idempotency_key_is_bound_to_its_resource(engine: Bench) -> None:
    store(
        engine,
        CustomerRecord("acme", (Subscription("free", 0), Subscription("free", 0, resource_id="t"))),
    )
    ask(engine, ConsumeRequest("acme", "calls", idempotency_key="k", resource_id="t"))

    (other,) = engine.engine.decide([ConsumeRequest("acme", "calls", idempotency_key="k")])

    assert isinstance(other, IdempotencyMismatch)
    assert "resource_id" in str(other)


def test_a_reset_resets_counters_and_keeps_gauges(engine: Bench) -> None:
    store(engine, CustomerRecord("acme", (Subscription("free", 0),)))
    ask(engine, ConsumeRequest("acme", "calls", 3), ConsumeRequest("acme", "seats", 2))

    engine.provision("acme", "pro")

    answers = ask(
        engine,
        ConsumeRequest("acme", "calls", 0),
        ConsumeRequest("acme", "seats", 0),
    )
    assert [(9, 0), (5, 2)] == [(answer.limit, answer.used) for answer in answers]


def test_a_limit_in_shadow_counts_and_reports_but_does_not_deny(engine: Bench) -> None:
    answers = ask(engine, *[ConsumeRequest("acme", "trial-calls")] * 5)

    assert [
        (True, False),
        (True, False),
        (True, True),
        (True, True),
        (False, False),
    ] == [(answer.allowed, answer.would_deny) for answer in answers]
    # The limit in force is the one that is told, and both are listed.
    assert {4} == {answer.limit for answer in answers}
    assert [(True, 4), (False, 4)] == [(each.shadow, each.used) for each in answers[4].limits]


def test_a_soft_limit_is_passed_up_to_its_overage_limit(engine: Bench) -> None:
    answers = ask(engine, *[ConsumeRequest("acme", "tokens", 6)] * 3)
    rest = ask(engine, ConsumeRequest("acme", "tokens", 3), ConsumeRequest("acme", "tokens"))

    assert [
        (Reason.WITHIN_LIMIT, 6, 0),
        (Reason.OVER_SOFT_LIMIT, 12, 2),
        (Reason.LIMIT_EXCEEDED, 12, 2),
        (Reason.OVER_SOFT_LIMIT, 15, 5),
        (Reason.LIMIT_EXCEEDED, 15, 5),
    ] == [(answer.reason, answer.used, answer.overage) for answer in [*answers, *rest]]


@pytest.mark.parametrize(
    ("requested", "reason"),
    [
        ((), Reason.FEATURE_ENABLED),
        (("email",), Reason.FEATURE_ENABLED),
        (("email", "community"), Reason.FEATURE_ENABLED),
        (("phone",), Reason.VALUE_NOT_ALLOWED),
        (("email", "phone"), Reason.VALUE_NOT_ALLOWED),
        (("fax",), Reason.VALUE_NOT_ALLOWED),
    ],
)
def test_requested_values_must_all_be_granted(
    engine: Bench, requested: tuple[str, ...], reason: Reason
) -> None:
    (answer,) = ask(engine, ConsumeRequest("acme", "support", requested_values=requested))

    assert (reason is Reason.FEATURE_ENABLED, reason) == (answer.allowed, answer.reason)
    assert ("email", ("community", "email")) == (answer.value, answer.values)


@pytest.mark.parametrize("feature", ["region", "export", "calls", "editor"])
def test_values_are_not_requested_of_a_feature_that_lists_none(engine: Bench, feature: str) -> None:
    (answer,) = engine.engine.decide([ConsumeRequest("acme", feature, requested_values=("x",))])

    assert isinstance(answer, InvalidRequest)
    assert f"requested_values: '{feature}' does not list values" in str(answer)


def test_values_take_nothing_and_do_not_bind_a_key(engine: Bench) -> None:
    request = ConsumeRequest("acme", "support", idempotency_key="k", requested_values=("phone",))
    other = msgspec.structs.replace(request, requested_values=("email",))

    answers = ask(engine, request, request, other)

    assert [False] * 3 == [answer.replayed for answer in answers]
    assert answers[0] == answers[1]
    ask(engine, ConsumeRequest("acme", "calls", idempotency_key="k"))
    (known,) = engine.engine.decide([request])
    assert isinstance(known, IdempotencyMismatch)


def test_a_revoked_feature_is_denied_as_such(engine: Bench) -> None:
    names = ("calls", "export", "support")
    overrides = tuple(Override(name, Entry(granted=False)) for name in names)
    store(engine, CustomerRecord("acme", (Subscription("free", 0),), overrides=overrides))

    answers = ask(
        engine,
        *(ConsumeRequest("acme", name) for name in names),
        ConsumeRequest("acme", "support", requested_values=("phone",)),
    )

    assert [(False, Reason.REVOKED)] * 4 == [(a.allowed, a.reason) for a in answers]
    granted = engine.engine.entitlements("acme").decisions
    assert {Reason.REVOKED} == {granted[name].reason for name in names}


def test_the_variant_is_reported_inside_and_outside(engine: Bench) -> None:
    customers = [f"c{i}" for i in range(40)]
    editor = ask(engine, *(ConsumeRequest(name, "editor") for name in customers))
    builds = ask(
        engine, *(ConsumeRequest(name, "builds", idempotency_key="k") for name in customers)
    )
    again = ask(
        engine, *(ConsumeRequest(name, "builds", idempotency_key="k") for name in customers)
    )

    assert {("rollout", Reason.FEATURE_ENABLED), ("control", Reason.NOT_ENTITLED)} == {
        (answer.variant, answer.reason) for answer in editor
    }
    assert {("large", Reason.WITHIN_LIMIT), ("control", Reason.NOT_ENTITLED)} == {
        (answer.variant, answer.reason) for answer in builds
    }
    taken = [answer for answer in builds if answer.granted]
    assert [msgspec.structs.replace(answer, replayed=True) for answer in taken] == [
        answer for answer in again if answer.replayed
    ]
    granted = engine.engine.entitlements(customers[0]).decisions
    assert ("editor" in granted) == editor[0].allowed


def test_all_entitlements_stand_in_the_order_of_the_catalog(engine: Bench) -> None:
    overrides = (Override("builds", Entry(limits=None)), Override("editor", Entry()))
    store(engine, CustomerRecord("acme", (Subscription("free", 0),), overrides=overrides))

    granted = engine.engine.entitlements("acme")

    assert [
        "calls", "tokens", "trial-calls", "seats", "support", "region", "export", "editor", "builds"
    ] == list(granted.decisions)  # fmt: skip


def test_a_check_of_a_shadow_limit_counts_nothing(engine: Bench) -> None:
    ask(engine, *[ConsumeRequest("acme", "trial-calls")] * 2)

    checks = ask(engine, *[ConsumeRequest("acme", "trial-calls", 1, Mode.CHECK_ONLY)] * 2)

    assert [(True, True, 2)] * 2 == [(a.allowed, a.would_deny, a.used) for a in checks]


SEVERAL = """
version: 1
default_plan: free
features:
  ai: {type: metered}
  image: {type: metered, credit: {pool: ai, cost: 2}}
  calls: {type: metered}
plans:
  free:
    entitlements:
      ai: {limit: 20, per: month, soft: true}
      image: {limit: 15, per: day, soft: true}
      calls: {limits: [{limit: 10, per: hour, soft: true}, {limit: 8, per: day, soft: true}]}
"""


@pytest.mark.parametrize(("feature", "quantity", "limit"), [("image", 16, 20), ("calls", 12, 8)])
def test_a_check_names_the_soft_limit_that_the_call_would_pass_furthest(
    engine: Bench, feature: str, quantity: int, limit: int
) -> None:
    engine.publish(SEVERAL)
    request = ConsumeRequest("acme", feature, quantity)

    (checked,) = engine.decide(msgspec.structs.replace(request, mode=Mode.CHECK_ONLY))
    (consumed,) = engine.decide(request)

    assert Reason.OVER_SOFT_LIMIT == checked.reason == consumed.reason
    assert limit == checked.limit == consumed.limit
    assert checked.pool_id == consumed.pool_id


def test_a_feature_and_its_decision_are_of_one_catalog(
    engine: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = engine.engine._decide_strictly

    def overtaken(requests: Sequence[ConsumeRequest]) -> list[Decision | QuotadError]:
        answers = decide(requests)
        monkeypatch.undo()
        engine.publish(SEVERAL.replace("calls: {type: metered}", "calls: {type: metered, unit: c}"))
        return answers

    monkeypatch.setattr(engine.engine, "_decide_strictly", overtaken)

    feature, decision = engine.engine.entitlement("acme", "calls")

    assert feature is not None
    assert ("c", 2) == (feature.unit, decision.catalog_version)


def test_what_starts_and_ends_by_itself_is_in_force_at_the_next_call(engine: Bench) -> None:
    text = CATALOG.replace("export: true", "export: {from: 2031-01-16, until: 2031-01-17}")
    engine.publish(text)
    store(engine, CustomerRecord("acme", (Subscription("free", engine.clock.now),)))
    start = at("2031-01-16 06:00")
    override = Override("calls", Entry(limits=(Limit(1),)), start_ms=start)
    store(engine, CustomerRecord("own", (Subscription("free", 0),), overrides=(override,)))
    moments = ("2031-01-15 23:59", "2031-01-16 00:00", "2031-01-16 06:00", "2031-01-17 00:00")

    answers = []
    for moment in moments:
        engine.clock.now = at(moment)
        names = ("acme", "never-seen", "own")
        answers.append(engine.decide(*(ConsumeRequest(name, "export") for name in names)))
        (own,) = engine.decide(ConsumeRequest("own", "calls", mode=Mode.CHECK_ONLY))
        assert (1 if engine.clock.now >= start else 3) == own.limit

    assert [[False] * 3, [True] * 3, [True] * 3, [False] * 3] == [
        [answer.allowed for answer in told] for told in answers
    ]
