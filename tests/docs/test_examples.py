"""Every example of the documentation is run: on a real `quotad dev`, one for each page."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.curl import curl
from tests.docs.grpcurl import grpcurl
from tests.docs.pages import PATHS, Block, blocks
from tests.preloaded import preloaded
from tests.processes import (
    DEADLINE_S,
    EXAMPLES,
    address_of_dev,
    environment,
    http_of_dev,
    starting,
    within_one_day,
)

ADDRESS = "127.0.0.1:50051"
HTTP = "127.0.0.1:8080"
DOUBLE = "127.0.0.1:12111"
STORE = "redis://localhost:6379"

RUN = ("console", "python")

# What differs from run to run, and is not what a page promises. Times: see `Page.without_times`.
VARYING = {
    r"\bin [\d.]+ s, [\d,]+ per second": "SPEED",
    r"\bin (\d+ (d|h|min|s)|less than 1 s)\b": "in DURATION",
    r"unix:///\S+/\.quotad/": "unix:HERE/.quotad/",
    r"\bpid \d+": "PID",
    r"\bfront +(fast|native|grpcio)\b": "front INSTALLED",
    r"\bepoch +\d{13}\b": "epoch EPOCH",
    r'"epoch": "\d{13}"': '"epoch": "EPOCH"',
    r"(?m) \d{13}$": " EPOCH",
}

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d)(:\d\d)?(\.\d+)?(Z| \S+ \([^)]*\))")
_DURATION = re.compile(r"[\d.]+s")
_EPOCH = re.compile(r"\d{13}")
_CLOCK = re.compile(r"CLOCK|00:00")


class Page:
    """What a page says itself, and what of its output depends on when it is read."""

    def __init__(self, path: Path) -> None:
        typed = "\n".join(block.text for block in blocks(path) if block.info in RUN)
        lines = "\n".join(re.findall(r"^\$ .*", typed, re.MULTILINE))
        self._days = set(re.findall(r"\d{4}-\d\d-\d\d", lines))
        self._clocks = {"00:00", *re.findall(r"(?<=T)\d\d:\d\d", lines)}

    def same_text(self, text: str) -> list[str]:
        """The lines, without what differs from run to run and its effect on the columns."""
        text = self.without_times(text)
        for pattern, word in VARYING.items():
            text = re.sub(pattern, word, text)
        return [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.strip().splitlines()]

    def same_json(self, data: Any) -> Any:
        """JSON data without what differs from run to run."""
        if isinstance(data, dict):
            return {key: self.same_json(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.same_json(value) for value in data]
        if isinstance(data, str):
            data = "EPOCH" if _EPOCH.fullmatch(data) else self.without_times(data)
            return "DURATION" if _DURATION.fullmatch(data) else data
        return data

    def without_times(self, text: str) -> str:
        """The text without the time of reading: days that the page does not name itself, clocks
        that are neither named nor midnight, and how far away it all is."""
        return _TIME.sub(self._time, text)

    def _time(self, match: re.Match[str]) -> str:
        day, between, clock, second, _, end = match.groups()
        exact = second in (None, ":00") and clock in self._clocks
        day = day if day in self._days else "DAY"
        return f"{day}{between}{clock if exact else 'CLOCK'}{'Z' if end == 'Z' else ' ZONE'}"


def beside(shown: Any, printed: Any) -> Any:
    """What is printed, with a midnight as any other time where the page shows one: in the last hour
    of a day, an hour ends at midnight."""
    if isinstance(shown, str) and isinstance(printed, str):
        clocks = iter(_CLOCK.findall(shown))
        return _CLOCK.sub(lambda found: max(found[0], next(clocks, "")), printed)
    if isinstance(shown, list) and isinstance(printed, list):
        lines = map(beside, shown, printed)
        return [*lines, *printed[len(shown) :]]
    if isinstance(shown, dict) and isinstance(printed, dict):
        return {key: beside(shown.get(key), value) for key, value in printed.items()}
    return printed


class Reader:
    """Somebody who types the examples of one page into one terminal, from top to bottom.

    Only the server is at another address than the page says, since others may run here as well.
    """

    def __init__(self, page: Path, cwd: Path, address: str, http: str) -> None:
        self._cwd = cwd
        self._address = address
        store = f"unix://{cwd / '.quotad' / 'valkey.sock'}"
        self._here = {ADDRESS: address, HTTP: http, STORE: store}
        self._page = Page(page)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        found = os.environ["PATH"].split(":")
        path = [each for each in found if not (Path(each) / "quotad").exists()]
        if page.name != "README.md":  # which says how to have it there
            path.insert(0, str(cwd / ".venv" / "bin"))
        self._environment = environment(QUOTAD_SERVER=address, PATH=":".join(path))

    def knows(self, shown: str, real: str) -> None:
        """Ask another address where the page has this one."""
        self._here[shown] = real

    def save(self, name: str, block: Block) -> None:
        """Save a block as the page says."""
        (self._cwd / name).write_text(block.text)

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
                same = self._page.same_json
                assert same(wanted) == beside(same(wanted), same(answer)), f"{block.place}: {line}"
            elif line.startswith("curl "):
                answer = curl(self._with_addresses(line))
                same = self._page.same_json
                wanted = same(json.loads(shown))
                assert wanted == beside(wanted, same(answer)), f"{block.place}: {line}"
            else:
                self._shell(block, line, shown)

    def _shell(self, block: Block, line: str, shown: str) -> None:
        kept = self._cwd / ".environment"  # what one line exports is there for the next
        done = subprocess.run(
            ["bash", "-c", f"{line}\nended=$?\nenv -0 > '{kept}'\nexit $ended"],
            cwd=self._cwd,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

        pairs = (each.partition("=") for each in kept.read_text().split("\0") if each)
        self._environment = {name: value for name, _, value in pairs}
        same = self._page.same_text
        printed = done.stdout.replace(self._address, ADDRESS)
        assert same(shown) == beside(same(shown), same(printed)), f"{block.place}: {line}"
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


def saved_as(block: Block) -> str | None:
    """The name of the file that the page tells to save a block as."""
    above = "".join(block.page.read_text().splitlines(keepends=True)[: block.line - 1])
    found = re.search(r"\b[Ss]ave\s+this\s+as\s+`([\w./-]+)`:\n*\Z", above)
    return None if found is None else found[1]


def asks_over_http(page: Path) -> bool:
    """Whether examples of a page need more of `quotad dev` than its gRPC: that is two processes."""
    run = "".join(block.text for block in blocks(page) if block.info in RUN)
    return page.name == "README.md" or bool(re.search(r"\b808[01]\b|\bcurl\b|quotad status", run))


@contextmanager
def reader(page: Path, cwd: Path, command_text: str) -> Iterator[Reader]:
    """A `quotad dev` in a clone, stopped by Ctrl-C, and somebody to type there."""
    shutil.copytree(EXAMPLES.parent, cwd / "examples")
    venv.create(cwd / ".venv")
    command = cwd / ".venv" / "bin" / "quotad"
    command.write_text(command_text)
    command.chmod(0o755)
    whole = asks_over_http(page)
    more = ["--stripe-double"] if page.name == "stripe.md" else []
    with starting(cwd, "quotad" if whole else "tests.docs.dev_of_grpc") as start:
        dev = start("dev", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *more)
        found = Reader(page, cwd, address_of_dev(dev), http_of_dev(dev))
        if more:
            said = dev.wait_for("stand-in for Stripe", "output")
            found.knows(DOUBLE, said.split("for Stripe bills is on http://")[1].split("/")[0])
        yield found

        # Valkey, and workers of gRPC, HTTP and the dashboard; and of what exports.
        assert (4 if whole else 2) + len(more) == len(dev.children())
        assert 0 == dev.stop()
        assert "Traceback" not in dev.log
        assert " ERROR " not in dev.log


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The text of a `quotad` that starts quickly."""
    with preloaded(tmp_path_factory.mktemp("preloaded")) as text:
        yield text


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name)
        for page in PATHS
        if any(b.info in RUN for b in blocks(page))
    ],
)
def test_the_examples_of_a_page_do_what_it_shows(
    page: Path, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    def type_them() -> None:
        with reader(page, tmp_path_factory.mktemp("page"), command) as typing:
            for block in blocks(page):
                if block.info == "console":
                    typing.console(block)
                elif block.info == "python":
                    typing.python(block)
                elif name := saved_as(block):
                    typing.save(name, block)

    within_one_day(type_them)
