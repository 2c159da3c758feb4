"""One store, whatever servers it is made of, for everything that is not hot.

A time-out is never retried here: the command may have run.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from quotad.errors import ShardMoved
from quotad.store.address import StoreAddress
from quotad.store.cluster import ClusterRouter
from quotad.store.link import Command, NodeLink, read_time
from quotad.store.node import Node
from quotad.store.refusals import ErrorReply, WrongType, refused
from quotad.store.router import Key, Link, Router, SingleRouter, scatter
from quotad.store.scripts import Script
from quotad.store.sentinel import SentinelRouter

SCAN_COUNT = 1_000
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})


class Store:
    """A Redis or Valkey, as an address with time-outs; may be used by several threads.

    Args:
        url: see `StoreAddress`.
        timeout_ms: longest time to open a connection, and longest time of a command.
        spares: sockets kept for when clients have used up the descriptors of the process.

    Raises:
        ConfigError: the URL is not one, or a file that it names cannot be used.
    """

    def __init__(self, url: str, timeout_ms: int = 250, spares: int = 0) -> None:
        address = StoreAddress(url)
        self.address = str(address)
        """Fit for a message: without credentials."""
        self.timeout_s = timeout_ms / 1000
        self._router: Router
        if address.service:
            self._router = SentinelRouter(address, self.timeout_s, spares)
        elif address.seeds:
            self._router = ClusterRouter(address, self.timeout_s, spares)
        else:
            self._router = SingleRouter(Node(address, self.timeout_s, spares))

    @property
    def whole(self) -> bool:
        """Whether one script may touch keys of all shards."""
        return self._router.whole

    @property
    def fails_over(self) -> bool:
        """Whether Sentinels may put another server in the place of the one in use."""
        return isinstance(self._router, SentinelRouter)

    def check_kind(self) -> None:
        """Compare the kind of the store, one server or a cluster, with the one that the URL says.

        Raises:
            ConfigError: it is another.
            StoreUnavailable: the store refused or timed out.
        """
        self._router.check()

    def connect(self) -> Link:
        """A link of one thread's own, outside the pool, opened at its first use."""
        return self._router.link()

    def open_links(self) -> None:
        """Open the links given out so far, before their threads use them.

        Opened at a start, they are there when descriptors are not any more. A store that is not
        there yet is left alone: they open at their first use then.
        """
        self._router.open_links()

    def look_up(self) -> None:
        """Look the store's name up again; connections opened from here on go there.

        Raises:
            StoreUnavailable: it leads nowhere.
            ConfigError: it leads to a store of another kind.
        """
        self._router.look_up()

    def execute(self, *command: Any) -> Any:
        """Run a command whose second word is its key, and return its answer as it came.

        Raises:
            StoreUnavailable: the store refused or timed out.
            WrongType: the key holds something of another type.
            StoreError: it answered with another error.
        """
        (answer,) = self._router.ask([command])
        if isinstance(answer, ErrorReply):
            raise refused(answer, self.address)
        return answer

    def execute_many(
        self, commands: Sequence[Command], atomic: bool = False, or_none: bool = False
    ) -> list[Any]:
        """Run commands whose second word is their key in one round trip, to each server.

        Args:
            commands: answered in order.
            atomic: all of them or none, and nothing of others in between; on keys of one shard.
            or_none: a key of another type is answered by None instead of WrongType.

        Raises:
            StoreUnavailable: the store refused or timed out; any of them may have run.
            StoreError: it answered one with an error; the others have run.
        """
        answers = self._router.transact(commands) if atomic else self._router.ask(commands)
        for i, answer in enumerate(answers):
            if isinstance(answer, ErrorReply):
                error = refused(answer, self.address)
                if not (or_none and isinstance(error, WrongType)):
                    raise error
                answers[i] = None
        return answers

    def read(self, names: Sequence[Key]) -> list[bytes | None]:
        """The values of keys, of any shards; None: there is none, or one of another type.

        Those of one shard are of one moment.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        places = self._router.by_slot(names)
        commands = [("MGET", *(names[i] for i in at)) for at in places]
        return scatter(places, self.execute_many(commands))

    def unlink(self, names: Sequence[Key]) -> int:
        """Delete keys, of any shards; returns how many there were.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been deleted.
        """
        places = self._router.by_slot(names)
        return sum(self.execute_many([("UNLINK", *(names[i] for i in at)) for at in places]))

    def scan(self, start: str) -> Iterator[list[bytes]]:
        """All keys that start so, some or none at a time; one may come twice.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        match = start.translate(_SPECIAL) + "*"
        one_shard = "{" in start
        for node in [self._router.node(start)] if one_shard else self._router.nodes:
            cursor = b"0"
            while True:
                cursor, names = node.execute(("SCAN", cursor, "MATCH", match, "COUNT", SCAN_COUNT))
                yield names
                if cursor == b"0":
                    break

    def purge(self, until_ms: int) -> int:
        """Delete all keys that expire by then (Unix ms); returns how many.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been deleted.
        """
        purged = 0
        for names in self.scan(""):
            # Without an end: -1.
            ends = self.execute_many([("PEXPIRETIME", name) for name in names])
            purged += self.unlink(
                [name for name, end in zip(names, ends, strict=True) if 0 < end <= until_ms]
            )
        return purged

    def count_keys(self) -> int:
        """How many keys there are, of whomever.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return sum(node.execute(("DBSIZE",)) for node in self._router.nodes)

    def time_ms(self) -> int:
        """Unix time of the store's clock.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return read_time(self._router.any_node().execute(("TIME",)), self.address) // 1000

    def info(self) -> dict[str, str]:
        """The fields of INFO; a managed server may leave out some, or refuse: then there are none.

        Raises:
            StoreUnavailable: the store timed out.
        """
        return self._router.any_node().info()

    def infos(self) -> dict[str, dict[str, str]]:
        """As `info`, of each server by its address; without those of a cluster that do not answer.

        Raises:
            StoreUnavailable: the store timed out.
        """
        return self._router.infos()

    @property
    def uncovered(self) -> int:
        """How many hash slots of a cluster no server has."""
        return self._router.uncovered

    @property
    def away(self) -> Sequence[str]:
        """Why servers of a cluster are not asked, of each that is not."""
        return self._router.away

    def slow_places(self, keys: Sequence[str]) -> Sequence[int]:
        """Positions of keys whose server takes long to answer, while others of a cluster do
        not."""
        return self._router.slow_places(keys)

    @property
    def node_counts(self) -> dict[str, list[int]]:
        """What was seen of each server of a cluster, by address; see `NodeCounts.rows`."""
        return self._router.counts

    def shut_down(self) -> None:
        """End the server; only of a store of one's own that has one.

        Raises:
            StoreUnavailable: it has ended, or was not there.
        """
        self._router.any_node().execute(("SHUTDOWN",))

    def announce(self, channel: str, message: str) -> None:
        """Send a message to the listeners of this moment.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._router.any_node().execute(("PUBLISH", channel, message))

    def listen(self, channel: str, poll_s: float) -> Iterator[bool]:
        """Whether something was announced; False every `poll_s` without an announcement.

        Raises:
            StoreUnavailable: the connection was lost; messages may have been missed.
        """
        return self._router.any_node().listen(channel, poll_s)

    def link_to(self, key: str) -> NodeLink:
        """A connection of one thread's own to the server that has a key; opened at its first use,
        and closed by the caller.

        Raises:
            StoreUnavailable: it is not known which.
        """
        return NodeLink(self._router.node(key).endpoint)

    def waiting_link(self) -> NodeLink:
        """A connection of one thread's own, of a store that is one server, for commands that wait;
        opened at its first use."""
        return self._router.any_node().link()

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script that is not hot.

        Raises:
            StoreUnavailable: the store refused or timed out; after a time-out it may have run.
        """
        return self.run_many(script, [(keys, args)])[0]

    def run_many(
        self,
        script: Script,
        calls: Sequence[tuple[Sequence[str], Sequence[Any]]],
        or_moved: bool = False,
    ) -> list[Any]:
        """Run a script many times in one round trip; others' commands may run in between.

        Args:
            script: what to run.
            calls: keys and arguments of each; answered in order.
            or_moved: one whose shard moves, or has moved, is answered by None instead of
                ShardMoved.

        Raises:
            StoreUnavailable: the store refused or timed out; any of them may have run.
        """
        answers = self._router.run([(len(keys), *keys, *args) for keys, args in calls], script)
        for i, answer in enumerate(answers):
            if isinstance(answer, ErrorReply):
                error = refused(answer, self.address)
                if not (or_moved and isinstance(error, ShardMoved)):
                    raise error
                answers[i] = None
        return answers

    def close(self) -> None:
        """Close every connection, also those that were given out."""
        self._router.close()
