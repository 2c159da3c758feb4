"""Real gateways, started for tests."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.http.serving import HttpCaller
from tests.running import eventually


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    words: Sequence[str], listen: int, here: Path, environment: Mapping[str, str] | None = None
) -> Iterator[HttpCaller]:
    """Start a gateway and call it on its port; it is stopped at the end."""
    with (here / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=stderr, env=environment, cwd=here
        )
    caller = HttpCaller(f"127.0.0.1:{listen}")
    try:
        eventually(lambda: _answers(caller, process, here), bool)
        yield caller
    finally:
        caller.close()
        process.terminate()
        process.wait()


def _answers(caller: HttpCaller, process: "subprocess.Popen[bytes]", here: Path) -> bool:
    assert process.poll() is None, (here / "stderr").read_text()
    with suppress(OSError):
        caller.get("/")
        return True
    return False
