"""A log through the real engine at its own times, against a model in plain Python."""

import json
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from quotad.catalog import Catalog, Source, parse
from quotad.records import CustomerRecord, Subscription
from quotad.replay.formats import format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.template import Template
from quotad.simulate import run
from quotad.simulate.catalog_run import Purge
from quotad.simulate.lines import Reader
from quotad.simulate.report import Simulation, soft_columns_of
from quotad.simulate.scene import Scene, TriedCatalog
from tests.deciding import at

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered, unit: token}
plans:
  free:
    entitlements:
      calls:
        limits: [{limit: 5, per: minute}, {limit: 40, per: day, timezone: Europe/Berlin}]
      tokens: {limit: 3000, per: month, timezone: Asia/Kolkata}
  pro:
    entitlements:
      calls: {limit: 300, per: month, anchor: subscription}
      tokens: {limit: 9000, per: month, timezone: Asia/Kolkata, soft: true}
"""

SUBSCRIBED = at("2026-01-31 09:00")
RENEWALS = [at("2026-02-28 09:00"), at("2026-03-31 09:00"), at("2026-04-30 09:00")]
"""Of a subscription from the 31st: February and April are shorter."""

# Around the ends of a minute, of a day in Berlin (one of them of 23 hours), of a month in Kolkata,
# and of the months of the subscription.
MOMENTS = [
    "2026-02-28 08:59:30",
    "2026-02-28 18:29:00",
    "2026-02-28 22:58:30",
    "2026-03-28 22:58:00",
    "2026-03-29 21:58:00",
    "2026-03-31 08:59:00",
    "2026-03-31 18:28:30",
    "2026-04-30 08:58:59",
]

Call = dict[str, Any]


class Model:
    """The two plans of the catalog, as a person would count them."""

    def __init__(self, pro: set[str]) -> None:
        self._pro = pro
        self._used: Counter[tuple[object, ...]] = Counter()

    def windows(self, call: Call) -> list[tuple[object, int, bool]]:
        """Of a call: the period it falls in, its limit, and whether that is soft."""
        moment = datetime.fromtimestamp(call["t"], UTC)
        month = ("month", moment.astimezone(KOLKATA).strftime("%Y-%m"))
        pro = call["c"] in self._pro
        if call["f"] == "tokens":
            return [(month, 9000, True) if pro else (month, 3000, False)]
        if pro:
            return [(("renewals", bisect_right(RENEWALS, call["t"] * 1000)), 300, False)]
        return [
            (("minute", call["t"] // 60), 5, False),
            (("day", moment.astimezone(BERLIN).date()), 40, False),
        ]

    def allows(self, call: Call) -> bool:
        """Decide and count."""
        windows = [
            ((call["c"], call["f"], period), limit, soft)
            for period, limit, soft in self.windows(call)
        ]
        if any(not soft and self._used[key] + call["n"] > limit for key, limit, soft in windows):
            return False
        for key, _, _ in windows:
            self._used[key] += call["n"]
        return True


def traffic(seed: int, count: int) -> list[Call]:
    """Calls of eight customers around the moments, in order of time."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        start = datetime.fromisoformat(rng.choice(MOMENTS)).replace(tzinfo=UTC)
        feature = rng.choice(["calls", "calls", "tokens"])
        made.append(
            {
                "t": int((start + timedelta(seconds=rng.randrange(150))).timestamp()),
                "c": f"c{rng.choice([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7])}",
                "f": feature,
                "n": rng.randrange(1, 200) if feature == "tokens" else rng.choice([0, 1, 1, 1, 2]),
            }
        )
    return sorted(made, key=lambda call: call["t"])


def lines_of(calls: Iterable[Call]) -> list[bytes]:
    return [json.dumps(call).encode() for call in calls]


def catalog(text: str) -> Catalog:
    return parse([Source("plans.yaml", text)])


