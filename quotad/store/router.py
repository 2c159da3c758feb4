"""Which server of a store has a key, and which keys one command may name.

Callers hand over keys and never choose a server, so that a store of several needs no other callers.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from quotad.errors import ConfigError
from quotad.store.link import Command, ScriptWords
from quotad.store.node import Node
from quotad.store.refusals import ErrorReply
from quotad.store.scripts import Script

Key = str | bytes


class Link(Protocol):
    """One thread's way to all servers of a store, for what is hot."""

    whole: bool
    """Whether one script may touch keys of all shards."""

    def by_slot(self, names: Sequence[Key]) -> Sequence[Sequence[int]]:
        """Positions of keys that one command may name together."""

    def read(self, names: Sequence[str], deadline: float) -> list[bytes | None]:
        """The values of keys, of any shards; None: there is none, or one of another type.

        Args:
            names: which; those of one shard are of one moment.
            deadline: monotonic time in seconds by which the answer must be there.

        Raises:
            StoreUnavailable: the store refused or did not answer by then.
        """

    def read_each(self, names: Sequence[str], deadline: float) -> list[Any]:
        """As `read`; those of one server of several that has failed are a StoreError.

        Raises:
            StoreUnavailable: as `read`, where there is one server.
        """

    def time_us(self, deadline: float) -> int:
        """Unix time of the store's clock.

        Raises:
            StoreUnavailable: as `read`, or what is there is not a store.
        """

    def run(self, script: Script, words: ScriptWords, deadline: float) -> Any:
        """Run a script; `words` is the number of keys, the keys and the arguments.

        Raises:
            StoreUnavailable: the store refused or did not answer by then; it may have run.
        """

    def run_many(self, script: Script, calls: Sequence[ScriptWords], deadline: float) -> list[Any]:
        """Run a script for each of some `words`, on all servers at once.

        Returns:
            The answers in order; of a server that refused or did not answer a `StoreError`.

        Raises:
            StoreUnavailable: as `run`, where there is one server.
        """

    def close(self) -> None:
        """Close it; the next command would open it again."""


class Router(Protocol):
    """All servers of a store."""

    whole: bool
    """Whether one script may touch keys of all shards."""

    @property
    def uncovered(self) -> int:
        """How many hash slots no server has."""
        ...

    @property
    def away(self) -> Sequence[str]:
        """Why servers of several are not asked, of each that is not."""
        ...

    def slow_places(self, keys: Sequence[Key]) -> Sequence[int]:
        """Positions of keys whose server takes long to answer, while those of others do not."""
        ...

    @property
    def counts(self) -> dict[str, list[int]]:
        """What was seen of each server of several, by address; see `NodeCounts.rows`."""
        ...

    def infos(self) -> dict[str, dict[str, str]]:
        """The fields of INFO of each server, by address; without those of several that are away.

        Raises:
            StoreUnavailable: the only one was not there or timed out.
        """

    @property
    def nodes(self) -> Sequence[Node]:
        """The servers that have keys.

        Raises:
            StoreUnavailable: they are not known.
        """
        ...

    def node(self, key: Key) -> Node:
        """The server that has a key.

        Raises:
            StoreUnavailable: it is not known.
        """

    def any_node(self) -> Node:
        """A server that answers, as far as is known.

        Raises:
            StoreUnavailable: they are not known.
        """

    def by_slot(self, keys: Sequence[Key]) -> Sequence[Sequence[int]]:
        """Positions of keys that one command may name together."""

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, each on the server of its key; an answer may be an error.

        Raises:
            StoreUnavailable: a server was not there or timed out; any of them may have run.
        """

    def run(self, calls: Sequence[Sequence[Any]], script: Script) -> list[Any]:
        """Run a script for each of some `words`; answers as of `ask`.

        Raises:
            StoreUnavailable: a server was not there or timed out; any of them may have run.
        """

    def transact(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands on keys of one slot, all of them or none; answers as of `ask`.

        Raises:
            StoreUnavailable: the server was not there or timed out; they may have run.
        """

    def link(self) -> Link:
        """For one thread; see `Link`."""

    def open_links(self) -> None:
        """Open the links given out so far; one that is not there yet is left alone."""

    def look_up(self) -> None:
        """Look up again where the servers are.

        Raises:
            StoreUnavailable: nowhere.
            ConfigError: it is a store of another kind than the URL says.
        """

    def check(self) -> None:
        """Compare the kind of the store with the one that the URL says.

        Raises:
            ConfigError: it is another.
            StoreUnavailable: it refused or timed out.
        """

    def close(self) -> None:
        """Close every connection."""


