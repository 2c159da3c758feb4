"""A worker process: `python -P -m quotad.server.worker PARENT_PID PULSE VALUES`.

Its settings are in the environment, put there by the parent, which watches it through the pulse and
reads what it counts; both are descriptors.
"""

import signal
import sys
from collections.abc import Callable
from typing import Protocol

import msgspec

from quotad.config import Config, load
from quotad.errors import ConfigError
from quotad.metrics import SharedReport, WorkerReport
from quotad.server.descriptors import room_for_clients, set_limit
from quotad.server.logs import setup_logging
from quotad.server.memory import bound_growth, memory_max_mb
from quotad.server.pulse import EXIT_WRONG_SETTING, Pulse
from quotad.server.server import Server
from quotad.server.signals import call_beside, end_with_parent

BEAT_S = 0.5
START_BEAT_S = 0.05
"""While it is not ready yet: `quotad dev` waits for it."""
STUCK_S = 30
"""How much longer than `drain_timeout_ms` a stop may take before the kernel ends the process."""


class WorkerServer(Protocol):
    """What a worker process runs."""

    @property
    def ready(self) -> bool:
        """Whether it does what it is there for."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def interrupt(self) -> None:
        """Let it end; from any thread."""
        ...

    def interrupted(self, timeout_s: float) -> bool:
        """Wait for an end within a time; return whether it has come."""
        ...

    def has_progressed(self) -> bool:
        """Whether no thread is where it was at the last look."""
        ...

    def report(self) -> WorkerReport:
        """Return what the parent is told."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            ConfigError: its settings can never work.
        """
        ...


def main(
    make: Callable[[Config, bool], WorkerServer], parent: int, descriptor: int, values: int
) -> int:
    """Serve until SIGTERM; Ctrl-C is the parent's, which then stops its workers in good order.

    Args:
        make: of the settings the server, which shares its address with others.
        parent: the parent's process id.
        descriptor: of the pulse.
        values: descriptor of the memory for what it reports.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    pulse = Pulse(descriptor)
    try:
        config = load({})
        setup_logging(config.log_level)
        room = room_for_clients(set_limit(config.max_connections))
        config = msgspec.structs.replace(config, max_connections=room)
        _serve(make, config, pulse, values)
    except ConfigError as error:
        pulse.refuse(str(error))
        return EXIT_WRONG_SETTING
    return 0


def _serve(
    make: Callable[[Config, bool], WorkerServer], config: Config, pulse: Pulse, values: int
) -> None:
    pulse.wait_for_go()
    server = make(config, True)
    shared = SharedReport(values)

    def stop(*_: object) -> None:
        # A thread that is stuck must not keep a process alive whose parent is gone.
        signal.alarm(config.drain_timeout_ms // 1000 + STUCK_S)
        call_beside(server.interrupt)

    signal.signal(signal.SIGTERM, stop)
    server.start()
    try:
        bound_growth(memory_max_mb(config))
        pulse.beat(server.ready)
        while not server.interrupted(BEAT_S if server.ready else START_BEAT_S):
            if server.has_progressed():
                pulse.beat(server.ready)
            shared.write(server.report())
        pulse.stopping()
    finally:
        server.stop()
        shared.write(server.report())
    server.wait()


if __name__ == "__main__":
    sys.exit(main(Server, *map(int, sys.argv[1:])))
