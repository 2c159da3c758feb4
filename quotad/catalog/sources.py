"""Reading catalog files: the only I/O of this room."""

import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE, bytes_of
from quotad.errors import CatalogError

ENDINGS = (".yaml", ".yml", ".json", ".toml")
"""Endings of catalog files; they pick the format."""

_MOUNTED = "..data"


class Source(msgspec.Struct, frozen=True):
    """The text of one catalog file, from any source."""

    name: str
    """File name, path or URL, as problems show it; its ending picks the format."""
    text: str


def read_sources(path: Path) -> list[Source]:
    """Read a catalog file, or the catalog files of a directory in the order of their names.

    Of a directory, hidden files, files with other endings (editors' backups) and sub-directories
    are left out.

    Raises:
        CatalogError: nothing there, nothing to read, a file that is not UTF-8, or all of it is too
            large.
    """
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise CatalogError([f"{path}: {error.strerror or error}"]) from error
    if is_directory:
        files = _files_of(path)
        if not files:
            raise CatalogError([f"{path}: no catalog files here ({', '.join(ENDINGS)})"])
    elif path.suffix.lower() not in ENDINGS:
        raise CatalogError([f"{path}: a catalog file ends in {', '.join(ENDINGS)}"])
    else:
        files = [path]
    sources: list[Source] = []
    problems: list[str] = []
    size = 0
    for file in files:
        try:
            text = _text_of(file, BYTES_MAX - size)
            size += bytes_of(text)
            sources.append(Source(name=file.name, text=text))
        except (OSError, ValueError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            problems.append(f"{path if file is path else path / file.name}: {why}")
    if problems:
        raise CatalogError(problems)
    return sources


def told_apart(parts: Sequence[tuple[str, Sequence[Source]]]) -> list[Source]:
    """The files of several places, one after the other; those of the same name have their paths.

    Args:
        parts: a path, and what was read there.
    """
    names = Counter(source.name for _, sources in parts for source in sources)
    return [
        source
        if names[source.name] == 1 or source.name.startswith(where)  # a URL is unique
        else replace(source, name=_path_of(where, source.name))
        for where, sources in parts
        for source in sources
    ]


def _path_of(where: str, name: str) -> str:
    return where if Path(where).name == name else str(Path(where) / name)


def _files_of(directory: Path) -> list[Path]:
    """List the catalog files of a directory, sorted by name.

    Kubernetes mounts a ConfigMap as links into `..data`, itself a link that is swapped when the
    ConfigMap changes. That link is followed once, here, so that all files are of one version.
    Files that are no such links count as they are, whatever lies in a `..data` beside them.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise CatalogError([f"{directory}: {error.strerror or error}"]) from error
    mounted = (directory / _MOUNTED).resolve()
    files: list[Path] = []
    for name in names:
        if name.startswith(".") or Path(name).suffix.lower() not in ENDINGS:
            continue
        file = directory / name
        below = _below_mounted(file)
        if below is not None:
            file = mounted / below
        if not file.is_dir():
            files.append(file)
    return files


def _below_mounted(file: Path) -> Path | None:
    """What a link into `..data` names in there; None: it is none."""
    try:
        target = file.readlink()
    except OSError:  # not a link, or gone
        return None
    return target.relative_to(_MOUNTED) if target.parts[:1] == (_MOUNTED,) else None


def _text_of(file: Path, bytes_max: int) -> str:
    if file.exists() and not file.is_file():
        raise ValueError("is neither a file nor a directory")
    with file.open("rb") as stream:
        data = stream.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError(f"the catalog is {TOO_LARGE}")
    try:
        # -sig: some editors put a byte order mark in front, which JSON and TOML refuse.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: not UTF-8") from error
