"""Watching changes from asyncio."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from quotad.client import errors
from quotad.client.errors import QuotaUnavailable
from quotad.client.watching import SILENCE_S, WatchedChange, WatchState


class AsyncWatch(AsyncIterator[WatchedChange]):
    """Changes as they come, for one task; an asynchronous context manager that stops watching.

    Args:
        open_stream: opens a stream for a request; None: the client is closed.
        state: what is watched.
    """

    def __init__(self, open_stream: Any, state: WatchState) -> None:
        self._open = open_stream
        self._state = state
        self._stream: Any = None
        self._closed = False

    @property
    def position(self) -> str:
        """To go on from with another client; empty: nothing has come yet."""
        return self._state.position

    async def __anext__(self) -> WatchedChange:
        """Wait for the next change, however long it takes.

        Raises:
            QuotaError: the call was wrong, or the token is not good for it any more. That no server
                answers is no error: it is tried again until one does.
        """
        while not self._closed:
            error: errors.QuotaError | None = None
            try:
                if self._stream is None:
                    self._stream = self._open(self._state.request())
                if self._stream is None:
                    break
                message = await asyncio.wait_for(self._stream.read(), SILENCE_S)
                if message is not grpc.aio.EOF:
                    change = self._state.told(message)
                    if change is not None:
                        return change
                    continue
            except grpc.RpcError as failed:
                error = errors.from_rpc(failed)
            except TimeoutError:
                error = QuotaUnavailable("nothing was heard of the server", code="UNAVAILABLE")
            except grpc.aio.UsageError:  # the channel was closed
                break
            self._end()
            if not self._closed:
                await asyncio.sleep(self._state.pause_s(error))
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop watching."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
