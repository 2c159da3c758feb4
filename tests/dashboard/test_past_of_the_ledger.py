"""A plan tried on the ledger of the last days, and on an uploaded file of its archive."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from quotad.archive import ArchiveDirectory, write_block
from quotad.archive.blocks import line_of
from quotad.dashboard.ask import FormFields
from quotad.dashboard.past import DAY_MS, days_of
from quotad.errors import InvalidRequest
from quotad.ledger import LedgerEntry
from quotad.moments import written_time
from quotad.operations.trials import now_ms
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.running import eventually

ENDS_MS = 60_000
"""Far above what a trial takes, so that only a hang meets it."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of yesterday, two calls and a refund; of the day before, a block that is damaged;
    and of a month ago, a call."""
    path = tmp_path_factory.mktemp("archive")
    for days, quantities in ((1, (11, 1, -1)), (2, (5,)), (31, (7,))):
        at_ms = now_ms() - days * DAY_MS
        entry = LedgerEntry(f"0-{at_ms}-0-0", at_ms, "consume", "acme", "calls", 1, True, "")
        entries = [
            replace(
                entry,
                id=f"0-{at_ms}-{number}-0",
                verb="consume" if quantity > 0 else "refund",
                quantity=quantity,
            )
            for number, quantity in enumerate(quantities)
        ]
        block = bytearray(write_block([line_of(each) for each in entries], at_ms, at_ms))
        if days == 2:
            block[-8] ^= 1  # of its checksum
        ArchiveDirectory(path).put((written_time(at_ms) or "")[:10], 0, bytes(block))
    return path


@pytest.fixture(scope="module")
def served(store_url: str, archive: Path) -> Iterator[DashboardRunning]:
    """A dashboard that reads the archive, on a store whose ledger has two calls, one denied."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(store_url, name, ledger_archive=str(archive)) as made:
        made.grpc.publish_and_wait(CATALOG.replace("unit: call,", "unit: call, ledger: all,"))
        eventually(lambda: made.server.ready, bool)
        made.grpc.consume("acme", "calls", quantity=2)
        made.grpc.consume("acme", "calls", quantity=500)
        yield made


def compare_plans(page: Page) -> None:
    page.get_by_role("radio", name="Two plans").check()
    page.get_by_role("combobox", name="Plan", exact=True).select_option("pro")
    page.get_by_role("combobox", name="Beside").select_option("free")
    page.get_by_role("button", name="Try it").click()


def test_two_plans_are_tried_on_the_ledger_of_the_last_days(page: Page) -> None:
    page.goto("/past")
    page.get_by_role("radio", name="the ledger and its archive").check()
    page.get_by_label("Days of the ledger").fill("8")
    compare_plans(page)

    shown = page.locator("main")
    # 11 and 500 are more than a free customer has, in whichever month.
    expect(shown).to_contain_text(
        re.compile(r"Decisions\s*4\s*1 line skipped\s*Denied\s*0\s*0 %\s*Denied before\s*2"),
        timeout=ENDS_MS,
    )
    expect(shown).to_contain_text("1 entry of the ledger was left out: refund 1")
    expect(page.get_by_role("heading", name="The ledger, 8 days")).to_be_visible()


def test_a_file_of_the_archive_is_uploaded_as_a_log(page: Page, archive: Path) -> None:
    page.goto("/past")
    page.locator("input[type=file]").set_input_files(max(archive.iterdir()))
    page.get_by_role("combobox", name="Format").select_option("ledger")
    compare_plans(page)

    expect(page.locator("main")).to_contain_text(
        re.compile(r"Decisions\s*2\s*every line\s*Denied\s*0\s*0 %\s*Denied before\s*1"),
        timeout=ENDS_MS,
    )


@pytest.mark.parametrize("text", ["", "0", "-1", "367", "1e3", "9999999999", "\u0663"])
def test_what_is_no_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="days: give a number from 1 to 366"):
        days_of(FormFields((("source", "ledger"), ("days", text))))
