"""The clients with the method names that people know: the same calls from Node and from Python."""

import asyncio
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
import pytest

from quotad.client.access import MeteredAccess
from quotad.client.entitlements import AsyncEntitlementsClient, EntitlementsClient
from quotad.client.errors import QuotaError
from tests.clients.node import CallFailed, Node, needs_client
from tests.service.fake_quotad import FakeServer

Answer = dict[str, Any]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Failed(Exception):
    """What a call has raised: the error's name and message, with Python's names of fields."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Caller:
    """A client of one of three kinds, called by the names of Node; answers by those of Python."""

    def __init__(self, kind: str, node: Node | None) -> None:
        self._kind = kind
        self._node = node
        self._made: list[EntitlementsClient] = []

    def to(self, address: str, fallbacks: Mapping[str, bool] | None = None) -> Any:
        """Something to call: method, then the fields of the call."""
        if self._node is not None:
            options = {name: {"hasAccess": access} for name, access in (fallbacks or {}).items()}
            client = self._node.client(address, "entitlements", entitlementsFallback=options)
            return lambda method, **fields: self._from_node(client, method, fields)
        if self._kind == "asyncio":
            return lambda method, **fields: asyncio.run(
                self._from_asyncio(address, fallbacks, method, fields)
            )
        self._made.append(EntitlementsClient(address, timeout=10, fallbacks=fallbacks))
        return lambda method, **fields: self._from_python(self._made[-1], method, fields)

    def close(self) -> None:
        for client in self._made:
            client.close()

    def _from_node(self, client: Any, method: str, fields: Answer) -> Any:
        options = {name: fields.pop(name) for name in _OPTIONS & fields.keys()}
        params = {name: fields.pop(name) for name in _PARAMS & fields.keys()}
        if isinstance(params.get("addons"), dict):
            params["addons"] = [
                {"addonId": name, "quantity": n} for name, n in params["addons"].items()
            ]
        if options:
            fields["options"] = options
        if params:
            fields["subscriptionParams"] = params
        try:
            return _renamed(client(method, fields))
        except CallFailed as error:
            raise Failed(error.name, error.message) from error

    def _from_python(self, client: Any, method: str, fields: Answer) -> Any:
        try:
            answer = getattr(client, snake(method))(**{snake(n): v for n, v in fields.items()})
        except QuotaError as error:
            raise Failed(type(error).__name__, str(error)) from error
        return msgspec.to_builtins(answer, builtin_types=(datetime,))

    async def _from_asyncio(
        self, address: str, fallbacks: Mapping[str, bool] | None, method: str, fields: Answer
    ) -> Any:
        async with AsyncEntitlementsClient(address, timeout=10, fallbacks=fallbacks) as client:
            try:
                call = getattr(client, snake(method))
                answer = await call(**{snake(name): value for name, value in fields.items()})
            except QuotaError as error:
                raise Failed(type(error).__name__, str(error)) from error
            return msgspec.to_builtins(answer, builtin_types=(datetime,))


_OPTIONS = {"requestedUsage", "requestedValues", "fallback"}
_PARAMS = {"planId", "unitQuantity", "addons"}


def _renamed(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_renamed(each) for each in answer]
    if isinstance(answer, dict):
        return {snake(name): _renamed(each) for name, each in answer.items()}
    return answer


@pytest.fixture(
    scope="module", params=["blocking", "asyncio", pytest.param("node", marks=needs_client)]
)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    node = request.getfixturevalue("node") if request.param == "node" else None
    made = Caller(request.param, node)
    yield made
    made.close()


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def picked(answer: Answer, *names: str) -> tuple[Any, ...]:
    return tuple(answer[name] for name in names)


ACCESS = ("has_access", "access_denied_reason", "is_fallback")


def test_check_work_and_report(caller: Caller, example: str, customer: str) -> None:
    call = caller.to(example)
    exports = {"customerId": customer, "featureId": "exports"}

    before = call("getMeteredEntitlement", **exports)
    assert (True, None, False) == picked(before, *ACCESS)
    assert (3, 0, 1, "WEEK") == picked(
        before, "usage_limit", "current_usage", "requested_usage", "reset_period"
    )
    key = f"export-{customer}"
    for _ in range(2):
        reported = call("reportUsage", **exports, value=2, idempotencyKey=key)
        assert (key, 2, 2) == picked(reported, "id", "value", "current_usage")
    reads = [call("getMeteredEntitlement", **exports, requestedUsage=n) for n in (0, 1, 2)]
    assert [True, True, False] == [each["has_access"] for each in reads]
    assert "RequestedUsageExceedingLimit" == reads[2]["access_denied_reason"]
    assert before["usage_period_end"] == reads[2]["usage_period_end"]

    over = call("reportUsage", **exports, value=3)
    back = call("reportUsage", **exports, value=-4)
    whole = call("reportUsage", **exports, value=2, updateBehavior="SET")
    assert [5, 1, 2] == [each["current_usage"] for each in (over, back, whole)]


def test_switches_numbers_and_words(caller: Caller, example: str) -> None:
    call = caller.to(example)
    whose = {"customerId": "customer-123"}

    off = call("getBooleanEntitlement", **whose, featureId="csv-export")
    rows = call("getNumericEntitlement", **whose, featureId="export-rows-max")
    support = call("getEnumEntitlement", **whose, featureId="support", requestedValues=["email"])
    phone = call("getEnumEntitlement", **whose, featureId="support", requestedValues=["phone"])
    assert (False, "NoFeatureEntitlementInSubscription", False) == picked(off, *ACCESS)
    assert (True, 100_000) == picked(rows, "has_access", "value")
    assert (True, ["email"]) == (support["has_access"], list(support["enum_values"])[-1:])
    assert (False, "RequestedValuesMismatch", False) == picked(phone, *ACCESS)

    wrong = call("getBooleanEntitlement", **whose, featureId="seats")
    none = call("getMeteredEntitlement", **whose, featureId="warp-drive")
    assert (False, "FeatureTypeMismatch", False) == picked(wrong, *ACCESS)
    assert (False, "FeatureNotFound", False) == picked(none, *ACCESS)

    every = call("getEntitlements", **whose)
    shapes = {"usage_limit", "value", "enum_values"}
    assert [["usage_limit"]] * 5 + [["value"], ["enum_values"]] == [
        sorted(shapes & each.keys()) for each in every
    ]
    assert all(each["has_access"] for each in every)


def test_a_customer_is_provisioned_with_its_seats_at_once(
    caller: Caller, example: str, customer: str
) -> None:
    call = caller.to(example)
    wanted = {"customerId": customer, "email": "ops@acme.example"}

    made = call("provisionCustomer", **wanted, planId="team", unitQuantity=50)
    seats = {"customerId": customer, "featureId": "seats"}
    read = [call("getMeteredEntitlement", **seats, requestedUsage=n) for n in (50, 51)]
    assert [True, False] == [each["has_access"] for each in read]
    assert 50 == read[0]["usage_limit"]
    found = made.get("customer", made)
    assert (customer, "ops@acme.example") == picked(found, "customer_id", "email")
    subscription = made.get("subscription") or made["subscriptions"][0]
    assert ("team", "ACTIVE", 50) == picked(subscription, "plan_id", "status", "unit_quantity")

    # Of a gauge, what is negative gives back.
    assert [3, 1] == [call("reportUsage", **seats, value=n)["current_usage"] for n in (3, -2)]


def test_what_cannot_be_counted_is_an_error_by_name(caller: Caller, example: str) -> None:
    call = caller.to(example)
    for feature, error, said in [
        ("support", "QuotaInvalid", "'?\"?support'?\"? is not metered; nothing to count"),
        ("warp-drive", "QuotaServerError", "value: not counted, FeatureNotFound"),
    ]:
        with pytest.raises(Failed, match=said) as caught:
            call("reportUsage", customerId="customer-123", featureId=feature, value=1)
        name = caught.value.name
        assert error == name, feature
    with pytest.raises(Failed, match="unknown plan"):
        call("provisionCustomer", customerId="customer-123", planId="gold")


def test_without_a_server_a_check_falls_back_and_a_report_fails(caller: Caller) -> None:
    call = caller.to("127.0.0.1:1", {"seats": True})
    whose = {"customerId": "acme"}

    default = call("getMeteredEntitlement", **whose, featureId="exports")
    general = call("getBooleanEntitlement", **whose, featureId="seats")
    assert (False, None, True) == picked(default, *ACCESS)
    assert (True, None, True) == picked(general, *ACCESS)
    for method, fields in [
        ("reportUsage", {"featureId": "seats", "value": 1}),
        ("getEntitlements", {}),
    ]:
        with pytest.raises(Failed) as caught:
            call(method, **whose, **fields)
        assert "QuotaUnavailable" == caught.value.name


@needs_client
def test_a_key_of_another_service_is_not_sent_and_a_token_is(
    node: Node, server: FakeServer
) -> None:
    for key, sent in [("server-abc", None), ("qd_1_secret", "Bearer qd_1_secret")]:
        client = node.client(server.address, "entitlements", apiKey=key)
        client("waitForInitialization")
        client("getBooleanEntitlement", {"customerId": "acme", "featureId": "seats"})
        assert sent == server.quota.metadata[-1].get("authorization")


def test_a_fallback_of_the_call_goes_before_that_of_all() -> None:
    with EntitlementsClient("127.0.0.1:1", fallbacks={"seats": False}) as client:
        own = MeteredAccess(has_access=True, usage_limit=5)
        answer = client.get_metered_entitlement("acme", "seats", fallback=own)

    assert (True, True, 5) == (answer.has_access, answer.is_fallback, answer.usage_limit)
