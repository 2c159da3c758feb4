"""Sockets to the store: opened by a deadline, and read and written by one.

A time-out of a socket is per call, so an answer that arrives in drips would have no end. Here the
deadline is of the whole command, however many reads it takes.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from quotad.errors import ConfigError
from quotad.store.address import StoreAddress, is_true

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds of silence, seconds between probes, and probes, before an idle connection is lost."""


class DeadlineSocket:
    """A connected socket whose every call ends by one deadline; of one thread."""

    __slots__ = ("_extra_s", "_poll", "_readable", "_socket", "_tls", "deadline")

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._tls = isinstance(connected, ssl.SSLSocket)
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)
        self._extra_s = 0.0
        self.deadline = deadline
        """Monotonic seconds."""

    def begin(self, deadline: float, extra_s: float = 0.0) -> None:
        """Start a command.

        Args:
            deadline: monotonic seconds by which its answer must have arrived.
            extra_s: how much later for each byte that travels.
        """
        self.deadline = deadline
        self._extra_s = extra_s

    def sendall(self, data: bytes) -> None:
        """Send it all.

        Raises:
            TimeoutError: the deadline has passed; a part may have been sent.
        """
        if self._extra_s:
            self.deadline += len(data) * self._extra_s
        rest: bytes | memoryview = data
        while rest:
            try:
                sent = self._socket.send(rest)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT)
            else:
                rest = memoryview(rest)[sent:] if sent < len(rest) else b""

    def recv_into(self, buffer: bytearray) -> int:
        """Wait for bytes and read them; 0: the store has closed the connection.

        Raises:
            TimeoutError: the deadline has passed.
        """
        while True:
            if not (self._tls and self.pending()):
                left_s = self.deadline - time.monotonic()
                if left_s <= 0 or not self._readable.poll(left_s * 1000):
                    raise TimeoutError("timed out")
            try:
                count = self._socket.recv_into(buffer)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue  # not a whole record of TLS yet
            else:
                if self._extra_s:
                    self.deadline += count * self._extra_s
                return count

    def _wait(self, event: int) -> None:
        left_s = self.deadline - time.monotonic()
        poll = select.poll()
        poll.register(self._socket, event)
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError("timed out")

    def quiet(self, wait_s: float = 0.0) -> bool:
        """Whether nothing arrives within a time: no unexpected answer, and no end."""
        return not (self._tls and self.pending()) and not self._readable.poll(wait_s * 1000)

    def pending(self) -> int:
        """Bytes that were decrypted and not read yet."""
        return self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0

    def end(self) -> None:
        """End the connection, and keep the descriptor; any thread may."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()


class Endpoint:
    """Opens sockets to one store. Any thread may call any method.

    Names are looked up once, and again when `look_up` is called: a name server that does not
    answer would hold up a decision for far longer than a store may.

    Args:
        address: of the store.
        spares: sockets that are kept for later, because none can be made once clients have used
            up the descriptors of the process.

    Raises:
        ConfigError: a file that TLS needs cannot be used.
    """

    leads = False
    """Whether a server that is no primary is refused."""

    def __init__(self, address: StoreAddress, spares: int = 0) -> None:
        self.address = address
        self._context: ssl.SSLContext | None = None
        self._read_tls_files()
        self._resolved: list[tuple[int, Any]] = []
        """Families and socket addresses."""
        self._spares: list[socket.socket] = []
        self._spares_max = spares
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Endpoint {self.address}>"

    def look_up(self) -> bool:
        """Look the store's name up again; may take as long as the name server does.

        Returns:
            Whether it has moved.

        Raises:
            OSError: the name is not known.
        """
        address = self.address = self._locate()
        before = self._resolved
        if address.path:
            self._resolved = [(socket.AF_UNIX, address.path)]
            return False
        with suppress(ConfigError):  # a file is being replaced, or no descriptor is left
            self._read_tls_files()
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("the name is not one of a host") from None
        self._resolved = [(family, where) for family, _, _, _, where in found]
        return bool(before) and not set(before) & set(self._resolved)

    def _locate(self) -> StoreAddress:
        """Where the server is, by name; another, where it moves."""
        return self.address

    def _read_tls_files(self) -> None:
        if self.address.tls is not None:
            try:
                self._context = _tls_context(self.address.tls)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise ConfigError(
                    f"redis_url: the files of its ssl_ options cannot be used: {why}"
                ) from None

    def open(self, deadline: float) -> DeadlineSocket:
        """Connect.

        Args:
            deadline: monotonic seconds, by which also TLS must be agreed on.

        Raises:
            TimeoutError: it has passed.
            OSError: the store refused.
        """
        if not self._resolved:
            self.look_up()
        failed = OSError("the name has no address")
        resolved = self._resolved
        for at, (family, where) in enumerate(resolved):
            left_s = (deadline - time.monotonic()) / (len(resolved) - at)
            if left_s <= 0:
                raise TimeoutError("timed out")
            opened = self._new(family)
            try:
                opened.settimeout(left_s)
                opened.connect(where)
                opened = self._secured(opened, deadline)
            except OSError as error:
                opened.close()
                failed = error
            else:
                self._refill(family)
                return DeadlineSocket(opened, deadline)
        raise failed

    def _new(self, family: int) -> socket.socket:
        try:
            return _make(family)
        except OSError:
            with self._lock:
                fitting = [spare for spare in self._spares if spare.family == family]
                if not fitting:
                    raise
                self._spares.remove(fitting[0])
                return fitting[0]

    def _refill(self, family: int) -> None:
        """Make the spare sockets that are missing, now that there may be descriptors."""
        with self._lock, suppress(OSError):
            while len(self._spares) < self._spares_max:
                self._spares.append(_make(family))

    def _secured(self, opened: socket.socket, deadline: float) -> socket.socket:
        if self._context is None:
            return opened
        opened.settimeout(max(0.001, deadline - time.monotonic()))
        return self._context.wrap_socket(opened, server_hostname=self.address.host)

    def close(self) -> None:
        """Give the spare sockets back, and keep none from here on."""
        with self._lock:
            self._spares_max = 0
            while self._spares:
                self._spares.pop().close()


def _make(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family != socket.AF_UNIX:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    needs = options.get("ssl_cert_reqs", "required")
    context.check_hostname = needs != "none" and is_true(options.get("ssl_check_hostname", "yes"))
    context.verify_mode = {
        "none": ssl.CERT_NONE,
        "optional": ssl.CERT_OPTIONAL,
        "required": ssl.CERT_REQUIRED,
    }[needs]
    if "ssl_ca_certs" in options or "ssl_ca_path" in options:
        context.load_verify_locations(options.get("ssl_ca_certs"), options.get("ssl_ca_path"))
    if "ssl_certfile" in options:
        context.load_cert_chain(
            options["ssl_certfile"],
            options.get("ssl_keyfile"),
            # Empty without one: OpenSSL would ask for it on the terminal.
            options.get("ssl_password", ""),
        )
    return context
