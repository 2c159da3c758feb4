"""One server of a store: a pool of connections for what is not hot, and links for what is.

The only user of redis-py's client. A time-out is never retried here: the command may have run.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from quotad.errors import StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.link import NodeLink
from quotad.store.pool import make_pool
from quotad.store.refusals import WrongType, translate
from quotad.store.scripts import Script
from quotad.store.sockets import Endpoint

Command = Sequence[Any]
"""The words of a command; str, bytes or int."""


class Node:
    """One Redis or Valkey server; opens connections when asked. Any thread may call it.

    Args:
        address: of the server.
        timeout_s: longest time to open a connection, and longest time of a command.
        spares: sockets kept for when clients have used up the descriptors of the process.

    Raises:
        ConfigError: a file that the address names cannot be used.
    """

    def __init__(self, address: StoreAddress, timeout_s: float, spares: int) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._endpoint = Endpoint(address, spares)
        self._links: WeakSet[NodeLink] = WeakSet()
        self._pool = make_pool(self._endpoint, timeout_s)
        # Any: the annotations of redis-py cannot tell that answers are as they came.
        self._client: Any = redis.Redis(connection_pool=self._pool)
        self._client.response_callbacks.clear()

    def link(self) -> NodeLink:
        """A connection of one thread's own, outside the pool, opened at its first use."""
        link = NodeLink(self._endpoint, self._timeout_s)
        self._links.add(link)
        return link

    def open_links(self) -> None:
        """Open the links given out so far; one that is not there yet is left alone."""
        for link in list(self._links):
            try:
                link.open(time.monotonic() + self._timeout_s)
            except StoreUnavailable:
                return

    def look_up(self) -> None:
        """Ask anew where the server's name leads; connections opened from here on go there.

        Raises:
            StoreUnavailable: it leads nowhere.
        """
        try:
            if self._endpoint.look_up():
                self._pool.disconnect(inuse_connections=False)
        except OSError as error:
            why = error.strerror or str(error)
            raise StoreUnavailable(
                f"the store at {self._address} is not available: {why}",
                "the store is not available",
            ) from error

    def execute(self, command: Command) -> Any:
        """Run one command, and return its answer as it came."""
        with self._errors():
            return self._client.execute_command(*command)

    def info(self) -> dict[str, str]:
        """The fields of INFO; none where the server refuses it, or does not know it."""
        with self._errors():
            try:
                answer = self._client.execute_command("INFO")
            except ResponseError:
                answer = b""
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def execute_many(self, commands: Sequence[Command], atomic: bool, or_none: bool) -> list[Any]:
        """Run commands in one round trip; see `Store.execute_many`."""
        answers = self._pipelined(commands, atomic)
        for i, answer in enumerate(answers):
            if isinstance(answer, RedisError):
                error = translate(answer, self._address)
                if not (or_none and isinstance(error, WrongType)):
                    raise error from answer
                answers[i] = None
        return answers

    def run_many(
        self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any]:
        """Run a script many times in one round trip; see `Store.run_many`."""
        commands = [("EVALSHA", script.sha, len(keys), *keys, *args) for keys, args in calls]
        answers = self._pipelined(commands)
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # a new or flushed server: nothing ran
            again = self._pipelined([("EVAL", script.text, *commands[i][2:]) for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        for answer in answers:
            if isinstance(answer, RedisError):
                raise translate(answer, self._address) from answer
        return answers

    def _pipelined(self, commands: Sequence[Command], atomic: bool = False) -> list[Any]:
        with self._errors(), self._client.pipeline(transaction=atomic) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers

    def listen(self, channel: str, poll_s: float) -> Iterator[bool]:
        """Whether something was announced on a channel; see `Store.listen`."""
        with self._errors(), self._client.pubsub() as pubsub:
            pubsub.subscribe(channel)
            while True:
                message = pubsub.get_message(timeout=poll_s)
                if message is None or message["type"] == "message":
                    yield message is not None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise translate(error, self._address) from error

    def close(self) -> None:
        """Close every connection, also the links that were given out."""
        for link in list(self._links):
            link.close()
        self._client.close()
        self._pool.disconnect()
        self._endpoint.close()
