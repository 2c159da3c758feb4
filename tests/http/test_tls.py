"""TLS of the HTTP listener: certificates of server and clients, changed and wrong ones."""

import http.client
import json
import shutil
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.server.http_server import HttpServer
from quotad.server.http_tls import http_tls
from tests.fronts.test_fast_tls import CA, CERT, CLIENT, ENCRYPTED, RENEWED
from tests.http.serving import CALL_S, http_running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 1000}}}}
"""


def connected(server: HttpServer, root: Path, client: Path | None) -> http.client.HTTPSConnection:
    trusted = ssl.create_default_context(cafile=str(root))
    if client is not None:
        trusted.load_cert_chain(client, client)
    port = int(server.address.rpartition(":")[2])
    return http.client.HTTPSConnection("localhost", port, timeout=CALL_S, context=trusted)


def used(link: http.client.HTTPSConnection) -> int:
    body = {"customer_id": "acme", "feature_id": "calls"}
    link.request("POST", "/v1/consume", json.dumps(body))
    return int(json.load(link.getresponse())["used"])


def is_answered(server: HttpServer, root: Path = CERT, client: Path | None = None) -> bool:
    link = connected(server, root, client)
    try:
        return used(link) > 0
    except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
        return False
    finally:
        link.close()


def test_requests_are_answered_over_tls_and_certificates_change_meanwhile(
    store_url: str, prefix: str, tmp_path: Path
) -> None:
    mine, clients = tmp_path / "server.pem", tmp_path / "clients.pem"
    shutil.copy(CERT, mine)
    shutil.copy(CA, clients)
    files = {"http_tls_cert": mine, "http_tls_key": mine}
    with http_running(store_url, prefix) as clear:
        clear.publish_and_wait(CATALOG)
        tls = {name: str(path) for name, path in files.items()}
        config = Config(
            redis_url=store_url, prefix=prefix, http="localhost:0", store_timeout_ms=5000, shards=8
        )
        with (
            HttpServer(replace(config, **tls)) as plain,
            HttpServer(replace(config, **tls, http_tls_client_ca=str(clients))) as mutual,
        ):
            standing = connected(plain, CERT, None)
            assert 1 == used(standing)
            assert not is_answered(plain, root=RENEWED), "the client trusts another"
            assert clear.server.address != plain.address
            answered = [is_answered(mutual, client=each) for each in (CLIENT, None, RENEWED)]
            assert [True, False, False] == answered

            mine.write_text("no certificate")
            plain._tls.look()  # type: ignore[union-attr]
            assert is_answered(plain), "the last good one stays"
            shutil.copy(RENEWED, mine)
            shutil.copy(RENEWED, clients)
            for server in (plain, mutual):
                server._tls.look()  # type: ignore[union-attr]
            assert [True, False] == [is_answered(plain, root=each) for each in (RENEWED, CERT)]
            answered = [is_answered(mutual, RENEWED, each) for each in (RENEWED, None, CLIENT)]
            assert [True, False, False] == answered
            assert used(standing) > 1, "connections go on with what they were greeted with"
            standing.close()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"http_tls_cert": "x"}, "http_tls_key: one without the other"),
        ({"http_tls_client_ca": "x"}, "http_tls_client_ca: without http_tls_cert"),
        ({"http_tls_cert": "/no", "http_tls_key": "/no"}, "http_tls_cert: cannot read /no"),
        ({"http_tls_cert": str(CERT), "http_tls_key": str(RENEWED)}, "no pair in PEM"),
        (
            {"http_tls_cert": str(CERT), "http_tls_key": str(ENCRYPTED)},
            "http_tls_key: the private key in .* is encrypted; give one that is not",
        ),
        (
            {"http_tls_cert": str(CERT), "http_tls_key": str(CERT), "http_tls_client_ca": __file__},
            "http_tls_client_ca: no certificate",
        ),
    ],
)
def test_wrong_files_are_refused_at_the_start(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        http_tls(replace(Config(), **settings))
