"""What both clients share: requests, retries and answers; everything but the waiting.

A call is a generator of steps: it asks for one gRPC call or one pause at a time, and is sent the
answer or thrown the error. `Client` and `AsyncClient` only differ in how they carry a step out.
"""

import os
import random
import time
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

import msgspec
from google.protobuf.duration_pb2 import Duration

from quotad import backoff
from quotad.client import answers
from quotad.client.building import check_values, checked
from quotad.client.errors import (
    QuotaError,
    QuotaInvalid,
    QuotaServerError,
    QuotaUnavailable,
    asked_wait_s,
)
from quotad.client.results import (
    ConsumeAllDecision,
    Decision,
    Entitlement,
    Entitlements,
)
from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb

PAUSE_MIN_S = 0.02
PAUSE_MAX_S = 1.0

GIVEN_UP_S = 0.3
"""Pause before a call is repeated whose connection broke under way: a server takes nothing for it
any more after its `store_timeout_ms` (250 by default), and 50 ms are for getting there."""

KEY_TTL_MIN_S = 60.0
"""How long the server remembers a key that the client made. Its only use is the retries of one
call, so the server's own time to live (made for callers' keys) would fill the store for nothing."""


class Consumption(msgspec.Struct, frozen=True, gc=False):
    """One request of `consume_many`; the fields are those of `consume`."""

    customer_id: str
    feature_id: str
    quantity: int = 1
    idempotency_key: str | None = None
    resource_id: str = ""
    requested_values: Sequence[str] = ()
    explain: bool = False
    best_effort: bool = False


class Item(msgspec.Struct, frozen=True):
    """One feature of `consume_all`; the fields are those of `consume`."""

    feature_id: str
    quantity: int = 1
    resource_id: str = ""
    requested_values: Sequence[str] = ()


Items = Mapping[str, int] | Sequence[Item]
"""Several features: quantities by feature id, or items."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """Step: make one gRPC call and send its answer in."""

    method: str
    request: Any
    timeout_s: float


class Pause(msgspec.Struct, frozen=True):
    """Step: wait before the next try."""

    seconds: float


Step = Attempt | Pause

_Result = TypeVar("_Result")
_Message = TypeVar("_Message")

Steps = Generator[Step, Any, _Result]
"""A call in the making; returns its result."""


class Policy(msgspec.Struct, frozen=True, dict=True):
    """How long a call may take, and how often it is retried when no server answers."""

    timeout_s: float
    retries: int

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ValueError(f"timeout: must be above 0 seconds, not {self.timeout_s}")
        if self.retries < 0:
            raise ValueError(f"retries: must be 0 or more, not {self.retries}")

    def pause_s(self, attempt: int, error: QuotaUnavailable | None = None) -> float:
        """The pause after a failed attempt (0 is the first): doubled each time, half of it random.

        The random half keeps callers that failed together from coming back together. After a
        call that a server may still process, it is long enough for that to end, and after one that
        a server has asked not to repeat for a while, it begins after that.
        """
        pause_s = backoff.pause_s(attempt, PAUSE_MIN_S, PAUSE_MAX_S, random.random())
        if error is not None and error.may_run_later:
            return GIVEN_UP_S + pause_s
        return asked_wait_s(error) + pause_s

    @cached_property
    def key_ttl(self) -> Duration:
        """How long the server has to remember a key of the client's making."""
        ttl = Duration()
        ttl.FromNanoseconds(round(max(KEY_TTL_MIN_S, 2 * self.timeout_s) * 1e9))
        return ttl


class Tried(msgspec.Struct, frozen=True):
    """The first try of a call, where it was made without steps."""

    ends: float
    """Monotonic time at which the call is out of time."""
    error: QuotaError


def decide(
    policy: Policy, request: pb.CheckAndConsumeRequest, tried: Tried | None = None
) -> Steps[Decision]:
    """Ask about one feature."""
    return answers.decision((yield from retried(policy, "CheckAndConsume", request, tried)))


def consume_all(
    policy: Policy,
    customer_id: str,
    items: Items,
    *,
    explain: bool,
    key: str | None = None,
    check_only: bool = False,
) -> Steps[ConsumeAllDecision]:
    """Decide several features together, and count all of it or nothing."""
    fields: dict[str, Any] = {}
    if check_only:
        fields["mode"] = pb.MODE_CHECK_ONLY
    elif key is None and policy.retries:
        key, fields["idempotency_ttl"] = os.urandom(16).hex(), policy.key_ttl
    request = checked(
        pb.CheckAndConsumeAllRequest,
        customer_id=customer_id,
        items=item_messages(items),
        idempotency_key=key or "",
        explain=explain,
        **fields,
    )
    answer = yield from retried(policy, "CheckAndConsumeAll", request)
    return answers.decision_on_all(answer)


def item_messages(
    items: Items,
    message: type[pb.ConsumeItem] | type[pb.CommitItem] = pb.ConsumeItem,
    field: str = "items",
) -> list[Any]:
    """Several features, as messages.

    Args:
        items: as the caller gave them.
        message: what they become.
        field: of the request that they are for.

    Raises:
        QuotaInvalid: names the item whose value its field cannot hold.
    """
    if isinstance(items, Mapping):
        items = [Item(feature_id, quantity) for feature_id, quantity in items.items()]
    return [_item(f"{field}[{place}]", item, message) for place, item in enumerate(items)]


def entitlement(
    policy: Policy, customer_id: str, feature_id: str, resource_id: str
) -> Steps[Entitlement]:
    """Ask for one entitlement."""
    request = checked(
        pb.GetEntitlementRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        resource_id=resource_id,
    )
    answer = yield from retried(policy, "GetEntitlement", request)
    return answers.entitlement(answer.entitlement)