def simulated(
    lines: Iterable[bytes | None],
    plan: str | None = None,
    *,
    text: str = CATALOG,
    against: str | None = None,
    listed: dict[str, CustomerRecord] | None = None,
) -> Simulation:
    made = LineTemplates(format_of("jsonl"), "{c}", "{f}", "{n}")
    reader = Reader(made, Template("{t}"), None if plan is None else Template(plan))
    new = TriedCatalog(catalog(text), "plans.yaml", listed or {})
    old = None if against is None else TriedCatalog(catalog(against), "old.yaml", listed or {})
    return run.simulate(lines, reader, Scene(new, old))


def on_pro(*customer_ids: str) -> dict[str, CustomerRecord]:
    return {
        customer_id: CustomerRecord(customer_id, (Subscription("pro", SUBSCRIBED),))
        for customer_id in customer_ids
    }


def denied_by_customer(report: Simulation) -> dict[str, int]:
    return {each.customer_id: each.denied for each in report.top_denied}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_denied_is_what_the_model_denies(seed: int) -> None:
    calls = traffic(seed, 3000)
    pro = {"c0", "c3"}
    model = Model(pro)
    allowed = [model.allows(call) for call in calls]

    report = simulated(lines_of(calls), listed=on_pro(*pro))

    assert (3000, 3000, 0, 0) == (report.lines, report.decided, report.skipped, report.late)
    assert dict(
        Counter(call["c"] for call, yes in zip(calls, allowed, strict=True) if not yes)
    ) == denied_by_customer(report)
    by_cell = Counter(
        ("pro" if call["c"] in pro else "free", call["f"], yes)
        for call, yes in zip(calls, allowed, strict=True)
    )
    assert by_cell == {
        (row.plan_id, row.feature_id, yes): count
        for row in report.cells
        for yes, count in ((True, row.after.allowed), (False, row.after.denied))
        if count
    }
    assert {"LIMIT_EXCEEDED": allowed.count(False)} == report.reasons


def test_it_does_not_matter_how_many_lines_are_decided_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = lines_of(traffic(11, 1500))
    together = simulated(lines, listed=on_pro("c0"))
    monkeypatch.setattr(run, "BATCH", 1)
    alone = simulated(lines, listed=on_pro("c0"))

    assert timeless(together) == timeless(alone)


def test_lines_that_are_a_little_out_of_order_are_decided_in_the_order_of_their_times() -> None:
    calls = traffic(12, 1500)
    # Of one second, the order of the log is kept, so it must be the same in both.
    places = sorted(
        range(len(calls)), key=lambda i: calls[i]["t"] + random.Random(calls[i]["t"]).randrange(40)
    )

    disordered = simulated(lines_of(calls[i] for i in places))

    assert sorted(places) != places
    assert timeless(simulated(lines_of(calls))) == timeless(disordered)


def test_a_line_from_long_ago_is_decided_at_the_time_of_the_line_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "WINDOW", 5)
    start = at("2026-03-01 12:00") // 1000
    calls = [{"t": start + i, "c": "a", "f": "calls", "n": 1} for i in range(30)]
    late = {**calls[0], "t": start - 86_400}

    report = simulated(lines_of([*calls, late, late]))

    # It finds the minute full that all others are in.
    assert (2, 5, 27) == (report.late, report.total.after.allowed, report.total.after.denied)
    assert ["2 lines are more than 5 lines out of order"] == [
        note.split(" and were")[0] for note in report.notes
    ]


