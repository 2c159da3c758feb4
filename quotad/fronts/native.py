"""The native front: HTTP/2 and gRPC in Rust, outside the GIL; calls arrive in batches.

What is not hot goes through its fallback to a grpcio server on a private unix socket.
"""

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pygrpc_native import EVENT_CALL, NativeGrpcFront

from quotad.errors import ConfigError, Status
from quotad.fronts.grpcio_server import GrpcioServer, with_port
from quotad.fronts.interface import (
    STOPPING,
    Answer,
    Call,
    Details,
    FrontSettings,
)
from quotad.fronts.origin import peer_of
from quotad.fronts.status import trailers

_POLL_MS = 200
"""How soon a waiting thread notices that the front is draining; calls do not wait for it."""

_LEAVE_S = 0.3
"""How long the last answers have to reach their sockets before a stop closes these."""

_CALLS_MAX = 1_000_000
"""More than can be waiting."""

_Event = tuple[Any, ...]
"""Kind, call id, method, request, client, and details if asked for; as the front returns them."""


class NativeFront:
    """The default front.

    Where one key of metadata is all that is asked for, calls without it have the client's address
    as its value.
    """

    def __init__(self, settings: FrontSettings) -> None:
        target = settings.target
        details = settings.details
        # One key alone comes in the place of the client: a fraction of what details cost.
        self._key = (
            details.metadata[0] if details == Details(details.metadata[:1]) and details else None
        )
        try:
            self._front = NativeGrpcFront(
                target,
                [(path, False) for path in settings.methods],
                io_threads=settings.io_threads,
                reuse_port=settings.reuse_port,
                max_concurrent_streams=settings.streams_max,
                client_key_metadata=self._key,
                call_details=bool(details) and self._key is None,
            )
        except OSError as error:
            raise ConfigError(f"listen: cannot listen on {target}: {error.strerror}") from error
        self._message_bytes_max = settings.bounds.max_message_bytes
        self._details = details
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="quotad-"))
        self._behind = GrpcioServer(
            f"unix:{self._folder / 'admin.sock'}", settings.services, settings.add_services
        )
        self._in_bursts = False
        """Whether calls came together the last time that any came."""
        self._answered_s = 0.0
        """Monotonic time of the last answers."""
        self._draining = threading.Event()
        self._left: deque[Call] = deque()
        self._refuser = threading.Thread(target=self._refuse, name="quotad-refuser", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return with_port(self._target, self._front.bound_port)

    def start(self) -> None:
        """As `Front.start`."""
        self._behind.start()
        self._front.set_fallback(str(self._folder / "admin.sock"))
        self._front.start()

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """As `Front.recv_batch`."""
        while not self._draining.is_set():
            events = self._recv(calls_max, _POLL_MS)
            if events is None:
                return None
            if 0 < len(events) < calls_max and (self._in_bursts or len(events) > 1):
                # The first of a burst woke this thread, and the others came while it waited for
                # its turn at the interpreter. Not after lone calls: a look that finds nothing
                # yields the CPU several times, and each yield hands busy neighbours a time slice.
                events += self._recv(calls_max - len(events), 0) or []
            if events:
                self._in_bursts = len(events) > 1
            calls = self._calls(events)
            if calls:
                return calls
        calls = []
        with suppress(IndexError):
            while len(calls) < calls_max:
                calls.append(self._left.popleft())
        return calls or None

    def answer(self, answers: Sequence[Answer]) -> None:
        """As `Front.answer`."""
        respond, fail = self._front.respond, self._front.fail
        for call_id, answer in answers:
            if isinstance(answer, bytes):
                respond(call_id, answer)
            else:
                # Its library refuses the names that gRPC reserves.
                metadata = trailers(answer)
                fail(call_id, int(answer.status), answer.for_caller, trailing_metadata=metadata)
        self._answered_s = time.monotonic()

    def set_ready(self, ready: bool) -> None:
        """As `Front.set_ready`."""
        self._behind.set_ready(ready)

    def drain(self) -> None:
        """As `Front.drain`."""
        self.set_ready(False)
        self._left.extend(self._calls(self._recv(_CALLS_MAX, 0) or []))
        self._draining.set()
        self._refuser.start()

    def counters(self) -> dict[str, int]:
        """As `Front.counters`."""
        return {}

    def stop(self) -> None:
        """As `Front.stop`."""
        self._behind.stop()
        # Closing throws away the answers that are not on their way yet. The front can count those
        # that have left, which costs each call 5 %; so a moment has to do.
        time.sleep(max(0.0, self._answered_s + _LEAVE_S - time.monotonic()))
        self._front.close()
        if self._refuser.ident is not None:
            self._refuser.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _recv(self, calls_max: int, timeout_ms: int) -> list[Any] | None:
        front = self._front
        detailed = self._details and self._key is None
        take = front.recv_batch_details if detailed else front.recv_batch
        events: list[Any] | None = take(calls_max, timeout_ms)
        return events

    def _refuse(self) -> None:
        # With a time-out: of several threads that wait, closing wakes only one.
        while (events := self._recv(_CALLS_MAX, _POLL_MS)) is not None:
            self.answer([(call.call_id, STOPPING) for call in self._calls(events)])

    def _calls(self, events: Sequence[_Event]) -> list[Call]:
        key = self._key
        calls = [
            Call(call_id, method, payload, *(_described(self._details, *more) if more else ()))
            if key is None
            else Call(call_id, method, payload, metadata=((key, _text(client)),))
            for kind, call_id, method, payload, client, *more in events
            if kind == EVENT_CALL
            and payload is not None
            and len(payload) <= self._message_bytes_max
        ]
        if len(calls) == len(events):  # nearly always
            return calls
        gone: set[int] = set()
        for kind, call_id, _, payload, *_ in events:
            if kind != EVENT_CALL or payload is None:
                gone.add(call_id)
            elif len(payload) > self._message_bytes_max:
                self._front.fail(
                    call_id,
                    int(Status.RESOURCE_EXHAUSTED),
                    f"request of {len(payload)} bytes is larger than {self._message_bytes_max}",
                )
        return [call for call in calls if call.call_id not in gone]


def _described(asked: Details, details: Any) -> tuple[Any, ...]:
    """Peer, deadline and metadata of a call, of what the front returns about it."""
    metadata, peer, left_s = details
    return (
        peer_of(peer) if asked.origin else None,
        time.monotonic() + left_s if asked.deadline and left_s is not None else None,
        tuple(
            (key, value) for wanted in asked.metadata for key, value in metadata if key == wanted
        ),
    )


def _text(client: bytes | str | None) -> str:
    """The value of the one key that is asked for."""
    return client.decode("latin-1") if isinstance(client, bytes) else client or ""
