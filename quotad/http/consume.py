"""What takes, looks, records and gives back: one request, a batch, several features at once."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.types import Scope

from quotad.decision import (
    BATCH_MAX,
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
)
from quotad.errors import InvalidRequest, QuotadError
from quotad.http.answers import (
    AllAnswer,
    BatchAnswer,
    BatchPlace,
    DecisionAnswer,
    all_answer,
    decision_answer,
    settled_answer,
)
from quotad.http.bodies import read
from quotad.http.fields import (
    KeyMilliseconds,
    RequestedValues,
    SignedQuantity,
    SomeQuantity,
    because,
    check_ids,
    check_values,
    idempotency_key,
    moment_ms,
)
from quotad.http.items import ConsumeItems, read_items
from quotad.http.operation import (
    ActOutcome,
    HttpAnswer,
    HttpCall,
    Operation,
    RequestFields,
    on_decider,
)
from quotad.http.problems import problem
from quotad.http.ratelimit import ratelimit_headers, retry_after
from quotad.operations.decisions import DecisionOperations
from quotad.tokens.roles import Right
from quotad.tokens.scopes import check_scope


class Check(RequestFields, frozen=True, kw_only=True):
    """A question whether so much of a feature could be taken now."""

    customer_id: str
    feature_id: str
    quantity: SignedQuantity = 1
    resource_id: str = ""
    """What of the customer's it is for; empty: the customer."""
    requested_values: RequestedValues = ()
    """Of a config feature that lists its values: all must be granted."""


CHECK_ONLY = "CHECK_ONLY"
"""The mode that takes nothing."""


class Consume(Check, frozen=True, kw_only=True):
    """A request to take so much of a feature."""

    quantity: SignedQuantity = 1
    """Zero takes nothing; negative gives back, of gauges only."""
    idempotency_key: str = ""
    """Makes a retry safe: a key takes at most once. Also as the header `Idempotency-Key`."""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    """How long the key is remembered; absent or longer: as the server is set."""
    mode: Literal["NORMAL", "BEST_EFFORT", "CHECK_ONLY", "ADJUST_ONLY"] = "NORMAL"
    explain: bool = False
    """Return where the entitlement comes from."""
    occurred_at: datetime | None = None
    """With ADJUST_ONLY: when it happened; absent: now."""


class RecordUsage(RequestFields, frozen=True, kw_only=True):
    """What has happened already, to be counted past every limit."""

    customer_id: str
    feature_id: str
    quantity: SignedQuantity = 1
    resource_id: str = ""
    idempotency_key: str = ""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    occurred_at: datetime | None = None
    """Absent: now."""


class Refund(RequestFields, frozen=True, kw_only=True):
    """What is to be taken back: a quantity, or what was taken under a key, once."""

    customer_id: str
    feature_id: str = ""
    """With `taken_under` of `/v1/consume/all`: of which feature; absent: all of them."""
    quantity: SomeQuantity | None = None
    """With `taken_under`: absent, as all of it comes back."""
    resource_id: str = ""
    idempotency_key: str = ""
    """Of the refund itself; not with `taken_under`, which comes back once."""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    occurred_at: datetime | None = None
    """Take it back from the periods of that moment; absent: from the current ones."""
    taken_under: str = ""
    """The idempotency key of the call that is undone."""
    reason: str = ""
    """Why; with it or an actor, the refund is kept among the customer's corrections."""
    actor: str = ""
    """Whose doing it is."""


class Batch(RequestFields, frozen=True, kw_only=True):
    """Independent requests, answered in order."""

    requests: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=BATCH_MAX)]
    """Each as of `/v1/consume`."""


_READ_CONSUME = msgspec.json.Decoder(Consume)


class ConsumeAll(RequestFields, frozen=True, kw_only=True):
    """Several features of one customer, all of it or nothing."""

    customer_id: str
    items: ConsumeItems
    """No feature twice for one resource."""
    idempotency_key: str = ""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    mode: Literal["NORMAL", "CHECK_ONLY"] = "NORMAL"
    explain: bool = False


async def consume(call: HttpCall, wanted: Consume) -> ActOutcome:
    """Decide and, when allowed, count."""
    key = idempotency_key(call.scope, wanted.idempotency_key)
    return await _decide(call, consume_request(wanted, key))


async def check(call: HttpCall, wanted: Check) -> ActOutcome:
    """Decide and count nothing."""
    return await _decide(call, _check_request(wanted, explain=False))


async def explain(call: HttpCall, wanted: Check) -> ActOutcome:
    """Decide, count nothing, and return where the entitlement comes from."""
    return await _decide(call, _check_request(wanted, explain=True))


async def record(call: HttpCall, wanted: RecordUsage) -> ActOutcome:
    """Count what has happened."""
    key = idempotency_key(call.scope, wanted.idempotency_key)
    fields = msgspec.structs.asdict(wanted)
    return await _decide(call, consume_request(Consume(mode="ADJUST_ONLY", **fields), key))


async def batch(call: HttpCall, wanted: Batch) -> ActOutcome:
    """Decide requests together; one of a wrong shape is an error in its own place."""
    requests: list[ConsumeRequest] = []
    places: list[QuotadError | None] = []
    check_no_key(call.scope)
    access = call.caller.access
    for raw in wanted.requests:
        try:
            each = read(_READ_CONSUME, raw)
            if each.mode != CHECK_ONLY:
                access.check(Right.CONSUME)
            if access.scoped:
                check_scope(access, "CheckAndConsume", each)
            requests.append(consume_request(each, each.idempotency_key))
            places.append(None)
        except InvalidRequest as error:
            places.append(error)
    decided = iter(
        await call.context.deciding.decide_all(requests, call.caller.taker) if requests else ()
    )
    results = [next(decided) if place is None else place for place in places]
    return HttpAnswer(BatchAnswer(results=tuple(map(_place, results))))


async def consume_all(call: HttpCall, wanted: ConsumeAll) -> ActOutcome:
    """Decide several features as one."""
    answer = await call.context.deciding.decide(_all_request(call.scope, wanted), call.caller.taker)
    if isinstance(answer, QuotadError):
        return answer
    assert isinstance(answer, ConsumeAllDecision)
    return HttpAnswer(all_answer(answer), retry_after(answer))


@on_decider
def refund(decisions: DecisionOperations, call: HttpCall, wanted: Refund) -> HttpAnswer:
    """Take back what was counted."""
    check_ids(wanted, ("customer_id",), ("feature_id", "resource_id", "taken_under"))
    if wanted.resource_id and not wanted.feature_id:
        raise InvalidRequest("resource_id: of which feature? leave it out for all of them")
    if not wanted.taken_under:
        check_ids(wanted, ("feature_id",))
    key = idempotency_key(call.scope, wanted.idempotency_key)
    occurred_ms = moment_ms(wanted.occurred_at, "occurred_at")
    if wanted.taken_under:
        given = (("quantity", wanted.quantity), ("idempotency_key", key))
        for field, value in (*given, ("occurred_at", occurred_ms)):
            if value:
                raise InvalidRequest(
                    f"{field}: is known of what was taken under a key; leave it out, or taken_under"
                )
    elif wanted.quantity is None:
        raise InvalidRequest("quantity: missing; give how much, or the key in taken_under")
    request = ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        -(wanted.quantity or 0),
        int(Mode.REFUND),
        key,
        (wanted.idempotency_ttl_ms or 0) if key else 0,
        every_limit=True,
        resource_id=wanted.resource_id,
        occurred_ms=occurred_ms or 0,
    )
    answer = decisions.refund(request, wanted.taken_under, because(wanted, call.actor))
    return HttpAnswer(settled_answer(answer))


async def _decide(call: HttpCall, request: ConsumeRequest) -> ActOutcome:
    answer = await call.context.deciding.decide(request, call.caller.taker)
    if isinstance(answer, QuotadError):
        return answer
    return HttpAnswer(decision_answer(answer), ratelimit_headers(request.feature_id, answer))


