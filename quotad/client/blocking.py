"""The client for threads: carries out the steps of `calls` with grpc and `time.sleep`."""

import time
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakMethod

import grpc

from quotad.client import answers, calls, errors, target
from quotad.client.blocking_slots import SlotCalls
from quotad.client.calls import Attempt, Consumption, Items, Policy, Step, Steps, Tried
from quotad.client.coalescing import DECIDES, BytesStub, shared
from quotad.client.coalescing_threads import Coalescer
from quotad.client.correcting import Correcting
from quotad.client.errors import QuotaError
from quotad.client.leasing import Leasing
from quotad.client.reserving import Reserving
from quotad.client.results import (
    ConsumeAllDecision,
    Decision,
    Entitlement,
    Entitlements,
)
from quotad.client.slot import Heartbeats
from quotad.client.token import with_token
from quotad.client.watch import Watch
from quotad.client.watching import OnLost, WatchState
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

_Result = TypeVar("_Result")


class Connection:
    """One channel and the stub on it. Nothing is connected before the first call."""

    def __init__(
        self,
        address: str,
        stub: Any,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        coalesce: bool = False,
        token: str = "",
    ) -> None:
        self.address = address
        options = target.channel_options(address, channel_options, secure=credentials is not None)
        self._channel = (
            grpc.insecure_channel(address, options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options)
        )
        self._stub = with_token(stub(self._channel), token)
        self._coalescer = (
            Coalescer(with_token(BytesStub(self._channel), token)) if coalesce else None
        )
        self._used = False
        self._closed = False
        # Weakly, so that a client which is dropped is gone at once, and warned of.
        self.closing: list[WeakMethod[Callable[[], None]]] = []
        """What to do before it is closed."""

    def run(self, steps: Steps[_Result]) -> _Result:
        """Carry out the steps of one call in this thread.

        Raises:
            QuotaError: what the call failed with.
        """
        self._use()
        return self._carry_out(steps)

    def _carry_out(self, steps: Steps[_Result]) -> _Result:
        try:
            step = next(steps)
            while True:
                answer = self._perform(step)
                failed = isinstance(answer, QuotaError)
                step = steps.throw(answer) if failed else steps.send(answer)
        except StopIteration as done:
            result: _Result = done.value
            return result

    def decide(self, policy: Policy, request: pb.CheckAndConsumeRequest) -> Decision:
        """Ask about one feature; with what waits beside it, if the client coalesces.

        Raises:
            QuotaError: what the call failed with.
        """
        self._use()
        tried = None
        if self._coalescer is not None and (payload := shared(request)) is not None:
            ends = time.monotonic() + policy.timeout_s
            answer = self._coalescer.call(payload, request.customer_id, policy.timeout_s)
            if not isinstance(answer, QuotaError):
                return answers.decision(answer)
            tried = Tried(ends, answer)
        return self._carry_out(calls.decide(policy, request, tried))

    def _use(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed")
        self._used = True

    def _perform(self, step: Step) -> Any:
        if not isinstance(step, Attempt):
            return time.sleep(step.seconds)
        if (
            self._coalescer is not None
            and step.method == DECIDES
            and (payload := shared(step.request)) is not None
        ):
            return self._coalescer.call(payload, step.request.customer_id, step.timeout_s)
        try:
            # Several messages are a request in parts; a list, so that they can be sent again.
            request = iter(step.request) if isinstance(step.request, list) else step.request
            return getattr(self._stub, step.method)(request, timeout=step.timeout_s)
        except grpc.RpcError as error:
            return errors.from_rpc(error)

    def start(self, attempt: Attempt, done: Callable[[Any], None]) -> None:
        """Begin one call; `done` gets its answer or QuotaError, in a thread of grpc.

        Raises:
            RuntimeError: the client is closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed")

        def finished(call: Any) -> None:
            if not call.cancelled():  # which it is when the channel is closed
                error = call.exception()
                done(call.result() if error is None else errors.from_rpc(error))

        future = getattr(self._stub, attempt.method).future
        future(attempt.request, timeout=attempt.timeout_s).add_done_callback(finished)

    def stream(self, method: str, request: Any) -> Any:
        """Begin a call that is answered by a stream; None: the client is closed."""
        if self._closed:
            return None
        self._used = True
        return getattr(self._stub, method)(request)

    @property
    def is_open(self) -> bool:
        """Whether it can carry calls."""
        return not self._closed

    def close(self) -> None:
        """Close the channel; calls in flight fail."""
        if not self._closed:
            self._closed = True
            for close in self.closing:
                if (closes := close()) is not None:
                    closes()
            self._channel.close()

    def __del__(self) -> None:
        if getattr(self, "_used", False) and not self._closed:
            warnings.warn(f"client of {self.address} was never closed", ResourceWarning, 2)


class Connected:
    """A client with its own connection; a context manager."""

    _connection: Connection

    def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.address!r})"


class Client(Connected, Correcting, Reserving, Leasing, SlotCalls):
    """Asks a quotad server; safe to share between threads.

    Args:
        address: HOST:PORT, `unix:PATH`, or several: `ipv4:IP:PORT,IP:PORT`.
        timeout: seconds that one call may take, all its tries together.
        retries: further tries after UNAVAILABLE, always under the same idempotency key.
        credentials: for TLS, whose port is 443 unless the address has another; without them the
            connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.
        coalesce: send calls of several threads that wait at the same time as one message.
        token: as `quotad tokens create` has printed it, where the server asks for one.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        coalesce: bool = False,
        token: str = "",
    ) -> None:
        self._policy = Policy(timeout_s=timeout, retries=retries)
        self._connection = Connection(
            address, QuotaServiceStub, credentials, channel_options, coalesce, token
        )
        self._beats = Heartbeats(self._connection)
        self._connection.closing.append(WeakMethod(self._beats.close))

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

        Args:
            customer_id: the customer that uses the feature.
            feature_id: what is used.
            quantity: how much; negative gives back, for gauges only.
            resource_id: what of the customer's it is for, a workspace or a project; empty: the
                customer itself.
            requested_values: of a config feature that lists its values: all must be granted.
            explain: return where the entitlement comes from; costs several times as much.
            best_effort: take what there is room for, if that is less; `granted` is how much.
            idempotency_key: the caller's own, which makes a repeat of this call safe for as long
                as the server remembers it. Without one the client makes a key for its retries.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(
            customer_id,
            feature_id,
            quantity,
            idempotency_key,
            resource_id,
            requested_values,
            explain,
            best_effort,
        )
        return self._decide(calls.consume_request(self._policy, consumption))

    def record(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Count what has happened already, also past the limit; nothing more is admitted then.

        Args:
            customer_id: the customer that has used the feature.
            feature_id: what was used.
            quantity: how much; negative gives back, for gauges only.
            resource_id: what of the customer's it was for; empty: the customer itself.
            occurred_at: when, in UTC without a zone: counted in the periods of that moment, as far
                as their counters are still kept; None: now.
            idempotency_key: as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could count it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, idempotency_key, resource_id)
        return self._decide(calls.record_request(self._policy, consumption, occurred_at))

    def check(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        requested_values: Sequence[str] = (),
        explain: bool = False,
    ) -> Decision:
        """Decide and count nothing; the arguments are those of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(
            customer_id,
            feature_id,
            quantity,
            resource_id=resource_id,
            requested_values=requested_values,
            explain=explain,
        )
        return self._decide(calls.check_request(consumption))

    def consume_all(
        self,
        customer_id: str,
        items: Items,
        *,
        explain: bool = False,
        idempotency_key: str | None = None,
    ) -> ConsumeAllDecision:
        """Decide several features together, and count all of it or nothing.

        Args:
            customer_id: the customer that uses the features.
            items: quantities by feature id, or `Item`s; at most 16.
            explain: as of `consume`.
            idempotency_key: of the whole, as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = calls.consume_all(
            self._policy, customer_id, items, explain=explain, key=idempotency_key
        )
        return self._connection.run(steps)

    def check_all(
        self, customer_id: str, items: Items, *, explain: bool = False
    ) -> ConsumeAllDecision:
        """Decide as `consume_all`, and count nothing.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = calls.consume_all(
            self._policy, customer_id, items, explain=explain, check_only=True
        )
        return self._connection.run(steps)

    def consume_many(self, requests: Sequence[Consumption]) -> list[Decision | QuotaError]:
        """Decide and count independent requests, answered in order; never raises a QuotaError.

        They travel in batches of 1,000, each with the whole timeout; a request that could not be
        decided has its error in its place, also one of a wrong shape (an id that is too long, a
        quantity out of range).
        """
        return self._connection.run(calls.consume_many(self._policy, requests))

    def entitlement(self, customer_id: str, feature_id: str, resource_id: str = "") -> Entitlement:
        """What the customer may do with one feature now.

        Raises:
            QuotaError: the call was wrong, or no server could answer it.
        """
        return self._connection.run(
            calls.entitlement(self._policy, customer_id, feature_id, resource_id)
        )

    def entitlements(self, customer_id: str, resource_id: str = "") -> Entitlements:
        """What the customer may do with every feature that its plan grants.

        Raises:
            QuotaError: the call was wrong, or no server could answer it.
        """
        return self._connection.run(calls.entitlements(self._policy, customer_id, resource_id))

    def watch(
        self,
        customer_id: str = "",
        *,
        usage: bool = False,
        position: str = "",
        on_lost: OnLost | None = None,
    ) -> Watch:
        """Watch what changes, to read again what is kept of it: an iterator without an end.

        The first change is a REFETCH, unless there is a position. A connection that is lost is
        opened again by itself, and nothing is missed: what came meanwhile follows, or a REFETCH.

        Args:
            customer_id: whose changes; empty: every customer's.
            usage: changes of usage as well.
            position: of a change, to go on after it; empty: from now on.
            on_lost: called with why, each time before it is opened again.
        """
        return Watch(self._open_watch, WatchState(customer_id, usage, position, on_lost))

    def _open_watch(self, request: Any) -> Any:
        return self._connection.stream("WatchEntitlements", request)

    def _decide(self, request: pb.CheckAndConsumeRequest) -> Decision:
        return self._connection.decide(self._policy, request)

    def _run(self, steps: Steps[_Result]) -> _Result:
        return self._connection.run(steps)
