"""All servers of a cluster: for what is not hot, and each thread's connections for what is."""

import time
from collections.abc import Sequence
from typing import Any

from quotad.backoff import pause_s
from quotad.errors import StoreError, StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.cluster_map import ClusterMap
from quotad.store.damage import report_once
from quotad.store.exchange import (
    LATER,
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    Exchange,
    Received,
    Sent,
    by_slot,
)
from quotad.store.hash_slots import read_where, slot_of
from quotad.store.link import Command, NodeLink, ScriptWords, read_time
from quotad.store.node import Node
from quotad.store.refusals import ErrorReply, refused, unavailable
from quotad.store.router import Key, Link, executed, scatter
from quotad.store.scripts import Script
from quotad.store.slow_nodes import SLOW_S

APART_MAX_US = 1_000_000
"""Clocks of servers that are further apart are reported."""


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
        self._map = ClusterMap(address, lambda each, count: Node(each, timeout_s, count), spares)
        self._exchange = Exchange(self._map)
        self._links: list[ClusterLink] = []

    @property
    def uncovered(self) -> int:
        """See `Router.uncovered`."""
        return self._map.uncovered

    @property
    def away(self) -> Sequence[str]:
        """See `Router.away`."""
        return self._map.away

    def slow_places(self, keys: Sequence[Key]) -> Sequence[int]:
        """See `Router.slow_places`."""
        slow = self._map.slow
        if not slow:
            return ()
        slots = self._map.slots()
        return [place for place, key in enumerate(keys) if slots[slot_of(key)] in slow]

    @property
    def counts(self) -> dict[str, list[int]]:
        """See `Router.counts`."""
        return self._map.counts.rows({str(node.address) for node in list(self._map.down)})

    def infos(self) -> dict[str, dict[str, str]]:
        """See `Router.infos`."""
        found: dict[str, dict[str, str]] = {}
        for node in self._map.nodes:
            if self._map.problem(node) is not None:
                continue
            started = time.monotonic()
            try:
                found[str(node.address)] = node.info()
            except StoreUnavailable:
                continue
            self._map.counts.answered(str(node.address), time.monotonic() - started)
        return found

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
        return self._checked(self._exchange.run_script(script, calls, _in_turn, self._deadline()))

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


def _in_turn(groups: Sent, deadline: float) -> Received:
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
        """See `Link.time_us`; the latest of all servers, so that none takes a call for too late."""
        failed: StoreError = unavailable("no server of the cluster answers", self._address)
        found: list[int] = []
        nodes = list(self._map.live())
        asked = [node for node in nodes if self._map.problem(node) is None] or nodes
        answers = self._at_once({node: [("TIME",)] for node in asked}, deadline)
        for node, answer in answers.items():
            try:
                if isinstance(answer, StoreUnavailable):
                    self._map.note_failure(node, answer)
                    raise answer
                found.append(read_time(answer[0], node.address))
            except StoreError as error:
                failed = error
        if not found:
            raise StoreUnavailable(str(failed), failed.for_caller)
        if max(found) - min(found) > APART_MAX_US:
            report_once(
                "the clocks of the cluster's servers are more than"
                f" {APART_MAX_US / 1e6:.0f} s apart; periods and expiries are as well"
            )
        return max(found)

    def run(self, script: Script, words: ScriptWords, deadline: float) -> Any:
        """See `Link.run`."""
        return self._checked(self.run_many(script, [words], deadline)[0])

    def run_many(self, script: Script, calls: Sequence[ScriptWords], deadline: float) -> list[Any]:
        """See `Link.run_many`."""
        answers = self._exchange.run_script(script, calls, self._at_once, deadline)
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
            error.unsent = answer.word in LATER
        return error

    def _link(self, node: Node) -> NodeLink:
        link = self._links.get(node)
        if link is None:
            link = self._links[node] = NodeLink(node.endpoint)
        return link

    def _at_once(self, groups: Sent, deadline: float) -> Received:
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
        slow = self._map.slow_nodes
        for node, link, count in sent:
            begun = time.monotonic()
            try:
                found[node] = link.receive(count)
            except StoreUnavailable as error:
                found[node] = error
                continue
            waited_s = time.monotonic() - begun
            if waited_s > SLOW_S or slow:
                slow.note(node, waited_s)
        if len(self._links) > len(groups):
            self._prune()
        return found

    def _prune(self) -> None:
        """Close connections to servers that have left."""
        for node in self._links.keys() - set(self._map.nodes):
            self._links.pop(node).close()
