"""One server that Sentinels watch over: where the primary is, and when that changes.

A primary that was replaced may go on taking writes for seconds, all of which are lost. So links are
dropped at the first word of a switch, of any Sentinel; a server is asked for its role when it is
connected to; and one that is read-only or has lost its replicas is looked for anew.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from quotad.backoff import pause_s
from quotad.errors import ConfigError, StoreError, StoreUnavailable
from quotad.store.address import StoreAddress
from quotad.store.link import Command
from quotad.store.node import Node
from quotad.store.refusals import ErrorReply, unavailable
from quotad.store.router import Link, SingleRouter
from quotad.store.sockets import Endpoint

_log = logging.getLogger("quotad.store")

SWITCHED = "+switch-master"

POLL_S = 0.5
"""How soon a thread that waits for a switch sees that the store is closed."""

PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 2.0


class Sentinels:
    """The Sentinels of one service; any thread may ask them."""

    def __init__(self, address: StoreAddress, timeout_s: float) -> None:
        self._address = address
        self.nodes = [Node(each, timeout_s, 0) for each in address.sentinels()]

    def primary(self) -> StoreAddress:
        """Where the primary is, as the latest of those knows that answer.

        Raises:
            StoreUnavailable: none of them knows it.
            ConfigError: what answers is no Sentinel, or knows no such service.
        """
        found: list[tuple[int, StoreAddress]] = []
        wrong: ConfigError | None = None
        failed: StoreError = unavailable("no Sentinel answers", self._address)
        for node in self.nodes:
            try:
                found.append(self._ask(node))
            except ConfigError as error:
                wrong = error
            except StoreError as error:
                failed = error
        if found:
            return max(found, key=lambda each: each[0])[1]
        if wrong is not None:
            raise wrong
        raise StoreUnavailable(str(failed), failed.for_caller)

    def _ask(self, node: Node) -> tuple[int, StoreAddress]:
        """By one Sentinel, the number of the configuration and where the primary is."""
        node.look_up()
        service = self._address.service
        (answer,) = node.ask([("SENTINEL", "MASTER", service)])
        if isinstance(answer, ErrorReply):
            text = str(answer)
            if "No such master" in text:
                raise ConfigError(f"redis_url: Sentinel at {node.address} knows no {service!r}")
            if "unknown command" in text:
                raise ConfigError(
                    f"redis_url: the server at {node.address} is no Sentinel; write redis:// (with"
                    " TLS rediss://)"
                )
            raise unavailable(text, node.address)
        try:
            fields = dict(zip(answer[::2], answer[1::2], strict=True))
            host, port = fields[b"ip"].decode(), int(fields[b"port"])
            return int(fields[b"config-epoch"]), self._address.at(host, port)
        except (TypeError, ValueError, KeyError, AttributeError):
            raise unavailable("what it answers is not of a Sentinel", node.address) from None


class PrimaryEndpoint(Endpoint):
    """Opens sockets to the server that is the primary by then."""

    leads = True

    def __init__(self, address: StoreAddress, sentinels: Sentinels, spares: int) -> None:
        super().__init__(address, spares)
        self._sentinels = sentinels

    def _locate(self) -> StoreAddress:
        return self._sentinels.primary()


class SentinelRouter(SingleRouter):
    """All keys are on the primary of a service.

    Args:
        address: with the Sentinels.
        timeout_s: longest time to open a connection, and longest time of a command.
        spares: as of `Node`.
    """

    def __init__(self, address: StoreAddress, timeout_s: float, spares: int) -> None:
        self._sentinels = Sentinels(address, timeout_s)
        self._endpoint = PrimaryEndpoint(address, self._sentinels, spares)
        super().__init__(Node(address, timeout_s, spares, self._endpoint))
        self._lost = False
        """Whether what was asked last is not known to be the primary."""
        self._looking = threading.Lock()
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.ask`."""
        return self._noted(super().ask, commands)

    def transact(self, commands: Sequence[Command]) -> list[Any]:
        """See `Router.transact`."""
        return self._noted(super().transact, commands)

    def _noted(self, ask: Any, commands: Sequence[Command]) -> list[Any]:
        """Ask, and where that shows that the primary may be elsewhere look for it the next time."""
        if self._lost:
            self.look_up()
        try:
            answers: list[Any] = ask(commands)
        except StoreUnavailable:
            self._lost = True
            raise
        self._lost = any(isinstance(each, ErrorReply) and each.no_primary for each in answers)
        return answers

    def link(self) -> Link:
        """See `Router.link`."""
        if not self._threads:
            for node in self._sentinels.nodes:
                thread = threading.Thread(
                    target=self._watch, args=(node,), name="quotad-sentinel", daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return super().link()

    def look_up(self) -> None:
        """See `Router.look_up`."""
        with self._looking:
            before = self._endpoint.address
            try:
                super().look_up()
            except ConfigError as error:  # they may have been reset
                raise StoreUnavailable(str(error)) from error
            self._lost = False
            if str(before) != str(self._endpoint.address):
                if before.host:
                    _log.warning("the primary of the store is at %s now", self._endpoint.address)
                self._node.drop()

    def check(self) -> None:
        """Look whether the Sentinels know the service."""
        self._sentinels.primary()

    def _watch(self, node: Node) -> None:
        """Look for the primary whenever a Sentinel has announced a switch."""
        failures = 0
        while not self._closed.is_set():
            try:
                node.look_up()
                for heard in node.listen(SWITCHED, POLL_S):
                    failures = 0
                    if self._closed.is_set():
                        return
                    if heard:
                        self.look_up()
            except StoreError:
                failures += 1
            except Exception:  # noqa: BLE001 (without this thread a switch would be seen late)
                _log.exception("listening to a Sentinel failed; trying again")
                failures += 1
            self._closed.wait(pause_s(failures, PAUSE_MIN_S, PAUSE_MAX_S))

    def close(self) -> None:
        """See `Router.close`."""
        self._closed.set()
        for thread in self._threads:
            thread.join()
        super().close()
        for node in self._sentinels.nodes:
            node.close()
