"""What a trace of `resolve` collects: every source in the order applied, up to the right itself."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quotad.entitlements.resolve import resolve
from quotad.entitlements.trace import Applied, Trace
from quotad.records import CustomerRecord, Override, Promotion
from tests.unit.drawn_customers import customers, specs
from tests.unit.effective import (
    NOW,
    START,
    Case,
    addon,
    case,
    override,
    promotion,
    subscription,
    told,
    trial,
)


def steps_of(made: Case, record: CustomerRecord | None) -> list[Applied]:
    trace = Trace(made.feature_id)
    snapshot = msgspec.structs.replace(made.snapshot, default_plan="pro")
    resolve(record, snapshot, NOW, made.customer_id, made.resource_id, trace)
    return trace.steps


def test_each_source_shows_what_it_gives_and_what_the_customer_has_with_it() -> None:
    made = case("calls", "10/day", trial("5/day"), promotion("50/day"), override("7/day"))
    addon(2, "more", add=3)(made)

    assert [
        ("10/day", "16/day", "16/day"),
        ("5/day", "5/day", "16/day"),
        ("-", "50/day", "50/day"),
        ("-", "7/day", "7/day"),
    ] == [tuple(map(told, (s.plan_gave, s.gave, s.has))) for s in steps_of(made, made.record)]


def test_the_default_plan_is_one_step() -> None:
    (step,) = steps_of(case("calls", "10/day"), None)

    assert ("10/day", "10/day") == (told(step.gave), told(step.has))


def test_sources_of_other_features_and_of_other_moments_are_left_out() -> None:
    made = case("calls", "10/day", promotion("50/day", NOW - 1), subscription("9/day", end_ms=NOW))
    made.promotions.append(Promotion("export", made.promotions[0].entry))
    made.overrides.append(Override("export", made.promotions[0].entry))

    assert [START] == [step.source.phase.start_ms for step in steps_of(made, made.record)]  # type: ignore[union-attr]


@given(customers(), st.data())
def test_the_last_step_ends_with_what_is_resolved_without_a_trace(
    customer: Case, data: st.DataObject
) -> None:
    if data.draw(st.booleans()):
        override(data.draw(st.just(False) | specs[customer.feature_id]))(customer)
    right = customer.resolve().entitlements.get(customer.feature_id)

    assert right == steps_of(customer, customer.record)[-1].has
