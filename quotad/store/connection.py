"""How quotad reaches Redis: addresses, time-outs, and which errors mean "not there".

A time-out is never retried here: the command may have run.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from quotad.errors import (
    BudgetSpent,
    ConfigError,
    ScriptContractError,
    StoreError,
    StoreUnavailable,
)
from quotad.store.scripts import Script

# Answers of a server that is there but cannot work now: out of memory, disk full, a replica
# without its primary, a script that runs too long, credentials being rotated. redis-py has classes
# for most of them, and takes the word away from the text of those.
_TRANSIENT = (
    RedisConnectionError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
_TRANSIENT_WORDS = ("MISCONF", "NOREPLICAS", "BUSY")


def mask_url(url: str) -> str:
    """The address without its credentials, fit for a log."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def translate(error: RedisError, address: str) -> StoreError:
    """The quotad error for an error of redis-py."""
    if isinstance(error, RedisTimeoutError):
        return StoreUnavailable(f"the store at {address} did not answer in time")
    text = str(error)
    if isinstance(error, ResponseError) and "QUOTAD_ARGS" in text:
        return ScriptContractError(text)
    if isinstance(error, _TRANSIENT) or text.startswith(_TRANSIENT_WORDS):
        return StoreUnavailable(f"the store at {address} is not available: {text}")
    return StoreError(f"the store at {address} answered: {text}")


class Store:
    """One Redis or Valkey server, as an address with time-outs; opens connections when asked.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_ms: longest wait for a connection or an answer.

    Raises:
        ConfigError: the URL is not one.
    """

    def __init__(self, url: str, timeout_ms: int = 250) -> None:
        self.address = mask_url(url)
        self.timeout_s = timeout_ms / 1000
        try:
            self._pool = redis.ConnectionPool.from_url(
                url,
                protocol=2,
                socket_timeout=self.timeout_s,
                socket_connect_timeout=self.timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
            # Raises for a scheme or an option that redis-py does not know; opens no socket.
            self._pool.make_connection()
        except (ValueError, TypeError) as error:
            raise ConfigError(f"redis_url: {self.address!r} cannot be used: {error}") from error
        # Any: the annotations of redis-py cannot tell that answers are bytes here.
        self.client: Any = redis.Redis(connection_pool=self._pool)
        """For everything that is not hot; may be used by several threads."""

    def connect(self) -> "Link":
        """A connection of one thread's own, opened at its first use."""
        return Link(self._pool.make_connection(), self.address)

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
        """Close every pooled connection."""
        self.client.close()
        self._pool.disconnect()


IDLE_S = 0.5
"""Without a command for so long, a connection is looked at before it is used: a store that closed
it would cost the calls that find out. Not each time, as it is a system call."""


class Link:
    """One connection, used by one thread, with a deadline per command.

    It leaves out what redis-py's client does per command (pool, retries, metrics) and per argument
    (a generator that looks at its type): on the hot path that costs more than all the rest.
    """

    def __init__(self, connection: Any, address: str) -> None:
        self._connection = connection
        self._address = address
        self._used_s: float | None = None
        """Monotonic time of the last command that was answered; None: not connected."""

    def execute(self, command: tuple[Any, ...], deadline: float) -> Any:
        """Send one command and read its answer.

        Args:
            command: the words; str, bytes or int.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            BudgetSpent: the deadline is over; nothing was sent.
            StoreUnavailable: the store refused or did not answer by then; it may have run.
        """
        connection = self._connection
        now = time.monotonic()
        if deadline <= now:
            raise BudgetSpent("no time was left to ask the store; nothing was sent, try again")
        try:
            if self._used_s is not None and now - self._used_s > IDLE_S:
                self._leave_if_closed()
            connection.send_packed_command((pack_command(command),), check_health=False)
            answer = connection.read_response(timeout=deadline - now)
        except RedisError as error:
            if not isinstance(error, ResponseError):
                self.close()
            raise translate(error, self._address) from error
        self._used_s = now
        return answer

    def _leave_if_closed(self) -> None:
        """Disconnect if the store has closed the connection meanwhile, as at a restart or when it
        was idle for long; nothing was sent, so the next command may open another one."""
        try:
            closed = self._connection.can_read()  # also an answer that nobody has asked for
        except (RedisError, OSError):
            closed = True
        if closed:
            self.close()

    def run(self, script: Script, words: Sequence[Any], deadline: float) -> Any:
        """Run a script; `words` is the number of keys, the keys and the arguments.

        Raises:
            StoreUnavailable: as `execute`.
        """
        try:
            return self.execute(("EVALSHA", script.sha, *words), deadline)
        except StoreError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return self.execute(("EVAL", script.text, *words), deadline)  # nothing ran

    def close(self) -> None:
        """Close the connection; the next command would open it again."""
        self._used_s = None
        self._connection.disconnect()
