"""Journals: what is on disk is read again in full, and what is not is told apart from damage."""

import errno
import os
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.errors import ConfigError
from quotad.journal import Journal, JournalDirectory, JournalEntry, JournalError, JournalFull
from quotad.journal import JournalCounter as Counter
from quotad.journal.entries import (
    ABANDONED,
    JournalHead,
    batch_bytes,
    head_bytes,
    read_journal,
)
from quotad.journal.writer import FILE_BYTES_MAX


def now_ms() -> int:
    return time.time_ns() // 1_000_000


HEAD = JournalHead("j1", "store", 1_700_000_000_000)


def entry(sequence: int = 0, key: str = "", customer_id: str = "acme") -> JournalEntry:
    counters = (Counter(":calls:m2026-11", 3, 1_800_000_000_000),)
    once = (key, "f" * 16, b"memo", 1000) if key else ("", "", b"", 0)
    return JournalEntry(
        sequence, 1_700_000_000_000, customer_id, 7, counters, (("calls", "", 3),), *once
    )


BATCHES = [[entry(1)], [entry(2, "key"), entry(3)], [entry(4)]]
FILE = head_bytes(HEAD) + b"".join(map(batch_bytes, BATCHES))
ENDS = [
    len(head_bytes(HEAD) + b"".join(map(batch_bytes, BATCHES[:n]))) for n in range(len(BATCHES) + 1)
]


def sequences(data: bytes) -> list[int]:
    return [each.sequence for each in read_journal(data).entries]


def test_what_was_written_is_read_again() -> None:
    found = read_journal(FILE)

    assert (HEAD, tuple(chain(*BATCHES)), (), 0) == (
        found.head,
        found.entries,
        found.damaged,
        found.cut_off,
    )


def test_a_file_that_is_cut_at_any_byte_has_the_batches_that_are_whole_and_no_damage() -> None:
    for size in range(len(FILE) + 1):
        found = read_journal(FILE[:size])
        whole = [each for end, each in zip(ENDS[1:], BATCHES, strict=True) if end <= size]

        assert tuple(chain(*whole)) == found.entries, size
        assert () == found.damaged, size
        assert size - max([0, *[end for end in ENDS if end <= size]]) == found.cut_off, size


def test_a_byte_that_is_wrong_costs_one_batch_and_is_told() -> None:
    for at in range(len(FILE)):
        wrong = bytearray(FILE)
        wrong[at] ^= 0x55
        found = read_journal(bytes(wrong))
        lost = next(n for n, end in enumerate(ENDS) if at < end)
        kept = [each for n, each in enumerate(BATCHES) if n + 1 != lost]

        assert tuple(chain(*kept)) == found.entries, at
        # A length that is wrong may look like a last batch that is not whole.
        assert found.damaged or found.cut_off, at
        assert found.damaged or lost == len(BATCHES), at
        assert (found.head is None) == (lost == 0), at


@given(st.binary(max_size=200), st.integers(0, len(FILE)), st.integers(0, 50))
def test_nothing_that_stands_in_a_file_raises(noise: bytes, at: int, gone: int) -> None:
    found = read_journal(FILE[:at] + noise + FILE[at + gone :])

    assert set(sequences(FILE)) >= {each.sequence for each in found.entries}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(JournalDirectory(tmp_path / "j"), 10_000_000, now_ms)
    made.store_id = "store"
    return made


def written(journal: Journal) -> list[JournalEntry]:
    return [
        each
        for file, length in journal.files()
        for each in read_journal(file.read()[:length]).entries
    ]


def test_entries_get_the_next_sequence_of_their_journal(journal: Journal) -> None:
    journal.append([entry(), entry()])
    journal.append([entry()])

    assert [1, 2, 3] == [each.sequence for each in written(journal)]
    ((file, length),) = journal.files()
    assert file.size == length
    head = read_journal(file.read()).head
    assert head is not None
    assert (file.path.stem, "store") == (head.journal_id, head.store_id)


def test_before_the_store_was_reached_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(JournalDirectory(tmp_path), 10_000_000, now_ms)

    with pytest.raises(JournalError, match="not reached yet"):
        journal.append([entry()])
    assert [] == list(tmp_path.iterdir())


def test_a_full_journal_refuses_and_takes_more_when_something_was_removed(tmp_path: Path) -> None:
    journal = Journal(JournalDirectory(tmp_path), 1_000, now_ms)
    journal.store_id = "store"
    with suppress(JournalFull):
        for _ in range(100):
            journal.append([entry()])
    assert 5 < len(written(journal)) < 100
    with pytest.raises(JournalFull):
        journal.append([entry()])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_000
    assert "the journal is full" == journal.problem

    ((file, length),) = journal.files()
    assert journal.release(file, length)
    journal.directory.remove(file)
    journal.append([entry()])

    assert ("", 2) == (journal.problem, journal.refused)
    assert [1] == [each.sequence for each in written(journal)]


