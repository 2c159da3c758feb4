"""quotad's processes as a user starts them, for tests to talk to, to stop and to kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.running import eventually

ROOT = Path(__file__).parent.parent

EXAMPLES = ROOT / "examples" / "catalog"

DEADLINE_S = 40.0
"""For what takes a second or two on an idle machine: only a hang meets it."""

PATIENT = {"QUOTAD_STORE_TIMEOUT_MS": "10000"}
"""So that no server gives up on a store that shares busy cores with other tests."""


def environment(**variables: str) -> dict[str, str]:
    """An environment without settings of quotad but the given ones, in UTC."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTAD_")}
    return {**kept, "PYTHONPATH": str(ROOT), "TZ": "UTC", "COLUMNS": "200", **variables}


def quotad(
    *arguments: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "quotad", *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def treating(number: signal.Signals, how: signal.Handlers) -> Callable[[], object]:
    """For a process to be started: what it does at a signal, however these tests were started.

    What is ignored here (below `nohup`, in the background of a script) is ignored by all that is
    started from here.
    """
    return lambda: signal.signal(number, how)


class Pid(NamedTuple):
    """A process, not to be taken for a later one with the same number."""

    number: int
    started: int

    @property
    def running(self) -> bool:
        """Whether it is there, other than as one whose end nobody has noticed yet."""
        found = _stat(self.number)
        return found is not None and found[2] == self.started and found[0] not in "ZX"

    @property
    def title(self) -> str:
        """Its command line, or what it shows instead; empty when it has ended."""
        try:
            return Path(f"/proc/{self.number}/cmdline").read_text().strip("\0 ")
        except OSError:
            return ""

    def kill(self) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.number, signal.SIGKILL)


def children_of(parent: int) -> list[Pid]:
    """A process's children."""
    found: list[Pid] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (stat := _stat(int(path.name))) and stat[1] == parent:
            found.append(Pid(int(path.name), stat[2]))
    return sorted(found)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and start of a process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the program, in brackets, may hold anything.
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[19])


class Process:
    """A running `quotad dev`, `serve` or `sidecar`; its output is in files, so no pipe is full."""

    def __init__(
        self,
        arguments: Sequence[str],
        cwd: Path,
        variables: Mapping[str, str] | None = None,
        module: str = "quotad",
    ) -> None:
        number = len(list(cwd.glob("stdout-*")))
        self._out = cwd / f"stdout-{number}"
        self._err = cwd / f"stderr-{number}"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=cwd,
                env=environment(**(variables or {})),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a process group of its own, as at a terminal
            )
        self.seen: set[Pid] = set()
        """Its children, as of the last look."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._out.read_text()

    @property
    def log(self) -> str:
        return self._err.read_text()

    def wait_for(self, text: str, where: str = "log") -> str:
        """Wait until it has said something; gives all it has said there."""
        said: str = eventually(
            lambda: getattr(self, where), lambda said: text in said or self.ended, DEADLINE_S
        )
        assert text in said, f"never said {text!r}:\n{self.output}\n{self.log}"
        return said

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def children(self) -> list[Pid]:
        """The processes it has started."""
        found = children_of(self.pid)
        self.seen.update(found)
        return found

    def send(self, number: signal.Signals) -> None:
        self.children()
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Do what a terminal does: the whole process group gets the signal."""
        self.children()
        os.killpg(self.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        return self._process.wait(DEADLINE_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end of all; gives the exit code."""
        self.send(number)
        return self.wait_for_all()

    def wait_for_all(self) -> int:
        """Wait for its end; none of its children may be left then. Gives the exit code."""
        code = self.wait()
        left = [pid for pid in self.seen if pid.running]
        assert not left, f"left running: {left}\n{self.log}"
        return code

    def end(self) -> None:
        """Leave nothing running, whatever has happened."""
        if not self.ended:
            self.children()
            self._process.kill()
            self._process.wait()
        for pid in self.seen:
            pid.kill()


class Start:
    """Starts processes in a directory; see `starting`."""

    def __init__(self, cwd: Path, module: str) -> None:
        self.cwd = cwd
        self._module = module
        self._started: list[Process] = []

    def __call__(self, *arguments: str, **variables: str) -> Process:
        process = Process(arguments, self.cwd, PATIENT | variables, self._module)
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            process.end()


@contextmanager
def starting(cwd: Path, module: str = "quotad") -> Iterator[Start]:
    """Something to start processes with, all of which are ended at the end.

    Args:
        cwd: where.
        module: what is run.
    """
    start = Start(cwd, module)
    try:
        yield start
    finally:
        start.end()


def address_of_dev(dev: Process) -> str:
    """Where a `quotad dev` listens, as soon as it says that it is ready."""
    said = dev.wait_for("quotad is ready on ", "output")
    return said.split("quotad is ready on ")[1].split(";")[0]


def http_of_dev(dev: Process) -> str:
    """Where a `quotad dev` serves HTTP."""
    said = dev.wait_for("HTTP is served on http://", "output")
    return said.split("HTTP is served on http://")[1].split(",")[0]


def address_in_log(process: Process) -> str:
    """Where a `quotad serve` listens, as soon as it says so."""
    said = process.wait_for(" front)\n")
    return said.split("listening on ")[1].split(" ")[0]


def within_one_day(test: Callable[[], None]) -> None:
    """Run a test that counts per day; once more when it met midnight UTC."""
    day = datetime.now(UTC).date()
    try:
        test()
    except AssertionError:
        if day == datetime.now(UTC).date():
            raise
        test()
