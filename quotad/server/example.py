"""The example catalog, for users without a clone: a wheel carries it as `quotad/examples`."""

from pathlib import Path

from quotad.files import whole_file


def write_example(directory: Path) -> Path:
    """Write the example's files, to be edited, unless the directory is there already.

    Returns:
        The directory.

    Raises:
        OSError: they cannot be written.
    """
    if not directory.exists():
        directory.mkdir(parents=True)
        for file in sorted(_folder().iterdir()):
            with whole_file(directory / file.name) as target:
                target.write(file.read_bytes())
    return directory


def _folder() -> Path:
    package = Path(__file__).resolve().parent.parent
    installed = package / "examples" / "catalog"
    return installed if installed.is_dir() else package.parent / "examples" / "catalog"
