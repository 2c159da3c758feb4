"""The fast front: HTTP/2 and gRPC in Rust (`front/`), which hands calls over in batches.

What is not hot is passed on to a grpcio server on a private unix socket.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import quotad_front

from quotad.errors import ConfigError, QuotadError
from quotad.fronts.grpcio_server import CALLS_MAX, GrpcioServer, with_port
from quotad.fronts.interface import STOPPING, Answer, Call, FrontSettings
from quotad.fronts.origin import ORIGIN_KEY, ORIGIN_SECRET
from quotad.fronts.status import trailers_with_pushback
from quotad.fronts.tls import Certificates

INTERFACE = 2
"""Of the package that this module works with; raised with every change of what passes between."""

GRACE_S = 1.0
"""Longest time at a stop for answers to leave; connections are cut then."""


class FastFront:
    """The front of machines where `quotad-front` is installed."""

    def __init__(self, settings: FrontSettings) -> None:
        if quotad_front.INTERFACE != INTERFACE:
            raise ConfigError(
                f"front: quotad-front {quotad_front.__version__} is installed, which fits another"
                " version of quotad; install the one that came with it (make front), or remove it"
            )
        target = settings.target
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="quotad-"))
        behind = str(self._folder / "admin.sock")
        bounds = settings.bounds
        options = {
            "methods": list(settings.methods),
            "behind": behind,
            "reuse_port": settings.reuse_port,
            "stopping": (str(STOPPING), STOPPING.reason),
            "message_bytes_max": bounds.max_message_bytes,
            "connections_max": settings.connections_max,
            "streams_max": settings.streams_max,
            "calls_max": CALLS_MAX,
            "connections_per_peer_max": bounds.max_connections_per_peer,
            "header_bytes_max": bounds.max_header_bytes,
            "held_bytes_max": bounds.max_held_mb * 1_000_000,
            "resets_max": bounds.max_resets_per_second,
            "client_timeout_ms": bounds.client_timeout_ms,
            "idle_timeout_ms": bounds.idle_timeout_ms,
            "keepalive_ms": bounds.keepalive_ms,
            "connection_age_max_ms": bounds.max_connection_age_ms,
            "details_metadata": list(settings.details.metadata),
            "details_origin": settings.details.origin,
            "details_deadline": settings.details.deadline,
            "origin_header": (ORIGIN_KEY, ORIGIN_SECRET),
        }
        try:
            self._front = quotad_front.Front(target, options, Call, _describe)
        except OSError as error:
            shutil.rmtree(self._folder)
            why = os.strerror(error.errno) if error.errno else error.strerror
            raise ConfigError(f"listen: cannot listen on {target}: {why}") from error
        self._certificates = self._read_certificates(settings)
        self._behind = GrpcioServer(f"unix:{behind}", settings.services, settings.add_services)
        # As `Front`'s; nothing is left to do for them in Python.
        self.recv_batch: Callable[[int], list[Call] | None] = self._front.recv_batch
        self.answer: Callable[[Sequence[Answer]], None] = self._front.answer

    @property
    def address(self) -> str:
        """Where it listens."""
        return with_port(self._target, self._front.port)

    def start(self) -> None:
        """As `Front.start`."""
        self._behind.start()
        self._front.start()
        if self._certificates is not None:
            self._certificates.start()

    def _read_certificates(self, settings: FrontSettings) -> Certificates | None:
        if settings.tls is None:
            return None
        try:
            return Certificates(settings.tls, self._front.use_tls)
        except ConfigError:
            self._front.close(0)
            shutil.rmtree(self._folder)
            raise

    def set_ready(self, ready: bool) -> None:
        """As `Front.set_ready`."""
        self._behind.set_ready(ready)

    def drain(self) -> None:
        """As `Front.drain`; clients are asked to go elsewhere, too."""
        self.set_ready(False)
        self._front.drain()

    def stop(self) -> None:
        """As `Front.stop`."""
        self._behind.stop()
        self._front.close(GRACE_S)
        if self._certificates is not None:
            self._certificates.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def counters(self) -> dict[str, int]:
        """As `Front.counters`."""
        return self._front.counters()


def _describe(error: QuotadError) -> tuple[int, str, list[tuple[str, str]]]:
    return int(error.status), error.for_caller, trailers_with_pushback(error)
