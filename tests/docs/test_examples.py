"""Every example of the documentation is run: on a real `quotad dev`, one for each page."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.grpcurl import grpcurl
from tests.docs.pages import PATHS, Block, blocks
from tests.processes import (
    DEADLINE_S,
    EXAMPLES,
    address_of_dev,
    environment,
    starting,
    within_one_day,
)

ADDRESS = "127.0.0.1:50051"
STORE = "redis://localhost:6379"

RUN = ("console", "python")

# What differs from run to run, and is not what a page promises.
VARYING = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? \S+ \([^)]*\)": "TIME",
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "TIME",
    r"\bin [\d.]+ s, [\d,]+ per second": "SPEED",
    r"\bin (\d+ (d|h|min|s)|less than 1 s)\b": "in DURATION",
    r"\b[0-9a-f]{12}\b": "DIGEST",
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r"unix:\S+": "STORE",
    r"\bpid \d+": "PID",
    r"\bepoch +\d{13}\b": "epoch EPOCH",
    r'"epoch": "\d{13}"': '"epoch": "EPOCH"',
    r"\bquotad \d+\.\d+\.\d+": "VERSION",
}

# Times and durations of the API, in JSON.
VARYING_JSON = {
    r"^\d{13}$": "EPOCH",
    r"^\d{4}-\d\d-\d\dT[\d:.]+Z$": "TIME",
    r"^[\d.]+s$": "DURATION",
}


def with_wrong_unit(page: Path) -> str:
    """The catalog of a page, with the one mistake that its example shows."""
    catalog = next(block.text for block in blocks(page) if block.info == "yaml")
    assert 1 == catalog.count("per: month, anchor")
    return catalog.replace("per: month, anchor", "per: mounth, anchor")


def first_catalog(page: Path) -> str:
    """The catalog that a page begins with."""
    return next(block.text for block in blocks(page) if block.info == "yaml")


# Files that an example takes for granted; `examples/` is there for all of them.
FILES = {
    "README.md": {"plans.yaml": with_wrong_unit},
    **{
        f"{page}.md": {f"{page}.yaml": first_catalog}
        for page in (
            "addons",
            "catalog",
            "credits",
            "entitlements",
            "features",
            "limits",
            "periods",
            "rollouts",
        )
    },
}


class Reader:
    """Somebody who types the examples of one page, from top to bottom."""

    def __init__(self, cwd: Path, address: str) -> None:
        self._cwd = cwd
        self._here = {ADDRESS: address, STORE: f"unix://{cwd / 'data' / 'valkey.sock'}"}
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._environment = environment(
            QUOTAD_SERVER=address, PATH=f"{cwd / '.venv' / 'bin'}:{os.environ['PATH']}"
        )

    def python(self, block: Block) -> None:
        """Run it, after the blocks before it, in one session."""
        # Line numbers are those of the page.
        code = "\n" * block.line + self._with_addresses(block.text)
        with contextlib.chdir(self._cwd):
            exec(compile(code, block.page, "exec"), self._names)

    def console(self, block: Block) -> None:
        """Run the lines behind `$ `; what is below each is what it must print."""
        before, *examples = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        assert not before, f"{block.place}: starts with output"
        assert examples
        for example in examples:
            line, _, shown = example.partition("\n")
            if line.startswith("grpcurl "):
                answer = grpcurl(self._with_addresses(line))
                wanted = shown.splitlines() if line.endswith(" list") else json.loads(shown)
                assert same_json(wanted) == same_json(answer), f"{block.place}: {line}"
            else:
                self._shell(block, line, shown)

    def _shell(self, block: Block, line: str, shown: str) -> None:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self._cwd,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

        assert same_text(shown) == same_text(done.stdout), f"{block.place}: {line}"
        assert exit_code(line, shown) == done.returncode, f"{block.place}: {line}"

    def _with_addresses(self, text: str) -> str:
        for shown, real in self._here.items():
            text = text.replace(shown, real)
        return text


def exit_code(line: str, shown: str) -> int:
    """The exit code that goes with the output of a command."""
    if "||" in line:  # the example shows it
        return 0
    last = shown.splitlines()[-1:] or [""]
    return 2 if last[0].startswith("quotad: ") else 1 if shown.startswith("denied") else 0


def same_text(text: str) -> list[str]:
    """The lines, without what differs from run to run and its effect on the columns."""
    for pattern, word in VARYING.items():
        text = re.sub(pattern, word, text)
    return [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.strip().splitlines()]


def same_json(data: Any) -> Any:
    """JSON data without what differs from run to run."""
    if isinstance(data, dict):
        return {key: same_json(value) for key, value in data.items()}
    if isinstance(data, list):
        return [same_json(value) for value in data]
    if isinstance(data, str):
        for pattern, word in VARYING_JSON.items():
            data = re.sub(pattern, word, data)
    return data


@contextmanager
def reader(page: Path, cwd: Path) -> Iterator[Reader]:
    """A `quotad dev` on the example catalog, stopped by Ctrl-C, and somebody to type."""
    shutil.copytree(EXAMPLES.parent, cwd / "examples")
    if page.name != "revisions.md":  # which makes the folder itself
        shutil.copytree(EXAMPLES, cwd / "plans")
    command = cwd / ".venv" / "bin" / "quotad"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m quotad "$@"\n')
    command.chmod(0o755)
    for name, make in FILES.get(page.name, {}).items():
        (cwd / name).write_text(make(page))
    with starting(cwd) as start:
        dev = start("dev", "--listen", "127.0.0.1:0", "--data", "data")
        yield Reader(cwd, address_of_dev(dev))

        assert 1 == len(dev.children())
        assert 0 == dev.stop()
        assert "Traceback" not in dev.log
        assert " ERROR " not in dev.log


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name)
        for page in PATHS
        if any(b.info in RUN for b in blocks(page))
    ],
)
def test_the_examples_of_a_page_do_what_it_shows(
    page: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def type_them() -> None:
        with reader(page, tmp_path_factory.mktemp("page")) as typing:
            for block in blocks(page):
                if block.info == "console":
                    typing.console(block)
                elif block.info == "python":
                    typing.python(block)

    within_one_day(type_them)
