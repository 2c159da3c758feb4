"""Tokens on streams of changes: looked at before they begin, and for as long as they go on."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import grpc
import pytest

from quotad.client import Client, QuotaError
from quotad.client.admin import AdminClient
from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.tokens.record import WantedToken, customer_key
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2 as pb
from tests.http.events import EventStream
from tests.http.serving import HttpCaller
from tests.integration.test_tokens import FRONTS, Made
from tests.running import CALL_S, Caller


@pytest.fixture
def tokens(store_url: str, prefix: str) -> Iterator[Made]:
    config = Config(redis_url=store_url, prefix=prefix, shards=4)
    with token_operations(config) as operations:
        one = Made(store_url, prefix, operations)
        try:
            yield one
        finally:
            one.close()


@contextmanager
def serving(tokens: Made) -> Iterator[HttpCaller]:
    """Start servers, which know the tokens that are there by then."""
    tokens.serve("native")
    with closing(tokens.serve_http()) as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(http: HttpCaller, shown: str, **query: str) -> int:
    """What a request for a stream is answered."""
    with EventStream(http.address, bearer(shown) if shown else {}, **query) as events:
        return events.status


def test_http_streams_need_a_token_that_covers_the_customer(tokens: Made) -> None:
    scoped = tokens.token(TokenRole.CONSUME, customers=("acme",))
    narrow = tokens.token(TokenRole.CONSUME, features=("calls",))
    reader = tokens.token(TokenRole.READ)
    with serving(tokens) as http:
        assert 401 == status(http, "", customer_id="acme")
        assert 401 == status(http, scoped[:-1] + "-", customer_id="acme")
        assert [200, 403] == [status(http, scoped, customer_id=who) for who in ("acme", "other")]
        assert [403, 200] == [status(http, each) for each in (scoped, reader)]
        assert 403 == status(http, narrow, customer_id="acme")  # of a customer it is all features


def test_a_client_token_watches_the_customer_that_it_proves(tokens: Made) -> None:
    new = tokens.operations.create(WantedToken("browser", TokenRole.CLIENT))
    proof = customer_key(new.signing_key.encode(), "acme")
    in_query = {"token": new.token, "customer_key": proof}
    with serving(tokens) as http:

        def by_header(customer_id: str, key: str) -> int:
            headers = {"X-API-KEY": new.token, "X-CUSTOMER-KEY": key}
            with EventStream(http.address, headers, customer_id=customer_id) as events:
                return events.status

        assert [200, 403, 403] == [
            by_header("acme", proof),
            by_header("other", proof),
            by_header("acme", ""),
        ]
        # As EventSource asks, which cannot send headers.
        assert 200 == status(http, "", customer_id="acme", **in_query)
        assert 403 == status(http, "", customer_id="other", **in_query)
        assert 403 == status(http, "", customer_id="acme", token=new.token)
        assert 403 == status(http, "", **in_query)
        with EventStream(http.address, token=tokens.admin, customer_id="acme") as events:
            assert 400 == events.status
            assert "only client tokens are public" in events.body()["detail"]


def test_whose_doing_a_change_was_is_told_to_readers_alone(tokens: Made) -> None:
    seen = [tokens.token(role) for role in (TokenRole.READ, TokenRole.CONSUME)]
    address = tokens.serve("native")
    with closing(tokens.serve_http()) as http, ExitStack() as stack:
        streams = [
            stack.enter_context(EventStream(http.address, bearer(each), customer_id="acme"))
            for each in seen
        ]
        for stream in streams:
            stream.next()
        with AdminClient(address, timeout=20, token=tokens.admin) as admin:
            admin.provision("acme", "free")

        assert ["admin", None] == [each.next().data.get("actor") for each in streams]


def test_a_token_in_the_query_is_looked_at_for_streams_alone(tokens: Made) -> None:
    new = tokens.operations.create(WantedToken("browser", TokenRole.CLIENT))
    proof = customer_key(new.signing_key.encode(), "acme")
    query = f"token={new.token}&customer_key={proof}"
    with serving(tokens) as http:
        assert 401 == http.get(f"/v1/customers/acme/entitlements?{query}").status


def test_a_revoked_or_expired_token_ends_its_open_streams(tokens: Made) -> None:
    token = tokens.token(TokenRole.READ)
    until = int(time.time() * 1000) + 3_000
    short = tokens.token(TokenRole.READ, expires_ms=until)
    grpc_address = tokens.serve("native")
    with closing(tokens.serve_http()) as http:
        streams = [EventStream(http.address, bearer(each)) for each in (token, short)]
        others = EventStream(http.address, bearer(tokens.admin))
        assert ["REFETCH"] * 3 == [each.next().type for each in (*streams, others)]

        tokens.operations.revoke(token.split("_")[1])

        for stream, why in zip(streams, ("was revoked", "has expired"), strict=True):
            last = stream.rest()[-1]
            assert ("end", 401) == (last.type, last.data["status"])
            assert why in last.data["detail"]
            stream.close()
        assert [401, 401] == [status(http, each) for each in (token, short)]
        with AdminClient(grpc_address, timeout=20, token=tokens.admin) as admin:
            admin.provision("acme", "free")
        assert "CUSTOMER_CHANGED" == others.next().type
        others.close()


@pytest.mark.parametrize("front", FRONTS)
def test_grpc_streams_ask_for_tokens_on_every_front(tokens: Made, front: str) -> None:
    scoped = tokens.token(TokenRole.CONSUME, customers=("acme",))
    reader = tokens.token(TokenRole.READ)
    browser = tokens.token(TokenRole.CLIENT)
    address = tokens.serve(front)

    def code(token: str, customer_id: str = "acme") -> str:
        with Client(address, token=token) as client, client.watch(customer_id) as changes:
            try:
                return str(next(changes).kind)
            except QuotaError as error:
                return error.code

    assert "UNAUTHENTICATED" == code("")
    assert "UNAUTHENTICATED" == code(scoped[:-1] + "-")
    assert ["REFETCH", "PERMISSION_DENIED"] == [code(scoped), code(scoped, "other")]
    assert ["PERMISSION_DENIED", "REFETCH"] == [code(scoped, ""), code(reader, "")]
    assert "PERMISSION_DENIED" == code(browser)  # of HTTP alone
    caller = Caller(address)
    metadata = (("authorization", f"Bearer {reader}"),)
    stream = caller.quota.WatchEntitlements(
        pb.WatchEntitlementsRequest(), timeout=CALL_S, metadata=metadata
    )
    next(stream)
    tokens.operations.revoke(reader.split("_")[1])
    with pytest.raises(grpc.RpcError, match="was revoked"):
        next(stream)
    caller.close()
