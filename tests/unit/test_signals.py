"""Stopping by a signal, wherever the main thread is at that moment."""

import subprocess
import sys

from tests.processes import DEADLINE_S

INSIDE_THE_LOCK_OF_THE_EVENT = """
import os, signal, threading
from quotad.server.signals import on_stop

stop = threading.Event()
on_stop(stop.set)
with stop._cond:  # as in the middle of `stop.wait`
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass
assert stop.wait({seconds})
print("stopped")
"""


def test_a_signal_stops_a_process_that_is_about_to_wait_for_it() -> None:
    script = INSIDE_THE_LOCK_OF_THE_EVENT.format(seconds=DEADLINE_S)

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S
    )

    assert "stopped\n" == done.stdout
