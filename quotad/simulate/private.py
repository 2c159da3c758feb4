"""A Valkey for one run: in memory only, on a socket in a directory that goes with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from quotad.valkey import private_valkey


@contextmanager
def private_store() -> Iterator[str]:
    """Start a Valkey that keeps nothing on disk; gives its URL, and ends it at the end.

    Raises:
        ConfigError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-simulate-") as directory:
        socket = Path(directory) / "valkey.sock"
        with private_valkey(Path(directory), socket):
            yield f"unix://{quote(str(socket))}"
