"""redis-benchmark on the bare script: what Redis and a client in C make of it, without any server.

It sends one command over and over, with other customers each time; the command is spelled by the
binding itself, so it is what a server would send.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from quotad.errors import StoreError
from quotad.store import Charge, ChargeScript
from quotad.store.scripts import Script

MISSING = "redis-benchmark is not installed; its line is left out (Debian package redis-tools)"
CUSTOMER = "customer-__rand_int__"
"""Twelve digits take the place of the word, others at each place and each time."""
CLIENTS = 4
TIMEOUT_S = 60.0

_RATE = re.compile(r"([\d.]+) requests per second")


def is_installed() -> bool:
    """Whether there is a redis-benchmark."""
    return shutil.which("redis-benchmark") is not None


class _Recorder:
    """Stands in for a link: keeps what would be sent."""

    whole = True

    def run(self, script: Script, words: Sequence[Any], _deadline: float) -> Any:
        """Send nothing."""
        self.command = ("EVALSHA", script.sha, *words)
        raise StoreError("only recorded")


def command_of(tag: str, charges: Sequence[Charge]) -> list[str]:
    """The command that settles some charges."""
    recorder = _Recorder()
    ChargeScript(recorder).settle(tag, charges, 0.0)  # type: ignore[arg-type]
    return [str(word) for word in recorder.command]


def run(url: str, command: Sequence[str], calls: int, customers: int) -> float:
    """Send a command so many times; returns calls per second.

    Raises:
        RuntimeError: redis-benchmark failed, or did not end.
    """
    address = urlsplit(url)
    words = ["redis-benchmark", "-h", address.hostname or "", "-p", str(address.port)]
    words += ["-n", str(calls), "-c", str(CLIENTS), "-r", str(customers), *command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"redis-benchmark did not end within {TIMEOUT_S:.0f} s") from None
    found = _RATE.search(done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"redis-benchmark failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return float(found[1])
