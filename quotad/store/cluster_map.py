"""What is known of a cluster: which server has which slot, and which servers do not answer.

Read by every thread without a lock. Changed by what servers answer (MOVED), and by one thread that
asks for the whole map when something was wrong, and looks whether servers answer again.
"""

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from quotad.backoff import pause_s
from quotad.errors import BudgetSpent, ConfigError, NotReady, StoreError, StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.hash_slots import SLOTS, Range, Where, read_ranges
from quotad.store.node import Node
from quotad.store.node_counts import NodeCounts
from quotad.store.refusals import ErrorReply, refused, unavailable
from quotad.store.slow_nodes import SlowNodes

_log = logging.getLogger("quotad.store")

LOOK_S = 10.0
"""How often the map is asked for while nothing is wrong: nodes may have been added."""

PAUSE_MIN_S = 0.02
PAUSE_MAX_S = 0.5
"""Pauses between two looks while something is wrong."""

AWAY = "{}; its customers are answered UNAVAILABLE until it is back"
"""What follows from why a server is not there."""

_LOGGED_MAX = 20
"""Most reasons why a server is not there that are logged until it is back."""

_NO_CLUSTER = ("ERR This instance has cluster support disabled", "ERR unknown command")


class ClusterMap:
    """The servers of one cluster. Any thread may call it.

    Args:
        address: with the nodes to begin with.
        make: makes a node of an address and a number of spare sockets.
        spares: of each node.
    """

    def __init__(
        self, address: StoreAddress, make: Callable[[StoreAddress, int], Node], spares: int
    ) -> None:
        self._address = address
        self._make = make
        self._spares = spares
        self._seeds = [make(address.at(*where), 0) for where in address.seeds]
        self._servers: dict[Where, Node] = {}
        self._slots: list[Node | None] = []
        self._down: dict[Node, StoreUnavailable] = {}
        self.counts = NodeCounts()
        self.slow_nodes = SlowNodes()
        self.uncovered = 0
        """How many slots no server has."""
        self._told: dict[Node, set[str]] = {}
        """What was logged of each since it was down."""
        self._changing = threading.Lock()
        self._loading = threading.Lock()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def nodes(self) -> Sequence[Node]:
        """The primaries.

        Raises:
            StoreUnavailable: no server has answered yet.
        """
        self.slots()
        return list(self._servers.values())

    def slots(self) -> Sequence[Node | None]:
        """By slot, which server has it; None: none that is known.

        Raises:
            StoreUnavailable: no server has answered yet.
        """
        if not self._slots:
            with self._loading:
                if not self._slots:
                    self._load(anew=False)
            self._start()
        return self._slots

    def live(self) -> Iterator[Node]:
        """The primaries, those first that answer as far as is known.

        Raises:
            StoreUnavailable: no server has answered yet.
        """
        yield from sorted(self.nodes, key=lambda node: node in self._down)

    @property
    def down(self) -> Collection[Node]:
        """Servers that are not asked, as they did not answer."""
        return self._down.keys()

    @property
    def slow(self) -> Collection[Node]:
        """Servers that are asked and take long to answer, while most do not: where most do, it may
        be for want of CPU here, and keeping their customers apart helps no one."""
        if not self.slow_nodes.nodes:
            return ()
        asked = [node for node in list(self._servers.values()) if node not in self._down]
        found = [node for node in asked if node in self.slow_nodes.nodes]
        return found if 2 * len(found) <= len(asked) else ()

    @property
    def away(self) -> Sequence[str]:
        """Why servers are not asked."""
        return [AWAY.format(error) for error in list(self._down.values())]

    def problem(self, node: Node) -> NotReady | None:
        """Why a server is not asked; None: it is."""
        error = self._down.get(node)
        if error is None:
            return None
        known = NotReady(str(error), error.for_caller)
        known.partial = True
        return known

    def note_failure(self, node: Node, error: StoreUnavailable) -> None:
        """Ask a server no more that has failed, until it is found to answer."""
        error.partial = True
        if isinstance(error, BudgetSpent):
            return
        self.counts.failed(str(node.address), error)
        if node not in self._down and not self._closed.is_set():
            self._note_down(node, error)
        self.look_soon()

    def _note_down(self, node: Node, error: StoreUnavailable) -> None:
        """Log why a server is not there, each reason once until it is back."""
        self._down[node] = error
        told = self._told.setdefault(node, set())
        if str(error) not in told and len(told) < _LOGGED_MAX:
            told.add(str(error))
            _log.error("%s", AWAY.format(error))

    def note_moved(self, slot: int, where: Where) -> None:
        """Take over that a server has a slot, as another has answered."""
        with self._changing:
            self._slots[slot] = self._server(where)
        self.look_soon()

    def server(self, where: Where) -> Node:
        """The server at an address, in the map or not."""
        with self._changing:
            return self._server(where)

    def _server(self, where: Where) -> Node:
        node = self._servers.get(where)
        if node is None:
            node = self._make(self._address.at(*where), self._spares)
            self._servers = {**self._servers, where: node}
        return node

    def look_soon(self) -> None:
        """Let the map be asked for again."""
        self._wanted.set()

    def look_up(self) -> None:
        """Ask for the map, and look up the names of the first nodes again.

        Raises:
            StoreUnavailable: no server has answered.
            ConfigError: it is no cluster.
        """
        with self._loading:
            self._load(anew=True)
        self._start()

    def close(self) -> None:
        """Let the thread end, and close every connection."""
        self._closed.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        for node in (*self._seeds, *self._servers.values()):
            node.close()

    def _start(self) -> None:
        with self._changing:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._watch, name="quotad-cluster", daemon=True
                )
                self._thread.start()

    def _watch(self) -> None:
        failures = 0
        while not self._closed.is_set():
            wanted = self._wanted.wait(LOOK_S)
            self._wanted.clear()
            if self._closed.is_set():
                return
            try:
                with self._loading:
                    self._load(anew=False)
                failed = False
            except (StoreError, ConfigError):
                failed = True
            self._probe()
            if failed or self._down:
                failures += 1
                self._wanted.set()
            else:
                failures = 0
            if wanted:
                self._closed.wait(pause_s(failures, PAUSE_MIN_S, PAUSE_MAX_S))

    def _probe(self) -> None:
        """Look whether servers answer again."""
        for node in list(self._down):
            try:
                answer = node.execute(("TIME",))
            except StoreUnavailable as error:
                if node in self._down:  # it may be another reason by now
                    self._note_down(node, error)
                continue
            except StoreError:
                continue
            if answer and self._end_down(node):
                _log.info("the store at %s is back", node.address)

    def _end_down(self, node: Node) -> bool:
        """Ask a server again; returns whether it was not asked."""
        self._told.pop(node, None)
        return self._down.pop(node, None) is not None

    def _load(self, anew: bool) -> None:
        """Ask servers for the map until one answers."""
        known = [node for node in self._servers.values() if node not in self._down]
        seeds = list(self._seeds)
        random.shuffle(known)  # else all clients would ask the same one
        random.shuffle(seeds)
        failed: StoreError = unavailable("no node of the cluster is known", self._address)
        for node in (*known, *seeds):
            try:
                if anew or node in seeds:
                    node.look_up()
                found = self._ask(node)
            except StoreError as error:
                failed = error
                continue
            self._take(found)
            break
        else:
            raise StoreUnavailable(str(failed), failed.for_caller)
        for node in seeds:
            node.close_pool()

    def _ask(self, node: Node) -> list[Range]:
        (answer,) = node.ask([("CLUSTER", "SLOTS")])
        if isinstance(answer, ErrorReply):
            if str(answer).startswith(_NO_CLUSTER):
                raise ConfigError(
                    f"redis_url: the server at {node.address} belongs to no cluster; write redis://"
                    " (with TLS rediss://)"
                )
            raise refused(answer, node.address)
        try:
            found = read_ranges(answer, (node.address.host, node.address.port))
        except ValueError as error:
            raise unavailable(
                f"its map of the cluster cannot be read: {error}", node.address
            ) from None
        if not found:
            raise unavailable("it belongs to a cluster without slots", node.address)
        return found

    def _take(self, found: Iterable[Range]) -> None:
        with self._changing:
            before = self._servers
            self._servers = {}
            slots: list[Node | None] = [None] * SLOTS
            for first, last, where in found:
                if where in before:
                    self._servers.setdefault(where, before[where])
                slots[first : last + 1] = [self._server(where)] * (last + 1 - first)
            self._slots = slots
            self.uncovered = slots.count(None)
            gone = [node for where, node in before.items() if where not in self._servers]
        for node in gone:
            if self._end_down(node):
                _log.info("the store at %s has left the cluster", node.address)
            node.drop()
            node.close()
