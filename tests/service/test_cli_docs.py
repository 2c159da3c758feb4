"""The examples of docs/cli.md and docs/client.md do what the pages say, on a real server."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotad.catalog import read_sources
from quotad.client.admin import AdminClient, CatalogFile
from tests.running import Running, running

ROOT = Path(__file__).parent.parent.parent
DEFAULT_ADDRESS = "127.0.0.1:50051"

# What differs from run to run, and is not what a page promises.
VARYING = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? \S+ \([^)]*\)": "TIME",
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "TIME",
    r"\b[0-9a-f]{12}\b": "DIGEST",
    r"in [\d.]+ s, [\d,]+ per second": "SPEED",
    r"(unix|redis):\S+": "STORE",
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r"pid \d+": "PID",
}


@pytest.fixture
def dev(store_url: str) -> Iterator[Running]:
    """What `quotad dev` runs: a server with the example catalog in force."""
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        sources = read_sources(ROOT / "examples" / "catalog")
        files = [CatalogFile(source.name, source.text) for source in sources]
        with AdminClient(made.server.address) as admin:
            admin.publish(files, published_by="quotad dev")
        made.wait_ready()
        yield made


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def same_every_time(text: str) -> list[str]:
    """The lines, without their layout and what differs from run to run."""
    for pattern, word in VARYING.items():
        text = re.sub(pattern, word, text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def test_console_examples_print_what_the_page_shows(dev: Running, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = tmp_path / "bin" / "quotad"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from quotad.cli import main; main()" "$@"\n'
    )
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "QUOTAD_SERVER": dev.server.address,
        "TZ": "UTC",
    }

    count = 0
    for block in blocks("cli.md", "console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = example.partition("\n")
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )

            assert 0 == done.returncode, f"{line}\n{done.stdout}"
            assert same_every_time(shown) == same_every_time(done.stdout), line
            count += 1

    assert 20 <= count


def test_python_examples_run(dev: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(blocks("client.md", "python"))
    assert DEFAULT_ADDRESS in code

    exec(compile(code.replace(DEFAULT_ADDRESS, dev.server.address), "client.md", "exec"), {})

    shown = capsys.readouterr().out.splitlines()
    assert "99 of 100 calls left" == shown[0]
    assert "0 of 2 seats taken" == shown[1]
    assert "support community" in shown
    assert ["allowed", "allowed", "3", "True"] == shown[-5:-1]
    assert shown[-1].startswith("pro since ")
