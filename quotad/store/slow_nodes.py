"""Servers of a cluster that take long to answer, so that only their customers wait for them."""

from collections.abc import Collection

from quotad.store.damage import report_once
from quotad.store.node import Node

SLOW_S = 0.05
"""A wait for a server that is longer is late: 100 times what a call takes."""

LATE_ENOUGH = 3
"""So often in a row late, and a server is slow. Once may be the machine of the one who waits."""

FAST_S = 0.01
FAST_ENOUGH = 10
"""So often within `FAST_S`, and it is slow no more."""


class SlowNodes:
    """Which servers are slow. Any thread may note what it has seen, as the rare note that is lost
    is made up for by the next one."""

    def __init__(self) -> None:
        self._late: dict[Node, int] = {}
        """How often in a row each of them was late."""
        self._slow: dict[Node, int] = {}
        """How many more fast answers each of them needs."""

    def __bool__(self) -> bool:
        """Whether answers in time are worth a note as well."""
        return bool(self._late or self._slow)

    @property
    def nodes(self) -> Collection[Node]:
        """Those that are slow."""
        return self._slow.keys()

    def note(self, node: Node, waited_s: float) -> None:
        """Note how long a server was waited for (s)."""
        if waited_s > SLOW_S:
            late = self._late.get(node, 0) + 1
            self._late[node] = late
            if late < LATE_ENOUGH:
                return
            if node not in self._slow:
                report_once(
                    f"the store at {node.address} takes more than {SLOW_S * 1000:.0f} ms to answer"
                )
            self._slow[node] = FAST_ENOUGH
            return
        self._late.pop(node, None)
        left = self._slow.get(node)
        if left is None or waited_s > FAST_S:
            return
        if left > 1:
            self._slow[node] = left - 1
        else:
            self._slow.pop(node, None)
