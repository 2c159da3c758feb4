"""The three clients behind the same calls: names and results as Python has them, as plain data."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest

from quotad.client import AsyncClient, Client, Consumption, QuotaError, Reason, SourceKind
from quotad.model import FeatureType
from tests.clients.node import CallFailed, Node, NodeClient, needs_client
from tests.processes import DEADLINE_S

KINDS = [
    "blocking",
    "asyncio",
    pytest.param("node", marks=needs_client),
    pytest.param("node-coalescing", marks=needs_client),
]

Plain = Any
Call = Callable[[str, Any], Plain]
"""Makes a call, of its method and its arguments; returns result or error as plain data."""


@contextmanager
def connected(
    kind: str, address: str, node: Node | None = None, *, timeout_ms: int = 10_000, retries: int = 2
) -> Iterator[Call]:
    """A client of one kind, to be called from any thread."""
    if node is not None:
        coalesce = kind.endswith("coalescing")
        client = node.client(address, timeoutMs=timeout_ms, retries=retries, coalesce=coalesce)
        yield lambda method, given: _by_node(client, method, given)
        client("close")
    elif kind == "asyncio":
        submit = _loop()
        aio = AsyncClient(address, timeout=timeout_ms / 1000, retries=retries)
        yield lambda method, given: submit(_by_asyncio(aio, method, given))
        submit(aio.close())
    else:
        with Client(address, timeout=timeout_ms / 1000, retries=retries) as blocking:
            yield lambda method, given: _by_python(blocking, method, given)


@cache
def _loop() -> Callable[[Any], Any]:
    """What runs on an event loop in a thread: one for all, as grpc's poller looks at every loop."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return lambda steps: asyncio.run_coroutine_threadsafe(steps, loop).result(DEADLINE_S)


def _by_python(client: Any, method: str, given: Any) -> Plain:
    args, kwargs = _arguments(method, given)
    try:
        return plain(getattr(client, method)(*args, **kwargs))
    except QuotaError as error:
        return plain(error)


async def _by_asyncio(client: Any, method: str, given: Any) -> Plain:
    args, kwargs = _arguments(method, given)
    try:
        return plain(await getattr(client, method)(*args, **kwargs))
    except QuotaError as error:
        return plain(error)


def _arguments(method: str, given: Any) -> tuple[list[Any], dict[str, Any]]:
    if method == "consume_many":
        return [[Consumption(**each) for each in given]], {}
    if "occurred_at" in given:
        at = datetime.fromisoformat(given["occurred_at"]).replace(tzinfo=None)
        given = {**given, "occurred_at": at}
    return [], given


def plain(result: Any) -> Plain:
    """A result of Python as plain data."""
    if isinstance(result, QuotaError):
        names = ("code", "reason", "message", "retry_after")
        fields = {name: getattr(result, name) for name in names}
        return {"error": {"name": type(result).__name__, **_in_ms(fields)}}
    if isinstance(result, (Reason, SourceKind, FeatureType)):
        return result.name
    if isinstance(result, datetime):
        return result.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(result, (list, tuple)):
        return [plain(each) for each in result]
    if isinstance(result, msgspec.Struct):
        fields = {name: plain(getattr(result, name)) for name in result.__struct_fields__}
        return _in_ms(fields)
    return result


def _in_ms(fields: dict[str, Any]) -> dict[str, Any]:
    """Times that something takes, as Node has them."""
    for name in {"retry_after", "term"} & fields.keys():
        time = fields.pop(name)
        fields[f"{name}_ms"] = None if time is None else time / timedelta(milliseconds=1)
    return fields


_POSITIONS = {
    "consume": ("customer_id", "feature_id", "quantity"),
    "check": ("customer_id", "feature_id", "quantity"),
    "record": ("customer_id", "feature_id", "quantity"),
    "refund": ("customer_id", "feature_id", "quantity"),
    "set_usage": ("customer_id", "feature_id", "used"),
    "entitlement": ("customer_id", "feature_id", "resource_id"),
    "entitlements": ("customer_id", "resource_id"),
    "consume_all": ("customer_id", "items"),
    "check_all": ("customer_id", "items"),
    "reserve": ("customer_id", "feature_id", "quantity"),
    "commit": ("customer_id", "reservation_id"),
    "release": ("customer_id", "reservation_id"),
    "refund_all": ("customer_id", "taken_under"),
    "reserve_all": ("customer_id", "items"),
    "commit_all": ("customer_id", "reservation_id", "used"),
    "release_all": ("customer_id", "reservation_id"),
    "extend": ("customer_id", "reservation_id", "ttl_ms"),
    "acquire_lease": ("customer_id", "feature_id", "quantity"),
    "renew_lease": ("customer_id", "lease_id"),
    "release_lease": ("customer_id", "lease_id", "spent"),
    "acquire_slot": ("customer_id", "feature_id"),
    "heartbeat": ("customer_id", "slot_id", "ttl_ms"),
    "release_slot": ("customer_id", "slot_id"),
    "list_slots": ("customer_id", "feature_id", "resource_id"),
}
"""Arguments of the client in TypeScript that are not options."""

_DEFAULTS = {"quantity": 1, "resource_id": "", "used": []}


def _by_node(client: NodeClient, method: str, given: Any) -> Plain:
    if "ttl" in given:
        given = {name: each for name, each in given.items() if name != "ttl"} | {
            "ttl_ms": given["ttl"] * 1000
        }
    if method == "consume_many":
        args: list[Any] = [[_camel_fields(each) for each in given]]
    else:
        names = _POSITIONS[method]
        default = {**_DEFAULTS, **({"quantity": 0} if method == "refund" else {})}
        args = [_sent(given.get(name, default.get(name))) for name in names]
        rest = {name: each for name, each in given.items() if name not in names}
        if rest:
            args.append(_camel_fields(rest))
    try:
        return _from_node(client(_camel(method), *args))
    except CallFailed as error:
        return _from_node({"$error": error.thrown})


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """A name of TypeScript as Python has it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _camel_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {_camel(name): _sent(each, name) for name, each in fields.items()}


def _sent(value: Any, name: str = "") -> Any:
    if isinstance(value, int) and abs(value) > 2**53:
        return {"$bigint": str(value)}
    return {"$date": value} if name == "occurred_at" else value


_DATES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def _from_node(answer: Any) -> Plain:
    if isinstance(answer, list):
        return [_from_node(each) for each in answer]
    if isinstance(answer, str) and _DATES.fullmatch(answer):
        return plain(datetime.fromisoformat(answer))
    if not isinstance(answer, dict):
        return answer
    if "$error" in answer:
        names = ("name", "code", "reason", "message", "retry_after_ms")
        error = {name: answer["$error"][_camel(name)] for name in names}
        field, colon, rest = error["message"].partition(": ")
        if field.isalpha() and error["reason"] == "INVALID_REQUEST":
            error["message"] = snake(field) + colon + rest
        return {"error": error}
    fields = {snake(name): _from_node(each) for name, each in answer.items()}
    if "decision" in fields:
        fields.pop("allowed", None)  # in Python it is a property
    if fields.get("feature_type") == "UNSPECIFIED":
        fields["feature_type"] = None
    return fields
