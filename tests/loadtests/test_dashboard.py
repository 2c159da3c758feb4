"""The walk through the dashboard, with a handful of customers."""

from loadtests.bench.dashboard import measure


def test_every_page_and_filter_is_opened_and_timed() -> None:
    found = {each.name: each for each in measure(300, 1)}

    assert {"home", "plans", "insights, CSV", "customers: near a limit", "settings"} <= set(found)
    assert "customers: plan, next" in found  # it goes on by the cursor
    assert all(each.p50 <= each.p95 <= max(each.taken_ms) for each in found.values())
