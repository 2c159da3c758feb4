"""The archive has every entry of the ledger once, whoever writes it and whenever that is killed."""

import gzip
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quotad.archive import ArchiveDirectory, DamagedBlock, ForeignBytes, read_block, write_block
from quotad.engine.noted import read_record
from quotad.export import ArchiveTarget, archiving
from quotad.operations.exports import ExportWatch
from quotad.outbox import OutboxItem
from quotad.store.exports import ExportRecords
from quotad.store.ledger import BESIDE, LedgerStreams
from tests.export.exported import Exported, run


class Killed(BaseException):
    """The process ends here."""


def archived(directory: Path) -> list[dict[str, Any]]:
    """The entries of all files, as anyone reads them."""
    return [
        json.loads(line)
        for path in sorted(directory.glob("*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def noted(exported: Exported) -> list[str]:
    """The ids of all entries that the store has."""
    streams = LedgerStreams(exported.made.store, exported.made.keys)
    found = streams.read(dict.fromkeys([*range(streams.shards), *BESIDE]), 10_000)
    return [entry.id for some in found.values() for each in some for entry in read_record(each)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries do not wait for more of their block."""
    monkeypatch.setattr(archiving, "HELD_MS", 0)


def test_files_of_days_have_every_entry_of_the_ledger_from_its_beginning(
    exported: Exported, tmp_path: Path
) -> None:
    exported.take("a", key="k")
    exported.take("a", 3, "calls")
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    exporter = exported.exporter(target, from_oldest=False)
    run(exporter, target)
    exported.take("b")
    run(exporter, target)

    lines = archived(tmp_path)
    assert sorted(noted(exported)) == sorted(each["id"] for each in lines)
    assert ["change", "consume", "consume", "consume"] == sorted(each["verb"] for each in lines)
    (denied,) = [each for each in lines if not each["allowed"]]
    assert ("calls", 3, "LIMIT_EXCEEDED") == (
        denied["feature_id"],
        denied["quantity"],
        denied["reason"],
    )


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, target: ArchiveTarget) -> Iterator[None]:
    """Kill the process at one of the moments at which something is written: before it is, when
    some of its bytes are, or after."""
    moments = itertools.count()

    def killing(do: Callable[..., Any]) -> Callable[..., Any]:
        def killed(*args: Any, **named: Any) -> Any:
            if next(moments) == step:
                raise Killed
            result = do(*args, **named)
            if next(moments) == step:
                raise Killed
            return result

        return killed

    def torn(file: int, data: bytes, at: int) -> int:
        if next(moments) == step:
            pwrite(file, data[: len(data) // 2], at)
            raise Killed
        return pwrite(file, data, at)

    pwrite = os.pwrite
    with monkeypatch.context() as patched:
        for name in ("claim", "write", "begin"):
            patched.setattr(ExportRecords, name, killing(getattr(ExportRecords, name)))
        patched.setattr(target, "send", killing(target.send))
        patched.setattr(os, "pwrite", torn)
        yield


def test_wherever_an_archiver_is_killed_files_have_each_entry_once(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "BLOCK_BYTES", 700)  # two entries or three
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    kills = 0
    for step in itertools.count():
        for number in range(5):
            exported.take(f"c{number}", key=f"{step}-{number}")
        with killed_at(step, monkeypatch, target):
            try:
                run(exported.exporter(target), target)
            except Killed:
                kills += 1
            else:
                break
        exported.end_lease(target)
        if step % 2:  # else the next one is killed before it has done what this one has left
            left = exported.exporter(target)
            run(left, target)
            left.let_go(target)

    assert kills > 10
    assert Counter(noted(exported)) == Counter(each["id"] for each in archived(tmp_path))


def test_what_a_suspended_archiver_writes_late_is_there_already(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    late: list[OutboxItem] = []

    def suspend(item: OutboxItem) -> None:
        late.append(item)
        raise Killed

    exported.take("a")
    with monkeypatch.context() as patched:
        patched.setattr(target, "send", suspend)
        with pytest.raises(Killed):
            run(exported.exporter(target), target)
    exported.end_lease(target)
    exported.take("b")
    run(exported.exporter(target), target)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()

    for item in late:
        target.send(item)

    assert late
    assert before == path.read_bytes()


def test_what_is_written_over_something_else_is_refused_and_again_is_not(tmp_path: Path) -> None:
    archive = ArchiveDirectory(tmp_path / "made")
    archive.put("2031-01-15", 0, b"first")
    archive.put("2031-01-15", 0, b"first")
    archive.put("2031-01-15", 5, b"second")

    assert ["2031-01-15"] == archive.names()
    assert b"firstsec" == archive.read("2031-01-15", 0, 8)
    for at, block in ((0, b"other"), (0, b"other and longer"), (20, b"third")):
        with pytest.raises(ForeignBytes):
            archive.put("2031-01-15", at, block)
    assert b"firstsecond" == archive.read("2031-01-15", 0, 99)


def test_a_block_that_was_cut_off_makes_way_for_another_one(tmp_path: Path) -> None:
    archive = ArchiveDirectory(tmp_path)
    first, torn, block = (write_block([line * 9], 1, 1) for line in (b"a\n", b"b-b\n", b"c\n"))
    archive.put("2031-01-15", 0, first)
    archive.put("2031-01-15", len(first), torn[:-1])

    archive.put("2031-01-15", len(first), block)

    assert first + block == archive.read("2031-01-15", 0, 999)


def test_after_an_older_copy_of_the_store_was_restored_files_have_each_entry_once(
    exported: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(archiving, "BLOCK_BYTES", 700)  # two entries or three
    directory = ArchiveDirectory(tmp_path)
    taken = itertools.count()

    def take(most: int) -> None:
        for number in itertools.islice(taken, most):
            exported.take(f"c{number % 5}", key=str(number))

    def archive() -> None:
        target = ArchiveTarget(directory)
        exporter = exported.exporter(target)
        run(exporter, target)
        exporter.let_go(target)

    def written() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl.gz")}

    for step in itertools.count(0, 7):  # moments of all kinds, and not each of them
        take(3)
        archive()
        take(2)  # noted in the copy, archived after it
        copy = exported.copy()
        take(4)
        archive()
        before = written()
        exported.restore(copy)
        take(6)
        caplog.clear()
        target = ArchiveTarget(directory)
        with killed_at(step, monkeypatch, target):
            try:
                run(exported.exporter(target), target)
                was_killed = False
            except Killed:
                was_killed = True
        warnings = [each for each in caplog.messages if "may be of an older copy" in each]
        exported.end_lease(target)
        archive()
        take(1)
        archive()

        after = written()
        assert all(after[name].startswith(raw) for name, raw in before.items())
        assert {1} == set(Counter(each["id"] for each in archived(tmp_path)).values())
        assert set(noted(exported)) <= {each["id"] for each in archived(tmp_path)}
        if not was_killed:
            break

    assert step > 10
    assert next(taken) == sum(each["verb"] == "consume" for each in archived(tmp_path))
    assert 1 == len(warnings)


def test_a_file_that_is_gone_is_waited_for(exported: Exported, tmp_path: Path) -> None:
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    exported.take("a")
    run(exported.exporter(target), target)
    (path,) = tmp_path.iterdir()
    away = path.rename(tmp_path / "away")
    exported.end_lease(target)
    exported.take("b")

    run(exported.exporter(target), target)
    assert 1 == exported.watch().readings["archive"].unsent
    away.replace(path)
    exported.end_lease(target)
    run(exported.exporter(target), target)

    assert sorted(noted(exported)) == sorted(each["id"] for each in archived(tmp_path))


def test_a_block_that_is_cut_off_or_changed_is_not_read(exported: Exported, tmp_path: Path) -> None:
    exported.take("a")
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    run(exported.exporter(target), target)
    (path,) = tmp_path.iterdir()
    raw = path.read_bytes()

    assert raw == path.read_bytes()[: read_block(raw).head.length]
    for damaged in (raw[:20], raw[:-1], b"x" + raw[1:], raw[:60] + b"\0\0\0\0" + raw[64:]):
        with pytest.raises(DamagedBlock):
            read_block(damaged)


def test_an_archive_that_is_behind_warns_before_the_store_drops_what_is_not_in_it(
    exported: Exported, tmp_path: Path
) -> None:
    target = ArchiveTarget(ArchiveDirectory(tmp_path))
    run(exported.exporter(target), target)
    now_ms = exported.records.now_ms()
    for kept_ms, warned in ((3 * 3_600_000, 2), (5 * 3_600_000, 1)):
        watch = ExportWatch(exported.records, lambda: now_ms + 7_200_000, kept_ms)
        watch.look()
        assert warned == len(watch.warnings)
        assert "is `quotad ledger archive` running?" in watch.warnings[0]
