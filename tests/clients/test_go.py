"""The example in Go is that of the page, and does what the page says."""

import shutil
import subprocess

import pytest

from tests.docs.pages import blocks
from tests.processes import DEADLINE_S, ROOT

BUILT = ROOT / ".venv" / "clients" / "go-example"
[PROGRAM, PRINTED] = [block.text for block in blocks(ROOT / "docs" / "go.md")]


def test_the_program_on_the_page_is_the_one_that_is_built() -> None:
    assert (ROOT / "examples" / "go" / "main.go").read_text() == PROGRAM


@pytest.mark.skipif(not BUILT.exists(), reason="the example in Go is not built (make client-go)")
def test_the_program_prints_what_the_page_shows(example: str) -> None:
    done = subprocess.run(
        [str(BUILT), example], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert (0, PRINTED, "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(shutil.which("gofmt") is None, reason="go is not installed")
def test_the_program_is_formatted_as_go_is() -> None:
    words = ["gofmt", "-l", str(ROOT / "examples" / "go" / "main.go")]

    assert "" == subprocess.run(words, capture_output=True, text=True, check=True).stdout
