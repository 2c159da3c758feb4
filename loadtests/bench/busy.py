"""Busy neighbours: processes that take whatever CPU the kernel gives them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

COUNT = 3
"""How many the benchmark starts: more than a laptop of two cores has cores."""

LOOP = """
import os, sys
while os.getppid() == int(sys.argv[1]):  # ends with the benchmark, however that ends
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def loops(count: int) -> Iterator[list[int]]:
    """Keep so many loops busy in the session of this process; gives their process ids."""
    with ExitStack() as stack:
        pids = []
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", LOOP, str(os.getpid())])
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids
