"""Commands on a cluster: each goes to the server that has its key, wherever that is by now.

What a server did not run is sent again within the time of the call: to where the slot has moved
(MOVED, ASK), or later (TRYAGAIN, CLUSTERDOWN). What may have run is never sent twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from quotad.backoff import pause_s
from quotad.errors import StoreError, StoreUnavailable
from quotad.recent import Recent
from quotad.store.address import StoreAddress
from quotad.store.cluster_map import ClusterMap
from quotad.store.hash_slots import read_where, slot_of
from quotad.store.link import Command, NodeLink
from quotad.store.node import Node
from quotad.store.refusals import ErrorReply, refused, unavailable
from quotad.store.router import Key, Link, executed, scatter
from quotad.store.scripts import Script

LATER = ("TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN")
"""Answers of a server that has run nothing, and may do so in a moment."""

WAITING_SHARE = 0.7
"""How much of a call's time goes to trying again what a server could not run yet. The rest is for
what else was asked for with it, and may need to be planned again."""

STUCK_S = 1.0
"""How long a slot is tried once and not again and again, after all of a call's time was no help."""

STUCK_MAX = 1_000

PAUSE_MIN_S, PAUSE_MAX_S = 0.002, 0.05

_Groups = Mapping[Node, Sequence[Command]]
_Answers = Mapping[Node, "list[Any] | StoreUnavailable"]
_Send = Callable[[_Groups, float], _Answers]
"""From commands by server and a deadline to the answers of each, or why there are none."""


class _Try(msgspec.Struct):
    """A command on its way."""

    place: int
    slot: int
    command: Command
    asking: bool = False
    """Whether the server is to answer although the slot is on the way to it."""


class Exchange:
    """Sends commands to the servers of a cluster, and follows what those answer."""

    def __init__(self, cluster: ClusterMap) -> None:
        self._map = cluster
        self._stuck: Recent[int, float] = Recent(STUCK_MAX)

    def run(
        self,
        commands: Sequence[Command],
        send: _Send,
        deadline: float,
        script: Script | None = None,
    ) -> list[Any]:
        """Run commands, all servers at once.

        Args:
            commands: each with its key as the second word; of a script as the fourth.
            send: how they travel.
            deadline: monotonic time in seconds by which the answers must be there.
            script: what they run, for servers that do not know it.

        Returns:
            An answer for each, also those that are errors; a StoreUnavailable where its server was
            not there or timed out.

        Raises:
            StoreUnavailable: the servers are not known.
        """
        answers: list[Any] = [None] * len(commands)
        now = time.monotonic()
        until = now + (deadline - now) * WAITING_SHARE
        at = 1 if script is None else 3
        pending: dict[Node | None, list[_Try]] = {}
        slots = self._map.slots()
        for place, command in enumerate(commands):
            slot = slot_of(command[at])
            pending.setdefault(slots[slot], []).append(_Try(place, slot, command))
        rounds = 0
        while pending:
            again, later = self._round(pending, send, (deadline, until), answers, script)
            if later:
                pause = min(pause_s(rounds, PAUSE_MIN_S, PAUSE_MAX_S), until - time.monotonic())
                time.sleep(max(pause, 0.0))
            slots = self._map.slots()
            for one in later:
                again.setdefault(slots[one.slot], []).append(one)
            pending = again
            rounds += 1
        return answers

    def _round(
        self,
        pending: Mapping[Node | None, list[_Try]],
        send: _Send,
        times: tuple[float, float],
        answers: list[Any],
        script: Script | None,
    ) -> tuple[dict[Node | None, list[_Try]], list[_Try]]:
        """Send once; returns what is to be sent again, by server, and what later.

        Args:
            pending: what to send, by server.
            send: how.
            times: by when answers must be there, and until when to try again later.
            answers: gets what came of each.
            script: that commands run.
        """
        deadline, until = times
        again: dict[Node | None, list[_Try]] = {}
        later: list[_Try] = []
        groups: dict[Node, list[Command]] = {}
        for node, tries in pending.items():
            problem = self._no_server() if node is None else self._map.problem(node)
            if problem is not None:
                for one in tries:
                    answers[one.place] = problem
            elif node is not None:
                groups[node] = [word for one in tries for word in _words(one)]
        sent = send(groups, deadline) if groups else {}
        for node, found in sent.items():
            if isinstance(found, StoreUnavailable):
                self._map.note_failure(node, found)
                for one in pending[node]:
                    answers[one.place] = found
                continue
            rest = iter(found)
            for one in pending[node]:
                answer = next(islice(rest, 1, None) if one.asking else rest)
                if not isinstance(answer, ErrorReply):
                    answers[one.place] = answer
                    continue
                one.asking = False
                target = self._follow(node, one, answer, script)
                if target is not None:
                    again.setdefault(target, []).append(one)
                elif answer.word in LATER and self._may_wait(one.slot, until):
                    later.append(one)
                else:
                    answers[one.place] = answer
        return again, later

    def _follow(
        self, node: Node, one: _Try, answer: ErrorReply, script: Script | None
    ) -> Node | None:
        """Where a command goes next that was not run; None: nowhere."""
        word = answer.word
        if word == "NOSCRIPT" and script is not None:
            one.command = ("EVAL", script.text, *one.command[2:])
            return node
        if word not in ("MOVED", "ASK"):
            return None
        try:
            slot, where = read_where(str(answer), (node.address.host, node.address.port))
        except ValueError:
            return None
        if word == "MOVED":
            self._map.note_moved(slot, where)
        one.asking = word == "ASK"
        return self._map.server(where)

    def _may_wait(self, slot: int, until: float) -> bool:
        self._map.look_soon()
        now = time.monotonic()
        if now < (self._stuck.get(slot) or 0.0):
            return False
        if now < until:
            return True
        self._stuck.put(slot, now + STUCK_S)
        return False

    def _no_server(self) -> StoreUnavailable:
        self._map.look_soon()
        error = unavailable("no server of the cluster has this customer's slot", "the cluster")
        error.partial = True
        return error


def _words(one: _Try) -> Iterable[Command]:
    return (("ASKING",), one.command) if one.asking else (one.command,)


def by_slot(keys: Sequence[Key]) -> Sequence[Sequence[int]]:
    """Positions of keys that one command may name together on a cluster."""
    places: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(slot_of(key), []).append(place)
    return list(places.values())


class ClusterRouter:
    """All servers of a cluster.

    Args:
        address: with the nodes to begin with.
        timeout_s: longest time to open a connection, and longest time of a command.
        spares: per server, as of `Node`.
    """

    whole = False

    def __init__(self, address: StoreAddress, timeout_s: float, spares: int) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._map = ClusterMap(address, lambda each: Node(each, timeout_s, spares))
        self._exchange = Exchange(self._map)
        self._links: list[ClusterLink] = []

    @property
    def nodes(self) -> Sequence[Node]:
        """See `Router.nodes`."""
        return self._map.nodes

    def node(self, key: Key) -> Node:
        """See `Router.node`."""
        node = self._map.slots()[slot_of(key)]
        if node is None:
            raise unavailable("no server of the cluster has the key's slot", self._address)
        return node

    def any_node(self) -> Node:
        """See `Router.any_node`."""
        return next(self._map.live())

    def by_slot(self, keys: Sequence[Key]) -> Sequence[Sequence[int]]:
        """See `Router.by_slot`."""
        return by_slot(keys)

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.ask`."""
        return self._checked(self._exchange.run(commands, _in_turn, self._deadline()))

    def run(self, calls: Sequence[Sequence[Any]], script: Script) -> list[Any]:
        """See `Router.run`."""
        commands = [("EVALSHA", script.sha, *words) for words in calls]
        return self._checked(self._exchange.run(commands, _in_turn, self._deadline(), script))

    def transact(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.transact`."""
        deadline, rounds = self._deadline(), 0
        while True:
            node = self.node(commands[0][1])
            try:
                answers = executed(node.ask([("MULTI",), *commands, ("EXEC",)]))
            except StoreUnavailable as error:
                self._map.note_failure(node, error)
                raise
            # Where one was not queued, none has run.
            moved = [
                each
                for each in answers
                if isinstance(each, ErrorReply) and each.word in ("MOVED", "ASK", *LATER)
            ]
            if not moved or time.monotonic() > deadline:
                return answers
            if moved[0].word == "MOVED":
                self._map.note_moved(*read_where(str(moved[0]), _where(node)))
            else:
                time.sleep(pause_s(rounds, PAUSE_MIN_S, PAUSE_MAX_S))
            rounds += 1

    def link(self) -> Link:
        """See `Router.link`."""
        link = ClusterLink(self._map, self._exchange, self._address)
        self._links.append(link)
        return link

    def open_links(self) -> None:
        """See `Router.open_links`."""
        for link in self._links:
            try:
                link.open(self._deadline())
            except StoreUnavailable:
                return

    def look_up(self) -> None:
        """See `Router.look_up`."""
        self._map.look_up()

    def check(self) -> None:
        """See `Router.check`."""
        self._map.look_up()

    def close(self) -> None:
        """See `Router.close`."""
        self._map.close()
        for link in self._links:
            link.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s

    def _checked(self, answers: list[Any]) -> list[Any]:
        for answer in answers:
            if isinstance(answer, StoreUnavailable):
                raise answer
        return answers


def _where(node: Node) -> tuple[str, int]:
    return node.address.host, node.address.port


def _in_turn(groups: _Groups, deadline: float) -> _Answers:
    """Ask one server after the other, over connections of their pools."""
    found: dict[Node, list[Any] | StoreUnavailable] = {}
    for node, commands in groups.items():
        try:
            found[node] = node.ask(commands)
        except StoreUnavailable as error:
            found[node] = error
    return found


class ClusterLink:
    """One thread's connections to the servers of a cluster; see `Link`."""

    whole = False

    def __init__(self, cluster: ClusterMap, exchange: Exchange, address: StoreAddress) -> None:
        self._map = cluster
        self._exchange = exchange
        self._address = address
        self._links: dict[Node, NodeLink] = {}

    def by_slot(self, names: Sequence[Key]) -> Sequence[Sequence[int]]:
        """See `Link.by_slot`."""
        return by_slot(names)

    def open(self, deadline: float) -> None:
        """Connect to every server.

        Raises:
            StoreUnavailable: one was not there by the deadline (monotonic s).
        """
        for node in self._map.nodes:
            self._link(node).open(deadline)

    def read(self, names: Sequence[str], deadline: float) -> list[bytes | None]:
        """See `Link.read`."""
        return [self._checked(value) for value in self.read_each(names, deadline)]

    def read_each(self, names: Sequence[str], deadline: float) -> list[Any]:
        """See `Link.read_each`."""
        places = by_slot(names)
        commands = [("MGET", *(names[i] for i in at)) for at in places]
        answers = self._exchange.run(commands, self._at_once, deadline)
        for i, answer in enumerate(answers):
            if isinstance(answer, ErrorReply):
                answers[i] = self._refused(answer)
            if isinstance(answers[i], StoreError):
                answers[i] = [answers[i]] * len(places[i])
        return scatter(places, answers)

    def time_us(self, deadline: float) -> int:
        """See `Link.time_us`."""
        failed: StoreError = unavailable("no server of the cluster answers", self._address)
        for node in self._map.live():
            try:
                return self._link(node).time_us(deadline)
            except StoreUnavailable as error:
                failed = error
                self._map.note_failure(node, error)
        raise StoreUnavailable(str(failed), failed.for_caller)

    def run(self, script: Script, words: Sequence[Any], deadline: float) -> Any:
        """See `Link.run`."""
        return self._checked(self.run_many(script, [words], deadline)[0])

    def run_many(
        self, script: Script, calls: Sequence[Sequence[Any]], deadline: float
    ) -> list[Any]:
        """See `Link.run_many`."""
        commands = [("EVALSHA", script.sha, *words) for words in calls]
        answers = self._exchange.run(commands, self._at_once, deadline, script)
        for place, answer in enumerate(answers):
            if isinstance(answer, ErrorReply):
                answers[place] = self._refused(answer)
        return answers

    def close(self) -> None:
        """See `Link.close`."""
        for link in self._links.values():
            link.close()

    def _checked(self, answer: Any) -> Any:
        if isinstance(answer, StoreError):
            raise answer
        if isinstance(answer, ErrorReply):
            raise self._refused(answer)
        return answer

    def _refused(self, answer: ErrorReply) -> StoreError:
        error = refused(answer, self._address)
        if isinstance(error, StoreUnavailable):
            error.partial = True
        return error

    def _link(self, node: Node) -> NodeLink:
        link = self._links.get(node)
        if link is None:
            link = self._links[node] = NodeLink(node.endpoint)
        return link

    def _at_once(self, groups: _Groups, deadline: float) -> _Answers:
        """Send to all servers, then read from all."""
        found: dict[Node, list[Any] | StoreUnavailable] = {}
        sent: list[tuple[Node, NodeLink, int]] = []
        # Those first that need not be opened, which may take all of the time.
        links = [(node, self._link(node)) for node in groups]
        if len(links) > 1:
            links.sort(key=lambda each: not each[1].opened)
        for node, link in links:
            try:
                link.send(groups[node], deadline)
                sent.append((node, link, len(groups[node])))
            except StoreUnavailable as error:
                found[node] = error
        for node, link, count in sent:
            try:
                found[node] = link.receive(count)
            except StoreUnavailable as error:
                found[node] = error
        if len(self._links) > len(groups):
            self._prune()
        return found

    def _prune(self) -> None:
        """Close connections to servers that have left."""
        for node in self._links.keys() - set(self._map.nodes):
            self._links.pop(node).close()
