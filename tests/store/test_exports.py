"""The record of a part of an export: one process has it, and writes all of it or nothing."""

import pytest

from quotad.store import KeySpace, Store
from quotad.store.exports import ALL, OTHERS, ExportPart, ExportRecords
from tests.raw import raw

PART = ExportPart("files", "0")


@pytest.fixture
def records(store: Store, keys: KeySpace) -> ExportRecords:
    return ExportRecords(store, keys)


def test_one_process_has_a_part_and_writes_it(records: ExportRecords) -> None:
    assert records.claim(PART, "one")
    assert records.claim(PART, "one")
    assert not records.claim(PART, "other")

    assert 0 == records.write(PART, "one", {"a": b"1", "b": b"\x00\xff"}, [])
    assert 0 == records.write(PART, "one", {"c": b"3"}, ["a"])
    assert OTHERS == records.write(PART, "other", {"d": b"4"}, ["b"])

    found = records.read(PART)
    assert {"b": b"\x00\xff", "c": b"3"} == {name: found[name] for name in "abcd" if name in found}


def test_a_part_that_was_let_go_or_whose_time_is_over_is_taken_by_another(
    records: ExportRecords, store: Store, keys: KeySpace
) -> None:
    records.claim(PART, "one")
    records.write(PART, "one", {}, [], let_go=True)
    assert records.claim(PART, "other")

    raw(store).hset(keys.export("files", "0"), "until", 1)
    assert records.claim(PART, "third")

    assert OTHERS == records.write(PART, "other", {"a": b"1"}, [])


def test_a_time_far_ahead_as_of_a_clock_that_was_wrong_keeps_no_part(
    records: ExportRecords, store: Store, keys: KeySpace
) -> None:
    records.claim(PART, "one")
    raw(store).hset(keys.export("files", "0"), "until", 4_000_000_000_000)

    assert records.claim(PART, "other")


def test_more_fields_than_a_script_unpacks_at_once_are_written_and_removed(
    records: ExportRecords,
) -> None:
    records.claim(PART, "one")
    many = {f"o{number}": b"x" for number in range(2_500)}

    records.write(PART, "one", many, [])
    assert many.keys() <= records.read(PART).keys()
    records.write(PART, "one", {"left": b"1"}, list(many))

    assert not many.keys() & records.read(PART).keys()
    assert b"1" == records.read(PART)["left"]


def test_another_changes_a_field_only_as_it_has_read_it_and_the_owner_is_shown_that(
    records: ExportRecords,
) -> None:
    records.claim(PART, "one")
    records.write(PART, "one", {"a": b"1"}, [])

    assert records.change(PART, "a", b"1", b"2")
    assert not records.change(PART, "a", b"1", b"3")
    assert not records.change(PART, "b", b"1", b"3")

    assert 1 == records.write(PART, "one", {}, [])
    assert b"2" == records.read(PART)["a"]
    assert records.change(PART, "a", b"2", b"")
    assert "a" not in records.read(PART)


def test_since_when_an_export_reads_is_decided_once(records: ExportRecords) -> None:
    assert [] == records.targets()

    assert 5 == records.begin("stripe", 5)
    assert 5 == records.begin("stripe", 9)
    records.begin("files", 1)

    assert ["files", "stripe"] == records.targets()


def test_on_one_server_a_part_reads_all_streams_and_on_a_cluster_each_has_one(
    records: ExportRecords, store: Store
) -> None:
    parts = records.parts

    assert store.whole == (ALL in parts)
    read = [shard for shards in parts.values() for shard in shards]
    assert len(read) == len(set(read))
    assert {*range(4)} <= {*read}


def test_fields_of_all_parts_are_read_together(records: ExportRecords) -> None:
    names = list(records.parts)
    records.begin("files", 0)
    for name in names[:2]:
        part = ExportPart("files", name)
        records.claim(part, "one")
        records.write(part, "one", {"progress": name.encode()}, [])

    found = records.fields("progress")

    assert {name: name.encode() for name in names[:2]} == {
        part.name: raw for part, raw in found.items()
    }