def entitlements(policy: Policy, customer_id: str, resource_id: str) -> Steps[Entitlements]:
    """Ask for everything one customer is entitled to."""
    request = checked(pb.GetEntitlementsRequest, customer_id=customer_id, resource_id=resource_id)
    return answers.entitlements((yield from retried(policy, "GetEntitlements", request)))


def consume_many(
    policy: Policy, consumptions: Sequence[Consumption]
) -> Steps[list[Decision | QuotaError]]:
    """Decide and count many requests, in batches as large as the server takes."""
    outcomes: list[Decision | QuotaError] = []
    for start in range(0, len(consumptions), BATCH_MAX):
        outcomes += yield from _consume_batch(policy, consumptions[start : start + BATCH_MAX])
    return outcomes


def retried(policy: Policy, method: str, request: Any, tried: Tried | None = None) -> Steps[Any]:
    """One gRPC call, retried while no server answers and time is left.

    Raises:
        QuotaError: the last try's error.
    """
    ends = time.monotonic() + policy.timeout_s if tried is None else tried.ends
    for attempt in count():
        try:
            if tried is not None and attempt == 0:
                raise tried.error
            return (yield Attempt(method, request, ends - time.monotonic()))
        except QuotaUnavailable as error:
            pause_s = policy.pause_s(attempt, error)
            if attempt >= policy.retries or time.monotonic() + pause_s >= ends:
                raise
        yield Pause(pause_s)
    raise AssertionError("unreachable")


def _item(place: str, item: Item, message: type[Any]) -> Any:
    fields: dict[str, Any] = {}
    try:
        if item.requested_values:
            check_values(item.requested_values)
            fields["requested_values"] = item.requested_values
        return checked(
            message,
            feature_id=item.feature_id,
            quantity=item.quantity,
            resource_id=item.resource_id,
            **fields,
        )
    except QuotaInvalid as error:
        problem = f"{place}.{error}"
    raise QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")


def _request(consumption: Consumption, **fields: Any) -> pb.CheckAndConsumeRequest:
    # What few calls have is not set by the others: to set a field costs more than to look at it.
    if consumption.requested_values != ():
        check_values(consumption.requested_values)
        fields["requested_values"] = consumption.requested_values
    if consumption.resource_id != "":
        fields["resource_id"] = consumption.resource_id
    if consumption.explain is not False:
        fields["explain"] = consumption.explain
    return checked(
        pb.CheckAndConsumeRequest,
        customer_id=consumption.customer_id,
        feature_id=consumption.feature_id,
        quantity=consumption.quantity,
        **fields,
    )


def check_request(consumption: Consumption) -> pb.CheckAndConsumeRequest:
    """A request to decide and count nothing."""
    return _request(consumption, mode=pb.MODE_CHECK_ONLY)


def record_request(
    policy: Policy, consumption: Consumption, occurred_at: datetime | None, **fields: Any
) -> pb.CheckAndConsumeRequest:
    """A request to count what has happened already, past every limit."""
    return consume_request(
        policy, consumption, mode=pb.MODE_ADJUST_ONLY, occurred_at=occurred_at, **fields
    )


def consume_request(
    policy: Policy, consumption: Consumption, **fields: Any
) -> pb.CheckAndConsumeRequest:
    """A request that is safe to send again: it has a key, the caller's or one made here.

    The key exists before the first try. Without retries none is made: it would cost the store a
    key per call for nothing.
    """
    if consumption.best_effort:
        fields["mode"] = pb.MODE_BEST_EFFORT
    if consumption.idempotency_key is not None:
        return _request(consumption, idempotency_key=consumption.idempotency_key, **fields)
    if policy.retries == 0:
        return _request(consumption, **fields)
    key = os.urandom(16).hex()
    return _request(consumption, idempotency_key=key, idempotency_ttl=policy.key_ttl, **fields)


def _consume_batch(
    policy: Policy, consumptions: Sequence[Consumption]
) -> Steps[list[Decision | QuotaError]]:
    """One batch; what came back UNAVAILABLE is sent again, alone and under the same keys."""
    outcomes: list[Decision | QuotaError | None] = [None] * len(consumptions)
    pending: dict[int, pb.CheckAndConsumeRequest] = {}
    for index, consumption in enumerate(consumptions):
        try:
            pending[index] = consume_request(policy, consumption)
        except QuotaInvalid as error:
            outcomes[index] = error
    ends = time.monotonic() + policy.timeout_s
    for attempt in count():
        fresh = yield from _try_batch(list(pending.values()), ends - time.monotonic())
        failed: QuotaUnavailable | None = None
        for index, outcome in zip(list(pending), fresh, strict=True):
            outcomes[index] = outcome
            if isinstance(outcome, QuotaUnavailable):
                failed = outcome
            else:
                del pending[index]
        pause_s = policy.pause_s(attempt, failed)
        if not pending or attempt >= policy.retries or time.monotonic() + pause_s >= ends:
            break
        yield Pause(pause_s)
    return [outcome for outcome in outcomes if outcome is not None]


def _try_batch(
    requests: Sequence[pb.CheckAndConsumeRequest], timeout_s: float
) -> Steps[list[Decision | QuotaError]]:
    """Send a batch once: an outcome per request. When the call fails, all have its error."""
    if not requests:
        return []
    batch = pb.BatchCheckAndConsumeRequest(requests=requests)
    try:
        answer = yield Attempt("BatchCheckAndConsume", batch, timeout_s)
    except QuotaError as error:
        return [error] * len(requests)
    if len(answer.results) != len(requests):
        message = f"{len(answer.results)} results for {len(requests)} requests"
        return [QuotaServerError(message, code="INTERNAL")] * len(requests)
    return [answers.batch_outcome(result) for result in answer.results]
