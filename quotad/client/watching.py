"""Watching changes: what both clients share. A stream that breaks is opened again where it was."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from quotad import backoff
from quotad.changes import ChangeKind
from quotad.client.building import checked
from quotad.client.errors import QuotaDeadline, QuotaError, QuotaUnavailable, asked_wait_s
from quotad.client.messages import read
from quotad.v1 import quota_pb2 as pb

SILENCE_S = 45.0
"""A server sends something each 15 s; after this time without anything the connection is lost."""

PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 5.0

OnLost = Callable[[QuotaError | None], None]
"""Takes what a stream has ended with; None: a server that stops has ended it."""

_PREFIX = len("CHANGE_KIND_")


class WatchedChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change; which fields it has depends on the kind."""

    kind: ChangeKind
    at: datetime
    """UTC, by the store's clock."""
    customer_id: str = ""
    """Empty: of all that are watched."""
    epoch: int = 0
    """Of the customer after the write."""
    catalog_version: int = 0
    """In force after a CATALOG_CHANGED."""
    feature_id: str = ""
    """Whose usage has changed; empty: of more than one, or of one that is not known."""
    resource_id: str = ""
    """Of the customer's, whose usage has changed; empty: its own."""
    actor: str = ""
    """Whose doing it was, for callers with the right to read."""
    position: str
    """To go on from after this change, also with another client."""


class WatchState:
    """Where watching has got to.

    Args:
        customer_id: whose changes; empty: everybody's.
        usage: whether changes of usage are watched, too.
        position: to go on from; empty: from now on.
        on_lost: called with why, each time before a stream is opened again.

    Raises:
        QuotaInvalid: a value is of another type.
    """

    def __init__(
        self, customer_id: str, usage: bool, position: str, on_lost: OnLost | None
    ) -> None:
        self._request = checked(
            pb.WatchEntitlementsRequest, customer_id=customer_id, usage=usage, position=position
        )
        self._on_lost = on_lost
        self._failures = 0

    @property
    def position(self) -> str:
        """After the last change."""
        return self._request.position

    def request(self) -> Any:
        """What the next stream is asked for."""
        return self._request

    def told(self, message: Any) -> WatchedChange | None:
        """Return what a server has sent; None: only a later position."""
        self._failures = 0
        self._request.position = message.position
        kind = pb.ChangeKind.Name(message.kind)[_PREFIX:]
        if kind == ChangeKind.POSITION or kind not in ChangeKind.__members__:
            return None
        return read(WatchedChange, message, kind=ChangeKind(kind))

    def pause_s(self, error: QuotaError | None) -> float:
        """Return how long to wait before the next stream.

        Args:
            error: what the stream has ended with; None: it ended without.

        Raises:
            QuotaError: the error, if another stream would not do better.
        """
        lost = error is None or isinstance(error, QuotaUnavailable | QuotaDeadline)
        if not lost and error is not None and error.code != "CANCELLED":
            raise error
        if self._on_lost is not None:
            self._on_lost(error)
        pause = backoff.pause_s(self._failures, PAUSE_MIN_S, PAUSE_MAX_S, random.random())
        self._failures += 1
        return asked_wait_s(error) + pause
