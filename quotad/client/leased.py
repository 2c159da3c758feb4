"""The client that decides in the caller's process, from leases, for threads."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

import grpc

from quotad.client.blocking import Client
from quotad.client.results import Decision
from quotad.client.tranche import Seconds, Tranche, boottime
from quotad.client.tranches import LOOK_S, TRANCHE, Tranches, register

_log = logging.getLogger("quotad.client")


class LeasedClient(Client):
    """Decides from leases where it can, and asks the server for the rest; safe to share between
    threads.

    Args:
        address: as of `Client`, and all that follows but `tranche`.
        tranche: most units of one feature of one customer that are leased at a time.
        timeout: seconds.
        retries: further tries.
        credentials: for TLS.
        channel_options: gRPC channel arguments.
        coalesce: send calls that wait at the same time as one message.
        token: as of the other client.
        clock: seconds, that never jump and go on while the machine sleeps.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        tranche: int = TRANCHE,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        coalesce: bool = False,
        token: str = "",
        clock: Seconds = boottime,
    ) -> None:
        self._begin(tranche, clock)
        super().__init__(
            address,
            timeout=timeout,
            retries=retries,
            credentials=credentials,
            channel_options=channel_options,
            coalesce=coalesce,
            token=token,
        )
        register(self)

    def consume(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        requested_values: Sequence[str] = (),
        explain: bool = False,
        best_effort: bool = False,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Decide and, when allowed, count; a denial is a value.

        A call with nothing but ids and a quantity above 0 is decided here when a lease has room for
        it, and then is a `LocalDecision`. The arguments are those of `Client.consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        plain = idempotency_key is None and not (explain or best_effort or requested_values)
        # What is no whole number is the server's to refuse, 2.0 and True among it.
        if plain and type(quantity) is int and quantity > 0:
            tranche = self._by_name.get((customer_id, feature_id, resource_id))
            if tranche is not None:
                decision = tranche.take(quantity)
                if decision is not None:
                    return decision
            self._missed((customer_id, feature_id, resource_id), quantity)
        return super().consume(
            customer_id,
            feature_id,
            quantity,
            resource_id=resource_id,
            requested_values=requested_values,
            explain=explain,
            best_effort=best_effort,
            idempotency_key=idempotency_key,
        )

    def close(self) -> None:
        """Return what is leased and not spent, and close the connection."""
        self.give_all_back()
        super().close()

    def give_all_back(self) -> None:
        """Return what is leased and not spent; from now on the server decides."""
        with self._starting:
            self._stopping, thread = True, self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if self._connection.is_open:
            for tranche in list(self._by_name.values()):
                self._connection.run(tranche.give_back(self._policy))
                if tranche.lease_id:
                    break  # no server answers; what is left counts as used

    def drop_all(self) -> None:
        """Forget what is leased: another process holds it."""
        self._begin(self._tranches.most, self._tranches.clock)

    def _begin(self, most: int, clock: Seconds) -> None:
        self._wake = threading.Event()
        self._tranches = Tranches(most, self._wake.set, clock)
        self._by_name = self._tranches.by_name
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def _missed(self, name: tuple[str, str, str], quantity: int) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._stopping:
                    self._thread = threading.Thread(
                        target=self._tend, name="quotad-leases", daemon=True
                    )
                    self._thread.start()
        if not self._stopping:
            self._tranches.miss(name, quantity)

    def _tend(self) -> None:
        """Tend what is due, until the client stops."""
        tranches, wake = self._tranches, self._wake
        looked = tranches.clock()
        while not self._stopping:
            wake.wait(tranches.wait_s)
            wake.clear()
            self._tend_each(tranches.urgent())
            if tranches.clock() - looked >= LOOK_S:
                self._tend_each(tranches.due())
                looked = tranches.clock()

    def _tend_each(self, tranches: list[Tranche]) -> None:
        for tranche in tranches:
            if self._stopping:
                return
            try:
                self._connection.run(tranche.tend(self._policy))
            except Exception:  # noqa: BLE001 (others are due as well)
                _log.exception("a lease was not tended")
