"""One connection of one thread, for what is hot."""

import time
from collections.abc import Sequence
from typing import Any

from hiredis import Reader, pack_command
from redis.exceptions import RedisError

from quotad.errors import BudgetSpent, StoreUnavailable
from quotad.store.pool import StoreConnection
from quotad.store.refusals import ErrorReply, lost, refused, timed_out, translate
from quotad.store.scripts import Script
from quotad.store.sockets import DeadlineSocket, Endpoint

IDLE_S = 0.5
"""Without a command for so long, a connection is looked at before it is used: a store that closed
it would cost the calls that find out. Not each time, as it is a system call."""

_READ_BYTES = 65536
_MORE = object()
"""What the reader returns while the answer is not complete."""


class NodeLink:
    """A connection to one server with a deadline per command, which its opening is part of.

    It leaves out what redis-py's client does per command (pool, retries, metrics) and per argument
    (a generator that looks at its type): on the hot path that costs more than all the rest.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self._connection = StoreConnection(endpoint, timeout_s)
        self._address = endpoint.address
        self._socket: DeadlineSocket | None = None
        self._reader: Any = None  # its annotations do not know of buffers
        self._buffer = bytearray(_READ_BYTES)
        self._used_s = 0.0
        """Monotonic time of the last command that was answered."""

    def open(self, deadline: float) -> None:
        """Connect, unless it is connected.

        Raises:
            StoreUnavailable: the store refused or was not there by the deadline (monotonic s).
        """
        if self._socket is None:
            try:
                self._socket = self._connection.open_by(deadline)
            except RedisError as error:
                raise translate(error, self._address) from error
            self._reader = Reader(replyError=ErrorReply, notEnoughData=_MORE)
            self._used_s = time.monotonic()

    def execute(self, command: tuple[Any, ...], deadline: float) -> Any:
        """Send one command and read its answer.

        Args:
            command: the words; str, bytes or int.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            BudgetSpent: the deadline is over; nothing was sent.
            AnswerLost: the connection broke; it may have run, or run later.
            StoreUnavailable: the store refused or did not answer by then; it may have run.
        """
        answer = self.exchange(command, deadline)
        if isinstance(answer, ErrorReply):
            raise refused(answer, self._address)
        return answer

    def read(self, names: Sequence[str], deadline: float) -> list[bytes | None]:
        """The values of keys.

        Raises:
            StoreUnavailable: as `execute`.
        """
        return self.execute(("MGET", *names), deadline)  # type: ignore[no-any-return]

    def time_us(self, deadline: float) -> int:
        """Unix time of the store's clock.

        Raises:
            StoreUnavailable: as `execute`, or what is there is not a store.
        """
        try:
            seconds, micros = map(int, self.execute(("TIME",), deadline))
        except (ValueError, TypeError):
            raise StoreUnavailable(
                f"what is at {self._address} is not a store", "the store is not available"
            ) from None
        return seconds * 1_000_000 + micros

    def run(self, script: Script, words: Sequence[Any], deadline: float) -> Any:
        """Run a script; `words` is the number of keys, the keys and the arguments.

        Raises:
            StoreUnavailable: as `execute`.
        """
        answer = self.exchange(("EVALSHA", script.sha, *words), deadline)
        if isinstance(answer, ErrorReply):
            if not answer.no_script:
                raise refused(answer, self._address)
            return self.execute(("EVAL", script.text, *words), deadline)  # nothing ran
        return answer

    def exchange(self, command: tuple[Any, ...], deadline: float) -> Any:
        """The answer, also one that is an error."""
        now = time.monotonic()
        if deadline <= now:
            raise BudgetSpent("no time was left to ask the store; nothing was sent, try again")
        socket = self._socket
        if socket is None or (now - self._used_s > IDLE_S and not socket.idle_and_open()):
            self.close()
            self.open(deadline)
            socket = self._socket
            assert socket is not None
        reader, buffer = self._reader, self._buffer
        try:
            socket.begin(deadline)
            socket.sendall(pack_command(command))
            answer = _MORE
            while answer is _MORE:
                count = socket.recv_into(buffer)
                if not count:
                    raise ConnectionResetError("it has closed the connection")
                reader.feed(buffer, 0, count)
                answer = reader.gets()
        except TimeoutError:
            self.close()
            raise timed_out(self._address) from None
        except OSError as error:
            self.close()
            raise lost(error, self._address) from error
        except BaseException:
            self.close()  # the rest of an answer would be taken for that of the next command
            raise
        self._used_s = now
        if isinstance(answer, ErrorReply) and answer.read_only:
            self.close()  # a replica now; the next command goes where the name then leads
        return answer

    def close(self) -> None:
        """Close the connection; the next command would open it again."""
        self._socket = None
        self._connection.disconnect()  # type: ignore[no-untyped-call]