def test_a_file_grows_to_a_size_and_the_next_is_begun(journal: Journal) -> None:
    many = [entry(customer_id="c" * 200)] * 1_000
    while len(journal.files()) < 2:
        journal.append(many)

    first, second = (file for file, _ in journal.files())
    assert first.size >= FILE_BYTES_MAX
    assert first.path.name < second.path.name
    assert [1] == sequences(second.read())[:1]


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_disk_that_refuses_leaves_what_was_answered_and_nothing_of_the_rest(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal.append([entry()])
    real = os.pwrite

    def refuses(descriptor: int, *args: Any) -> int:
        if call == "pwrite" and len(args[0]) > 10:
            return real(descriptor, args[0][:10], args[1])  # a part of it, before it is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuses)
        for _ in range(3):
            with pytest.raises(JournalError, match="No space left"):
                journal.append([entry(), entry()])
    assert [1] == [each.sequence for each in written(journal)]
    # Those that were begun for nothing are gone, as there would be one for every call.
    assert 1 == len(list(journal.directory.path.iterdir()))

    journal.append([entry()])

    assert [1, 1] == [each.sequence for each in written(journal)]
    assert 2 == len({file.path for file, _ in journal.files()})


def test_a_file_is_taken_over_once_its_process_has_let_go_of_it(journal: Journal) -> None:
    journal.append([entry()])
    other = Journal(JournalDirectory(journal.directory.path), 10_000_000, now_ms)
    assert [] == other.adopt()

    journal.close()
    (taken,) = other.adopt()

    assert [1] == sequences(taken.read())
    assert [] == other.adopt()
    assert [taken] == [file for file, _ in other.files()]


def test_a_file_that_was_written_to_meanwhile_is_not_released(journal: Journal) -> None:
    journal.append([entry()])
    ((file, length),) = journal.files()
    journal.append([entry()])

    assert not journal.release(file, length)
    assert [1, 2] == [each.sequence for each in written(journal)]


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"journal: .*/file"):
        JournalDirectory(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"journal: .*/file/below: Not a directory"):
        JournalDirectory(tmp_path / "file" / "below")


def test_only_its_owner_reads_a_journal(journal: Journal) -> None:
    journal.append([entry()])

    assert 0o700 == journal.directory.path.stat().st_mode & 0o777
    ((file, _),) = journal.files()
    assert 0o600 == file.path.stat().st_mode & 0o777


def refusing(*calls: str, patched: pytest.MonkeyPatch) -> None:
    """Have calls fail as on a broken disk; `pwrite` only of what marks a batch as abandoned."""
    real = os.pwrite

    def refuses(*args: Any) -> int:
        if len(args) == 3 and args[1] != ABANDONED:
            return real(*args)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for call in calls:
        patched.setattr(os, call, refuses)


def left_behind(journal: Journal) -> list[int]:
    """Sequences that the next process reads when this one has ended."""
    journal.close()
    files = sorted(journal.directory.path.iterdir())
    return [sequence for file in files for sequence in sequences(file.read_bytes())]


def test_a_batch_that_cannot_even_be_cut_off_is_read_by_no_process(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append([entry()])
    with monkeypatch.context() as patched:
        refusing("fdatasync", "ftruncate", patched=patched)
        with pytest.raises(JournalError, match="Input/output error"):
            journal.append([entry(), entry()])
    journal.append([entry()])

    ((failed, length), _) = journal.files()
    assert length < failed.size
    assert () == read_journal(failed.read()).damaged
    assert [1, 1] == [each.sequence for each in written(journal)]
    assert [1, 1] == left_behind(journal)


def test_what_a_disk_refuses_to_cut_off_is_cut_off_when_it_is_well_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append([entry()])
    with monkeypatch.context() as patched:
        refusing("fdatasync", "ftruncate", "pwrite", patched=patched)
        with pytest.raises(JournalError, match="Input/output error"):
            journal.append([entry()])
        ((failed, _),) = journal.files()
        assert [1, 2] == sequences(failed.read())

    assert [1] == left_behind(journal)


def test_a_file_begun_for_nothing_that_stays_holds_nothing_to_count(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        refusing("fdatasync", patched=patched)
        patched.setattr(journal.directory, "remove", refuses)
        with pytest.raises(JournalError, match="Input/output error"):
            journal.append([entry()])

    assert [] == written(journal)
    assert [] == left_behind(journal)
