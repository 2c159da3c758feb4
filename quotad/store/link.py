"""One connection to one server, of one thread at a time."""

import time
from collections.abc import Sequence
from math import inf
from typing import Any

from hiredis import ProtocolError, Reader, pack_command

from quotad.errors import AnswerLost, BudgetSpent, StoreUnavailable
from quotad.store.packed import Packed, PackedCall
from quotad.store.refusals import ErrorReply, lost, not_signed_in, refused, timed_out, unavailable
from quotad.store.scripts import Script
from quotad.store.sockets import DeadlineSocket, Endpoint

Command = tuple[Any, ...]
"""The words of a command; str, bytes or int."""

ScriptWords = Sequence[Any] | PackedCall
"""Of the call of a script, behind its name: the number of keys, the keys and the arguments."""

_PACKED = (Packed, PackedCall)

NO_STORE = "what answers is no Redis or Valkey"

_READ_BYTES = 65536
_GRACE_S = 0.002
"""For reading what has arrived, when the deadline passed while another server was waited for."""
_MORE = object()
"""What the reader returns while the answer is not complete."""


def _unsent(error: StoreUnavailable) -> StoreUnavailable:
    error.unsent = True
    return error


def read_time(answer: Any, address: object) -> int:
    """The answer to TIME, in microseconds.

    Raises:
        StoreUnavailable: it is something else.
    """
    try:
        seconds, micros = map(int, answer)
    except (ValueError, TypeError):
        raise unavailable(NO_STORE, address) from None
    return seconds * 1_000_000 + micros


