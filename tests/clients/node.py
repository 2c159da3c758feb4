"""The TypeScript client in a process of Node, which tests share and call line by line."""

import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import DEADLINE_S, ROOT, environment

CLIENT = ROOT / "clients" / "typescript"
DRIVER = Path(__file__).parent / "driver.mjs"


def _missing() -> str:
    """Why the client cannot be tested here; empty: it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    built = CLIENT / "dist" / "index.js"
    if not built.exists():
        return "the TypeScript client is not built (make client-typescript)"
    sources = [*(CLIENT / "src").rglob("*.ts"), *(ROOT / "protos").rglob("*.proto")]
    if built.stat().st_mtime < max(each.stat().st_mtime for each in sources):
        return "the TypeScript client is older than its sources (make client-typescript)"
    return ""


MISSING = _missing()

needs_client = pytest.mark.skipif(bool(MISSING), reason=MISSING or "it is built")


REACT = ROOT / "clients" / "react"
EXAMPLES = ROOT / "examples"
PAGES = ROOT / ".venv" / "clients"
"""Where pages of tests are built, in a folder per version of React."""


def _examples_missing() -> str:
    """Why what is built by `make examples` cannot be tested here; empty: it can."""
    if MISSING:
        return MISSING
    built = PAGES / "react-18" / "index.html"  # the last that is built
    if not built.exists():
        return "the examples are not built (make examples)"
    folders = [
        CLIENT / "src",
        REACT / "src",
        EXAMPLES / "react" / "src",
        ROOT / "tests/clients/react",
    ]
    sources = [each for folder in folders for each in folder.glob("*.*")]
    if built.stat().st_mtime < max(each.stat().st_mtime for each in sources):
        return "the examples are older than their sources (make examples)"
    return ""


EXAMPLES_MISSING = _examples_missing()

needs_examples = pytest.mark.skipif(
    bool(EXAMPLES_MISSING), reason=EXAMPLES_MISSING or "they are built"
)


class CallFailed(Exception):
    """What a call in Node has thrown."""

    def __init__(self, thrown: dict[str, Any]) -> None:
        self.thrown = thrown
        self.name = thrown["name"]
        self.code = thrown.get("code", "")
        self.reason = thrown.get("reason", "")
        self.message = thrown["message"]
        super().__init__(f"{self.name}: {self.message} ({self.code} {self.reason})")


class Node:
    """A process of Node with clients in it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def client(self, address: str, kind: str = "quotad", **options: Any) -> "NodeClient":
        """Make a client; its timeout is long unless a test sets one."""
        name = str(next(self._numbers))
        make = {"kind": kind, "address": address, "options": {"timeoutMs": 10_000, **options}}
        self.ask(client=name, make=make).result(DEADLINE_S)
        return NodeClient(self, name)

    def ask(self, **fields: Any) -> Future[Any]:
        """Send one line; what comes back to it."""
        number = next(self._numbers)
        answer: Future[Any] = Future()
        assert self._process.stdin is not None
        with self._lock:
            self._waiting[number] = answer
            self._process.stdin.write(json.dumps({"id": number, **fields}) + "\n")
            self._process.stdin.flush()
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            answer, waiting = said["answer"], self._waiting.pop(said["id"])
            if isinstance(answer, dict) and "$error" in answer:
                waiting.set_exception(CallFailed(answer["$error"]))
            else:
                waiting.set_result(answer)
        for waiting in self._waiting.values():
            waiting.set_exception(EOFError("node has ended"))

    def end(self) -> None:
        """Close its input, at which it ends by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            assert 0 == self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._reader.join(DEADLINE_S)
            self._process.stdout.close()


class NodeClient:
    """A `QuotadClient` in Node: methods by their names there."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name

    def start(self, method: str, *args: Any) -> Future[Any]:
        """Begin a call; gives what becomes of it."""
        return self._node.ask(client=self._name, method=method, args=args)

    def __call__(self, method: str, *args: Any) -> Any:
        """Make a call.

        Raises:
            CallFailed: what it has thrown.
        """
        return self.start(method, *args).result(DEADLINE_S)


@contextmanager
def starting_node() -> Iterator[Node]:
    """A process that ends with the block; idle connections of its clients do not keep it."""
    node = Node()
    try:
        yield node
    finally:
        node.end()


@contextmanager
def listening(program: Path, **variables: str) -> Iterator[list[str]]:
    """A program in Node that serves; gives the words of its first line, where it says on what."""
    with subprocess.Popen(
        ["node", str(program)],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()
        finally:
            process.kill()
