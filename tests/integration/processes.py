"""Server processes as users start them: `python -m quotad serve`."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quotad.config import Config, child_environ
from tests.processes import environment
from tests.running import Caller

STOP_S = 30.0


class ServerProcess(Caller):
    """A server in a process of its own; its log is kept for failed tests.

    Args:
        config: its settings.
        root: where its code is; None: it is this release.
    """

    def __init__(self, config: Config, root: Path | None = None) -> None:
        self.log: list[str] = []
        self._listening = threading.Event()
        self._address = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quotad", "serve"],
            cwd=root,
            env=child_environ(config) if root is None else _told_less(config, root),
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(STOP_S) or not self._address:
            self._end()
            raise AssertionError("did not start: " + "".join(self.log))
        super().__init__(self._address)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listening on (\S+) \(", line)
            if found:
                self._address = found[1]
                self._listening.set()
        self._listening.set()

    def close(self) -> None:
        super().close()
        code = self._end()
        assert 0 == code, "".join(self.log)
        assert not any("Traceback" in line for line in self.log), "".join(self.log)

    def kill(self) -> None:
        """End it as a crash would, its workers with it."""
        super().close()
        self.process.kill()
        self._end()

    def _end(self) -> int:
        self.process.terminate()
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def _told_less(config: Config, root: Path) -> dict[str, str]:
    """The environment of another release, which may not know every setting of this one."""
    usual = Config()
    fields = {name: getattr(config, name) for name in Config.__struct_fields__}
    told = {name: str(value) for name, value in fields.items() if value != getattr(usual, name)}
    own = {f"QUOTAD_{name.upper()}": value for name, value in told.items()}
    return environment(**own) | {"PYTHONPATH": str(root)}


@contextmanager
def serve(
    store_url: str, prefix: str, front: str, root: Path | None = None, **settings: Any
) -> Iterator[ServerProcess]:
    """A server process on a free port, ended at the end; `root` is as of `ServerProcess`."""
    defaults = {"listen": "127.0.0.1:0", "store_timeout_ms": 10_000, "shards": 8}
    made = ServerProcess(
        Config(redis_url=store_url, prefix=prefix, front=front, **(defaults | settings)),  # type: ignore[arg-type]
        root,
    )
    try:
        yield made
    finally:
        made.close()