def consume_request(wanted: Consume, key: str) -> ConsumeRequest:
    """Check and translate a request.

    Raises:
        InvalidRequest: names the field.
    """
    check_ids(wanted, ("customer_id", "feature_id"), ("resource_id",))
    check_values(wanted.requested_values)
    if key and key is wanted.idempotency_key:
        check_ids(wanted, ("idempotency_key",))
    mode = Mode[wanted.mode]
    occurred_ms = 0
    if wanted.occurred_at is not None:
        if mode is not Mode.ADJUST_ONLY:
            raise InvalidRequest("occurred_at: is for the mode ADJUST_ONLY; leave it out")
        occurred_ms = moment_ms(wanted.occurred_at, "occurred_at") or 1
    return ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        wanted.quantity,
        int(mode),
        key,
        (wanted.idempotency_ttl_ms or 0) if key else 0,
        every_limit=True,
        resource_id=wanted.resource_id,
        requested_values=wanted.requested_values,
        explain=wanted.explain,
        occurred_ms=occurred_ms,
    )


def check_no_key(scope: Scope) -> None:
    """Refuse the header `Idempotency-Key` where requests have keys of their own."""
    if idempotency_key(scope, ""):
        raise InvalidRequest("Idempotency-Key: give each request of a batch a key of its own")


def _check_request(wanted: Check, *, explain: bool) -> ConsumeRequest:
    check_ids(wanted, ("customer_id", "feature_id"), ("resource_id",))
    check_values(wanted.requested_values)
    return ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        wanted.quantity,
        int(Mode.CHECK_ONLY),
        every_limit=True,
        resource_id=wanted.resource_id,
        requested_values=wanted.requested_values,
        explain=explain,
    )


def _all_request(scope: Scope, wanted: ConsumeAll) -> ConsumeAllRequest:
    check_ids(wanted, ("customer_id",))
    key = idempotency_key(scope, wanted.idempotency_key)
    mode = int(Mode[wanted.mode])
    return ConsumeAllRequest(
        wanted.customer_id,
        "",
        0,
        mode,
        key,
        (wanted.idempotency_ttl_ms or 0) if key else 0,
        explain=wanted.explain,
        items=read_items(wanted.customer_id, wanted.items, mode, wanted.explain),
    )


def _place(result: Decision | QuotadError) -> BatchPlace:
    if isinstance(result, QuotadError):
        return BatchPlace(error=problem(result))
    return BatchPlace(response=decision_answer(result))


OPERATIONS = (
    Operation(
        name="CheckAndConsume",
        asks=True,
        method="POST",
        path="/v1/consume",
        right=Right.CONSUME,
        wanted=Consume,
        given=DecisionAnswer,
        act=consume,
        about="Decides and, when allowed, counts. A denial is an answer: 200 with allowed false.",
    ),
    Operation(
        name="BatchCheckAndConsume",
        asks=True,
        method="POST",
        path="/v1/consume/batch",
        right=Right.CONSUME,
        wanted=Batch,
        given=BatchAnswer,
        act=batch,
        about="Decides up to 1,000 independent requests, answered in order.",
    ),
    Operation(
        name="CheckAndConsumeAll",
        asks=True,
        method="POST",
        path="/v1/consume/all",
        right=Right.CONSUME,
        wanted=ConsumeAll,
        given=AllAnswer,
        act=consume_all,
        about="Decides several features of one customer in one atomic act: all of it or nothing.",
    ),
    Operation(
        name="Check",
        method="POST",
        path="/v1/check",
        right=Right.CHECK,
        wanted=Check,
        given=DecisionAnswer,
        act=check,
        about="Answers what `/v1/consume` would, and counts nothing.",
    ),
    Operation(
        name="Explain",
        method="POST",
        path="/v1/explain",
        right=Right.CHECK,
        wanted=Check,
        given=DecisionAnswer,
        act=explain,
        about="The same, with where the entitlement comes from and what a denial lacked.",
    ),
    Operation(
        name="Record",
        method="POST",
        path="/v1/record",
        right=Right.CONSUME,
        wanted=RecordUsage,
        given=DecisionAnswer,
        act=record,
        about="Counts what has happened already, past every limit.",
    ),
    Operation(
        name="Refund",
        method="POST",
        path="/v1/refund",
        right=Right.CONSUME,
        wanted=Refund,
        given=DecisionAnswer,
        act=refund,
        about="Takes back a quantity, or what was taken under an idempotency key, once.",
    ),
)
