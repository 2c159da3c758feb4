"""What is counted of decisions, and that its size is bounded."""

import itertools
import random

from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.replay.report import OTHERS
from quotad.simulate import report, tally
from quotad.simulate.tally import BUCKETS_MAX, STEPS_S, Counts, Pair, Tally, Timeline

YES = Decision(True, Reason.WITHIN_LIMIT, granted=1)
NO = Decision(False, Reason.LIMIT_EXCEEDED)
NOT_YOURS = Decision(False, Reason.NOT_ENTITLED)
HOUR = 3_600_000


def ask(customer_id: str = "c", feature_id: str = "f", quantity: int = 1) -> ConsumeRequest:
    return ConsumeRequest(customer_id, feature_id, quantity)


def counts(**values: int) -> Counts:
    return Counts(**values)


def test_calls_are_counted_by_plan_and_by_feature() -> None:
    made = Tally()
    made.add(0, "free", ask("a", "f", 3), Decision(True, Reason.WITHIN_LIMIT, granted=3), None)
    made.add(0, "free", ask("a", "g", 5), NO, None)
    made.add(1, "pro", ask("b", "f", 2), NO, None)
    made.add(1, "", ask("x", "f", 1), NOT_YOURS, None)
    made.close()

    assert [("free", 2, 1), ("(none)", 1, 1), ("pro", 1, 1)] == [
        (row.plan_id, row.decisions, row.after.denied) for row in report.plan_rows(made, False)
    ]
    assert [
        ("f", counts(allowed=1, denied=2, granted=3, refused=3)),
        ("g", counts(denied=1, refused=5)),
    ] == [(row.feature_id, row.after) for row in report.feature_rows(made, False, {})]
    assert [("free", "f"), ("free", "g"), ("(none)", "f"), ("pro", "f")] == sorted(
        ((row.plan_id, row.feature_id) for row in report.cell_rows(made, False, {})),
        key=lambda each: (each[0] != "free", str(each[0]), str(each[1])),
    )
    assert {"LIMIT_EXCEEDED": 2, "NOT_ENTITLED": 1} == report.reasons(made.reasons)
    total = report.total_row(made, False)
    assert (4, counts(allowed=1, denied=3, granted=3, refused=8)) == (total.decisions, total.after)
    assert total.before is None


def test_overage_is_what_a_call_took_past_a_soft_limit_and_no_more() -> None:
    # A limit of 10: 8 used, 5 taken, so 3 past it; then 4 more, all past it.
    made = Tally()
    over = Reason.OVER_SOFT_LIMIT
    made.add(0, "p", ask(quantity=5), Decision(True, over, granted=5, overage=3), None)
    made.add(0, "p", ask(quantity=4), Decision(True, over, granted=4, overage=7), None)
    made.close()

    assert counts(allowed=2, over_limit=2, granted=9, overage=7) == (
        report.total_row(made, False).after
    )


def test_what_a_limit_in_shadow_would_have_denied_is_counted_as_allowed_too() -> None:
    made = Tally()
    made.add(0, "p", ask(), Decision(True, Reason.WITHIN_LIMIT, granted=1, would_deny=True), None)
    made.close()

    assert counts(allowed=1, would_deny=1, granted=1) == report.total_row(made, False).after


def test_of_two_catalogs_what_changes_is_counted_by_customer() -> None:
    made = Tally()
    for customer_id, new, old in [
        ("worse", NO, YES),
        ("worse", NO, YES),
        ("worse", NO, NO),
        ("better", YES, NO),
        ("same", YES, YES),
        ("both", NO, NOT_YOURS),
    ]:
        made.add(0, "p", ask(customer_id), new, old)
    made.close()

    total = report.total_row(made, True)
    assert (6, 2, 1) == (total.decisions, total.newly_denied, total.newly_allowed)
    assert counts(allowed=2, denied=4, granted=2, refused=4) == total.after
    assert counts(allowed=3, denied=3, granted=3, refused=3) == total.before
    assert {"LIMIT_EXCEEDED": 2, "NOT_ENTITLED": 1} == report.reasons(made.reasons_before)
    assert report.CustomerCounts(
        denied=2, denied_before=3, newly_denied=1, newly_allowed=1, exact=True
    ) == report.customers(made, True)
    assert [
        report.CustomerRow(
            customer_id="worse", plan_id="p", denied=3, denied_before=1, newly_denied=2
        )
    ] == report.top_customers(made, {"worse": "p"}, True)


def test_the_timeline_of_a_long_log_is_short_and_complete() -> None:
    rng = random.Random(3)
    timeline = Timeline()
    at = 0
    for _ in range(5_000):
        at += rng.choice([1, 1000, HOUR, 30 * HOUR])
        timeline.add(at, Pair(Counts(allowed=1), Counts(denied=1), newly_denied=1))

    stretches = timeline.all()
    starts = [start for start, _ in stretches]
    assert 2 < len(stretches) <= BUCKETS_MAX
    assert timeline.step_ms // 1000 in STEPS_S
    assert {timeline.step_ms} == {b - a for a, b in itertools.pairwise(starts)}
    assert 5_000 == sum(pair.new.allowed for _, pair in stretches)
    assert 5_000 == sum(pair.old.denied for _, pair in stretches)
    assert 5_000 == sum(pair.newly_denied for _, pair in stretches)


def test_every_call_is_counted_in_the_stretch_of_its_own_time() -> None:
    made = Tally()
    times = [0, 0, 999, 1000, 5 * HOUR, 5 * HOUR + 1, 200 * HOUR]
    for at in times:
        made.add(at, "p", ask(), YES, None)
    made.close()

    step = made.timeline.step_ms
    assert HOUR == step
    assert {0: 4, 5 * HOUR: 2, 200 * HOUR: 1} == {
        start: pair.new.allowed for start, pair in made.timeline.all() if pair.new.allowed
    }


def test_each_length_of_a_stretch_fills_the_next() -> None:
    assert all(b % a == 0 for a, b in itertools.pairwise(STEPS_S))


def test_pairs_of_plan_and_feature_past_the_bound_are_counted_together() -> None:
    made = Tally()
    for number in range(tally.CELLS_MAX + 50):
        made.add(number * HOUR, "p", ask(feature_id=str(number)), YES, None)
    made.close()

    assert tally.CELLS_MAX + 1 == len(made.cells)
    assert 50 == made.cells[OTHERS, OTHERS].new.allowed
    assert tally.CELLS_MAX + 50 == report.total_row(made, False).decisions
