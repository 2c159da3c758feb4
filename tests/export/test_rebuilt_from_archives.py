"""A store that was restored from an old copy gets its counters back from the archive, exactly."""

from collections import Counter
from pathlib import Path

import pytest

from quotad.archive import ArchiveDirectory
from quotad.export import ArchiveTarget, archiving
from quotad.feed.usage import UsageNotes
from quotad.held import Because
from quotad.ledger import LedgerKept
from quotad.operations import archived
from quotad.operations.archived import ArchivedLedger
from quotad.operations.exports import read_until_ms
from quotad.operations.ledger import LedgerOperations
from quotad.operations.rebuilding import UsageRebuilds
from quotad.operations.usage_audit import UsageAudits
from quotad.outbox import ARCHIVE
from quotad.store import Retention
from quotad.store.rebuilding import RebuildScript
from quotad.store.usage import UsageStore
from tests.export.exported import Exported, run
from tests.raw import raw

WHY = (Because("restored", "ann", "ops"), ("ops", "grpc"))


def rebuilds(exported: Exported, directory: Path) -> UsageRebuilds:
    made = exported.made
    archive = ArchivedLedger(
        ArchiveDirectory(directory), lambda: read_until_ms(exported.records, ARCHIVE)
    )
    audits = UsageAudits(
        LedgerOperations(exported.streams, archive),
        UsageStore(made.store, made.keys),
        made.customers,
        made.catalogs,
        made.snapshots,
        made.clock,
    )
    script = RebuildScript(made.store, made.keys)
    return UsageRebuilds(audits, script, Retention(), LedgerKept(), made.keys, UsageNotes())


@pytest.mark.parametrize("copy", ["an old copy", "nothing"])
def test_what_a_copy_did_not_have_comes_back_from_the_archive(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: str
) -> None:
    monkeypatch.setattr(archiving, "HELD_MS", 0)
    monkeypatch.setattr(archived, "SURE_MS", 0)
    store, start = raw(exported.made.store), f"{exported.made.keys.prefix}:*"
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    taken: Counter[str] = Counter()

    def take(*quantities: int) -> None:
        for quantity in quantities:
            for number in range(6):
                exported.take(f"c{number}", quantity + number)
                taken[f"c{number}"] += quantity + number

    def counted() -> dict[str, int]:
        pattern = f"{exported.made.keys.prefix}:*:u:{{}}:*"
        found = {each: store.keys(pattern.format(each)) for each in taken}
        return {each: int(store.get(name)) for each, (name,) in found.items()}

    take(1, 2)
    dumps = {name: (store.dump(name), max(store.pttl(name), 0)) for name in store.keys(start)}
    take(3, 4)
    run(exported.exporter(target), target)
    usage = f"{exported.made.keys.prefix}:*:{'u:*' if copy == 'nothing' else '*'}"
    streams = f"{exported.made.keys.prefix}:*:l"
    store.delete(*store.keys(usage), *store.keys(streams))
    if copy != "nothing":
        for name, (dump, ttl) in dumps.items():
            store.restore(name, ttl, dump, replace=True)
    take(5)
    assert counted() != taken
    using = rebuilds(exported, tmp_path)

    dry = using.rebuild(since_ms=0)
    done = using.rebuild(since_ms=0, apply=WHY)

    assert 6 == len(dry.drifted) == sum(each.rebuilt for each in done.counters)
    assert taken == counted()
    assert ([], 6) == ((found := using.rebuild(since_ms=0)).counters, found.agreed)
    for each in taken:
        assert 1 == using.rebuild(each, since_ms=0).agreed
