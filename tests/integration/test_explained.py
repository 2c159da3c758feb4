"""Explanations agree with the decision they come with: same record, same catalog, same moment."""

from collections.abc import Iterator

import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, Explanation, Mode, Reason, SourceKind
from quotad.model import Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Subscription
from tests.deciding import Bench, at, bench

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  credits: {type: metered, decimals: 2}
  image: {type: metered, credit: {pool: credits, cost: 2.5}}
  export: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 3, per: month}
      credits: {limit: 5, per: day}
      image: true
  pro:
    extends: free
    entitlements:
      calls: {limit: 1000, per: month}
addons:
  more: {entitlements: {calls: {add: 10}}}
"""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield made


def store(engine: Bench, record: CustomerRecord) -> None:
    record = msgspec.structs.replace(record, updated_ms=engine.clock.now)
    engine.customers.update(record.customer_id, lambda _: record)


def explained(
    engine: Bench, customer: str, feature: str, quantity: int = 1, resource: str = ""
) -> tuple[Decision, Explanation]:
    (answer,) = engine.decide(
        ConsumeRequest(
            customer,
            feature,
            quantity,
            every_limit=True,
            resource_id=resource,
            explain=True,
        )
    )
    assert answer.explanation is not None
    assert answer.detailed
    return answer, answer.explanation


def won(explanation: Explanation) -> list[tuple[int, str]]:
    return [(source.kind, source.source_id) for source in explanation.sources if source.won]


def test_an_allowed_call_shows_where_the_right_comes_from(engine: Bench) -> None:
    record = CustomerRecord("acme", (Subscription("pro", 0, addons={"more": 2}),))
    store(engine, record)

    answer, explanation = explained(engine, "acme", "calls")

    assert (True, 1020) == (answer.allowed, answer.limit)
    assert {(SourceKind.PLAN, "pro"), (SourceKind.ADDON, "more")} <= set(won(explanation))
    assert (0, "", None) == (
        explanation.missing,
        explanation.denied_by,
        explanation.frees_at_ms,
    )


def test_a_denied_call_shows_what_was_missing_and_when_it_frees(engine: Bench) -> None:
    engine.consume("acme", "calls", 2)

    answer, explanation = explained(engine, "acme", "calls", 3)

    assert (False, Reason.LIMIT_EXCEEDED) == (answer.allowed, answer.reason)
    assert (2, "3 per month", at("2031-02-01 00:00")) == (
        explanation.missing,
        explanation.denied_by,
        explanation.frees_at_ms,
    )
    assert [(SourceKind.DEFAULT_PLAN, "free")] == won(explanation)


def test_a_pool_that_has_too_little_is_explained_with_its_own_sources(engine: Bench) -> None:
    engine.consume("acme", "image")

    answer, explanation = explained(engine, "acme", "image", 2)

    assert (Reason.INSUFFICIENT_CREDITS, 250, "5.00 credits per day") == (
        answer.reason,
        explanation.missing,
        explanation.denied_by,
    )
    assert {"", "credits"} == {source.feature_id for source in explanation.sources}


@pytest.mark.parametrize(
    ("customer", "feature", "reason"),
    [
        ("acme", "export", Reason.NOT_ENTITLED),
        ("acme", "no-such", Reason.FEATURE_NOT_FOUND),
        ("gone", "calls", Reason.CUSTOMER_ARCHIVED),
    ],
)
def test_a_denial_without_a_limit_is_explained_too(
    engine: Bench, customer: str, feature: str, reason: Reason
) -> None:
    engine.archive("gone")

    answer, explanation = explained(engine, customer, feature)

    assert reason == answer.reason
    assert (0, "") == (explanation.missing, explanation.denied_by)


def test_an_explanation_is_of_the_record_that_decided(engine: Bench) -> None:
    """The view of the old record is still in memory when the new one is written."""
    window = Window(Unit.MONTH)
    for limit in (7, 8, 9):
        entry = Entry(limits=(Limit(limit, window),))
        record = CustomerRecord(
            "acme", (Subscription("free", 0),), overrides=(Override("calls", entry),)
        )
        assert engine.check("acme", "calls").allowed
        store(engine, record)

        answer, explanation = explained(engine, "acme", "calls", 0)

        assert limit == answer.limit
        (override,) = [s for s in explanation.sources if s.kind == SourceKind.OVERRIDE]
        assert override.won
        assert str(limit) in override.grants


def test_an_explanation_is_of_the_catalog_that_decided(engine: Bench) -> None:
    explained(engine, "acme", "calls", 0)
    engine.publish_elsewhere(CATALOG.replace("limit: 3,", "limit: 4,"))

    answer, explanation = explained(engine, "acme", "calls", 0)

    assert (4, 2) == (answer.limit, answer.catalog_version)
    (source,) = [s for s in explanation.sources if s.won]
    assert "4" in source.grants
    assert "3" not in source.grants


def test_explained_and_other_calls_of_a_batch_are_settled_in_order(engine: Bench) -> None:
    plain = ConsumeRequest("acme", "calls")
    asking = msgspec.structs.replace(plain, explain=True, every_limit=True)
    engine.check("acme", "calls")

    answers = engine.decide(plain, asking, plain, asking)

    assert [1, 2, 3, 3] == [answer.used for answer in answers]
    assert [False, True, False, True] == [answer.explanation is not None for answer in answers]
    last = answers[-1].explanation
    assert last is not None
    assert (1, "3 per month") == (last.missing, last.denied_by)


def test_sources_are_worked_out_once_for_all_in_a_batch_that_ask_the_same(engine: Bench) -> None:
    asked = [("acme", "calls"), ("acme", "image"), ("acme", "calls"), ("nobody", "calls")]
    answers = engine.decide(*(ConsumeRequest(*named, explain=True) for named in asked))

    sources = [answer.explanation.sources for answer in answers if answer.explanation]

    assert sources[0] is sources[2]
    assert 3 == len({id(each) for each in sources})


@pytest.mark.parametrize("resource", ["", "team"])
@pytest.mark.parametrize("between", ["", "team"])
def test_calls_before_an_explained_one_go_first_also_after_a_write(
    engine: Bench, resource: str, between: str
) -> None:
    subscriptions = (Subscription("free", 0), Subscription("free", 0, resource_id="team"))
    store(engine, CustomerRecord("acme", subscriptions))
    plain = ConsumeRequest("acme", "calls", resource_id=resource)
    other = ConsumeRequest("acme", "image", resource_id=between)
    engine.decide(msgspec.structs.replace(plain, mode=Mode.CHECK_ONLY))
    engine.provision("acme", "pro")
    if between != resource:
        engine.decide(other)

    answers = engine.decide(plain, plain, other, msgspec.structs.replace(plain, explain=True))

    assert [1, 2, 3] == [answer.used for answer in (*answers[:2], answers[3])]


def test_a_resource_is_explained_by_its_own_subscriptions(engine: Bench) -> None:
    subscriptions = (Subscription("free", 0), Subscription("pro", 0, resource_id="team"))
    store(engine, CustomerRecord("acme", subscriptions))

    answer, explanation = explained(engine, "acme", "calls", resource="team")

    assert 1000 == answer.limit
    assert [(SourceKind.PLAN, "pro")] == won(explanation)


def test_a_decision_returned_again_is_explained_as_things_are_now(engine: Bench) -> None:
    request = ConsumeRequest(
        "acme", "calls", 2, idempotency_key="k", every_limit=True, explain=True
    )

    first, again = engine.decide(request, request)

    assert (False, True) == (first.replayed, again.replayed)
    assert first.explanation == again.explanation
