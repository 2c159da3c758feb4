"""TLS of the fast front, with and without certificates of clients, and what is wrong with files."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts import kinds, tls
from quotad.fronts.interface import Details, TlsFiles
from quotad.server.server import Server
from tests.fronts.serving import BESIDE, BESIDE_ORIGIN, METHODS, SETTINGS, Serving, serving
from tests.running import CALL_S, eventually

needs_fast = pytest.mark.skipif(
    not kinds.is_installed("fast"), reason="the fast front is not installed (make front)"
)
FILES = Path(__file__).parents[1] / "fixtures" / "tls"
CERT, RENEWED, CA, CLIENT = (
    FILES / name for name in ("localhost.pem", "renewed.pem", "client_ca.pem", "client.pem")
)

ENCRYPTED = FILES / "encrypted.pem"


def files(cert: Path = CERT, key: Path = CERT, client_ca: Path | None = None) -> TlsFiles:
    return TlsFiles(str(cert), str(key), "" if client_ca is None else str(client_ca))


@contextmanager
def channel(served: Serving, root: Path = CERT, client: Path | None = None) -> Iterator[Any]:
    own = None if client is None else client.read_bytes()
    credentials = grpc.ssl_channel_credentials(root.read_bytes(), own, own)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(served.front.address, credentials, options) as made:
        yield made


def is_answered(served: Serving, root: Path = CERT, client: Path | None = None) -> bool:
    with channel(served, root, client) as made:
        code = made.unary_unary(METHODS[0]).future(b"x", timeout=CALL_S).code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    return bool(code == grpc.StatusCode.OK)


@needs_fast
def test_calls_over_tls_are_answered_and_those_in_the_clear_are_not() -> None:
    with serving("fast", tls=files()) as served:
        served.decide()
        with channel(served) as made:
            assert b"0:x" == made.unary_unary(METHODS[0])(b"x", timeout=CALL_S)
            large = bytes(1_000_000)
            assert b"0:" + large == made.unary_unary(METHODS[0])(large, timeout=CALL_S)
            assert b"beside:x" == made.unary_unary(BESIDE)(b"x", timeout=CALL_S)

        assert not is_answered(served, root=RENEWED), "the client trusts another"
        clear = served.channel.unary_unary(METHODS[0]).future(b"x", timeout=CALL_S)
        assert grpc.StatusCode.UNAVAILABLE == clear.code()


@needs_fast
def test_only_http_2_is_agreed_upon() -> None:
    def agreed(offered: list[str]) -> str | None:
        context = ssl.create_default_context(cafile=CERT)
        context.set_alpn_protocols(offered)
        host, _, port = served.front.address.rpartition(":")
        with (
            socket.create_connection((host, int(port)), CALL_S) as link,
            context.wrap_socket(link, server_hostname="localhost") as greeted,
        ):
            return greeted.selected_alpn_protocol()

    with serving("fast", tls=files()) as served:
        assert "h2" == agreed(["http/1.1", "h2"])
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            agreed(["http/1.1"])


@needs_fast
def test_clients_must_show_a_certificate_of_the_ca_that_is_asked_for() -> None:
    with serving("fast", tls=files(client_ca=CA)) as served:
        served.decide()

        assert is_answered(served, client=CLIENT)
        assert not is_answered(served)
        assert not is_answered(served, client=RENEWED)


@needs_fast
def test_a_call_carries_the_names_in_its_clients_certificate() -> None:
    """The fixture also has `spiffe://example.org/x client2`, which would read as two names."""
    names = ("client", "spiffe://example.org/billing")
    with (
        serving("fast", tls=files(client_ca=CA), details=Details(origin=True)) as served,
        channel(served, client=CLIENT) as made,
    ):
        future = made.unary_unary(METHODS[0]).future(b"x", timeout=CALL_S)
        [call] = served.take(1)
        served.front.answer([(call.call_id, b"")])
        assert b"" == future.result()
        passed_on = made.unary_unary(BESIDE_ORIGIN)(b"", timeout=CALL_S)

        assert names == call.client_names
        assert [call.peer, list(names), None] == msgspec.json.decode(passed_on)


@needs_fast
def test_certificates_are_taken_into_use_when_they_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.05)
    path = tmp_path / "server.pem"
    shutil.copy(CERT, path)
    with serving("fast", tls=files(path, path)) as served, channel(served) as standing:
        served.decide()
        assert b"0:x" == standing.unary_unary(METHODS[0])(b"x", timeout=CALL_S)

        shutil.copy(RENEWED, path)

        eventually(lambda: is_answered(served, root=RENEWED), bool)
        assert not is_answered(served, root=CERT)
        assert b"0:x" == standing.unary_unary(METHODS[0])(b"x", timeout=CALL_S)


@needs_fast
def test_wrong_certificates_do_not_replace_good_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.05)
    path = tmp_path / "server.pem"
    shutil.copy(CERT, path)
    with serving("fast", tls=files(path, path)) as served:
        served.decide()

        path.write_text("half of a file")
        eventually(
            lambda: "the certificates in use stay: tls_cert: there is no" in caplog.text, bool
        )

        assert is_answered(served)


@needs_fast
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (files(cert=FILES / "none.pem"), "tls_cert: cannot read .*: No such file or directory"),
        (files(cert=Path(__file__)), "tls_cert: there is no certificate in PEM in it"),
        (files(key=CA), "tls_key: there is no private key in PEM in it"),
        (files(key=RENEWED), "tls_key: it does not fit the certificate"),
        (files(key=ENCRYPTED), "tls_key: the private key in .* is encrypted; give one that is not"),
        (files(client_ca=Path(__file__)), "tls_client_ca: there is no certificate in PEM in it"),
    ],
)
def test_files_that_are_wrong_are_refused_in_one_line(wrong: TlsFiles, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{said}$"):
        Serving("fast", tls=wrong)


@pytest.mark.parametrize("kind", ["native", "grpcio"])
def test_fronts_without_tls_refuse_to_serve_in_the_clear_instead(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"^tls_cert: the {kind} front has no TLS; only the fast"):
        kinds.make(kind, msgspec.structs.replace(SETTINGS, tls=files()))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls_cert": "a"}, "tls_cert and tls_key: one without the other serves nothing"),
        ({"tls_key": "a"}, "tls_cert and tls_key: one without the other serves nothing"),
        ({"tls_client_ca": "a"}, "tls_client_ca: without tls_cert there is no TLS"),
    ],
)
def test_settings_that_would_not_give_the_tls_that_is_wanted_are_refused(
    settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{said}$"):
        Server(Config(listen="127.0.0.1:0", **settings))  # type: ignore[arg-type]
