"""Servers of a cluster that take long to answer, so that only their customers wait for them."""

from collections.abc import Collection

from quotad.store.damage import report_once
from quotad.store.node import Node

SLOW_S = 0.05
"""A server that was waited for longer than this is slow: 100 times what a call takes."""

FAST_S = 0.01
FAST_ENOUGH = 10
"""So often in a row within `FAST_S`, and a server is slow no more."""


class SlowNodes:
    """Which servers are slow. Any thread may note what it has seen, as the rare note that is lost
    is made up for by the next one."""

    def __init__(self) -> None:
        self._left: dict[Node, int] = {}
        """How many more fast answers each of them needs."""

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def nodes(self) -> Collection[Node]:
        """Those that are slow."""
        return self._left.keys()

    def note(self, node: Node, waited_s: float) -> None:
        """Note how long a server was waited for (s)."""
        if waited_s > SLOW_S:
            if node not in self._left:
                report_once(
                    f"the store at {node.address} took more than {SLOW_S * 1000:.0f} ms to answer;"
                    " calls for its customers wait apart from others while it does"
                )
            self._left[node] = FAST_ENOUGH
            return
        left = self._left.get(node)
        if left is None or waited_s > FAST_S:
            return
        if left > 1:
            self._left[node] = left - 1
        else:
            self._left.pop(node, None)
