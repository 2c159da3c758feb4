"""What a front is to the rest of the server."""

from typing import Protocol

from quotad.errors import NotReady, QuotadError

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Largest request; gRPC's own default."""

STOPPING = NotReady("the server is stopping; try again on another one")
"""What calls are refused with that come after the drain has begun."""

Call = tuple[int, int, bytes]
"""Call id, index of the method in the front's list, request as it came."""


class Front(Protocol):
    """Where calls arrive and leave. Any thread may call any method."""

    @property
    def address(self) -> str:
        """Where it listens, with the port it really got."""
        ...

    def start(self) -> None:
        """Accept calls from here on."""
        ...

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """Wait for calls and take all that are there; None once stopped and empty.

        Calls that their client has given up meanwhile are left out.
        """
        ...

    def respond(self, call_id: int, payload: bytes) -> None:
        """Answer a call; a call that is gone is ignored."""
        ...

    def fail(self, call_id: int, error: QuotadError) -> None:
        """End a call with an error's status, reason and message."""
        ...

    def set_ready(self, ready: bool) -> None:
        """Tell it by grpc.health.v1."""
        ...

    def drain(self) -> None:
        """Report not ready, refuse calls that come from here on, leave those that came before.

        `recv_batch` returns None when none of them is left.
        """
        ...

    def stop(self) -> None:
        """Close every connection; calls that were not answered are refused."""
        ...
