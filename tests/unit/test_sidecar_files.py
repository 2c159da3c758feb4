"""File and directory sources, polled by hand."""

import os
from pathlib import Path

import pytest

from quotad.catalog import Source, read_sources
from quotad.errors import CatalogError
from quotad.sidecar import FileSource as RealFileSource
from quotad.sidecar import SourceUnavailable, file_source
from tests.unit.sidecar_fakes import Seconds


def FileSource(path: Path) -> RealFileSource:
    """A source that takes what two looks in a row found the same, however it was written."""
    return RealFileSource(path, settle_s=0)


def settled(source: RealFileSource) -> list[Source] | None:
    """Poll until two looks in a row found the same."""
    first = source.poll()
    return first if first is not None else source.poll()


def texts(sources: list[Source] | None) -> dict[str, str]:
    assert sources is not None
    return {source.name: source.text for source in sources}


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    path = tmp_path / "plans.yaml"
    path.write_text("version: 1\n")
    return path


def test_the_first_poll_returns_the_content_at_once(plans: Path) -> None:
    assert {"plans.yaml": "version: 1\n"} == texts(FileSource(plans).poll())


def test_an_untouched_file_is_returned_once(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()

    assert [None, None, None] == [source.poll() for _ in range(3)]


def test_an_untouched_file_is_not_read_again(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FileSource(plans)
    source.poll()

    def refuse(path: Path) -> list[Source]:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(file_source, "read_sources", refuse)

    assert source.poll() is None


def test_a_changed_file_is_returned_when_two_looks_agree(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    plans.write_text("version: 1 # changed\n")

    assert source.poll() is None
    assert {"plans.yaml": "version: 1 # changed\n"} == texts(source.poll())


def test_a_file_that_is_still_being_written_is_left_alone(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    with plans.open("w") as file:
        for part in ("version: 1\n", "features:\n", "  seats: {type: metered}\n"):
            file.write(part)
            file.flush()

            assert source.poll() is None

    assert {"plans.yaml": "version: 1\nfeatures:\n  seats: {type: metered}\n"} == texts(
        source.poll()
    )


def test_a_change_during_the_read_is_not_taken(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FileSource(plans)
    read = read_sources

    def overtaken(path: Path) -> list[Source]:
        sources = read(path)
        monkeypatch.undo()
        plans.write_text("version: 1 # newer\n")
        return sources

    monkeypatch.setattr(file_source, "read_sources", overtaken)

    assert source.poll() is None
    assert source.poll() is None
    assert {"plans.yaml": "version: 1 # newer\n"} == texts(source.poll())


def test_an_editor_that_renames_a_new_file_over_the_old_one_is_seen(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    times = plans.stat()
    swap = plans.with_name(".plans.yaml.swp")
    swap.write_text("version: 2\n")
    os.utime(swap, ns=(times.st_atime_ns, times.st_mtime_ns))
    swap.rename(plans)

    assert {"plans.yaml": "version: 2\n"} == texts(settled(source))


def test_a_change_that_keeps_size_and_modification_time_is_seen(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    before = plans.stat()
    while plans.stat().st_ctime_ns == before.st_ctime_ns:  # the file system's clock ticks slowly
        plans.write_text("version: 2\n")
        os.utime(plans, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert {"plans.yaml": "version: 2\n"} == texts(settled(source))


def test_a_touched_file_with_the_same_content_is_no_change(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    os.utime(plans, ns=(1, 1))

    assert [None, None, None] == [source.poll() for _ in range(3)]


def mount(directory: Path, generation: str, files: dict[str, str]) -> None:
    """Do what the kubelet does with a ConfigMap: new folder, then one symlink swapped."""
    folder = directory / f"..{generation}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(1, 1))
    new = directory / "..data_tmp"
    new.symlink_to(folder.name)
    new.rename(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)


def test_a_swapped_kubernetes_symlink_is_seen(tmp_path: Path) -> None:
    mount(tmp_path, "2026_01", {"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})
    source = FileSource(tmp_path)

    assert {"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"} == texts(source.poll())

    mount(tmp_path, "2026_02", {"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"})

    assert {"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"} == texts(settled(source))


def test_one_file_of_a_kubernetes_mount_is_followed_through_its_links(tmp_path: Path) -> None:
    mount(tmp_path, "2026_01", {"a.yaml": "a: 1\n"})
    source = FileSource(tmp_path / "a.yaml")
    source.poll()
    mount(tmp_path, "2026_02", {"a.yaml": "a: 2\n"})

    assert {"a.yaml": "a: 2\n"} == texts(settled(source))


def test_a_directory_behind_a_swapped_symlink_is_seen(tmp_path: Path) -> None:
    for release in ("old", "new"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "plans.yaml").write_text(f"release: {release}\n")
    link = tmp_path / "current"
    link.symlink_to("old")
    source = FileSource(link)
    source.poll()
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(link)

    assert {"plans.yaml": "release: new\n"} == texts(settled(source))


def test_files_that_come_and_go_in_a_directory_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    source = FileSource(tmp_path)

    assert {"a.yaml"} == set(texts(source.poll()))

    (tmp_path / "b.toml").write_text("b = 1\n")

    assert {"a.yaml", "b.toml"} == set(texts(settled(source)))

    (tmp_path / "a.yaml").unlink()

    assert {"b.toml"} == set(texts(settled(source)))


def test_other_files_of_a_directory_may_change_as_they_like(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    source = FileSource(tmp_path)
    source.poll()
    (tmp_path / "b.yaml").write_text("b: 1\n")
    source.poll()
    (tmp_path / "notes.txt").write_text("1")
    (tmp_path / ".a.yaml.swp").write_text("2")

    assert {"a.yaml", "b.yaml"} == set(texts(source.poll()))


def test_a_missing_path_is_an_error_at_every_poll_until_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "late" / "plans.yaml"
    source = FileSource(path)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match=r"late/plans\.yaml: no such file or directory"):
            source.poll()
    path.parent.mkdir()
    path.write_text("version: 1\n")
    with pytest.raises(SourceUnavailable):
        source.poll()

    assert {"plans.yaml": "version: 1\n"} == texts(source.poll())


def test_a_file_that_is_missing_for_a_moment_is_no_error(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    aside = plans.rename(plans.with_name("plans.yaml~"))

    assert source.poll() is None

    aside.rename(plans)

    assert [None, None] == [source.poll(), source.poll()]


def test_a_file_that_was_removed_is_an_error_and_its_return_is_none(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    plans.unlink()
    source.poll()
    with pytest.raises(SourceUnavailable):
        source.poll()
    plans.write_text("version: 1\n")
    os.utime(plans, ns=(1, 1))
    with pytest.raises(SourceUnavailable):
        source.poll()

    assert source.poll() is None


def test_a_circle_of_symlinks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")

    with pytest.raises(SourceUnavailable, match="symbolic links"):
        FileSource(tmp_path / "a.yaml").poll()


def test_an_empty_directory_holds_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog files"):
        FileSource(tmp_path).poll()


def test_a_file_that_is_not_text_is_broken_until_it_is_replaced(plans: Path) -> None:
    source = FileSource(plans)
    source.poll()
    plans.write_bytes(b"\xff\xfe")
    source.poll()
    for _ in range(2):
        with pytest.raises(CatalogError, match="not UTF-8"):
            source.poll()
    plans.write_text("version: 1 # text\n")
    with pytest.raises(CatalogError):
        source.poll()

    assert {"plans.yaml": "version: 1 # text\n"} == texts(source.poll())


def test_a_file_of_a_directory_that_cannot_be_read_breaks_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b.yaml").symlink_to("nowhere")

    with pytest.raises(CatalogError, match=r"b\.yaml: No such file"):
        FileSource(tmp_path).poll()


def test_a_named_pipe_does_not_block_the_poll(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")

    with pytest.raises(CatalogError, match="neither a file nor a directory"):
        FileSource(tmp_path / "pipe.yaml").poll()


def test_a_file_that_is_written_in_place_is_read_once_it_has_not_changed_for_a_while(
    plans: Path,
) -> None:
    seconds = Seconds()
    source = RealFileSource(plans, settle_s=1.0, now=seconds)
    source.poll()
    for text in ("version: 1\nfeatures: {}\n", "version: 1\nfeatures: {}\nplans: {}\n"):
        with plans.open("w") as file:
            file.write(text)
        for _ in range(4):
            assert source.poll() is None
            seconds.now += 0.3
    seconds.now += 0.1

    assert {"plans.yaml": "version: 1\nfeatures: {}\nplans: {}\n"} == texts(source.poll())


def test_a_file_that_took_the_place_of_another_is_read_at_the_second_look(plans: Path) -> None:
    source = RealFileSource(plans, settle_s=1.0, now=Seconds())
    source.poll()
    new = plans.with_name(".new")
    new.write_text("version: 2\n")
    new.rename(plans)

    assert source.poll() is None
    assert {"plans.yaml": "version: 2\n"} == texts(source.poll())


def test_a_mounted_config_map_is_read_at_the_second_look_and_a_new_file_later(
    tmp_path: Path,
) -> None:
    seconds = Seconds()
    mount(tmp_path, "2026_01", {"a.yaml": "a: 1\n"})
    source = RealFileSource(tmp_path, settle_s=1.0, now=seconds)
    source.poll()
    mount(tmp_path, "2026_02", {"a.yaml": "a: 2\n"})

    assert {"a.yaml": "a: 2\n"} == texts(settled(source))

    (tmp_path / "b.yaml").write_text("b: 1\n")

    assert [None, None] == [source.poll(), source.poll()]

    seconds.now += 1

    assert {"a.yaml", "b.yaml"} == set(texts(source.poll()))