def test_two_catalogs_decide_the_same_log_on_counters_of_their_own() -> None:
    calls = traffic(21, 3000)
    tight = CATALOG.replace("limit: 5,", "limit: 2,").replace("limit: 40,", "limit: 20,")
    before = Model(set())
    old = [before.allows(call) for call in calls]

    report = simulated(lines_of(calls), text=tight, against=CATALOG)
    alone = simulated(lines_of(calls), text=tight)

    assert report.total.before is not None
    assert old.count(False) == report.total.before.denied
    assert alone.total.after == report.total.after
    change = report.total.newly_denied - report.total.newly_allowed
    assert report.total.after.denied - report.total.before.denied == change
    assert report.total.newly_denied > 0
    assert {row.feature_id: row.newly_denied for row in report.features} == {
        "calls": report.total.newly_denied,
        "tokens": 0,
    }
    assert report.total.newly_denied == sum(each.newly_denied for each in report.timeline)
    assert 8 == report.customers.newly_denied


def test_the_overage_of_a_soft_limit_is_what_was_used_past_it() -> None:
    day = at("2026-03-10 12:00") // 1000
    calls = [{"t": day + i, "c": "c0", "f": "tokens", "n": 4000} for i in range(4)]

    report = simulated(lines_of(calls), listed=on_pro("c0"))

    assert (4, 2, 4 * 4000 - 9000) == (
        report.total.after.allowed,
        report.total.after.over_limit,
        report.total.after.overage,
    )


def test_the_plan_of_each_line_decides_and_a_change_holds_from_its_line_on() -> None:
    start = at("2026-03-10 12:00") // 1000
    calls = [
        {
            "t": start + i // 10,
            "c": "a",
            "f": "calls",
            "n": 1,
            "p": "pro" if 20 <= i < 40 else "free",
        }
        for i in range(50)
    ]

    report = simulated(lines_of(calls), plan="{p}")

    # free: 5 per minute, of which the first 5 take all; pro: 300 per month, and counted apart.
    assert {("free", 5, 25), ("pro", 20, 0)} == {
        (row.plan_id, row.after.allowed, row.after.denied) for row in report.plans
    }


def test_a_plan_that_one_catalog_lacks_is_tried_and_reported() -> None:
    text = CATALOG.replace("  pro:\n", "  business:\n")
    calls = [{"t": 1_800_000_000, "c": "a", "f": "calls", "n": 1, "p": "pro"}]

    report = simulated(lines_of(calls), "{p}", text=text, against=CATALOG)

    assert {"NO_ACTIVE_SUBSCRIPTION": 1} == report.reasons
    assert (1, {}) == (report.total.newly_denied, report.reasons_before)
    assert ["plans.yaml has no plan pro: its customers are denied everything"] == report.notes


def test_a_call_that_can_never_work_is_a_skipped_line() -> None:
    calls = [{"t": 1_800_000_000, "c": "a", "f": "calls", "n": n} for n in (1, -1, 1)]

    report = simulated(lines_of(calls))

    assert (2, [2]) == (report.decided, [each.line for each in report.skipped_lines])
    assert "is not a gauge" in report.skipped_lines[0].why


def test_lines_of_what_is_in_flight_are_skipped_as_no_log_has_how_long_it_was() -> None:
    text = CATALOG.replace("calls: {type: metered}", "calls: {type: metered, kind: concurrency}")
    text = text.replace(
        "limits: [{limit: 5, per: minute}, {limit: 40, per: day, timezone: Europe/Berlin}]",
        "limit: 5",
    ).replace("calls: {limit: 300, per: month, anchor: subscription}", "calls: {limit: 30}")
    calls = [{"t": 1_800_000_000, "c": "a", "f": name, "n": 1} for name in ("tokens", "calls")]

    report = simulated(lines_of(calls), text=text, against=CATALOG)

    assert (1, [2]) == (report.decided, [each.line for each in report.skipped_lines])
    assert "'calls' limits what is in flight" in report.skipped_lines[0].why


