"""Which server of a store has a key, and which keys one command may name.

Callers hand over keys and never choose a server, so that a store of several needs no other callers.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from quotad.store.node import Node
from quotad.store.scripts import Script

Key = str | bytes

Places = Sequence[tuple[Node, Sequence[int]]]
"""Servers, and the positions of what goes there."""


class Link(Protocol):
    """One thread's way to all servers of a store, for what is hot."""

    def read(self, names: Sequence[str], deadline: float) -> list[bytes | None]:
        """The values of keys, of any shards; None: there is none, or one of another type.

        Args:
            names: which; those of one shard are of one moment.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or did not answer by then.
        """

    def time_us(self, deadline: float) -> int:
        """Unix time of the store's clock.

        Raises:
            StoreUnavailable: as `read`, or what is there is not a store.
        """

    def run(self, script: Script, words: Sequence[Any], deadline: float) -> Any:
        """Run a script; `words` is the number of keys, the keys and the arguments.

        Raises:
            StoreUnavailable: the store refused or did not answer by then; it may have run.
        """

    def close(self) -> None:
        """Close it; the next command would open it again."""


class Router:
    """All keys are on one server, and one command may name any of them."""

    def __init__(self, node: Node) -> None:
        self.nodes: Sequence[Node] = (node,)

    def node(self, key: Key) -> Node:
        """The server that has a key."""
        return self.nodes[0]

    def by_node(self, keys: Sequence[Key]) -> Places:
        """The servers that have the keys."""
        return ((self.nodes[0], range(len(keys))),) if keys else ()

    def by_slot(self, keys: Sequence[Key]) -> Places:
        """As `by_node`, with only such keys at one place as one command may name."""
        return self.by_node(keys)

    def link(self) -> Link:
        """For one thread; see `Link`."""
        return self.nodes[0].link()
