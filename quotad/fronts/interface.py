"""What a front is to the rest of the server."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from quotad.errors import QuotadError, Stopping

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Largest request, unless a setting says less; gRPC's own default."""

STOPPING = Stopping("the server is stopping; try again on another one")
"""What calls are refused with that come after the drain has begun."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """A call as it came."""

    call_id: int
    """Under which it is answered."""
    method: int
    """Index in the front's list."""
    request: bytes
    peer: str | None = None
    """`ipv4:192.0.2.1:50000`, `ipv6:[2001:db8::1]:50000`; None: a Unix socket, or not asked for."""
    deadline_s: float | None = None
    """Monotonic time at which the client gives up; None: it does not, or it is not asked for."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Of the keys that are asked for, in their order."""
    client_names: tuple[str, ...] = ()
    """DNS names and URIs of the client's certificate, where clients must show one."""


Answer = tuple[int, bytes | QuotadError]
"""Call id, and the response as it leaves or the error that the call ends with."""


AddServices = Callable[[Any], None]
"""Adds generated servicers to a server of grpcio."""


class Details(msgspec.Struct, frozen=True):
    """What calls carry beside the request; each of these costs time per call."""

    metadata: tuple[str, ...] = ()
    """Keys in lower case, not those of bytes (`-bin`)."""
    origin: bool = False
    """The client's address and the names in its certificate."""
    deadline: bool = False

    def __post_init__(self) -> None:
        for key in self.metadata:
            if not key or key != key.lower() or key.endswith("-bin"):
                raise ValueError(f"details.metadata: {key!r} is no key of text in lower case")

    def __bool__(self) -> bool:
        return bool(self.metadata) or self.origin or self.deadline


class Bounds(msgspec.Struct, frozen=True):
    """What clients may take of a front; times of 0 stand for never.

    The size of messages holds for hot methods of every front, the rest for the fast front.
    """

    max_connections_per_peer: int = 5_000
    max_message_bytes: int = MESSAGE_BYTES_MAX
    max_header_bytes: int = 16_384
    max_held_mb: int = 256
    max_resets_per_second: int = 10_000
    client_timeout_ms: int = 20_000
    idle_timeout_ms: int = 1_800_000
    keepalive_ms: int = 60_000
    max_connection_age_ms: int = 0


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths of files in PEM."""

    cert: str
    """The certificate, and those between it and its root."""
    key: str
    client_ca: str = ""
    """Whose certificates clients must show; empty: they need none."""


class FrontSettings(msgspec.Struct, frozen=True):
    """What a front serves, and how."""

    target: str
    """`HOST:PORT` or `unix:PATH`."""
    services: Sequence[str]
    """Full names, for health and reflection."""
    add_services: AddServices
    """Adds the servicers of what is not hot."""
    methods: Sequence[str]
    """Full paths of the hot methods, `/quotad.v1.QuotaService/CheckAndConsume`."""
    reuse_port: bool = False
    """Let other processes listen on the same port."""
    io_threads: int = 1
    """Threads that move bytes, where the front lets one choose."""
    streams_max: int = 1024
    """Most calls that one connection may have open."""
    connections_max: int = 1_000_000
    """Most connections, where the front can refuse further ones."""
    bounds: Bounds = Bounds()
    """As the settings of the same names."""
    tls: TlsFiles | None = None
    """None: in the clear."""
    details: Details = Details()


class Calls(Protocol):
    """Where a decision thread takes calls and gives answers. Any thread may call any method."""

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """Wait for calls and take all that are there; None once stopped and empty.

        Calls that their client has given up meanwhile are left out.
        """
        ...

    def answer(self, answers: Sequence[Answer]) -> None:
        """End calls, in this order; those that are gone are ignored.

        An error ends its call with its status, reason and message.
        """
        ...


class Front(Calls, Protocol):
    """Where calls arrive and leave.

    Made of `FrontSettings`; raises ConfigError, then or at `start`, where it cannot bind.
    """

    @property
    def address(self) -> str:
        """Where it listens, with the port it really got."""
        ...

    def start(self) -> None:
        """Accept calls from here on."""
        ...

    def set_ready(self, ready: bool) -> None:
        """Publish it by grpc.health.v1."""
        ...

    def drain(self) -> None:
        """Report not ready, refuse calls that come from here on, leave those that came before.

        `recv_batch` returns None when none of them is left.
        """
        ...

    def stop(self) -> None:
        """Close every connection; calls that were not answered are refused."""
        ...

    def counters(self) -> dict[str, int]:
        """Connections, calls and bytes by name, as far as the front counts them."""
        ...
