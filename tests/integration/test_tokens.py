"""Tokens, on every edge of a real server."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import grpc
import msgspec
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from quotad.client import Client, LeasedClient, QuotaError
from quotad.client.admin import AdminClient, AsyncAdminClient, CatalogFile
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts.kinds import is_installed
from quotad.operations.tokens import TokenOperations
from quotad.server.http_server import HttpServer
from quotad.server.server import Server
from quotad.server.tokens import token_operations
from quotad.service.guard import ADMIN_RIGHTS
from quotad.service.quota import METHODS
from quotad.service.watching import WATCH
from quotad.tokens.record import WantedToken, customer_key
from quotad.tokens.roles import TokenRole
from quotad.v1 import admin_pb2, quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub
from tests.http.serving import HttpCaller, Reply
from tests.running import eventually

T = TypeVar("T")

PLANS = """
version: 1
default_plan: free
features: {calls: {type: metered}, mails: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 100}, mails: {limit: 100}}}}
"""

FRONTS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(not is_installed(name), reason=f"{name} is not installed"),
    )
    for name in ("fast", "native", "grpcio")
]


def noticed(ask: Callable[[], T], wanted: Callable[[T], bool]) -> None:
    """Ask until a change of tokens has been read.

    Not often: an address that shows 20 wrong tokens has to wait for ten seconds.
    """
    eventually(ask, wanted, every_s=0.6)


class Made:
    """A store with tokens, and the servers that are started on it."""

    def __init__(self, store_url: str, prefix: str, operations: TokenOperations) -> None:
        self.config = Config(
            redis_url=store_url,
            prefix=prefix,
            listen="127.0.0.1:0",
            http="127.0.0.1:0",
            store_timeout_ms=5000,
            shards=4,
        )
        self.operations = operations
        self.admin = self.token(TokenRole.ADMIN)
        self._servers: list[Server | HttpServer] = []

    def token(self, role: TokenRole, **scopes: Any) -> str:
        return self.operations.create(WantedToken(role.value, role, **scopes)).token

    def serve(self, front: str) -> str:
        """Start a server of gRPC with a catalog; returns its address."""
        config = msgspec.structs.replace(self.config, front=front)
        server = Server(config)
        server.start()
        self._servers.append(server)
        with AdminClient(server.address, timeout=20, token=self.admin) as admin:
            admin.publish([CatalogFile("plans.yaml", PLANS)])
        eventually(lambda: server.ready, bool)
        return server.address

    def serve_http(self) -> HttpCaller:
        server = HttpServer(self.config)
        server.start()
        self._servers.append(server)
        caller = HttpCaller(server.address)
        caller.wait_ready()
        return caller

    def close(self) -> None:
        for server in self._servers:
            server.stop()


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Made]:
    config = Config(redis_url=store_url, prefix=prefix, shards=4)
    with token_operations(config) as operations:
        one = Made(store_url, prefix, operations)
        try:
            yield one
        finally:
            one.close()


def code(call: Callable[[], object]) -> str:
    """The status that a call ends with."""
    try:
        call()
    except QuotaError as error:
        return error.code
    return "OK"


def batch_of_modes(address: str, token: str, *modes: quota_pb2.Mode) -> str:
    """The status of a batch with a request in each mode."""
    requests = [
        quota_pb2.CheckAndConsumeRequest(customer_id="acme", feature_id="calls", mode=mode)
        for mode in modes
    ]
    with grpc.insecure_channel(address) as channel:
        stub: Any = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
        metadata = [("authorization", f"Bearer {token}")]
        batch = quota_pb2.BatchCheckAndConsumeRequest(requests=requests)
        try:
            stub.BatchCheckAndConsume(batch, timeout=20, metadata=metadata)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


@pytest.mark.parametrize("front", FRONTS)
def test_a_token_gives_what_its_role_and_scopes_say(made: Made, front: str) -> None:
    consume = made.token(TokenRole.CONSUME)
    scoped = made.token(TokenRole.CONSUME, customers=("acme", "team-*"), features=("calls",))
    reader = made.token(TokenRole.READ)
    address = made.serve(front)

    def asked(token: str, customer_id: str = "acme", feature_id: str = "calls") -> str:
        with Client(address, timeout=20, retries=0, token=token) as client:
            return code(lambda: client.consume(customer_id, feature_id))

    def batched(token: str, customer_id: str) -> str:
        with Client(address, timeout=20, retries=0, token=token) as client:
            return code(lambda: client.consume_all(customer_id, {"calls": 1, "mails": 1}))

    def administered(token: str, act: Callable[[AdminClient], object]) -> str:
        with AdminClient(address, timeout=20, retries=0, token=token) as admin:
            return code(lambda: act(admin))

    assert "UNAUTHENTICATED" == asked("")
    assert "UNAUTHENTICATED" == asked(consume[:-1] + "-")
    assert ["OK", "OK"] == [asked(consume), asked(consume, "other", "mails")]
    assert "PERMISSION_DENIED" == asked(reader)
    with LeasedClient(address, timeout=20, retries=0, token=consume) as leased:
        assert "OK" == code(lambda: leased.consume("acme", "calls"))
    with Client(address, timeout=20, retries=0, token=reader) as client:
        assert "OK" == code(lambda: client.check("acme", "calls"))
        assert "OK" == code(lambda: client.check_all("acme", {"calls": 1, "mails": 1}))
    assert ["OK", "PERMISSION_DENIED"] == [
        batch_of_modes(address, reader, quota_pb2.MODE_CHECK_ONLY, mode)
        for mode in (quota_pb2.MODE_CHECK_ONLY, quota_pb2.MODE_NORMAL)
    ]
    assert ["OK", "OK"] == [asked(scoped), asked(scoped, "team-1")]
    assert "PERMISSION_DENIED" == asked(scoped, "other")
    assert "PERMISSION_DENIED" == asked(scoped, "acme", "mails")
    assert "PERMISSION_DENIED" == batched(scoped, "acme")
    with Client(address, timeout=20, retries=0, token=scoped) as client:
        slot = code(lambda: client.acquire_slot("acme", "calls", also={"mails": 1}))
    assert "PERMISSION_DENIED" == slot
    assert "OK" == administered(reader, lambda admin: admin.status())
    assert "UNAUTHENTICATED" == administered("", lambda admin: admin.status())
    assert "PERMISSION_DENIED" == administered(reader, lambda a: a.provision("acme", "free"))
    assert "PERMISSION_DENIED" == administered(consume, lambda admin: admin.status())
    assert "OK" == administered(made.admin, lambda admin: admin.provision("acme", "free"))


def test_a_revoked_token_is_refused_and_a_rotated_one_goes_on(made: Made) -> None:
    address = made.serve("native")
    token = made.token(TokenRole.CONSUME)
    rotated = made.operations.rotate(token.split("_")[1], keep_ms=3_600_000).token
    with (
        Client(address, timeout=20, retries=0, token=token) as old,
        Client(address, timeout=20, retries=0, token=rotated) as new,
    ):
        noticed(lambda: code(lambda: new.consume("acme", "calls")), "OK".__eq__)
        assert "OK" == code(lambda: old.consume("acme", "calls"))

        made.operations.revoke(token.split("_")[1])

        noticed(lambda: code(lambda: old.consume("acme", "calls")), "UNAUTHENTICATED".__eq__)
        assert "OK" == code(lambda: new.consume("acme", "calls"))


def test_http_asks_for_tokens_on_every_path(made: Made) -> None:
    made.serve("native")
    http = made.serve_http()
    consume, reader = made.token(TokenRole.CONSUME), made.token(TokenRole.READ)
    scoped = made.token(TokenRole.CONSUME, customers=("acme",))
    body = {"customer_id": "acme", "feature_id": "calls"}
    query = {"query": '{ entitlements(query: {customerId: "acme"}) { isGranted } }'}

    def asked(token: str, wanted: object = body) -> int:
        return http.post("/v1/consume", wanted, authorization=f"Bearer {token}").status

    def edge(token: str, customer_id: str = "acme") -> int:
        return http.get(f"/v1/c/{customer_id}/entitlements.json", **{"x-api-key": token}).status

    def graph(token: str, wanted: object = query) -> Reply:
        return http.post("/graphql", wanted, x_api_key=token)

    noticed(lambda: asked(scoped), lambda status: status == 200)
    assert 401 == http.post("/v1/consume", body).status
    assert [401, 200, 403] == [asked("qd_x"), asked(consume), asked(reader)]
    checks = body | {"mode": "CHECK_ONLY"}
    assert [200, 200] == [asked(each, checks) for each in (reader, consume)]
    both = {"customer_id": "acme", "items": [{"feature_id": "calls"}, {"feature_id": "mails"}]}
    assert [200, 403] == [
        http.post("/v1/consume/all", both | {"mode": mode}, x_api_key=reader).status
        for mode in ("CHECK_ONLY", "NORMAL")
    ]
    assert [200, 403, 403] == [
        http.post("/v1/consume/batch", {"requests": each}, x_api_key=reader).status
        for each in ([checks, checks], [checks, body], [body])
    ]
    assert 403 == asked(scoped, body | {"customer_id": "other"})
    assert [401, 200, 200] == [edge("qd_x"), edge(reader), edge(scoped)]
    assert 403 == edge(scoped, "other")
    refused = graph("qd_x")
    assert (401, "Unauthenticated") == (
        refused.status,
        refused.body["errors"][0]["extensions"]["code"],
    )
    assert "errors" not in graph(reader).body
    other = json.loads(json.dumps(query).replace("acme", "other"))
    assert "Forbidden" == graph(scoped, other).body["errors"][0]["extensions"]["code"]
    mutation = {"query": 'mutation { archiveCustomer(input: {customerId: "acme"}) { refId } }'}
    assert "Forbidden" == graph(consume, mutation).body["errors"][0]["extensions"]["code"]
    assert 200 == http.get("/livez").status
    http.close()


def test_a_covered_customer_does_not_cover_another_that_is_named_beside_it(made: Made) -> None:
    made.serve("native")
    scoped = made.token(TokenRole.MANAGE, customers=("acme",))
    with closing(made.serve_http()) as http:

        def graph(field: str, **given: object) -> str:
            name, _, selected = field.partition(" ")
            query = f"mutation M($input: I!) {{ {name}(input: $input) {selected} }}"
            body = {"query": query, "variables": {"input": given}}
            error = http.post("/graphql", body, x_api_key=scoped).body["errors"][0]
            return str(error["extensions"]["code"])

        def rest(path: str, body: object) -> int:
            return http.post(path, body, x_api_key=scoped).status

        report = {"featureId": "calls", "value": 1}
        mine, other = report | {"customerId": "acme"}, report | {"customerId": "other"}
        assert "Forbidden" == graph(
            "cancelSubscription { refId }", customerId="acme", subscriptionRefId="other"
        )
        assert "Forbidden" == graph("archiveCustomer { refId }", customerId="other", refId="acme")
        assert 403 == rest("/api/v1/customers/other/archive", {"customerId": "acme"})
        assert 403 == rest("/api/v1/usage", {"usages": [mine, other]})
        assert 200 == rest("/api/v1/usage", {"usages": [mine]})


def test_a_client_token_reads_the_customer_that_its_backend_proves(made: Made) -> None:
    made.serve("native")
    new = made.operations.create(WantedToken("browser", TokenRole.CLIENT))
    http = made.serve_http()
    proof = customer_key(new.signing_key.encode(), "acme")

    def read(customer_id: str, key: str) -> int:
        headers = {"x-api-key": new.token, "x-customer-key": key}
        return http.send("GET", f"/v1/c/{customer_id}/entitlements.json", None, headers).status

    assert [200, 403, 403] == [read("acme", proof), read("other", proof), read("acme", "")]
    consume = {"customer_id": "acme", "feature_id": "calls"}
    assert 403 == http.post("/v1/consume", consume, authorization=f"Bearer {new.token}").status
    http.close()


def test_tokens_are_made_listed_rotated_and_ended_over_grpc(made: Made) -> None:
    address = made.serve("native")

    async def from_an_event_loop() -> None:
        async with AsyncAdminClient(address, timeout=20, token=made.admin) as admin:
            new = await admin.create_token("shop", "consume", customers=["acme"])
            again = await admin.rotate_token(new.token.token_id, keep=timedelta(0))
            live = {each.token_id: each.live for each in await admin.tokens()}
            assert [False, True] == [live[each.token.token_id] for each in (new, again)]
            await admin.revoke_token(again.token.token_id)

    with AdminClient(address, timeout=20, retries=0, token=made.admin) as admin:
        until = datetime(2100, 1, 1, tzinfo=UTC)
        new = admin.create_token(
            "api", "consume", customers=["acme", "team-*"], features=["calls"], expires_at=until
        )
        assert ("CONSUME", ("acme", "team-*"), ("calls",), until, None, True) == (
            new.token.role,
            new.token.customers,
            new.token.features,
            new.token.expires_at,
            new.token.used_at,
            new.token.live,
        )
        with Client(address, timeout=20, retries=0, token=new.secret) as client:
            noticed(lambda: code(lambda: client.consume("acme", "calls")), "OK".__eq__)
            assert "PERMISSION_DENIED" == code(lambda: client.consume("other", "calls"))
            again = admin.rotate_token(new.token.token_id)
            assert new.token.customers == again.token.customers
            ended = admin.revoke_token(new.token.token_id)
            assert (False, True) == (ended.live, ended.revoked_at is not None)
            assert ("admin", "admin") == (ended.created_by, ended.ended_by)
            noticed(lambda: code(lambda: client.consume("acme", "calls")), "UNAUTHENTICATED".__eq__)
        browser = admin.create_token("browser", "client")
        assert browser.signing_key
        with pytest.raises(QuotaError, match="a token with the role admin is for all"):
            admin.create_token("x", "admin", customers=["acme"])
        asyncio.run(from_an_event_loop())
        shown = repr([new, again, browser, admin.tokens()])
        for each in (new.secret, again.secret, browser.secret, browser.signing_key):
            assert each[16:] not in shown

    for role in TokenRole:
        with AdminClient(address, timeout=20, retries=0, token=made.token(role)) as admin:
            wanted = "OK" if role is TokenRole.ADMIN else "PERMISSION_DENIED"
            noticed(partial(code, admin.tokens), wanted.__eq__)


def test_tokens_are_made_and_ended_over_http(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    made.serve("native")
    with closing(made.serve_http()) as http, caplog.at_level(0):
        bearer = {"authorization": f"Bearer {made.admin}"}
        new = http.post("/v1/tokens", {"name": "shop", "role": "CONSUME"}, **bearer)
        secret, token_id = new.body["secret"], new.body["token"]["token_id"]
        assert (200, "no-store") == (new.status, new.headers["cache-control"])
        consume = {"customer_id": "acme", "feature_id": "calls"}

        def status(shown: str) -> int:
            return http.post("/v1/consume", consume, x_api_key=shown).status

        noticed(lambda: status(secret), (200).__eq__)
        again = http.post(f"/v1/tokens/{token_id}/rotate", {"keep_ms": 0}, **bearer).body["secret"]
        noticed(lambda: (status(secret), status(again)), (401, 200).__eq__)
        assert 403 == http.get("/v1/tokens", **{"x-api-key": again}).status
        listed = http.get("/v1/tokens", **bearer).body["tokens"]
        assert ["admin", "shop", "shop"] == [each["name"] for each in listed]
        for each in listed[1:]:
            revoked = http.post(f"/v1/tokens/{each['token_id']}/revoke", {}, **bearer).body
            assert (False, None) == (revoked["live"], revoked.get("secret"))
            assert ("admin", "admin") == (revoked["created_by"], revoked["ended_by"])
        noticed(lambda: status(again), (401).__eq__)
        last = http.post(f"/v1/tokens/{listed[0]['token_id']}/revoke", {}, **bearer)
        assert (400, "INVALID_REQUEST") == (last.status, last.body["reason"])
    said = caplog.text + json.dumps(listed)
    for each in (secret, again, made.admin):
        assert each[16:] not in said


def test_what_is_written_has_the_name_of_its_token_on_every_edge(made: Made) -> None:
    address = made.serve("native")
    grpc_token, web_token = (
        made.operations.create(WantedToken(name, TokenRole.ADMIN)).token for name in ("ci", "web")
    )
    with (
        closing(made.serve_http()) as http,
        AdminClient(address, timeout=20, retries=0, token=grpc_token) as admin,
    ):
        noticed(partial(code, admin.status), "OK".__eq__)
        noticed(lambda: http.get("/v1/status", **{"x-api-key": web_token}).status, (200).__eq__)

        def graph(field: str, given: str) -> None:
            body = {"query": f"mutation {{ {field}(input: {{{given}}}) {{ __typename }} }}"}
            assert "errors" not in http.post("/graphql", body, x_api_key=web_token).body

        def send(method: str, path: str, body: object) -> Any:
            reply = http.send(method, path, body, {"x-api-key": web_token})
            assert 200 == reply.status, reply.body
            return reply.body

        assert "ci" == admin.provision("acme", "free", comment="first").updated_by
        admin.update_customer("acme", name="Acme", comment="ours")
        admin.set_override("acme", "calls", {"limit": 7}, comment="ours")
        admin.remove_override("acme", "calls", comment="ours")
        admin.grant_promotion("acme", "calls", {"limit": 200}, comment="ours")
        admin.revoke_promotion("acme", "calls", comment="ours")
        admin.change_subscription("acme", unit_quantity=3, comment="ours")
        admin.transfer.import_rows([b'{"customer_id": "acme", "plan": "free"}'])
        admin.cancel_subscription("acme", comment="ours")
        admin.archive("acme", comment="ours")
        comments = ["ours"] * 2 + [""] + ["ours"] * 6 + ["first"]
        assert comments == [each.comment for each in admin.changes("acme")]
        mine, acme = len(admin.changes("acme")), "/v1/customers/acme"
        assert (10, {"ci"}) == (mine, {each.actor for each in admin.changes("acme")})
        graph("provisionCustomer", 'customerId: "acme", subscriptionParams: {planId: "free"}')
        graph("updateCustomer", 'customerId: "acme", email: "a@acme.test"')
        send("PATCH", "/api/v1/customers/acme", {"name": "A"})
        send("PATCH", acme, {"name": "B", "comment": "theirs"})
        send("PUT", acme, {"plan_id": "free", "comment": "theirs"})
        send("PUT", f"{acme}/overrides/calls", {"entitlement": {"limit": 9}, "comment": "theirs"})
        send("DELETE", f"{acme}/overrides/calls?comment=theirs", None)
        send(
            "PUT", f"{acme}/promotions/calls", {"entitlement": {"limit": 900}, "comment": "theirs"}
        )
        send("DELETE", f"{acme}/promotions/calls?comment=theirs", None)
        send("POST", f"{acme}/change-subscription", {"unit_quantity": 4, "comment": "theirs"})
        send("POST", f"{acme}/cancel-subscription", {"comment": "theirs"})
        send("POST", "/v1/import", {"rows": [{"customer_id": "acme", "plan": "free"}]})
        assert "web" == send("POST", f"{acme}/archive", {"comment": "theirs"})["updated_by"]
        later = admin.changes("acme")
        theirs = ["theirs", "", *["theirs"] * 8, "", "", ""]
        assert [*theirs, *comments] == [each.comment for each in later]
        assert ["web"] * 13 + ["ci"] * mine == [each.actor for each in later]

        with Client(address, timeout=20, token=grpc_token) as client:
            client.set_usage("globex", "calls", 5, actor="maria")
            client.refund("globex", "calls", 1, reason="an outage")
        send("POST", "/v1/usage/set", {"customer_id": "globex", "feature_id": "calls", "used": 3})
        report = 'customerId: "globex", featureId: "calls", value: 2, updateBehavior: SET'
        graph("reportUsage", report)
        corrections = [(each.actor, each.made_by) for each in admin.corrections("globex")]
        assert [("", "web"), ("", "web"), ("", "ci"), ("maria", "ci")] == corrections

        other = PLANS.replace("100", "101")
        published = admin.publish([CatalogFile("p.yaml", other)], published_by="build 7").version
        assert ("build 7", "ci") == (published.published_by, published.actor)
        again = send("POST", "/v1/catalog/rollback", {"version": 1})["version"]
        assert "web" == again["actor"]
        assert ["web", "ci", "admin"] == [each.actor for each in admin.history()]
        assert "ci" == admin.erase("acme").erased_by


def test_the_first_token_is_an_admins_and_the_last_admin_stays(made: Made) -> None:
    with pytest.raises(Exception, match="is the last with the role admin"):
        made.operations.revoke(made.admin.split("_")[1])


def test_a_server_that_others_can_call_does_not_start_without_a_token(
    store_url: str, prefix: str
) -> None:
    config = Config(redis_url=store_url, prefix=prefix, listen="0.0.0.0:0", shards=4)
    server = Server(config)
    with server, pytest.raises(ConfigError, match="there is no token yet; make one by"):
        server.wait()


def test_wrong_tokens_of_an_address_are_soon_not_looked_at(made: Made) -> None:
    address = made.serve("native")
    right = made.token(TokenRole.CONSUME)
    with Client(address, timeout=20, retries=0, token=right) as client:
        noticed(lambda: code(lambda: client.consume("acme", "calls")), "OK".__eq__)
        with Client(address, timeout=20, retries=0, token="qd_wrong") as wrong:
            codes = [code(lambda: wrong.consume("acme", "calls")) for _ in range(25)]

        assert {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"} == set(codes)
        assert "RESOURCE_EXHAUSTED" == codes[-1]
        assert "OK" == code(lambda: client.consume("acme", "calls"))


def test_wrong_tokens_are_slowed_on_every_path_of_http(made: Made) -> None:
    made.serve("native")
    consume = made.token(TokenRole.CONSUME)
    with closing(made.serve_http()) as http:
        body = {"customer_id": "acme", "feature_id": "calls"}

        def asked(path: str, token: str, wanted: object = body) -> Reply:
            return http.post(path, wanted, x_api_key=token)

        noticed(lambda: asked("/v1/consume", consume).status, (200).__eq__)
        statuses = [asked("/v1/consume", f"qd_{i}").status for i in range(25)]
        assert [401] * 20 + [429] * 5 == statuses
        for path in ("/v1/import", "/api/v1/usage", "/authorize"):
            slowed = asked(path, "qd_x")
            assert (429, "10") == (slowed.status, slowed.headers.get("retry-after")), path
        told = asked("/graphql", "qd_x", {"query": "{ __typename }"}).body["errors"][0]
        assert "RateLimitExceeded" == told["extensions"]["code"]
        assert 200 == asked("/v1/consume", consume).status, "known tokens go on"


def test_when_a_token_was_last_shown_is_listed_and_secrets_are_not(made: Made) -> None:
    shown = made.operations.list()
    assert [None] == [each.used_ms for each in shown]
    secret = made.admin.rpartition("_")[2]
    assert secret not in repr(shown)
    assert secret.encode() not in b"".join(each.record.secret_hash for each in shown)
    assert time.time() * 1000 + 60_000 > shown[0].record.created_ms


@pytest.mark.parametrize("front", FRONTS)
def test_no_call_of_grpc_is_answered_without_a_token_that_gives_it(made: Made, front: str) -> None:
    address, consume = made.serve(front), made.token(TokenRole.CONSUME)

    def status(stub: Any, method: MethodDescriptor, token: str) -> str:
        request = GetMessageClass(method.input_type)()
        metadata = [("authorization", f"Bearer {token}")] if token else []
        asked = iter([request]) if method.client_streaming else request
        with pytest.raises(grpc.RpcError) as failed:  # noqa: PT012 (streams fail as they are read)
            answer = getattr(stub, method.name)(asked, timeout=20, metadata=metadata)
            list(answer if method.server_streaming else ())
        return failed.value.code().name  # type: ignore[no-any-return]

    with grpc.insecure_channel(address) as channel:
        admin = AdminServiceStub(channel)  # type: ignore[no-untyped-call]
        method = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods_by_name["GetStatus"]
        noticed(partial(status, admin, method, consume), "PERMISSION_DENIED".__eq__)
        for method in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods:
            refused = [status(admin, method, token) for token in ("", consume)]
            assert (method.name, ["UNAUTHENTICATED", "PERMISSION_DENIED"]) == (
                method.name,
                refused,
            )
        quota: Any = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
        for method in quota_pb2.DESCRIPTOR.services_by_name["QuotaService"].methods:
            assert (method.name, "UNAUTHENTICATED") == (method.name, status(quota, method, ""))


def test_every_call_of_grpc_has_a_right() -> None:
    admin = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods_by_name
    quota = quota_pb2.DESCRIPTOR.services_by_name["QuotaService"].methods_by_name

    assert set(admin) == set(ADMIN_RIGHTS)
    assert set(quota) == {path.rpartition("/")[2] for path in (*METHODS, WATCH)}


def test_a_scoped_token_covers_its_customers_on_every_way_to_consume(made: Made) -> None:
    made.serve("native")
    http = made.serve_http()
    scoped = made.token(TokenRole.CONSUME, customers=("acme",), features=("calls",))
    bearer = {"authorization": f"Bearer {scoped}"}

    def one(customer_id: str, feature_id: str = "calls") -> dict[str, str]:
        return {"customer_id": customer_id, "feature_id": feature_id}

    def status(path: str, wanted: object) -> int:
        return http.post(path, wanted, **bearer).status

    def gateway(customer_id: str, feature_id: str = "calls") -> int:
        query = f"?customer_id={customer_id}&feature_id={feature_id}"
        return http.get(f"/authorize{query}", **bearer).status

    noticed(lambda: status("/v1/consume", one("acme")), (200).__eq__)
    for customer_id, feature_id, wanted in (
        ("acme", "calls", 200),
        ("other", "calls", 403),
        ("acme", "mails", 403),
    ):
        asked = one(customer_id, feature_id)
        assert wanted == status("/v1/consume", asked)
        assert wanted == status("/v1/consume/batch", {"requests": [one("acme"), asked]})
        items = {"customer_id": customer_id, "items": [{"feature_id": feature_id}]}
        assert wanted == status("/v1/consume/all", items)
        assert wanted == gateway(customer_id, feature_id)
    assert [200, 403] == [
        http.get(f"/v1/customers/acme/entitlements{of}", **bearer).status for of in ("/calls", "")
    ]
    refused = http.post("/v1/consume", one("acme"))
    assert (401, "Bearer") == (refused.status, refused.headers["www-authenticate"])
    http.close()
