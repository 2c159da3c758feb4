"""What is answered while the store is known to be down: refusals by the plan, and no decision."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Decision
from quotad.errors import AnswerLost, InvalidRequest, NotReady, QuotadError, StoreUnavailable
from tests.deciding import Bench, bench

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}, export: {type: boolean}}
plans: {free: {entitlements: {calls: {limit: 10}, export: true}}}
"""
NEVER = ConsumeRequest("acme", "calls", -1)
NO_VALUES = ConsumeRequest("acme", "calls", requested_values=("eu",))
KEYED = ConsumeRequest("acme", "calls", -1, idempotency_key="k")
CALLS, EXPORT = ConsumeRequest("acme", "calls"), ConsumeRequest("acme", "export")
UNKNOWN = ConsumeRequest("never seen", "calls")


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        made.consume("acme", "calls")
        yield made


def answers(engine: Bench) -> list[Decision | QuotadError]:
    return engine.engine.decide([NEVER, CALLS, NO_VALUES, EXPORT, KEYED, UNKNOWN])


def test_a_request_that_can_never_work_is_refused_for_its_own_reason(engine: Bench) -> None:
    engine.health.mark_down(StoreUnavailable("the store at db did not answer", "gone"))

    found = answers(engine)

    assert [InvalidRequest, NotReady, InvalidRequest] == [type(each) for each in found[:3]]
    assert str(found[0]).startswith("quantity: -1 is negative")
    # Neither a boolean feature (its catalog may have changed) nor a key that may have taken.
    assert [NotReady] * 3 == [type(each) for each in found[3:]]
    assert {"gone"} == {each.for_caller for each in found[3:] if isinstance(each, QuotadError)}


def test_what_breaks_on_the_way_to_the_store_refuses_no_less(
    engine: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise AnswerLost("it has closed the connection")

    monkeypatch.setattr(engine.engine._link, "run", breaks)
    monkeypatch.setattr("quotad.engine.budget.Budget.wait_out", lambda _: None)

    found = answers(engine)

    assert [InvalidRequest, AnswerLost, InvalidRequest, AnswerLost, AnswerLost, AnswerLost] == [
        type(each) for each in found
    ]
    assert not engine.health.up


def test_all_is_decided_again_when_the_store_is_back(engine: Bench) -> None:
    engine.health.mark_down(StoreUnavailable("gone"))
    answers(engine)
    assert engine.health.probe()

    found = answers(engine)

    assert [False, True, False, True, False, True] == [isinstance(a, Decision) for a in found]


def test_without_a_catalog_the_store_is_the_reason(store_url: str, prefix: str) -> None:
    with bench(store_url, prefix) as made:
        made.health.mark_down(StoreUnavailable("gone"))

        (answer,) = made.engine.decide([CALLS])

        assert "gone" == str(answer)
