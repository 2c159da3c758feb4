"""Watching changes from a thread."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from weakref import ref

import grpc

from quotad.client import errors
from quotad.client.watching import SILENCE_S, WatchedChange, WatchState

LOOK_S = 5.0
"""How often it is looked whether the server is silent."""


class Watch(Iterator[WatchedChange]):
    """Changes as they come, for one thread; a context manager that stops watching.

    Another thread may close it, which ends the iteration.

    Args:
        open_stream: opens a stream for a request; None: the client is closed.
        state: what is watched.
    """

    def __init__(self, open_stream: Any, state: WatchState) -> None:
        self._open = open_stream
        self._state = state
        self._stream: Any = None
        self._heard_s = 0.0
        self._closed = threading.Event()

    @property
    def position(self) -> str:
        """To go on from with another client; empty: nothing has come yet."""
        return self._state.position

    def __next__(self) -> WatchedChange:
        """Wait for the next change, however long it takes.

        Raises:
            QuotaError: the call was wrong, or the token is not good for it any more. That no server
                answers is no error: it is tried again until one does.
        """
        while not self._closed.is_set():
            error = None
            try:
                if self._stream is None:
                    self._begin()
                message = next(self._stream, None)
                if message is not None:
                    self._heard_s = time.monotonic()
                    change = self._state.told(message)
                    if change is not None:
                        return change
                    continue
            except grpc.RpcError as failed:
                error = errors.from_rpc(failed)
            except ValueError:  # of grpc: the channel was closed
                self._closed.set()
            self._stream = None
            if not self._closed.is_set():
                self._closed.wait(self._state.pause_s(error))
        raise StopIteration

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def end_if_silent(self) -> bool:
        """Cut a stream on which nothing has come for too long; returns whether it goes on."""
        stream = self._stream
        if stream is not None and time.monotonic() - self._heard_s > SILENCE_S:
            stream.cancel()
        return not self._closed.is_set()

    def _begin(self) -> None:
        first = not self._heard_s
        self._heard_s = time.monotonic()
        self._stream = self._open(self._state.request())
        if self._stream is None:
            self._closed.set()
        elif first:
            look = threading.Thread(
                target=_look, args=(ref(self), self._closed), name="quotad-watch", daemon=True
            )
            look.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _look(watch: "ref[Watch]", closed: threading.Event) -> None:
    """Look after a watch until it is closed or dropped."""
    while not closed.wait(LOOK_S):
        held = watch()
        if held is None or not held.end_if_silent():
            return
        del held
