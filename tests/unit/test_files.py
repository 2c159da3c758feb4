"""Files that are there only once they are whole."""

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from quotad.files import whole_file


def test_a_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"

    with whole_file(path) as stream:
        stream.write(b"new")
        assert not path.exists()

    assert (b"new", ["out"]) == (path.read_bytes(), os.listdir(tmp_path))


def test_an_older_file_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    with suppress(RuntimeError), whole_file(path) as stream:
        stream.write(b"new")
        raise RuntimeError

    assert (b"old", ["out"]) == (path.read_bytes(), os.listdir(tmp_path))


def test_a_file_keeps_its_mode_and_a_link_leads_to_its_file(tmp_path: Path) -> None:
    path, link = tmp_path / "out", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o600)
    link.symlink_to(path)

    with whole_file(link) as stream:
        stream.write(b"new")

    assert (True, b"new") == (link.is_symlink(), path.read_bytes())
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()

    with whole_file(path) as stream:
        stream.write(b"new")
    reader.join()

    assert ([b"new"], True) == (read, path.is_fifo())


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_directory_is_refused(name: str) -> None:
    with pytest.raises(IsADirectoryError), whole_file(Path(name)):
        pass


def test_of_two_who_write_at_a_time_the_last_to_end_leaves_its_file_whole(tmp_path: Path) -> None:
    path, other = tmp_path / "out", tmp_path / "out.partial"
    other.write_bytes(b"somebody's own")

    with whole_file(path) as slow:
        slow.write(b"slow and")
        with whole_file(path) as fast:
            fast.write(b"fast")
        assert b"fast" == path.read_bytes()
        slow.write(b" long")

    assert (b"slow and long", b"somebody's own") == (path.read_bytes(), other.read_bytes())
    assert ["out", "out.partial"] == sorted(os.listdir(tmp_path))


def test_a_pipe_that_has_no_name_of_its_own_is_written_to() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        with os.fdopen(write_end, "wb"), whole_file(Path(f"/dev/fd/{write_end}")) as stream:
            stream.write(b"new")

        assert b"new" == reader.read()


def test_a_name_that_cannot_be_looked_at_is_an_error_of_the_system(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    for path in (loop, tmp_path / ("A" * 300)):
        with pytest.raises(OSError, match=r"Too many levels|File name too long"), whole_file(path):
            pass
