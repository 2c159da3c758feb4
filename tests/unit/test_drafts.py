"""What a row makes of the record that a customer has already."""

from typing import Any

import msgspec

from quotad.customers.drafts import Draft, Phase, carried_out
from quotad.model import Entry, Plan
from quotad.records import CustomerRecord, Override, Promotion, Subscription
from tests.unit.rows_catalog import snapshot

CATALOG = snapshot()
NOW = 1_900_000_000_000
DAY = 86_400_000


def record(*phases: Subscription, **fields: Any) -> CustomerRecord:
    return CustomerRecord("acme", phases, created_ms=5, updated_ms=6, **fields)


def carry(before: CustomerRecord | None, *phases: Phase, **fields: Any) -> CustomerRecord:
    return carried_out(Draft("acme", phases, **fields), before, CATALOG, NOW)


def test_a_new_customer_starts_now() -> None:
    made = carry(None, Phase("pro"))

    assert CustomerRecord("acme", (Subscription("pro", NOW),), False, NOW, NOW) == made


def test_everything_is_as_in_the_row_and_nothing_else_stays() -> None:
    before = record(
        Subscription("free", 1),
        Subscription("pro", NOW + DAY),
        Subscription("pro", 1, resource_id="ws"),
        archived=True,
        overrides=(Override("csv-export", Entry()),),
        promotions=(Promotion("csv-export", Entry()),),
        resets={"": 2},
    )

    made = carry(before, Phase("pro", 7, "main", end_ms=NOW + DAY))

    assert (Subscription("pro", 7, "main", end_ms=NOW + DAY),) == made.subscriptions
    assert (False, (), ()) == (made.archived, made.overrides, made.promotions)
    assert (5, NOW, {"": 2}) == (made.created_ms, made.updated_ms, made.resets)


def test_without_a_start_a_known_subscription_keeps_its_start_and_anchor() -> None:
    before = record(Subscription("free", 10, anchor_ms=3), Subscription("free", 20, "b"))

    made = carry(before, Phase("pro"), Phase("free", subscription_id="c"))

    assert (
        Subscription("pro", 10, anchor_ms=3),
        Subscription("free", NOW, "c"),
    ) == made.subscriptions


def test_what_ends_a_trial_starts_now() -> None:
    before = record(Subscription("pro", 10, end_ms=NOW + DAY, trial=True))

    assert (Subscription("pro", NOW),) == carry(before, Phase("pro")).subscriptions


def test_without_a_revision_a_known_phase_keeps_its_own() -> None:
    later = Plan("pro", CATALOG.plans["pro"].entitlements, revision=3)
    catalog = msgspec.structs.replace(CATALOG, plans=CATALOG.plans | {"pro": later})
    before = record(Subscription("pro", 10, revision=2))

    def revision(*phases: Phase) -> int:
        return carried_out(Draft("acme", phases), before, catalog, NOW).subscriptions[0].revision

    assert [2, 2, 3, 1] == [
        revision(Phase("pro")),
        revision(Phase("pro", 10)),
        revision(Phase("pro", 11)),
        revision(Phase("pro", 11, revision=1)),
    ]


def test_what_is_so_already_is_the_record_itself() -> None:
    before = record(
        Subscription("free", 1, "old"),
        Subscription("pro", 2, "old", anchor_ms=2),
        Subscription("pro", 1, "ended", end_ms=3),
        Subscription("free", 1, "a"),
        overrides=(Override("csv-export", Entry()), Override("api-calls", Entry(limits=None))),
        promotions=(Promotion("csv-export", Entry(), 3), Promotion("seats", Entry(limits=None))),
        resets={"": 1},
    )

    same = carry(
        before,
        Phase("free", subscription_id="a"),
        Phase("pro", 2, "old"),
        overrides=before.overrides[::-1],
        promotions=before.promotions[1:],
    )

    assert same is before


def test_what_is_over_is_not_written() -> None:
    made = carry(None, Phase("free", 1, "a"), Phase("pro", 2, "a"), Phase("pro", 1, "b", end_ms=2))

    assert (Subscription("pro", 2, "a"),) == made.subscriptions


def test_a_change_to_a_plan_that_resets_usage_starts_new_counters_once() -> None:
    before = record(Subscription("pro", 1), resets={"": 4})

    now = carry(before, Phase("fresh"))
    again = carry(now, Phase("fresh"))
    waiting = carry(before, Phase("pro", 1), Phase("fresh", NOW + DAY))
    past = carry(before, Phase("free", 1), Phase("fresh", 2), Phase("pro", 3))

    assert ({"": 5}, (Subscription("fresh", 1),)) == (now.resets, now.subscriptions)
    assert again is now
    assert [False, True] == [phase.resets_usage for phase in waiting.subscriptions]
    assert ({"": 4}, {"": 4}) == (waiting.resets, past.resets)


def test_a_plan_after_a_gap_resets_nothing() -> None:
    for before in (None, record(Subscription("pro", 1), resets={"": 4})):
        made = carry(before, Phase("fresh", NOW + DAY), Phase("pro", NOW + 2 * DAY))

        assert [False, False] == [phase.resets_usage for phase in made.subscriptions]


def test_a_server_whose_clock_is_behind_starts_nothing_before_it_was_written() -> None:
    before = CustomerRecord("acme", created_ms=1, updated_ms=NOW + 50)

    assert NOW + 50 == carry(before, Phase("pro")).subscriptions[0].start_ms