def test_counters_of_ended_periods_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    purges: list[tuple[int, int]] = []
    monkeypatch.setattr(run, "PURGE_EVERY", 1)
    monkeypatch.setattr(run, "Purge", lambda store: Purge(store, 100))
    sweep = Purge.run

    def watched(self: Purge, now_ms: int) -> None:
        sweep(self, now_ms)
        purges.append((self.dropped, self._store.count_keys()))

    monkeypatch.setattr(Purge, "run", watched)
    # A key of its own for every minute, and one for each of two days.
    text = CATALOG.replace("limit: 40, per: day, timezone: Europe/Berlin", "limit: 600, per: day")
    start = at("2026-03-10 12:00") // 1000
    lines = lines_of(
        {"t": start + 60 * minute, "c": "a", "f": "calls", "n": 3}
        for minute in range(2000)
        for _ in range(2)
    )

    report = simulated(lines, text=text)
    monkeypatch.undo()

    # Had a counter in force been dropped, more would be allowed than fits in its period.
    assert 2 * 600 // 3 == report.total.after.allowed
    assert purges[-1][0] > 300
    assert max(size for _, size in purges) <= 200


def test_the_clock_of_the_store_drops_nothing_of_a_log_from_long_ago() -> None:
    start = at("1999-12-31 12:00") // 1000
    calls = [{"t": start + i, "c": "a", "f": "tokens", "n": 1000} for i in range(10)]

    assert 3 == simulated(lines_of(calls)).total.after.allowed


def timeless(report: Simulation) -> Simulation:
    """Without what differs from run to run."""
    return msgspec.structs.replace(report, seconds=0.0, lines_per_second=0)


CREDITS = """
version: 1
default_plan: free
features:
  credits: {type: metered, decimals: 1}
  image: {type: metered, credit: {pool: credits, cost: 2.5}}
plans:
  free:
    entitlements:
      image: true
      credits: {limit: 10, per: day, soft: true}
  tight:
    entitlements:
      image: {limit: 3, per: day, enforce: shadow}
      credits: {limit: 10, per: day}
"""


def test_credits_past_a_soft_limit_are_overage_of_the_pool() -> None:
    day = at("2026-03-10 12:00") // 1000
    calls = [{"t": day + i, "c": "a", "f": "image", "n": 1} for i in range(6)]

    report = simulated(lines_of(calls), text=CREDITS)

    assert {"image": (6, 2, 0, 0), "credits": (0, 0, 50, 1)} == {
        row.feature_id: (row.decisions, row.after.over_limit, row.after.overage, row.decimals)
        for row in report.features
    }
    assert ("overage", ["0", "5.0"]) == soft_columns_of(report.features)[-1]


def test_credits_that_ran_out_and_limits_in_shadow_are_distinguished() -> None:
    day = at("2026-03-10 12:00") // 1000
    calls = [{"t": day + i, "c": "a", "f": "image", "n": 1, "p": "tight"} for i in range(6)]

    report = simulated(lines_of(calls), "{p}", text=CREDITS)

    assert {"INSUFFICIENT_CREDITS": 2} == report.reasons
    assert (4, 1) == (report.total.after.allowed, report.total.after.would_deny)


FIRST_USE = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 4, per: 5 minutes, anchor: first_use}
"""


def test_windows_of_first_use_open_and_close_at_the_times_of_the_log() -> None:
    rng = random.Random(31)
    at_ms = at("2024-02-28 23:00")
    calls = []
    for _ in range(1500):
        at_ms += rng.randrange(1, 20_000)
        calls.append((at_ms, f"c{rng.randrange(4)}"))
    windows: dict[str, tuple[int, int]] = {}
    denied: Counter[str] = Counter()
    for called_ms, customer in calls:
        opened, used = windows.get(customer, (-(10**12), 0))
        if called_ms >= opened + 300_000:
            opened, used = called_ms, 0
        if used < 4:
            windows[customer] = (opened, used + 1)
        else:
            denied[customer] += 1

    lines = lines_of([{"t": t, "c": c, "f": "calls", "n": 1} for t, c in calls])
    report = simulated(lines, text=FIRST_USE)

    assert dict(denied) == denied_by_customer(report)
