"""The decision threads: take all calls that wait, decide them together, answer them."""

import threading

from quotad.fronts.interface import Front
from quotad.service.quota import QuotaService


class Decider(threading.Thread):
    """One decision thread, with a service of its own.

    Under load its batches grow by themselves; when idle a batch is one call and leaves at once.
    """

    def __init__(self, number: int, service: QuotaService, front: Front, batch_max: int) -> None:
        super().__init__(name=f"quotad-decider-{number}", daemon=True)
        self._front = front
        self._batch_max = batch_max
        self.service = service

    def run(self) -> None:
        """Serve until the front is drained."""
        while (calls := self._front.recv_batch(self._batch_max)) is not None:
            self.service.answer(calls)
        self.service.close()