class NodeLink:
    """A connection to one server with a deadline per command, which its opening is part of.

    Nothing is done per command that need not be, and a command is never sent twice: one that was
    not answered in time may have run.
    """

    whole = True
    """Whether one script may touch keys of all shards."""

    idle_s = 0.5
    """Without a command for this time, a connection is looked at before it is used: a store that
    closed it would cost the calls that find out. Not each time, as it is a system call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._address = endpoint.address
        self._socket: DeadlineSocket | None = None
        self._reader: Any = None  # its annotations do not know of buffers
        self._buffer = bytearray(_READ_BYTES)
        self._used_s = 0.0
        """Monotonic time of the last command that was answered."""

    @property
    def opened(self) -> bool:
        """Whether it is connected, as far as is known."""
        return self._socket is not None

    def open(self, deadline: float) -> None:
        """Connect and sign in, unless it is connected.

        Raises:
            StoreUnavailable: the store refused or was not there by the deadline (monotonic s).
        """
        if self._socket is not None:
            return
        try:
            self._socket = self._endpoint.open(deadline)
        except TimeoutError:
            raise _unsent(timed_out(self._address)) from None
        except OSError as error:
            raise _unsent(unavailable(error.strerror or str(error), self._address)) from error
        self._reader = Reader(replyError=ErrorReply, notEnoughData=_MORE)
        self._used_s = inf
        commands = self._address.commands()
        if self._endpoint.leads:
            commands.append(("ROLE",))
        try:
            answers = self.exchange_many(commands, deadline) if commands else []
        except AnswerLost as error:  # nothing that counts was sent
            raise StoreUnavailable(str(error), error.for_caller) from None
        for answer in answers:
            if isinstance(answer, ErrorReply):
                self.close()
                raise not_signed_in(answer, self._address)
        if self._endpoint.leads and answers[-1][:1] != [b"master"]:
            self.close()
            raise unavailable("it is no primary any more", self._endpoint.address)

    def execute(self, command: Command | bytes, deadline: float) -> Any:
        """Send one command and read its answer.

        Args:
            command: the words, str, bytes or int; or all of it as it travels.
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

    def read_each(self, names: Sequence[str], deadline: float) -> list[Any]:
        """As `read`."""
        return self.read(names, deadline)

    def time_us(self, deadline: float) -> int:
        """Unix time of the store's clock.

        Raises:
            StoreUnavailable: as `execute`, or what is there is not a store.
        """
        return read_time(self.execute(("TIME",), deadline), self._address)

    def run(self, script: Script, words: ScriptWords, deadline: float) -> Any:
        """Run a script; `words` is the number of keys, the keys and the arguments.

        Raises:
            StoreUnavailable: as `execute`.
        """
        answer = self.exchange(begin(words, "EVALSHA", script.sha), deadline)
        if isinstance(answer, ErrorReply):
            if not answer.no_script:
                raise refused(answer, self._address)
            return self.execute(begin(words, "EVAL", script.text), deadline)  # nothing ran
        return answer

    def run_many(self, script: Script, calls: Sequence[ScriptWords], deadline: float) -> list[Any]:
        """Run a script for each of some `words`; an answer may be an error.

        Raises:
            StoreUnavailable: as `execute`.
        """
        return [self.run(script, words, deadline) for words in calls]

    def by_slot(self, names: Sequence[Any]) -> Sequence[Sequence[int]]:
        """Positions of keys that one command may name together."""
        return (range(len(names)),) if names else ()

    def send(self, commands: Sequence[Command | bytes], deadline: float) -> None:
        """Send commands, each as of `execute`, whose answers `receive` returns.

        Raises:
            StoreUnavailable: as `execute`.
        """
        now = time.monotonic()
        if deadline <= now:
            raise BudgetSpent("no time was left to ask the store; nothing was sent, try again")
        if self._socket is None or (now - self._used_s > self.idle_s and not self._socket.quiet()):
            self.close()
            self.open(deadline)
        assert self._socket is not None
        try:
            self._socket.begin(deadline)
            self._socket.sendall(b"".join(map(_as_it_travels, commands)))
        except OSError as error:
            raise self._failed(error) from None
        self._used_s = now

    def receive(self, count: int) -> list[Any]:
        """The answers to what was sent, also those that are errors.

        Raises:
            StoreUnavailable: as `execute`.
        """
        assert self._socket is not None
        late = time.monotonic() + _GRACE_S
        self._socket.deadline = max(self._socket.deadline, late)
        return self._next(count)

    def exchange(
        self,
        command: Command | bytes,
        deadline: float,
        more: Sequence[Command | bytes] = (),
        extra_s: float = 0.0,
    ) -> Any:
        """The answer, also one that is an error.

        Args:
            command: as of `execute`.
            deadline: as of `execute`.
            more: commands sent along, whose answers `_next` returns.
            extra_s: how much later than the deadline for each byte that travels.
        """
        now = time.monotonic()
        if deadline <= now:
            raise BudgetSpent("no time was left to ask the store; nothing was sent, try again")
        socket = self._socket
        if socket is None or (now - self._used_s > self.idle_s and not socket.quiet()):
            self.close()
            self.open(deadline)
            socket = self._socket
            assert socket is not None
        reader, buffer = self._reader, self._buffer
        try:
            socket.begin(deadline, extra_s)
            data = command if isinstance(command, bytes) else pack_command(command)
            socket.sendall(b"".join((data, *map(_as_it_travels, more))) if more else data)
            answer = _MORE
            while answer is _MORE:
                count = socket.recv_into(buffer)
                if not count:
                    raise ConnectionResetError("it has closed the connection")
                reader.feed(buffer, 0, count)
                answer = reader.gets()
        except (OSError, ProtocolError) as error:
            raise self._failed(error) from None
        except BaseException:
            self.close()  # the rest of an answer would be taken for that of the next command
            raise
        self._used_s = now
        if isinstance(answer, ErrorReply) and answer.no_primary and not more:
            self.close()  # a replica now; the next command goes where the name then leads
        return answer

    def exchange_many(
        self, commands: Sequence[Command | bytes], deadline: float, extra_s: float = 0.0
    ) -> list[Any]:
        """The answers to commands that are sent together, also those that are errors."""
        first, *more = commands
        answers = [self.exchange(first, deadline, more, extra_s), *self._next(len(more))]
        if any(isinstance(answer, ErrorReply) and answer.no_primary for answer in answers):
            self.close()
        return answers

    def message(self, wait_s: float, timeout_s: float, extra_s: float) -> Any:
        """The next message after SUBSCRIBE; None: none has begun to arrive for `wait_s`.

        Raises:
            StoreUnavailable: the connection was lost, or it has begun and was not there in time.
        """
        assert self._socket is not None
        if not self._reader.has_data() and self._socket.quiet(wait_s):
            return None
        self._socket.begin(time.monotonic() + timeout_s, extra_s)
        return self._next(1)[0]

    def _next(self, count: int) -> list[Any]:
        """The next answers."""
        socket, gets = self._socket, self._reader.gets
        assert socket is not None
        answers: list[Any] = []
        try:
            while len(answers) < count:
                answer = gets()
                if answer is not _MORE:
                    answers.append(answer)
                    continue
                size = socket.recv_into(self._buffer)
                if not size:
                    raise ConnectionResetError("it has closed the connection")
                self._reader.feed(self._buffer, 0, size)
        except (OSError, ProtocolError) as error:
            raise self._failed(error) from None
        except BaseException:
            self.close()  # the rest of an answer would be taken for that of the next command
            raise
        return answers

    def _failed(self, error: OSError | ProtocolError) -> StoreUnavailable:
        """What a command ends with that was sent, and not answered."""
        self.close()
        if isinstance(error, ProtocolError):
            return unavailable(NO_STORE, self._address)
        timed = isinstance(error, TimeoutError)
        return timed_out(self._address) if timed else lost(error, self._address)

    def drop(self) -> None:
        """Let the next command open it again; any thread may. One under way fails."""
        opened = self._socket
        if opened is not None:
            opened.end()
            self._used_s = -inf  # it is looked at before it is used

    def close(self) -> None:
        """Close the connection; the next command would open it again."""
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()


def begin(words: ScriptWords, *start: str) -> Command | bytes:
    """A command of these words behind its first ones."""
    return words.behind(*start) if isinstance(words, _PACKED) else (*start, *words)


def _as_it_travels(command: Command | bytes) -> bytes:
    return command if isinstance(command, bytes) else pack_command(command)
