"""Targets of exports, made of the settings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.export import ExportTarget, FilesTarget
from quotad.nearest import nearest


def check_targets(config: Config) -> None:
    """Refuse what is no target, before anything is started.

    Raises:
        ConfigError: one is not there, or is there twice.
    """
    names = [text.partition(":")[0] for text in config.export_to]
    for name in names:
        if name not in _MAKERS:
            near = nearest(name, _MAKERS)
            hint = f"there are {', '.join(_MAKERS)}" if near is None else f"did you mean {near!r}?"
            raise ConfigError(f"export_to: there is no target {name!r}, {hint}")
        if names.count(name) > 1:
            raise ConfigError(f"export_to: {name!r} is there twice")


def targets_of(config: Config) -> Sequence[ExportTarget]:
    """Make the targets of `export_to`.

    Raises:
        ConfigError: one is not there, or its settings are wrong.
    """
    check_targets(config)
    found: list[ExportTarget] = []
    for text in config.export_to:
        name, _, rest = text.partition(":")
        found.append(_MAKERS[name](rest))
    return found


def _files(directory: str) -> ExportTarget:
    if not directory:
        raise ConfigError("export_to: 'files' needs a directory, as 'files:/var/lib/quotad/ledger'")
    return FilesTarget(Path(directory))


_MAKERS: Mapping[str, Callable[[str], ExportTarget]] = {"files": _files}
