"""Earlier states of the history, to run beside this one with the packages of this one."""

import os
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.processes import ROOT

KEPT = ROOT / ".pytest_cache" / "releases"
"""Their files, also for later runs."""


def files_of(revision: str) -> Path:
    """Where the server's files of a revision are; skips the test where the history is not here."""
    kept = KEPT / revision
    if kept.is_dir():
        return kept
    words = ["git", "archive", revision, "quotad", "lua", "pyproject.toml"]
    try:
        found = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{revision[:8]} is not in the history here: git fetch --unshallow")
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as directory:
        with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
            archive.extractall(directory, filter="data")
        if not kept.is_dir():
            os.rename(directory, kept)
            os.mkdir(directory)
    return kept
