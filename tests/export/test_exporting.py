"""Entries reach a target, each at least once, whoever exports and whenever that is killed."""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from quotad.config import Config
from quotad.engine.noted import Unreadable
from quotad.errors import ConfigError, StoreUnavailable
from quotad.export import FilesTarget, Later, SetAside, reading, sending
from quotad.outbox import OutboxItem
from quotad.server.export_server import ExportServer
from quotad.store.exports import ExportRecords
from tests.export.exported import Exported, Here, Remembered, run
from tests.raw import raw


def keys(target: Remembered) -> list[str]:
    return [key for _, key in target.arrived]


def test_every_entry_is_sent_once_in_the_order_of_its_customer(exported: Exported) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    for number in range(30):
        exported.take(f"c{number % 7}", key=f"{number}")
        if number % 10 == 9:
            run(exporter, target)

    run(exporter, target)

    assert sorted(map(str, range(30))) == sorted(keys(target))
    for customer in {customer for customer, _ in target.arrived}:
        own = [int(key) for each, key in target.arrived if each == customer]
        assert sorted(own) == own


def test_a_new_target_gets_what_comes_from_then_on_unless_asked_for_more(
    exported: Exported,
) -> None:
    exported.take("a", key="before")
    target = Remembered()
    exporter = exported.exporter(target, from_oldest=False)
    run(exporter, target)
    exported.pass_time()
    exported.take("a", key="after")

    run(exporter, target)

    assert ["after"] == keys(target)


def test_a_process_goes_on_where_another_has_let_go(exported: Exported) -> None:
    first, second = Remembered(), Remembered()
    one, other = exported.exporter(first), exported.exporter(second)
    exported.take("a", key="1")
    run(one, first)
    exported.take("a", key="2")
    run(other, second)
    assert [] == keys(second), "the first one has the part"

    one.let_go(first)
    run(other, second)

    assert (["1"], ["2"]) == (keys(first), keys(second))


def test_what_a_process_writes_that_has_lost_its_part_is_refused(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Remembered(), Remembered()
    one, other = exported.exporter(first), exported.exporter(second)
    exported.take("a", key="1")
    run(one, first)
    exported.end_lease(first)
    exported.take("a", key="2")
    run(other, second)
    exported.take("a", key="3")

    run(one, first)
    run(other, second)

    assert (["1"], ["2", "3"]) == (keys(first), keys(second))


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, target: Remembered) -> Iterator[None]:
    """Kill the process at one of the moments at which something is written or sent: before it is
    done, or after."""
    moments = itertools.count()

    def killing(do: Callable[..., object]) -> Callable[..., object]:
        def killed(*args: object, **named: object) -> object:
            if next(moments) == step:
                raise Killed
            result = do(*args, **named)
            if next(moments) == step:
                raise Killed
            return result

        return killed

    with monkeypatch.context() as patched:
        for name in ("claim", "write", "begin"):
            do = getattr(ExportRecords, name)
            patched.setattr(ExportRecords, name, killing(do))
        patched.setattr(target, "send", killing(target.send))
        yield


