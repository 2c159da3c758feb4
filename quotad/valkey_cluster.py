"""A Valkey cluster of quotad's own, for `quotad dev --cluster` and for tests: every node on this
machine alone, behind a password of the moment.
"""

import secrets
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from quotad.errors import ConfigError
from quotad.valkey import PrivateValkey

SLOTS = 16_384

FORM_TIMEOUT_S = 30.0
_POLL_S = 0.02

_HOST = "127.0.0.1"


class ClusterNode(PrivateValkey):
    """One node; it keeps its name and its slots in its directory.

    Args:
        directory: of the node alone.
        socket_path: see `PrivateValkey`.
        ports: for clients, and for the other nodes.
        password: of the cluster.
        settings: of its configuration.
    """

    def __init__(
        self,
        directory: Path,
        socket_path: Path,
        ports: tuple[int, int],
        password: str,
        **settings: str,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.port, self._bus = ports
        self.password = password
        given = {
            "port": str(self.port),
            "cluster-port": str(self._bus),
            "bind": _HOST,
            "cluster-enabled": "yes",
            "cluster-announce-ip": _HOST,
            # Without a node the customers of the others go on.
            "cluster-require-full-coverage": "no",
        }
        secret = f"requirepass {password}\nprimaryauth {password}\n"
        super().__init__(directory, socket_path, given | settings, secret)

    def command(self, words: str) -> str:
        """Run a command, and return the beginning of its answer.

        Raises:
            OSError: it does not answer.
        """
        return self.ask(f"AUTH {self.password}", words).decode(errors="replace")

    def meet(self, other: "ClusterNode") -> None:
        """Let it know another node, or where that is now."""
        self.command(f"CLUSTER MEET {_HOST} {other.port} {other._bus}")

    @property
    def name(self) -> str:
        """By which the nodes know it."""
        return self.command("CLUSTER MYID").split("\r\n")[1]

    @property
    def facts(self) -> dict[str, str]:
        """What it knows of the cluster."""
        lines = self.command("CLUSTER INFO").split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)


class PrivateCluster:
    """Nodes that know each other and share the slots among them; started and stopped as a context
    manager. What it kept in its directory is there again.

    Args:
        directory: every node has a directory there.
        sockets: what the paths of the nodes' sockets start with.
        size: number of nodes, each a primary.
        settings: of the configuration of each.

    Raises:
        ConfigError: the directory is of a cluster of another size.
    """

    def __init__(self, directory: Path, sockets: Path, size: int, **settings: str) -> None:
        there = len(list(directory.glob("node-*")))
        if there not in (0, size):
            raise ConfigError(
                f"cluster: {str(directory)!r} has the data of {there} nodes; give the same number,"
                " or another directory"
            )
        self._directory, self._sockets, self._settings = directory, sockets, settings
        self._password = secrets.token_urlsafe(24)
        ports = free_ports(2 * size)
        self._ports = list(zip(ports[::2], ports[1::2], strict=True))
        self.nodes: list[ClusterNode] = []

    @property
    def url(self) -> str:
        """Where it is, for `redis_url`."""
        hosts = ",".join(f"{_HOST}:{port}" for port, _ in self._ports)
        return f"redis+cluster://:{self._password}@{hosts}"

    @property
    def ended(self) -> bool:
        """Whether a node has ended."""
        return any(node.ended for node in self.nodes)

    @property
    def log(self) -> Path:
        """What the first node that has ended, or else the first, has written."""
        return next((node for node in self.nodes if node.ended), self.nodes[0]).log

    def start_node(self, ports: tuple[int, int], **settings: str) -> ClusterNode:
        """Start one more node, which knows no other yet.

        Args:
            ports: for clients, and for other nodes.
            settings: beside those of all.

        Raises:
            ConfigError: it did not start.
        """
        number = len(self.nodes)
        home, socket_path = self._directory / f"node-{number}", f"{self._sockets}-{number}.sock"
        node = ClusterNode(
            home, Path(socket_path), ports, self._password, **(self._settings | settings)
        )
        self.nodes.append(node)
        return node

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ConfigError: it did not start.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            for ports in self._ports:
                self.start_node(ports)
            for node in self.nodes:
                node.wait_until_it_answers()
            form(self.nodes)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.stop()


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, which others may take in between."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def form(nodes: list[ClusterNode]) -> None:
    """Let nodes know each other; new ones get an equal part of the slots each.

    Raises:
        ConfigError: they do not come together.
    """
    size = len(nodes)
    for number, node in enumerate(nodes):
        if node.facts.get("cluster_slots_assigned") == "0":
            first, last = number * SLOTS // size, (number + 1) * SLOTS // size - 1
            node.command(f"CLUSTER ADDSLOTSRANGE {first} {last}")
            node.command(f"CLUSTER SET-CONFIG-EPOCH {number + 1}")
        for other in nodes[:number]:
            node.meet(other)
    deadline = time.monotonic() + FORM_TIMEOUT_S
    while not all(_knows(node, size) for node in nodes):
        if time.monotonic() > deadline:
            raise ConfigError(f"the private cluster did not come together: {nodes[0].facts}")
        time.sleep(_POLL_S)


def _knows(node: ClusterNode, size: int) -> bool:
    facts = node.facts
    return (
        facts.get("cluster_state") == "ok"
        and int(facts.get("cluster_known_nodes", 0)) >= size
        and int(facts.get("cluster_slots_ok", 0)) == SLOTS
    )
