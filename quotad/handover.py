"""Long work beside threads that answer calls: Python lets one thread run at a time.

A thread that computes gives way to one that waits only every `sys.getswitchinterval()`, 5 ms, and
a decision waits several times. Work that may take seconds runs inside `often`, and frees what
is large by `release`: a full garbage collection, or to free a million objects at once, is one step
that nothing interrupts.
"""

import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERVAL_S = 0.0005
"""How often a computing thread gives way meanwhile."""

_AT_ONCE = 500
"""Objects freed between two pauses; about 0.05 ms."""

_lock = threading.Lock()
_working = 0
_usual_s = 0.0
_collects = True


@contextmanager
def often() -> Iterator[None]:
    """Let threads take turns ten times as often as usual, and collect no garbage meanwhile."""
    global _working, _usual_s, _collects
    with _lock:
        _working += 1
        if _working == 1:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(INTERVAL_S, _usual_s))
            _collects = gc.isenabled()
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _working -= 1
            if _working == 0:
                sys.setswitchinterval(_usual_s)
                if _collects:
                    gc.enable()


def release(parts: list[Any]) -> None:
    """Free objects that nothing else refers to, with pauses; what others still use stays."""
    while parts:
        part = parts.pop()
        inner = list(part.values()) if isinstance(part, dict) else []
        del part
        while inner:
            del inner[-_AT_ONCE:]
            time.sleep(0)
