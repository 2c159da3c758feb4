"""One server of a store: a pool of connections for what is not hot, and links for what is."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from quotad.errors import StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.link import Command, NodeLink
from quotad.store.refusals import ErrorReply, refused, unavailable
from quotad.store.sockets import Endpoint

POOLED_MAX = 20
"""Most connections of everything that is not hot. More than there are threads that use them (eight
for admin calls, those that watch the store), so that none of them waits; when all
are in use, the next thread waits for one."""

_SETTINGS = ("appendfsync", "cluster-require-full-coverage")
"""What INFO does not have and decides what a store keeps, and what it answers."""

_EXTRA_S = 1 / 1_000_000
"""More time for each byte of a command or its answer, so that a catalog of megabytes also travels
over a slow network: at least 1 MB/s is asked for."""


class Node:
    """One Redis or Valkey server; opens connections when asked. Any thread may call it.

    Args:
        address: of the server.
        timeout_s: longest time to open a connection, and longest time of a command.
        spares: sockets kept for when clients have used up the descriptors of the process.
        endpoint: where connections are opened to; None: the address.

    Raises:
        ConfigError: a file that the address names cannot be used.
    """

    def __init__(
        self, address: StoreAddress, timeout_s: float, spares: int, endpoint: Endpoint | None = None
    ) -> None:
        self.address = address
        """Fit for a message."""
        self._timeout_s = timeout_s
        self.endpoint = endpoint or Endpoint(address, spares)
        """Where connections are opened to."""
        self._moves = 0
        """How often all connections were dropped."""
        self._links: list[NodeLink] = []
        """Those given out: as many as there are threads for what is hot."""
        self._pool: list[NodeLink] = []
        """Those that are not in use."""
        self._shows_settings = True
        self._unused = threading.Semaphore(POOLED_MAX)

    def link(self) -> NodeLink:
        """A connection of one thread's own, outside the pool, opened at its first use."""
        link = NodeLink(self.endpoint)
        self._links.append(link)
        return link

    def open_links(self) -> None:
        """Open the links given out so far; one that is not there yet is left alone."""
        for link in self._links:
            try:
                link.open(self._deadline())
            except StoreUnavailable:
                return

    def look_up(self) -> None:
        """Look the server's name up again; connections opened from here on go there.

        Raises:
            StoreUnavailable: it leads nowhere.
        """
        self._shows_settings = True  # it may be another server, or have been allowed since
        try:
            if self.endpoint.look_up():
                self.close_pool()
        except OSError as error:
            raise unavailable(error.strerror or str(error), self.address) from error

    def info(self) -> dict[str, str]:
        """The fields of INFO, none where the server refuses it, or does not know it; and settings
        that INFO does not have, where the server shows them."""
        commands: list[Command] = [("INFO",)]
        if self._shows_settings:  # a refusal would be noted in its log of refusals every time
            commands.append(("CONFIG", "GET", *_SETTINGS))
        answer, *settings = self.ask(commands)
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
        found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        for each in settings:
            self._shows_settings = isinstance(each, list)
            words = [word.decode(errors="replace") for word in each] if self._shows_settings else []
            found |= dict(zip(words[::2], words[1::2], strict=False))
        return found

    def execute(self, command: Command) -> Any:
        """Run one command, and return its answer as it came.

        Raises:
            StoreError: it refused or timed out.
        """
        (answer,) = self.ask([command])
        if isinstance(answer, ErrorReply):
            raise refused(answer, self.address)
        return answer

    def ask(self, commands: Sequence[Command | bytes]) -> list[Any]:
        """Send commands over a connection of the pool; an answer may be an error.

        Raises:
            StoreUnavailable: it was not there, or timed out.
        """
        if not self._unused.acquire(timeout=self._timeout_s):
            raise unavailable(f"all {POOLED_MAX} connections are in use", self.address)
        moves = self._moves
        try:
            try:
                link = self._pool.pop()
            except IndexError:
                link = NodeLink(self.endpoint)
                link.idle_s = 0.0
            link.open(self._deadline())
            answers = link.exchange_many(commands, self._deadline(), _EXTRA_S)
            if moves == self._moves:
                self._pool.append(link)
            else:
                link.close()
        finally:
            self._unused.release()
        return answers

    def listen(self, channel: str, poll_s: float) -> Iterator[bool]:
        """Whether something was announced on a channel; see `Store.listen`."""
        link = NodeLink(self.endpoint)
        try:
            link.open(self._deadline())
            link.execute(("SUBSCRIBE", channel), self._deadline())
            while True:
                message = link.message(poll_s, self._timeout_s, _EXTRA_S)
                yield message is not None
        finally:
            link.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s

    def drop(self) -> None:
        """Let every connection be opened again before it is used; commands under way fail."""
        self._moves += 1
        for link in self._links:
            link.drop()
        self.close_pool()

    def close_pool(self) -> None:
        """Close the connections that are not in use."""
        while self._pool:
            self._pool.pop().close()

    def close(self) -> None:
        """Close every connection, also the links that were given out."""
        for link in self._links:
            link.close()
        self.close_pool()
        self.endpoint.close()
