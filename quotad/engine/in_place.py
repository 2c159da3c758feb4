"""Verbs that begin anew where the customer's shard has moved since, or is being moved."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from quotad.engine.shared import Shared
from quotad.errors import ShardMoved

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class _HasShared(Protocol):
    _shared: Shared


_Self = TypeVar("_Self", bound=_HasShared)


def in_place(
    verb: Callable[Concatenate[_Self, _Given], _Result],
) -> Callable[Concatenate[_Self, _Given], _Result]:
    """Call a verb again, for as long as a batch may keep the store busy.

    Nothing has run of a step that was refused, and whoever repeats a call finds what was done
    before it: by its id, as verbs are made for.
    """

    @wraps(verb)
    def tried(self: _Self, /, *args: _Given.args, **named: _Given.kwargs) -> _Result:
        ends = 0.0
        while True:
            try:
                return verb(self, *args, **named)
            except ShardMoved:
                moves, now = self._shared.moves, time.monotonic()
                ends = ends or now + self._shared.settings.store_timeout_ms / 1000
                if moves is None or now >= ends:
                    raise
                moves.look()
                if not moves.wait(ends):
                    raise

    return tried
