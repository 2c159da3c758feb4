"""A locust user that speaks gRPC: calls fire locust's request event, and the ledger is kept.

A denial is a success, and its reason is counted; an RPC that fails is a failure. An answer that
breaks a promise (more than the limit, a stale plan) is a failure too, and fails the run.
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import gevent
import grpc
from locust import User
from locust.user.task import LOCUST_STATE_STOPPING

from loadtests.scenarios.catalog import METERED
from loadtests.scenarios.decisions import Check, consumption, lasting, reason_of, wrong
from loadtests.scenarios.run import RUN
from quotad.client.target import channel_options
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

ADDRESS = "127.0.0.1:50051"

REFUSED = {"INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "UNIMPLEMENTED", "PERMISSION_DENIED"}
"""Nothing was consumed for sure. After any other failure nobody knows."""


class CallFailed(Exception):
    """An RPC that failed; locust shows failures with the same text as one line."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.unknown = code not in REFUSED
        """Whether the server may have counted it all the same."""


class PromiseBroken(Exception):
    """An answer that must never be given."""


class Connection:
    """One channel with a connection of its own, as one instance of a service has it."""

    def __init__(self, address: str) -> None:
        # Without the option all channels of a process share one connection.
        own = [("grpc.use_local_subchannel_pool", 1)]
        options = channel_options(address, own, secure=False)
        channel = grpc.insecure_channel(address, options)
        self.quota: Any = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
        self.admin: Any = AdminServiceStub(channel)  # type: ignore[no-untyped-call]


class Connections:
    """A few connections for all users of the process.

    One for all would reach only one worker of the server and queue behind HTTP/2's limit of
    streams; one per user would measure thousands of sockets, which no service has. So: as many as
    the service that is played has instances.
    """

    def __init__(self) -> None:
        self._pools: dict[tuple[str, int], Iterator[Connection]] = {}

    def take(self, address: str, count: int) -> Connection:
        """One of `count` connections to the address, in turn."""
        key = (address, count)
        if key not in self._pools:
            self._pools[key] = itertools.cycle([Connection(address) for _ in range(count)])
        return next(self._pools[key])


CONNECTIONS = Connections()


def address_of(host: str | None) -> str:
    """HOST:PORT, also from a URL, which is what people type into locust's form."""
    return (host or ADDRESS).split("://")[-1].rstrip("/")


class QuotaUser(User):
    """What all scenarios share."""

    abstract = True
    host = ADDRESS
    scenario = ""
    """In front of the names in locust's tables."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        self.connection = CONNECTIONS.take(
            address_of(environment.host or self.host), options.connections
        )
        self.timeout_s: float = options.call_timeout
        self.retries: int = options.retries

    def stop(self, force: bool = False) -> bool:
        """End after the task or the pause of the moment.

        locust kills a user that pauses; by the time it does, the user may be in its next call, of
        which nobody would know whether it was counted.
        """
        if force or self._state is None:
            return bool(super().stop(force))
        self._state = LOCUST_STATE_STOPPING
        return False

    def call(self, rpc: Any, name: str, request: Any, check: Check | None = None) -> Any:
        """Make one call and tell locust about it.

        Raises:
            CallFailed: nobody answered, or with an error.
        """
        answer: Any = None
        failure: Exception | None = None
        started_at, start = time.time(), time.perf_counter()
        try:
            answer = rpc(request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            failure = CallFailed(error.code().name, str(trailers.get("quotad-reason", "")))
        took_s = time.perf_counter() - start
        problem = check(answer) if check is not None and answer is not None else None
        if problem is not None:
            RUN.ledger.violated(f"{self.scenario}: {problem}")
        self.environment.events.request.fire(
            request_type="gRPC",
            name=f"{self.scenario}: {name}",
            start_time=started_at,
            response_time=took_s * 1000,
            response_length=answer.ByteSize() if answer is not None else 0,
            response=answer,
            context={},
            exception=failure or (PromiseBroken(problem) if problem is not None else None),
        )
        if failure is not None:
            raise failure
        return answer

    def ask(self, rpc: Any, name: str, request: Any) -> Any:
        """Make a call that consumes nothing; None when it failed."""
        try:
            return self.call(rpc, name, request)
        except CallFailed:
            return None

    def consume(
        self, customer_id: str, feature_id: str, quantity: int = 1, check: Check | None = None
    ) -> Any:
        """Consume once, without an idempotency key; None when nobody knows whether it was."""
        request = consumption(customer_id, feature_id, quantity)
        try:
            answer = self.call(
                self.connection.quota.CheckAndConsume,
                "CheckAndConsume",
                request,
                lambda answer: wrong(request, answer) or (check(answer) if check else None),
            )
        except CallFailed as failed:
            if failed.unknown:
                unanswered(request)
            return None
        except (gevent.GreenletExit, KeyboardInterrupt):  # the run ended, and the call with it
            unanswered(request)
            raise
        self.decided(request, answer)
        return answer

    def decided(self, request: Any, answer: Any, *, counted: bool = True) -> None:
        """Write an answer into the ledger.

        Args:
            request: what was asked.
            answer: the decision.
            counted: false for the repeat of an answer whose quantity is in the ledger already.
        """
        RUN.ledger.decided(self.scenario, reason_of(answer))
        if request.feature_id in METERED and counted:
            account = RUN.ledger.account(request.customer_id, request.feature_id)
            account.allowed += answer.granted
            account.limit_max = max(account.limit_max, lasting(answer).limit)


def unanswered(request: Any) -> None:
    """Write into the ledger that nobody knows whether a request was counted."""
    if request.feature_id in METERED:
        RUN.ledger.unanswered(request.customer_id, request.feature_id, request.quantity)
