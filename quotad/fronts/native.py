"""The native front: HTTP/2 and gRPC in Rust, outside the GIL; calls arrive in batches.

What is not hot goes through its fallback to a grpcio server on a private unix socket.
"""

import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from pygrpc_native import EVENT_CALL, NativeGrpcFront

from quotad.errors import ConfigError, QuotadError, Status
from quotad.fronts.grpcio import AddServices, GrpcioServer
from quotad.fronts.interface import MESSAGE_BYTES_MAX, Call
from quotad.fronts.status import REASON_KEY

_POLL_MS = 200
"""How soon a waiting thread notices that the front is draining; calls do not wait for it."""


class NativeFront:
    """The default front.

    Args:
        target: `HOST:PORT`.
        services: full names, for health and reflection.
        add_services: adds the servicers of what is not hot.
        methods: full paths of the hot methods.
        reuse_port: let other processes listen on the same port.
        io_threads: threads that move bytes.

    Raises:
        ConfigError: the address cannot be bound.
    """

    def __init__(
        self,
        target: str,
        services: Sequence[str],
        add_services: AddServices,
        methods: Sequence[str],
        reuse_port: bool = False,
        io_threads: int = 1,
    ) -> None:
        try:
            self._front = NativeGrpcFront(
                target,
                [(path, False) for path in methods],
                io_threads=io_threads,
                reuse_port=reuse_port,
            )
        except OSError as error:
            raise ConfigError(f"listen: cannot listen on {target}: {error.strerror}") from error
        self._host = target.rpartition(":")[0]
        self._folder = Path(tempfile.mkdtemp(prefix="quotad-"))
        self._behind = GrpcioServer(f"unix:{self._folder / 'admin.sock'}", services, add_services)
        self._draining = threading.Event()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self._host}:{self._front.bound_port}"

    def start(self) -> None:
        """As `Front.start`."""
        self._behind.start()
        self._front.set_fallback(str(self._folder / "admin.sock"))
        self._front.start()

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """As `Front.recv_batch`."""
        while True:
            # Asked first: calls that came before the drain are then still taken.
            draining = self._draining.is_set()
            events = self._front.recv_batch(calls_max, _POLL_MS)
            if events is None or (draining and not events):
                return None
            if events:
                return self._calls(events)

    def respond(self, call_id: int, payload: bytes) -> None:
        """As `Front.respond`."""
        self._front.respond(call_id, payload)

    def fail(self, call_id: int, error: QuotadError) -> None:
        """As `Front.fail`."""
        metadata = [(REASON_KEY, error.reason)]
        self._front.fail(call_id, int(error.status), str(error), trailing_metadata=metadata)

    def set_ready(self, ready: bool) -> None:
        """As `Front.set_ready`."""
        self._behind.set_ready(ready)

    def drain(self) -> None:
        """As `Front.drain`."""
        self.set_ready(False)
        self._draining.set()

    def stop(self) -> None:
        """As `Front.stop`."""
        self._front.close()
        self._behind.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _calls(self, events: Sequence[tuple[int, int, int, bytes | None, object]]) -> list[Call]:
        calls: list[Call] = []
        gone: set[int] = set()
        for kind, call_id, method, payload, _ in events:
            if kind != EVENT_CALL or payload is None:
                gone.add(call_id)
            elif len(payload) > MESSAGE_BYTES_MAX:
                self._front.fail(
                    call_id,
                    int(Status.RESOURCE_EXHAUSTED),
                    f"request of {len(payload)} bytes is larger than {MESSAGE_BYTES_MAX}",
                )
            else:
                calls.append((call_id, method, payload))
        if gone:
            calls = [call for call in calls if call[0] not in gone]
        return calls
