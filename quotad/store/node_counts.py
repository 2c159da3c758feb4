"""What a process has seen of each server of a cluster: failures, answers that were none, time."""

import threading
from bisect import bisect_left

from quotad.errors import AnswerLost, StoreUnavailable
from quotad.metrics import OTHER

NODES_MAX = 100
"""Most servers that are counted apart; what is beyond is counted together, as `OTHER`. Addresses of
a managed service change, and those that have left stay."""

REPLIES = ("moved", "ask", "tryagain", "clusterdown")
"""Answers by which a server sends a call elsewhere, or has it come later."""

KINDS = ("unavailable", "answer_lost", *REPLIES, "refused")
"""Of what a server has answered instead of a result; `refused` with another error."""

BOUNDS_US = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
"""Of the time of an answer."""

_WIDTH = 1 + len(KINDS) + len(BOUNDS_US) + 2


class NodeCounts:
    """Counts by address; any thread may count, as none of it is hot."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def failed(self, node: str, error: StoreUnavailable) -> None:
        """Count a call without an answer."""
        self._add(node, "answer_lost" if isinstance(error, AnswerLost) else "unavailable")

    def replied(self, node: str, word: str) -> None:
        """Count an answer that is an error, by what it begins with."""
        name = word.lower()
        self._add(node, name if name in REPLIES else "refused")

    def answered(self, node: str, seconds: float) -> None:
        """Count how long an answer took."""
        micros = round(seconds * 1_000_000)
        with self._lock:
            row = self._row(node)
            row[1 + len(KINDS) + bisect_left(BOUNDS_US, micros)] += 1
            row[-1] += micros

    def rows(self, down: set[str]) -> dict[str, list[int]]:
        """Return by address whether it is not asked (1), the counts of `KINDS`, and a histogram.

        Args:
            down: those that are not asked.
        """
        with self._lock:
            for node in down:
                self._row(node)
            return {node: [int(node in down), *row[1:]] for node, row in self._rows.items()}

    def _add(self, node: str, kind: str) -> None:
        with self._lock:
            self._row(node)[1 + KINDS.index(kind)] += 1

    def _row(self, node: str) -> list[int]:
        if node not in self._rows and len(self._rows) >= NODES_MAX:
            node = OTHER
        return self._rows.setdefault(node, [0] * _WIDTH)
