"""Lines of the history of customers are read back as what they were written of."""

import pytest

from quotad.customers.change_lines import GivenLine, PhaseLine, read_line
from quotad.customers.described import described
from quotad.model import Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion, Subscription

JAN, FEB, MARCH = 1_925_424_000_000, 1_928_102_400_000, 1_930_521_600_000


def lines(before: CustomerRecord | None, after: CustomerRecord) -> list[object]:
    return [read_line(line) for line in described(before, after, None)]


@pytest.mark.parametrize(
    ("phase", "read"),
    [
        (Subscription("pro", JAN), PhaseLine(False, "pro", False, 1, {}, JAN)),
        (
            Subscription(
                "pro, gold",
                JAN,
                "side",
                "team-a",
                FEB,
                revision=3,
                addons={"more calls": 2, "sso": 1},
                trial=True,
                unit_quantity=50,
                external_ids={"stripe": "sub_1"},
            ),
            PhaseLine(
                False,
                "pro, gold",
                True,
                50,
                {"more calls": 2, "sso": 1},
                JAN,
                FEB,
                "team-a",
                "side",
            ),
        ),
        (
            Subscription("pro", JAN, "", "team-a"),
            PhaseLine(False, "pro", False, 1, {}, JAN, None, "team-a"),
        ),
    ],
)
def test_a_phase_is_read_back(phase: Subscription, read: PhaseLine) -> None:
    bare = CustomerRecord("acme", created_ms=JAN)
    with_it = CustomerRecord("acme", (phase,), created_ms=JAN)

    assert [read] == lines(bare, with_it)
    (gone,) = lines(with_it, bare)
    assert isinstance(gone, PhaseLine)
    assert (True, read.plan_id, read.named) == (gone.gone, gone.plan_id, gone.named)


@pytest.mark.parametrize("feature_id", ["calls", "api: calls", "what is until (x)"])
@pytest.mark.parametrize("resource_id", ["", "team-a"])
def test_an_override_and_a_promotion_are_read_back(feature_id: str, resource_id: str) -> None:
    entry = Entry(limits=(Limit(5000, Window(Unit.MONTH)),))
    bare = CustomerRecord("acme", created_ms=JAN)
    override = Override(feature_id, entry, resource_id, FEB)
    promotion = Promotion(feature_id, Entry(), MARCH, resource_id)
    with_both = CustomerRecord(
        "acme", created_ms=JAN, overrides=(override,), promotions=(promotion,)
    )

    value = {"limits": [{"limit": 5000, "per": "month"}]}
    assert [
        GivenLine("override", feature_id, value, start_ms=FEB, resource_id=resource_id),
        GivenLine("promotion", feature_id, True, end_ms=MARCH, resource_id=resource_id),
    ] == lines(bare, with_both)
    assert [
        GivenLine("override", feature_id, removed=True, resource_id=resource_id),
        GivenLine("promotion", feature_id, removed=True, resource_id=resource_id),
    ] == lines(with_both, bare)


def test_what_was_cut_or_is_about_something_else_is_not_read() -> None:
    long = Override("calls", Entry(value="x" * 300))
    (cut,) = lines(
        CustomerRecord("acme", created_ms=JAN), CustomerRecord("acme", overrides=(long,))
    )

    assert cut is None
    for other in ("created", "name: 'override of x: true'", "override of x", "subscription: x"):
        assert read_line(other) is None
