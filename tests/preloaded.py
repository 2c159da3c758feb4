"""`quotad` commands that start quickly: forked from a process that has imported what they need.

To start Python and import the command line takes 0.5 s of CPU, and the documentation has hundreds
of commands. Arguments, folder, environment, standard streams and exit code are those of the caller.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.processes import DEADLINE_S, ROOT

COMMAND = """#!{python} -IS
import json, os, signal, socket, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
with socket.socket(socket.AF_UNIX) as link:
    link.connect({path!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(link, [len(asked).to_bytes(4, "big")], [0, 1, 2])
    link.sendall(asked)
    code = link.recv(1)
sys.exit(code[0] if code else 70)
"""


@contextlib.contextmanager
def preloaded(folder: Path) -> Iterator[str]:
    """A script, as text, that runs `quotad` in a fork of a process that runs until the end."""
    path = folder / "preloaded.sock"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.preloaded", str(path)], cwd=ROOT
    ) as process:
        try:
            ends = time.monotonic() + DEADLINE_S
            while not path.exists():
                assert process.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.01)
            yield COMMAND.format(python=sys.executable, path=str(path))
        finally:
            process.terminate()


NEEDED = (
    "quotad.catalog",
    "quotad.cli.app",
    "quotad.client",
    "quotad.client.aio",
    "quotad.config",
    "quotad.transfer",
    "rich.padding",
    "rich.table",
    "rich.text",
    "rich.tree",
)
"""What commands import; a list that lacks something costs time and nothing else."""


def serve(path: Path) -> None:
    """Fork a command for each connection, until the process is ended."""
    for name in NEEDED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children need not be waited for
    with socket.socket(socket.AF_UNIX) as listener:
        starting = path.with_suffix(".starting")
        listener.bind(str(starting))
        listener.listen()
        starting.rename(path)  # whoever sees it can connect
        while True:
            link, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                run(link)
            link.close()


def run(link: socket.socket) -> None:
    """Run the command that a connection asks for; its exit code is the answer."""
    from quotad.cli import main

    length, streams, _, _ = socket.recv_fds(link, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(length, "big"):
        asked += link.recv(1 << 20)
    arguments, folder, environment = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["quotad", *arguments]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        link.sendall(bytes([code]))
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
