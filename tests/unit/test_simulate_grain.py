"""Lines are decided together only where no boundary lies between them."""

import random

import pytest

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.entitlements.periods import period_at
from quotad.model import Anchor, Unit, Window
from quotad.records import CustomerRecord, Subscription
from quotad.simulate.grain import grain_ms
from tests.deciding import at

HOUR, MINUTE, SECOND = 3_600_000, 60_000, 1_000


def snapshot(*limits: str) -> Snapshot:
    text = (
        "version: 1\ndefault_plan: p\nfeatures: {f: {type: metered}}\nplans:\n  p:\n"
        f"    entitlements:\n      f: {{limits: [{', '.join(limits)}]}}\n"
    )
    return compile_snapshot(parse([Source("plans.yaml", text)]), 1)


@pytest.mark.parametrize(
    ("limits", "grain"),
    [
        (["{limit: 1}"], HOUR),
        (["{limit: 1, per: month}"], HOUR),
        (["{limit: 1, per: month}", "{limit: 1, per: 90 minutes}"], MINUTE),
        (["{limit: 1, per: day, timezone: Asia/Kolkata}"], MINUTE),
        (["{limit: 1, per: day}", "{limit: 1, per: second}"], SECOND),
    ],
)
def test_a_grain_is_as_long_as_the_windows_let_it(limits: list[str], grain: int) -> None:
    assert grain == grain_ms([snapshot("{limit: 1, per: year}"), snapshot(*limits)], [])


@pytest.mark.parametrize(
    ("subscription", "grain"),
    [
        (Subscription("p", at("2026-01-31 09:00")), HOUR),
        (Subscription("p", at("2026-01-31 09:30")), HOUR // 2),
        (Subscription("p", 0, anchor_ms=at("2026-01-31 09:00") + 7), 1),
        (Subscription("p", 0, end_ms=at("2026-01-31 09:01")), MINUTE),
    ],
)
def test_a_subscription_starts_ends_and_renews_at_the_edge_of_a_grain(
    subscription: Subscription, grain: int
) -> None:
    record = CustomerRecord("c", (subscription,))

    assert grain == grain_ms([snapshot("{limit: 1, per: month, anchor: subscription}")], [record])


ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("anchor", [Anchor.CALENDAR, Anchor.SUBSCRIPTION])
def test_every_period_starts_at_the_edge_of_a_grain(zone: str, unit: Unit, anchor: Anchor) -> None:
    made = snapshot(f"{{limit: 1, per: {unit.value}, anchor: {anchor.value}, timezone: {zone}}}")
    subscribed = Subscription("p", at("2009-08-31 17:05"))
    grain = grain_ms([made], [CustomerRecord("c", (subscribed,))])
    [limit] = made.plans["p"].entitlements["f"].limits
    rng = random.Random(f"{zone} {unit} {anchor}")
    assert isinstance(limit.window, Window)

    for _ in range(300):
        now_ms = rng.randrange(at("2010-01-01 00:00"), at("2030-01-01 00:00"))
        period = period_at(limit.window, now_ms, subscribed.anchor)
        assert period.start_ms is not None
        assert 0 == period.start_ms % grain
