"""The decision threads: take all calls that wait, decide them together, answer them."""

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from quotad.fronts.interface import Answer, Call, Calls
from quotad.server.slow_lane import SlowLane


class Answers(Protocol):
    """What a decision thread needs of `quotad.service.quota.QuotaService`."""

    def answer(self, calls: Sequence[Call]) -> Iterable[Sequence[Answer]]:
        """Answer every one of the calls, in parts."""
        ...

    def close(self) -> None:
        """Close the connection to the store."""
        ...


class Decider(threading.Thread):
    """One decision thread with its own service.

    Under load its batches grow by themselves; when idle a batch is one call and leaves at once.

    Args:
        number: for its name.
        service: its own.
        front: where calls come from, and answers go.
        batch_max: most calls that are taken at once.
        lane: takes those that would have others wait; None: there is none.
    """

    def __init__(
        self,
        number: int,
        service: Answers,
        front: Calls,
        batch_max: int,
        lane: SlowLane | None = None,
    ) -> None:
        super().__init__(name=f"quotad-decider-{number}", daemon=True)
        self._front = front
        self._batch_max = batch_max
        self._service = service
        self._lane = lane
        self._begun = 0
        self._done = 0
        self._seen = 0

    def run(self) -> None:
        """Serve until the front is drained."""
        lane = self._lane
        while (calls := self._front.recv_batch(self._batch_max)) is not None:
            self._begun += 1
            if lane is not None:
                calls = lane.take_slow(calls)
            for answers in self._service.answer(calls):
                self._front.answer(answers)
            self._done += 1
        if lane is not None:
            lane.leave()
        self._service.close()

    def has_progressed(self) -> bool:
        """Whether it waits for calls, or has begun another batch since the last look."""
        begun, before = self._begun, self._seen
        self._seen = begun
        return begun == self._done or begun != before
