"""How quotad reaches Redis: one store, its links and its pool.

A time-out is never retried here: the command may have run.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import redis
from redis.exceptions import NoScriptError, RedisError

from quotad.errors import StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.link import Link
from quotad.store.pool import make_pool
from quotad.store.refusals import translate
from quotad.store.scripts import Script
from quotad.store.sockets import Endpoint


class Store:
    """One Redis or Valkey server, as an address with time-outs; opens connections when asked.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_ms: longest time to open a connection, and longest time of a command.
        spares: sockets kept for when clients have used up the descriptors of the process.

    Raises:
        ConfigError: the URL is not one, or a file that it names cannot be used.
    """

    def __init__(self, url: str, timeout_ms: int = 250, spares: int = 0) -> None:
        address = StoreAddress(url)
        self.address = str(address)
        """Fit for a message: without credentials."""
        self.timeout_s = timeout_ms / 1000
        self._endpoint = Endpoint(address, spares)
        self._links: WeakSet[Link] = WeakSet()
        self._pool = make_pool(self._endpoint, self.timeout_s)
        # Any: the annotations of redis-py cannot tell that answers are bytes here.
        self.client: Any = redis.Redis(connection_pool=self._pool)
        """For everything that is not hot; may be used by several threads."""

    def connect(self) -> Link:
        """A connection of one thread's own, outside the pool, opened at its first use."""
        link = Link(self._endpoint, self.timeout_s)
        self._links.add(link)
        return link

    def open_links(self) -> None:
        """Open the connections given out so far, before their threads use them.

        Opened at a start, they are there when descriptors are not any more. A store that is not
        there yet is left alone: they open at their first use then.
        """
        for link in list(self._links):
            try:
                link.open(time.monotonic() + self.timeout_s)
            except StoreUnavailable:
                return

    def look_up(self) -> None:
        """Ask anew where the store's name leads; connections opened from here on go there.

        Raises:
            StoreUnavailable: it leads nowhere.
        """
        try:
            if self._endpoint.look_up():
                self._pool.disconnect(inuse_connections=False)
        except OSError as error:
            why = error.strerror or str(error)
            raise StoreUnavailable(
                f"the store at {self.address} is not available: {why}",
                "the store is not available",
            ) from error

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Let only quotad's errors leave.

        Raises:
            StoreUnavailable: the store refused or timed out.
            StoreError: it answered with something else than expected.
        """
        try:
            yield
        except RedisError as error:
            raise translate(error, self.address) from error

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script that is not hot.

        Raises:
            StoreUnavailable: the store refused or timed out; after a time-out it may have run.
        """
        with self.errors():
            try:
                return self.client.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:  # a new or flushed server: nothing ran
                return self.client.eval(script.text, len(keys), *keys, *args)

    def run_many(
        self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any]:
        """Run a script many times in one round trip; others' commands may run in between.

        Args:
            script: what to run.
            calls: keys and arguments of each; answered in order.

        Raises:
            StoreUnavailable: the store refused or timed out; any of them may have run.
        """
        replies: list[Any] = self._pipelined("EVALSHA", script.sha, calls)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # a new or flushed server: nothing ran
            again = self._pipelined("EVAL", script.text, [calls[i] for i in unknown])
            for i, reply in zip(unknown, again, strict=True):
                replies[i] = reply
        for reply in replies:
            if isinstance(reply, RedisError):
                raise translate(reply, self.address) from reply
        return replies

    def _pipelined(
        self, command: str, script: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any]:
        with self.errors(), self.client.pipeline(transaction=False) as pipeline:
            for keys, args in calls:
                pipeline.execute_command(command, script, len(keys), *keys, *args)
            replies: list[Any] = pipeline.execute(raise_on_error=False)
        return replies

    def close(self) -> None:
        """Close every connection, also those that were given out."""
        for link in list(self._links):
            link.close()
        self.client.close()
        self._pool.disconnect()
        self._endpoint.close()