class SingleRouter:
    """All keys are on one server, and one command may name any of them."""

    whole = True
    uncovered = 0
    away: Sequence[str] = ()

    def __init__(self, node: Node) -> None:
        self.counts: dict[str, list[int]] = {}
        self._node = node
        self.nodes: Sequence[Node] = (node,)

    def node(self, key: Key) -> Node:
        """The server."""
        return self._node

    def slow_places(self, keys: Sequence[Key]) -> Sequence[int]:
        """None: there is no other."""
        return ()

    def infos(self) -> dict[str, dict[str, str]]:
        """See `Router.infos`."""
        return {str(self._node.address): self._node.info()}

    def any_node(self) -> Node:
        """The server."""
        return self._node

    def by_slot(self, keys: Sequence[Key]) -> Sequence[Sequence[int]]:
        """All of them."""
        return (range(len(keys)),) if keys else ()

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.ask`."""
        return self._node.ask(commands) if commands else []

    def run(self, calls: Sequence[Sequence[Any]], script: Script) -> list[Any]:
        """See `Router.run`."""
        answers = self.ask([("EVALSHA", script.sha, *words) for words in calls])
        unknown = [
            i for i, each in enumerate(answers) if isinstance(each, ErrorReply) and each.no_script
        ]
        if unknown:  # a new or flushed server: nothing ran
            again = self.ask([("EVAL", script.text, *calls[i]) for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        return answers

    def transact(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.transact`."""
        return executed(self._node.ask([("MULTI",), *commands, ("EXEC",)]))

    def link(self) -> Link:
        """For one thread; see `Link`."""
        return self._node.link()

    def open_links(self) -> None:
        """See `Router.open_links`."""
        self._node.open_links()

    def look_up(self) -> None:
        """See `Router.look_up`."""
        self._node.look_up()

    def check(self) -> None:
        """Refuse the node of a cluster, which has some of the keys only."""
        info = self._node.info()
        if "sentinel" in (info.get("redis_mode"), info.get("server_mode")):
            raise ConfigError(
                f"redis_url: the server at {self._node.address} is a Sentinel; write"
                " redis+sentinel://HOST/SERVICE (with TLS rediss+sentinel://)"
            )
        if info.get("cluster_enabled") == "1":
            raise ConfigError(
                f"redis_url: the server at {self._node.address} belongs to a cluster; write"
                " redis+cluster:// (with TLS rediss+cluster://)"
            )

    def close(self) -> None:
        """See `Router.close`."""
        self._node.close()


def scatter(places: Sequence[Sequence[int]], answers: Iterable[Sequence[Any]]) -> list[Any]:
    """Answers to several commands in the order of what they were asked, by its positions."""
    found: dict[int, Any] = {}
    for at, values in zip(places, answers, strict=True):
        found.update(zip(at, values, strict=True))
    return [found[i] for i in range(len(found))]


def executed(answers: Sequence[Any]) -> list[Any]:
    """The answers to commands between MULTI and EXEC; where one was refused, why."""
    *queued, done = answers
    if isinstance(done, list):
        return done
    return [each for each in queued if isinstance(each, ErrorReply)] or [done]