def test_wherever_a_process_is_killed_another_sends_the_rest_under_the_same_ids(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Remembered()
    monkeypatch.setattr(sending, "ROUNDS", 1)
    (total, kills) = (0, 0)
    for step in itertools.count():
        for number in range(3):
            exported.take(f"c{number}", key=f"{step}-{number}")
            total += 1
        exporter = exported.exporter(target)
        with killed_at(step, monkeypatch, target):
            try:
                run(exporter, target)
            except Killed:
                kills += 1
            else:
                break
        exported.end_lease(target)
        left = exported.exporter(target)
        run(left, target)
        left.let_go(target)

    assert kills > 10
    assert total == len(set(target.sent)) == len({key for _, key in target.arrived})
    assert total <= len(target.sent) <= total + kills * target.senders


def test_a_failing_queue_waits_and_others_do_not(exported: Exported) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    down = True

    def fail(item: OutboxItem) -> None:
        if item.queue == "a" and down:
            raise Later("it is closed")

    target.fail = fail
    for number in range(3):
        exported.take("a", key=f"a{number}")
        exported.take("b", key=f"b{number}")
    run(exporter, target)
    assert ["b0", "b1", "b2"] == keys(target)
    (reading,) = exported.watch().readings.values()
    assert (3, "it is closed") == (reading.unsent, reading.problem)

    down = False
    exported.end_lease(target)
    another = exported.exporter(target)  # without its pauses
    run(another, target)

    assert ["a0", "a1", "a2"] == keys(target)[3:]


def test_an_item_that_cannot_be_sent_is_parked_with_its_reason_and_sent_when_asked_for(
    exported: Exported,
) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    broken = True

    def fail(item: OutboxItem) -> None:
        if item.body == b"2" and broken:
            raise SetAside("nothing is known of it")
        if item.body == b"3" and broken:
            raise KeyError("nonsense")

    target.fail = fail
    for number in range(5):
        exported.take("a", key=str(number))
    run(exporter, target)
    assert ["0", "1", "4"] == keys(target)

    parked = exported.operations.parked()
    assert ["nothing is known of it", "KeyError: 'nonsense'"] == [each.why for each in parked]
    assert [True, False] == [each.again_ms == 0 for each in parked]
    (warning,) = exported.watch().warnings
    assert "export to files: 2 items parked; `quotad export parked` shows why" == warning
    broken = False
    assert 1 == exported.operations.retry(item_id=parked[0].id)
    run(exporter, target)
    assert ["0", "1", "4", "2"] == keys(target)
    assert 1 == exported.operations.retry("files")
    run(exporter, target)

    assert "3" == keys(target)[-1]
    assert not exported.operations.parked()
    assert not exported.watch().warnings


def test_an_export_that_is_ended_leaves_nothing_and_begins_anew(exported: Exported) -> None:
    store, names = raw(exported.made.store), f"{exported.made.keys.prefix}:{{exports}}:*"
    target = Remembered()
    exported.take("a", key="before")
    run(exported.exporter(target), target)
    assert ["files"] == [*exported.watch().readings]

    assert exported.operations.end("stripe") is None
    assert 0 == exported.operations.end("files")

    assert not store.keys(names)
    assert exported.operations.end("files") is None
    exported.take("a", key="meanwhile")
    exported.pass_time()
    again = exported.exporter(target, from_oldest=False)
    run(again, target)
    exported.pass_time()
    exported.take("a", key="after")
    run(again, target)
    assert ["before", "after"] == keys(target)


def test_a_poisoned_entry_is_parked_as_its_record_and_what_is_beside_it_goes_on(
    exported: Exported,
) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    for customer in ("a", "poison", "b"):
        exported.take(customer, key=customer)

    run(exporter, target)

    assert ["a", "b"] == sorted(keys(target))
    (parked,) = exported.operations.parked()
    assert "ValueError: it is poisoned" == parked.why


def test_a_record_of_a_newer_release_is_kept_and_exported_once_it_can_be_read(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    exported.take("a", key="1")
    with monkeypatch.context() as older:
        older.setattr(reading, "read_record", unreadable)
        run(exporter, target)
    exported.take("a", key="2")
    run(exporter, target)
    assert ["2"] == keys(target)
    (parked,) = exported.operations.parked()
    assert "format 9, which this release does not know" == parked.why

    exported.operations.retry()
    run(exporter, target)

    assert ["2", "1"] == keys(target)


def unreadable(_: object) -> list[object]:
    raise Unreadable("format 9, which this release does not know")


def test_what_the_ledger_has_dropped_before_it_was_read_is_reported(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    exported.take("a", key="1")
    run(exporter, target)
    assert 0 == exported.watch().reading_of_each("gaps")[0]
    monkeypatch.setattr(reading, "AWAY_MS", -1)  # as if it had not read for long
    exported.take("a", key="2")
    for stream in exported.made.keys.shard_ledgers:
        raw(exported.made.store).xtrim(stream, maxlen=0, approximate=False)
    exported.take("a", key="3")

    run(exporter, target)

    assert ["1", "3"] == keys(target)
    watch = exported.watch()
    assert 1 == watch.reading_of_each("gaps")[0]
    assert any("may have been dropped" in each for each in watch.warnings)


def test_a_store_that_is_away_loses_nothing_and_doubles_no_record(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Remembered()
    exporter = exported.exporter(target)
    exported.take("a", key="1")
    write = exported.records.write
    with monkeypatch.context() as away:

        def lost(*args: object, **named: object) -> int:
            write(*args, **named)  # type: ignore[arg-type]
            raise StoreUnavailable("no answer")

        away.setattr(exported.records, "write", lost)
        with pytest.raises(StoreUnavailable):
            exporter.round(target, Here())

    run(exporter, target)

    assert ["1"] == keys(target)


def test_files_have_a_line_for_each_entry_and_are_the_same_when_written_again(
    exported: Exported, tmp_path: Path
) -> None:
    (tmp_path / "ledger").mkdir()
    target = FilesTarget(tmp_path / "ledger")
    exporter = exported.exporter(target)
    for number in range(4):
        exported.take("a", 10 + number, key=f"k{number}")
    exported.take("a", 3, "calls")

    run(exporter, target)

    files = sorted((tmp_path / "ledger").rglob("*.jsonl"))
    lines = [msgspec.json.decode(line) for each in files for line in each.read_text().splitlines()]
    assert [10, 11, 12, 13, 3] == [line["quantity"] for line in lines]
    assert [True] * 4 + [False] == [line["allowed"] for line in lines]
    assert 5 == len({line["id"] for line in lines})
    assert [] == list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    ("directory", "problem"),
    [("file", "is not a directory"), ("file/below", "cannot be made: Not a directory")],
)
def test_a_directory_that_cannot_be_made_is_refused_before_anything_is_exported(
    directory: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / directory)
    for setting, config in (
        ("export_to", Config(export_to=(f"files:{path}",))),
        ("ledger_archive", Config(ledger_archive=path)),
    ):
        with pytest.raises(ConfigError, match=f"^{setting}: {re.escape(repr(path))} {problem}$"):
            ExportServer(config)
