"""On a cluster each shard has files of its own in the archive, and pages read them as one."""

from pathlib import Path

import pytest

from quotad.export import archiving, part
from quotad.operations import archived
from tests.deciding import bench
from tests.export.conftest import CATALOG
from tests.export.exported import Exported
from tests.export.test_reading_archives import CUSTOMERS, Archived


def test_every_entry_is_in_the_file_of_its_shard_and_is_read_from_there(
    store_url: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "RENEW_S", -1.0)
    monkeypatch.setattr(part, "CLOCKS_APART_MS", 0)
    monkeypatch.setattr(archiving, "HELD_MS", 0)
    monkeypatch.setattr(archived, "SURE_MS", 0)
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        ledger = Archived(Exported(made), tmp_path)
        ledger.take(*CUSTOMERS, *CUSTOMERS)
        before = sorted(each.id for each in ledger.every(with_changes=True))
        ledger.archive()
        ledger.drop()

        assert 21 == len(before)
        assert before == sorted(each.id for each in ledger.every(with_changes=True))
        assert 2 == len(ledger.every(customer_id="c1"))
        parts = {path.name.split(".")[1] for path in tmp_path.iterdir()}
        shards = {str(made.keys.shard(customer)) for customer in CUSTOMERS}
        assert {"catalogs", *shards} == parts
