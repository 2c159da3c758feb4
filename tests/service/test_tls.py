"""The clients and the command line with TLS, on the fast front."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from quotad.cli.app import app
from quotad.client import AsyncClient, Client, tls_credentials
from quotad.client.admin import AdminClient, CatalogFile
from quotad.config import Config
from quotad.fronts.kinds import is_installed
from quotad.server.server import Server
from tests.clients.node import CallFailed, needs_client, starting_node
from tests.running import CALL_S, eventually
from tests.service.either import Either
from tests.service.fake_quotad import FakeServer

needs_fast = pytest.mark.skipif(
    not is_installed("fast"), reason="the fast front is not installed (make front)"
)
FILES = Path(__file__).parents[1] / "fixtures" / "tls"
CA, CLIENT, OTHER = (str(FILES / name) for name in ("localhost.pem", "client.pem", "renewed.pem"))
CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 1000}}}
"""


@pytest.fixture(scope="module")
def address(store_url: str) -> Iterator[str]:
    """Of a server that asks for certificates of clients."""
    config = Config(
        redis_url=store_url,
        prefix=f"t-{uuid.uuid4().hex[:12]}",
        listen="127.0.0.1:0",
        front="fast",
        shards=8,
        store_timeout_ms=5000,
        tls_cert=CA,
        tls_key=CA,
        tls_client_ca=str(FILES / "client_ca.pem"),
    )
    with Server(config) as server:
        credentials = tls_credentials(CA, CLIENT)
        with AdminClient(server.address, timeout=CALL_S, credentials=credentials) as admin:
            admin.publish([CatalogFile("plans.yaml", CATALOG)])
            assert eventually(lambda: admin.status().ready, bool)
        yield server.address


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(app, list(words), env=environ)


@needs_fast
@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_client_calls_with_tls_and_shows_its_certificate(kind: Any, address: str) -> None:
    client = Either(kind, address)

    made = client.new(credentials=tls_credentials(CA, CLIENT, CLIENT), timeout=CALL_S)

    assert (await made("consume", "acme", "calls")).allowed
    await client.close()


@needs_fast
def test_commands_call_with_tls_by_flags_before_and_behind_them_and_by_variables(
    address: str,
) -> None:
    files = ("--tls-ca", CA, "--tls-client-cert", CLIENT)
    key = (f"--tls-client-key={CLIENT}",)
    variables = {
        "QUOTAD_SERVER": address,
        "QUOTAD_TLS_CA": CA,
        "QUOTAD_TLS_CLIENT_CERT": CLIENT,
    }

    runs = [
        run(*files, *key, "status", "--server", address),
        run("status", "--server", address, *files),
        run("customers", "list", **variables),
        run("consume", "acme", "calls", "--json", **variables),
    ]

    assert [0] * 4 == [done.exit_code for done in runs], [done.stderr for done in runs]
    assert json.loads(runs[-1].stdout)["allowed"]


@needs_fast
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "connection lost"),
        (["--tls-ca", OTHER], "its certificate is not of this CA"),
        (["--tls-ca", CA], "it wants another certificate of this client|connection lost"),
        (["--tls-ca", CA, "--tls-client-cert", OTHER], "it wants another .*|connection lost"),
    ],
    ids=["in the clear", "another CA", "no certificate", "of another CA"],
)
def test_a_command_that_the_server_does_not_let_in_ends_with_one_line(
    address: str, words: list[str], why: str
) -> None:
    done = run("status", "--server", address, *words)

    assert 2 == done.exit_code
    assert re.fullmatch(rf"quotad: no server at {address} \(({why})\)\n", done.stderr)


def test_a_server_without_tls_is_named_as_such(server: FakeServer) -> None:
    done = run("status", "--server", server.address, "--tls-ca", CA)

    problem = "what listens there does not speak TLS"
    assert f"quotad: no server at {server.address} ({problem})\n" == done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--tls-ca", "no.pem"], "--tls-ca: cannot read no.pem: No such file or directory"),
        (["--tls-ca", __file__], f"--tls-ca: there is no certificate in PEM in {__file__}"),
        (["--tls-client-cert", CLIENT], "--tls-client-cert: needs --tls-ca"),
        (["--tls-client-key", CLIENT], "--tls-client-key: needs --tls-ca"),
        (["--tls-ca"], "--tls-ca: needs a path"),
        (["--tls-ca", "--json"], "--tls-ca: needs a path"),
        (["--tls-ca", CA, "--tls-client-key", CLIENT], "--tls-client-key: without a certificate"),
        (["--tls-ca", CA, "--tls-client-cert", "no.pem"], "--tls-client-cert: cannot read no.pem"),
        (
            ["--tls-ca", CA, "--tls-client-cert", CLIENT, "--tls-client-key", OTHER],
            f"--tls-client-cert: there is no certificate in PEM in {CLIENT} that its key fits",
        ),
    ],
)
def test_files_that_are_wrong_are_refused_in_one_line(words: list[str], problem: str) -> None:
    done = run("status", "--server", "127.0.0.1:1", *words)

    assert (2, "") == (done.exit_code, done.stdout)
    if "--json" in words:
        assert problem in json.loads(done.stderr)["error"]["message"]
    else:
        assert done.stderr.startswith(f"quotad: {problem}")
    assert 1 == len(done.stderr.splitlines())


def test_a_port_may_be_left_out_with_tls() -> None:
    done = run("status", "--server", "host.invalid", "--tls-ca", CA)

    assert "quotad: no server at host.invalid (name not known)\n" == done.stderr


def test_an_encrypted_key_is_refused_and_no_password_is_asked_for() -> None:
    encrypted = FILES / "encrypted.pem"

    with pytest.raises(ValueError, match=rf"^key: the private key in {encrypted} is encrypted"):
        tls_credentials(CA, CLIENT, encrypted)


@needs_fast
@needs_client
def test_the_typescript_client_calls_with_tls_and_shows_its_certificate(
    address: str, server: FakeServer
) -> None:
    ca, client, other = (Path(each).read_text() for each in (CA, CLIENT, OTHER))
    with starting_node() as node:
        good = node.client(address, tls={"ca": ca, "cert": client, "key": client})
        assert good("check", "acme", "calls")["allowed"]

        for where, tls, said in [
            (address, {"ca": other, "cert": client, "key": client}, "self.signed certificate"),
            (address, None, "no server of gRPC is here|ECONNRESET|closed"),
            (server.address, {"ca": ca}, "the server does not speak TLS"),
        ]:
            options: dict[str, Any] = {} if tls is None else {"tls": tls}
            with pytest.raises(CallFailed, match=said) as caught:
                node.client(where, retries=0, **options)("check", "acme", "calls")
            assert "QuotaUnavailable" == caught.value.name
