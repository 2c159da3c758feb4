"""The decision threads: take all calls that wait, decide them together, answer them."""

import threading

from quotad.fronts.interface import Front
from quotad.service.quota import QuotaService


class Decider(threading.Thread):
    """One decision thread with its own service.

    Under load its batches grow by themselves; when idle a batch is one call and leaves at once.
    """

    def __init__(self, number: int, service: QuotaService, front: Front, batch_max: int) -> None:
        super().__init__(name=f"quotad-decider-{number}", daemon=True)
        self._front = front
        self._batch_max = batch_max
        self.service = service
        self._begun = 0
        self._done = 0
        self._seen = 0

    def run(self) -> None:
        """Serve until the front is drained."""
        while (calls := self._front.recv_batch(self._batch_max)) is not None:
            self._begun += 1
            for answers in self.service.answer(calls):
                self._front.answer(answers)
            self._done += 1
        self.service.close()

    def has_progressed(self) -> bool:
        """Whether it waits for calls, or has begun another batch since the last look."""
        begun, before = self._begun, self._seen
        self._seen = begun
        return begun == self._done or begun != before
