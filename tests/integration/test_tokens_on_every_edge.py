"""Wrong, expired, revoked and out-of-scope tokens, each on every edge and front."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import grpc
import pytest

from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.tokens.roles import TokenRole
from quotad.v1 import admin_pb2, quota_pb2
from tests.http.events import EventStream
from tests.http.serving import HttpCaller
from tests.integration.test_tokens import FRONTS, Made
from tests.running import CALL_S, Caller, eventually

OUT_OF_SCOPE = {"customer_id": "other", "feature_id": "calls"}
CALL = quota_pb2.CheckAndConsumeRequest(customer_id="other", feature_id="calls")
GRAPHQL = {"query": '{ entitlements(query: {customerId: "other"}) { isGranted } }'}


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Made]:
    config = Config(redis_url=store_url, prefix=prefix, shards=4)
    with token_operations(config) as operations:
        one = Made(store_url, prefix, operations)
        yield one
        one.close()


def bad_tokens(made: Made) -> dict[str, tuple[str, str]]:
    """Tokens that give nothing, by why, with what a refusal says. Fewer than 20 calls of a test may
    show a wrong one, or its address has to wait."""
    ends_ms = int(time.time() * 1000) + 300
    expired = made.token(TokenRole.MANAGE, customers=("acme",), expires_ms=ends_ms)
    revoked = made.token(TokenRole.MANAGE, customers=("acme",))
    scoped = made.token(TokenRole.MANAGE, customers=("acme",))
    made.operations.revoke(revoked.split("_")[1])
    eventually(lambda: time.time() * 1000, lambda now: now > ends_ms + 100)
    return {
        "none": ("", "no token"),
        "wrong": (scoped[:-1] + ("A" if scoped[-1] != "A" else "B"), "is not known"),
        "expired": (expired, "has expired"),
        "revoked": (revoked, "was revoked"),
        "out of scope": (scoped, "does not cover 'other'"),
    }


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code().name, str(refused.value.details())


@pytest.mark.parametrize("front", FRONTS)
def test_no_call_of_grpc_is_answered_for_a_token_that_is_not_good(made: Made, front: str) -> None:
    bad = bad_tokens(made)
    with closing(Caller(made.serve(front))) as caller:
        calls: dict[str, tuple[Any, Any]] = {
            "hot": (caller.quota.CheckAndConsume, CALL),
            "admin": (caller.admin.GetCustomer, admin_pb2.GetCustomerRequest(customer_id="other")),
            "stream": (
                lambda request, **more: next(caller.quota.WatchEntitlements(request, **more)),
                quota_pb2.WatchEntitlementsRequest(customer_id="other"),
            ),
        }
        for why, (token, said) in bad.items():
            metadata = [("authorization", f"Bearer {token}")] if token else []
            for edge, (call, request) in calls.items():
                code, message = refusal(partial(call, request, timeout=CALL_S, metadata=metadata))
                wanted = "PERMISSION_DENIED" if why == "out of scope" else "UNAUTHENTICATED"
                assert (edge, why, wanted) == (edge, why, code)
                assert said in message, (edge, why)


def test_no_path_of_http_is_answered_for_a_token_that_is_not_good(made: Made) -> None:
    bad = bad_tokens(made)
    made.serve("native")
    with closing(made.serve_http()) as http:
        edges: dict[str, Callable[[dict[str, str]], tuple[int, Any]]] = {
            "consume": lambda shown: http.send("POST", "/v1/consume", OUT_OF_SCOPE, shown)[::2],
            "read": lambda shown: http.send("GET", "/v1/customers/other", None, shown)[::2],
            "GraphQL": lambda shown: http.send("POST", "/graphql", GRAPHQL, shown)[::2],
            "edge": lambda shown: http.send("GET", "/v1/c/other/entitlements.json", None, shown)[
                ::2
            ],
            "gateway": lambda shown: http.send(
                "GET", "/authorize?customer_id=other&feature_id=calls", None, shown
            )[::2],
            "events": partial(stream, http),
        }
        for why, (token, said) in bad.items():
            for edge, ask in edges.items():
                status, body = ask({"Authorization": f"Bearer {token}"} if token else {})
                in_scope = 200 if edge == "GraphQL" else 403  # errors are in the answer
                wanted = in_scope if why == "out of scope" else 401
                assert (edge, why, wanted) == (edge, why, status)
                assert said in str(body), (edge, why)


def stream(http: HttpCaller, shown: dict[str, str]) -> tuple[int, Any]:
    with EventStream(http.address, shown, customer_id="other") as events:
        return events.status, events.body()
