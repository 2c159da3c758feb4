"""Commands on a cluster: each goes to the server that has its key, wherever that is by now.

What a server did not run is sent again within the time of the call: to where the slot has moved
(MOVED, ASK), or later (TRYAGAIN, CLUSTERDOWN). What may have run is never sent twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from quotad.backoff import pause_s
from quotad.errors import StoreUnavailable
from quotad.recent import Recent
from quotad.store.cluster_map import ClusterMap
from quotad.store.hash_slots import read_where, slot_of
from quotad.store.link import Command, ScriptWords, begin
from quotad.store.node import Node
from quotad.store.packed import PackedCall
from quotad.store.refusals import ErrorReply, unavailable
from quotad.store.router import Key
from quotad.store.scripts import Script

LATER = ("TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN")
"""Answers of a server that has run nothing, and may do so in a moment."""

WAITING_SHARE = 0.7
"""How much of a call's time goes to trying again what a server could not run yet. The rest is for
what else was asked for with it, and may need to be planned again."""

ROUNDS_MAX = 200
"""How often a command is sent at most."""

STUCK_S = 1.0
"""How long a slot is tried once and not again and again, after all of a call's time was no help."""

STUCK_MAX = 1_000

PAUSE_MIN_S, PAUSE_MAX_S = 0.002, 0.05

Sent = Mapping[Node, Sequence["Command | bytes"]]
Received = Mapping[Node, "list[Any] | StoreUnavailable"]
_Send = Callable[[Sent, float], Received]
"""From commands by server and a deadline to the answers of each, or why there are none."""


class _Try(msgspec.Struct):
    """A command on its way."""

    place: int
    slot: int
    command: Command | bytes
    words: ScriptWords = ()
    """Of a script, behind its name."""
    asking: bool = False
    """Whether the server is to answer although the slot is on the way to it."""


class Exchange:
    """Sends commands to the servers of a cluster, and follows what those answer."""

    def __init__(self, cluster: ClusterMap) -> None:
        self._map = cluster
        self._stuck: Recent[tuple[int, str], float] = Recent(STUCK_MAX)
        """Until when a slot is tried once, by slot and what was waited for in vain."""

    def run(self, commands: Sequence[Command], send: _Send, deadline: float) -> list[Any]:
        """Run commands, all servers at once.

        Args:
            commands: each with its key as the second word.
            send: how they travel.
            deadline: monotonic time in seconds by which the answers must be there.

        Returns:
            An answer for each, also those that are errors; a StoreUnavailable where its server was
            not there or timed out.

        Raises:
            StoreUnavailable: the servers are not known.
        """
        return self._run(
            [_Try(place, slot_of(command[1]), command) for place, command in enumerate(commands)],
            send,
            deadline,
        )

    def run_script(
        self, script: Script, calls: Sequence[ScriptWords], send: _Send, deadline: float
    ) -> list[Any]:
        """As `run`, of a script for each of some `words`: number of keys, keys, arguments."""
        sha = script.sha
        tries = []
        for place, words in enumerate(calls):
            slot = slot_of(words.key if isinstance(words, PackedCall) else words[1])
            tries.append(_Try(place, slot, begin(words, "EVALSHA", sha), words))
        return self._run(tries, send, deadline, script)

    def _run(
        self, tries: Sequence[_Try], send: _Send, deadline: float, script: Script | None = None
    ) -> list[Any]:
        answers: list[Any] = [None] * len(tries)
        now = time.monotonic()
        until = now + (deadline - now) * WAITING_SHARE
        pending: dict[Node | None, list[_Try]] = {}
        slots = self._map.slots()
        for one in tries:
            pending.setdefault(slots[one.slot], []).append(one)
        rounds = 0
        while pending:
            again, later = self._round(pending, send, (deadline, until), answers, script)
            if rounds > ROUNDS_MAX:
                self._give_up([*chain(*again.values()), *later], answers)
                break
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
        groups: dict[Node, list[Command | bytes]] = {}
        for node, tries in pending.items():
            if node is None:
                later += self._without_server(tries, until, answers)
            elif (problem := self._map.problem(node)) is not None:
                for one in tries:
                    answers[one.place] = problem
            else:
                commands = groups[node] = []
                for one in tries:
                    if one.asking:
                        commands.append(("ASKING",))
                    commands.append(one.command)
        sent = send(groups, deadline) if groups else {}
        for node, found in sent.items():
            if isinstance(found, StoreUnavailable):
                self._map.note_failure(node, found)
                for one in pending[node]:
                    answers[one.place] = found
                continue
            rest = iter(found)
            for one in pending[node]:
                if one.asking:
                    next(rest)
                    one.asking = False
                answer = next(rest)
                if not isinstance(answer, ErrorReply):
                    answers[one.place] = answer
                    continue
                if not answer.no_script:
                    self._map.counts.replied(str(node.address), answer.word)
                target = self._follow(node, one, answer, script)
                if target is not None:
                    again.setdefault(target, []).append(one)
                elif answer.word in LATER and self._may_wait(one.slot, until, answer.word):
                    later.append(one)
                else:
                    answers[one.place] = answer
        return again, later

    def _without_server(
        self, tries: Iterable[_Try], until: float, answers: list[Any]
    ) -> list[_Try]:
        """Return those to be tried again: a server may have their slot in a moment, as where one
        answers CLUSTERDOWN. Others are answered."""
        waiting = []
        for one in tries:
            if self._may_wait(one.slot, until, "CLUSTERDOWN"):
                waiting.append(one)
            else:
                answers[one.place] = self._no_server()
        return waiting

    def _follow(
        self, node: Node, one: _Try, answer: ErrorReply, script: Script | None
    ) -> Node | None:
        """Where a command goes next that was not run; None: nowhere."""
        word = answer.word
        if word == "NOSCRIPT" and script is not None:
            one.command = begin(one.words, "EVAL", script.text)
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

    def _may_wait(self, slot: int, until: float, why: str) -> bool:
        self._map.look_soon()
        now = time.monotonic()
        # A slot that has just been moved key by key may wait for its new server to be up.
        if now < (self._stuck.get((slot, why)) or 0.0):
            return False
        if now < until:
            return True
        self._stuck.put((slot, why), now + STUCK_S)
        return False

    def _give_up(self, tries: Iterable[_Try], answers: list[Any]) -> None:
        """Answer what servers send to and fro, as they do while they disagree on who has a slot."""
        for one in tries:
            answers[one.place] = self._no_server()

    def _no_server(self) -> StoreUnavailable:
        self._map.look_soon()
        error = unavailable("no server of the cluster has this customer's slot", "the cluster")
        error.partial = error.unsent = True
        return error


def by_slot(keys: Sequence[Key]) -> Sequence[Sequence[int]]:
    """Positions of keys that one command may name together on a cluster."""
    places: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(slot_of(key), []).append(place)
    return list(places.values())
