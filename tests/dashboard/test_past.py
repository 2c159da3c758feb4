"""A plan tried on the past: a log is uploaded, run beside everything else, and reported."""

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from quotad.customers.subscriptions import Provision
from tests.dashboard.serving import DashboardRunning
from tests.running import eventually

LINE = '{} - - [17/May/2026:09:{:02}:00 +0000] "GET / HTTP/1.1" 200 2326 "-" "curl"\n'

ENDS_MS = 30_000
"""Far above what a trial takes, so that only a hang meets it."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """25 calls of one customer and 5 of another, in one hour."""
    path = tmp_path / "access.log.gz"
    lines = [LINE.format("192.0.2.7", minute) for minute in range(25)]
    lines += [LINE.format("192.0.2.8", minute) for minute in range(5)]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def test_a_draft_is_tried_on_a_log_beside_what_is_in_force(
    page: Page, served: DashboardRunning, log: Path
) -> None:
    served.parts.customers.provision("192.0.2.8", Provision("pro"))
    page.goto("/plans/free/features/calls")
    page.get_by_label("Calls", exact=True).first.fill("20")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("Saved in your draft.")).to_be_visible()

    page.goto("/past")
    page.locator("input[type=file]").set_input_files(log)
    page.get_by_label("Your draft beside what is in force").check()
    page.get_by_role("combobox", name="Feature", exact=True).select_option(label="API calls")
    page.get_by_role("button", name="Try it").click()

    expect(page.get_by_role("heading", name="access.log.gz")).to_be_visible()
    expect(page.get_by_role("heading", name="Over time")).to_be_visible(timeout=ENDS_MS)
    shown = page.locator("main")
    expect(shown).to_contain_text(
        re.compile(r"Decisions\s*30\s*every line\s*Denied\s*5\s*16 %\s*Denied before\s*15")
    )
    expect(shown).to_contain_text(re.compile(r"Newly allowed\s*10\s*1 customer"))
    expect(page.get_by_role("row", name="Free 25 5 15 0 10")).to_be_visible()
    expect(page.get_by_role("row", name="Pro 5 0 0 0 0")).to_be_visible()
    expect(page.locator(".plot canvas")).to_be_visible()
    page.get_by_role("link", name="Try a plan on the past").click()
    expect(page.get_by_role("link", name="access.log.gz")).to_be_visible()


def test_two_plans_and_a_log_that_cannot_be_read(
    page: Page, served: DashboardRunning, log: Path, tmp_path: Path
) -> None:
    page.goto("/past")
    page.locator("input[type=file]").set_input_files(log)
    page.get_by_role("radio", name="Two plans").check()
    page.get_by_role("combobox", name="Plan", exact=True).select_option("pro")
    page.get_by_role("combobox", name="Beside").select_option("free")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("main")).to_contain_text(
        re.compile(r"Denied before\s*15\s*Free"), timeout=ENDS_MS
    )

    wrong = tmp_path / "notes.txt"
    wrong.write_text("a shopping list\n")
    page.goto("/past")
    page.locator("input[type=file]").set_input_files(wrong)
    page.get_by_role("button", name="Try it").click()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("no line could be used; the first:", timeout=ENDS_MS)
    # What it was made of is gone.
    assert eventually(lambda: served.server.trials.under_way, lambda count: count == 0) == 0
