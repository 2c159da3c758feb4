"""Pages of the ledger have what the archive has and the store does not, under the same position."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quotad.archive import ArchiveDirectory
from quotad.errors import StoreUnavailable
from quotad.export import ArchiveTarget, archiving
from quotad.ledger import EntryPage, LedgerEntry, WantedEntries
from quotad.operations import archived
from quotad.operations import ledger as operations
from quotad.operations.archived import ArchivedLedger
from quotad.operations.exports import read_until_ms
from quotad.operations.ledger import LedgerOperations
from quotad.outbox import ARCHIVE
from quotad.store.erasures import Erasures
from tests.export.exported import Exported, run
from tests.raw import raw


class Archived:
    """A ledger of which a part is in the archive alone, one in both, and one in the store alone."""

    def __init__(self, exported: Exported, directory: Path) -> None:
        self.exported = exported
        self.directory = directory
        self._target = ArchiveTarget(ArchiveDirectory(directory))
        self._exporter = exported.exporter(self._target)
        records = exported.records
        self.until_ms: Callable[[], int] = lambda: read_until_ms(records, ARCHIVE)
        self.operations = LedgerOperations(
            exported.streams, ArchivedLedger(ArchiveDirectory(directory), lambda: self.until_ms())
        )
        self.alone = LedgerOperations(exported.streams)

    def take(self, *customers: str) -> None:
        for customer in customers:
            self.exported.take(customer)

    def archive(self) -> None:
        run(self._exporter, self._target)

    def drop(self, kept: int = 0) -> None:
        """Have the store drop all but so many records of each shard."""
        made = self.exported.made
        for stream in [*made.keys.shard_ledgers, made.keys.catalog_ledger]:
            raw(made.store).xtrim(stream, maxlen=kept, approximate=False)

    def every(self, size: int = 3, **wanted: Any) -> list[LedgerEntry]:
        """All pages, one after the other."""
        found: list[LedgerEntry] = []
        position, more = "", True
        while more:
            page = self.read(position=position, size=size, **wanted)
            assert not page.gaps
            found += page.entries
            position, more = page.position, page.more
        return found

    def read(self, **wanted: Any) -> EntryPage:
        return self.operations.read(WantedEntries(**wanted))


@pytest.fixture
def ledger(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archived:
    monkeypatch.setattr(archiving, "HELD_MS", 0)
    monkeypatch.setattr(archiving, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr(archived, "SURE_MS", 0)
    return Archived(exported, tmp_path)


CUSTOMERS = [f"c{number}" for number in range(10)]


def test_pages_in_either_order_have_every_entry_once_wherever_it_is(ledger: Archived) -> None:
    ledger.take(*CUSTOMERS, *CUSTOMERS)
    every = ledger.alone.read(WantedEntries(size=1000)).entries
    ledger.archive()
    ledger.drop(kept=2)
    ledger.exported.pass_time()
    ledger.take(*CUSTOMERS)
    every += ledger.alone.read(WantedEntries(size=1000)).entries[-10:]  # by time

    oldest = ledger.every()
    assert sorted(each.id for each in every) == sorted(each.id for each in oldest)
    assert sorted(each.at_ms for each in oldest) == [each.at_ms for each in oldest]
    assert oldest == ledger.every(newest_first=True)[::-1]
    assert ["change"] == [each.verb for each in ledger.every(verb="change")]


def test_filters_and_times_choose_among_archived_entries_as_among_others(
    ledger: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take(*CUSTOMERS)
    ledger.exported.take("c1", 9, "calls")
    ledger.exported.pass_time()
    middle_ms = ledger.exported.records.now_ms()
    ledger.exported.pass_time()
    ledger.take("c1", "c2")
    wanted: list[dict[str, Any]] = [
        {"customer_id": "c1"},
        {"customer_id": "c1", "feature_id": "calls"},
        {"denied_only": True},
        {"reason": "WITHIN_LIMIT", "until_ms": middle_ms},
        {"since_ms": middle_ms},
        {"since_ms": middle_ms, "newest_first": True},
        {"until_ms": middle_ms, "newest_first": True},
        {"feature_id": "none"},
    ]
    before = [ledger.every(**each) for each in wanted]
    ledger.archive()
    ledger.drop()

    assert before == [ledger.every(**each) for each in wanted]
    assert [3, 1, 1, 10, 2, 2, 11, 0] == [len(each) for each in before]
    monkeypatch.setattr(operations, "RECORDS_MAX", 1)
    assert before == [ledger.every(**each) for each in wanted]


def test_a_position_goes_on_in_the_archive_when_the_store_has_dropped_what_follows(
    ledger: Archived,
) -> None:
    ledger.take(*CUSTOMERS)
    first = ledger.read(size=4)
    ledger.archive()
    ledger.drop()

    second = ledger.read(size=100, position=first.position)
    assert not second.gaps
    found = [*first.entries, *second.entries]
    assert sorted(CUSTOMERS) == sorted(each.customer_id for each in found)
    assert not ledger.read(position=second.position).entries


def test_what_was_dropped_before_it_was_archived_is_a_gap(ledger: Archived) -> None:
    ledger.take("c1", "c1")
    first = ledger.read(customer_id="c1", size=1)
    ledger.archive()
    ledger.take("c1", "c1")
    until_ms = ledger.exported.records.now_ms() - 60_000
    ledger.until_ms = lambda: until_ms
    ledger.drop(kept=1)

    assert ["dropped"] == [
        each.why for each in ledger.read(customer_id="c1", position=first.position).gaps
    ]


def test_an_erased_customer_is_named_by_its_pseudonym_in_what_was_archived_before(
    ledger: Archived,
) -> None:
    made = ledger.exported.made
    ledger.take("acme", "globex")
    ledger.archive()
    ledger.drop()
    erasures = Erasures(made.store, made.keys, made.customers, made.nearby, archived=True)
    erased = erasures.erase("acme", [])

    assert {erased.pseudonym, "globex"} == {each.customer_id for each in ledger.every()}
    assert not ledger.every(customer_id="acme")
    masks = made.keys.shard_masks[made.keys.shard("acme")]
    assert -1 == raw(made.store).ttl(masks)


def test_a_damaged_block_is_a_gap_and_others_are_read(ledger: Archived) -> None:
    ledger.take("c1")
    ledger.archive()
    ledger.take("c2")
    ledger.archive()
    ledger.drop()
    (path,) = ledger.directory.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + b"\0\0\0\0" + whole[64:])

    page = ledger.read()
    assert ["c2"] == [each.customer_id for each in page.entries]
    assert ["unreadable"] == [each.why for each in page.gaps]
    path.write_bytes(whole[:-1])  # the last block is being written
    page = ledger.read()
    assert (["c1"], []) == ([each.customer_id for each in page.entries], page.gaps)


def test_a_directory_that_cannot_be_read_is_no_empty_one(ledger: Archived) -> None:
    ledger.take("c1")
    ledger.archive()
    (path,) = ledger.directory.iterdir()
    path.unlink()
    path.mkdir()

    with pytest.raises(StoreUnavailable, match="ledger_archive"):
        ledger.read()
