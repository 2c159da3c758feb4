"""A client's connection for asyncio: one channel, of the event loop of its first call."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from quotad.client import errors, target
from quotad.client.calls import Attempt, Step, Steps
from quotad.client.errors import QuotaError
from quotad.client.token import with_token

_Result = TypeVar("_Result")


class AsyncConnected:
    """A client with its own connection; an asynchronous context manager.

    Args:
        stub: of the service, made of a channel.
        address: as of the clients, and so are the others.
        credentials: see there.
        channel_options: see there.
        token: see there.
    """

    def __init__(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        address: str,
        credentials: grpc.ChannelCredentials | None,
        channel_options: Sequence[tuple[str, Any]],
        token: str,
    ) -> None:
        self._make_stub = stub
        self._address = address
        self._credentials = credentials
        self._options = target.channel_options(
            address, channel_options, secure=credentials is not None
        )
        # A channel of grpc.aio belongs to the loop that is running when it is made, so it waits
        # for the first call: the client itself may be made anywhere.
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._token = token
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._closed = True
        if self._channel is not None:
            channel, self._channel, self._stub = self._channel, None, None
            if self._is_of_this_loop():
                await channel.close()
            # Of a loop that has ended nothing is left to wait for.

    async def _run(self, steps: Steps[_Result]) -> _Result:
        try:
            step = next(steps)
            while True:
                answer = await self._perform(step)
                failed = isinstance(answer, QuotaError)
                step = steps.throw(answer) if failed else steps.send(answer)
        except StopIteration as done:
            result: _Result = done.value
            return result

    def _perform(self, step: Step) -> Awaitable[Any]:
        """Carry out a step; waits for its answer, which may be a QuotaError."""
        return self._carry_out(step)

    async def _carry_out(self, step: Step) -> Any:
        if not isinstance(step, Attempt):
            return await asyncio.sleep(step.seconds)
        stub = self._connected()
        try:
            return await getattr(stub, step.method)(step.request, timeout=step.timeout_s)
        except grpc.RpcError as error:
            return errors.from_rpc(error)

    def _connected(self) -> Any:
        """The stub, connected at the first call."""
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._channel is not None and not self._is_of_this_loop():
            raise RuntimeError(
                f"this {type(self).__name__} belongs to the event loop of its first call; make one"
                " per loop"
            )
        if self._channel is None:
            self._loop = asyncio.get_running_loop()
            self._channel = (
                grpc.aio.insecure_channel(self._address, self._options)
                if self._credentials is None
                else grpc.aio.secure_channel(self._address, self._credentials, self._options)
            )
            self._stub = with_token(self._make_stub(self._channel), self._token)
        return self._stub

    def _is_of_this_loop(self) -> bool:
        return self._loop is asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_channel", None) is not None:
            warnings.warn(f"client of {self._address} was never closed", ResourceWarning, 2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"
