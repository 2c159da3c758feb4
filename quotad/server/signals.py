"""What a process of quotad does about signals and about the death of its parent."""

import _thread
import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM, at Ctrl-C and when the terminal closes; the second time of the same
    ends the process at once. `nohup` keeps its meaning."""

    def handle(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        call_beside(stop)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handle)


def call_beside(stop: Callable[[], None]) -> None:
    """Call a function from a signal handler that takes locks, such as that of an event.

    The handler runs in the middle of whatever the main thread does. While that holds the lock of
    the event that it waits for, `Event.set` in the handler would wait for it for ever.
    """
    _thread.start_new_thread(stop, ())


def end_with_parent(parent: int) -> None:
    """Receive SIGTERM when the parent process ends, however it ends.

    Args:
        parent: the parent's process id, as the parent itself knows it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was faster than we were
        os.kill(os.getpid(), signal.SIGTERM)
