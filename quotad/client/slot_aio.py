"""A slot held for as long as an `async with` block runs, for asyncio."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from weakref import ref

from quotad.client import slots
from quotad.client.calls import Attempt, Policy, Steps
from quotad.client.errors import QuotaError
from quotad.client.slot import SlotState, WantedSlot, denied
from quotad.client.slots import AcquiredSlot
from quotad.client.tranche import boottime


class AsyncLiveSlot(SlotState):
    """A slot that is held while an `async with` block runs, extended by a task.

    One that its holder drops without releasing it is not extended any more, and ends by itself.
    Entering the block raises `QuotaDenied` where there is none. A slot is for one block.
    """

    def __init__(
        self,
        policy: Policy,
        wanted: WantedSlot,
        run: Callable[[Steps[Any]], Awaitable[Any]],
    ) -> None:
        super().__init__(policy, wanted)
        self._run = run
        self._task: asyncio.Task[None] | None = None

    async def acquire(self) -> AcquiredSlot:
        """Acquire it, and extend it from then on if it is held; a denial is a value.

        Raises:
            QuotaError: the call was wrong, or no server could decide it. A slot may be held all
                the same; it ends by itself.
        """
        asked = boottime()
        answer: AcquiredSlot = await self._run(self.asking())
        due = self.taken(answer, asked)
        if answer.allowed:
            self._task = asyncio.create_task(_extend(ref(self), self._run, due))
        return answer

    async def release(self) -> bool:
        """Free it; returns whether it was held until now.

        Raises:
            QuotaError: no server could do it; it ends by itself.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if not self.leaving():
            return False
        wanted, answer = self._wanted, self.answer
        assert answer is not None, "what is held was acquired"
        released: bool = await self._run(
            slots.release(self._policy, wanted.consumption.customer_id, answer.slot_id)
        )
        self.left(released)
        return released

    async def __aenter__(self) -> Self:
        answer = await self.acquire()
        if not answer.allowed:
            raise denied(answer)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(QuotaError):  # it ends by itself
            await self.release()


async def _extend(
    held: "ref[AsyncLiveSlot]", run: Callable[[Steps[Any]], Awaitable[Any]], first: float
) -> None:
    """Extend a slot from a time on, as long as its holder has it."""
    due: float | None = first
    while due is not None:
        await asyncio.sleep(due - boottime())
        slot = held()
        if slot is None:
            return
        attempt, slot = slot.beat(), None
        sent = boottime()
        try:
            outcome: Any = await run(_once(attempt))
        except QuotaError as error:
            outcome = error
        except RuntimeError:  # the client is closed
            return
        slot = held()
        due, slot = None if slot is None else slot.extended(outcome, sent), None


def _once(attempt: Attempt) -> Steps[Any]:
    """One call without retries: the next heartbeat is soon."""
    return (yield attempt)
