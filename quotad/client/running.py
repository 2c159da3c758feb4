"""What the calls of both clients are mixed into: something that carries out their steps."""

from abc import ABC, abstractmethod
from typing import TypeVar

from quotad.client.calls import Policy, Steps

_Result = TypeVar("_Result")


class Runs(ABC):
    """A client for threads."""

    _policy: Policy

    @abstractmethod
    def _run(self, steps: Steps[_Result]) -> _Result:
        """Carry out the steps of one call; raises what it failed with."""


class AsyncRuns(ABC):
    """A client for asyncio."""

    _policy: Policy

    @abstractmethod
    async def _run(self, steps: Steps[_Result]) -> _Result:
        """Carry out the steps of one call; raises what it failed with."""
