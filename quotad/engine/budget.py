"""How long a batch may keep the store busy with its questions."""

import time


class Budget:
    """Time for the store that a batch has left; it runs only while the store is asked.

    Planning, compiling and waiting for a catalog are not the store's doing, and take nothing of it.

    Args:
        total_ms: for all questions of the batch together.
    """

    __slots__ = ("_asked_s", "_left_s")

    def __init__(self, total_ms: int) -> None:
        self._left_s = total_ms / 1000
        self._asked_s = 0.0

    def ask(self) -> float:
        """Monotonic time in seconds by which a question that is asked now must be answered."""
        self._asked_s = time.monotonic()
        return self._asked_s + self._left_s

    def wait_out(self) -> None:
        """Sleep until the question that was asked last can have no effect any more."""
        time.sleep(max(0.0, self._asked_s + self._left_s - time.monotonic()))

    def answered(self) -> None:
        """Stop the time; call before anything else is done that may take long."""
        self._left_s -= time.monotonic() - self._asked_s
