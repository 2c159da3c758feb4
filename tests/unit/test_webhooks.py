"""Webhooks: signatures that receivers can verify, and where they may go."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from quotad.errors import ConfigError, InvalidRequest
from quotad.webhooks.networks import Networks, NotAllowed
from quotad.webhooks.sending import check_url, send
from quotad.webhooks.signing import new_secret, signed_headers
from tests.fake_store import CERTIFICATE
from tests.receiver import LOOPBACK, Arrived, Receiver, receiving

BODY = b'{"type": "usage.threshold_reached", "data": {"customer_id": "\xc3\xa4cme"}}'
LONG_S = 30.0


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.arrived.clear()
    shared.answer = lambda _: (200, {})
    return shared


def test_a_receiver_verifies_a_signature_with_either_secret_while_one_is_replaced() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()

    headers = signed_headers("evt_1", int(time.time()), BODY, [new, old])

    for secret in (old, new):
        assert "usage.threshold_reached" == Webhook(secret).verify(BODY, headers)["type"]
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(BODY.replace(b"cme", b"cm3"), headers)
    for name, value in (("webhook-id", "evt_2"), ("webhook-timestamp", str(int(time.time()) - 9))):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(BODY, {**headers, name: value})


def test_secrets_are_32_random_bytes() -> None:
    found = {new_secret() for _ in range(10)}

    assert 10 == len(found)
    assert {len("whsec_") + 44} == {len(each) for each in found}


PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2001:0:7f00:1::8080",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_inside_networks_are_not_allowed_however_they_are_written(text: str) -> None:
    assert not Networks().allows(ip_address(text))
    assert not Networks(["198.51.100.0/24"]).allows(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_internet_are_allowed(text: str) -> None:
    assert Networks().allows(ip_address(text))


def test_networks_are_allowed_by_name_and_no_others() -> None:
    networks = Networks(["10.1.0.0/16", "fd00::/8", "127.0.0.1"])

    allowed = ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "127.0.0.1", "1.1.1.1"]
    refused = ["10.2.0.1", "::ffff:10.2.0.1", "fc00::1", "127.0.0.2", "::1"]
    assert [True] * 5 == [networks.allows(ip_address(each)) for each in allowed]
    assert [False] * 5 == [networks.allows(ip_address(each)) for each in refused]
    with pytest.raises(ConfigError, match="webhook_networks: 'intranet' is not an address or a"):
        Networks(["intranet"])


def test_what_is_sent_arrives_with_its_headers(receiver: Receiver) -> None:
    headers = {"webhook-id": "evt_1"}

    sent = send(f"{receiver.url}/hooks?a=b%20c", BODY, headers, Networks(LOOPBACK))

    (arrived,) = receiver.arrived
    assert (200, "") == (sent.status, sent.problem)
    assert ("/hooks?a=b%20c", BODY) == (arrived.path, arrived.body)
    assert "evt_1" == arrived.headers["webhook-id"]
    assert "application/json" == arrived.headers["content-type"]
    assert f"127.0.0.1:{receiver.server_port}" == arrived.headers["host"]


@pytest.mark.parametrize("networks", [Networks(), Networks(["10.0.0.0/8"])])
def test_a_receiver_in_a_network_that_is_not_allowed_is_not_connected_to(
    receiver: Receiver, networks: Networks
) -> None:
    of_http = send(receiver.url, BODY, {}, networks)
    of_https = send(receiver.url.replace("http:", "https:"), BODY, {}, networks)

    assert 0 == of_http.status
    assert of_http.problem.endswith("reached by http; use https, or webhook_networks")
    assert of_https.problem.endswith("webhooks may reach; see webhook_networks")
    assert [] == receiver.arrived


def resolved(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have a name looked up as given, one answer after the other; returns the names."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_is_looked_up_once_and_only_what_was_checked_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of the internet at first and of this machine then reaches nothing here."""
    asked = resolved(monkeypatch, ["169.254.169.254"], ["127.0.0.1"])

    sent = send(f"http://rebinding.test:{receiver.server_port}", BODY, {}, Networks(LOOPBACK))

    assert ["rebinding.test"] == asked
    assert "rebinding.test is in no network" in sent.problem
    assert [] == receiver.arrived


def test_of_several_addresses_those_that_are_not_allowed_are_passed_over(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved(monkeypatch, ["169.254.169.254", "127.0.0.1"])

    sent = send(f"http://both.test:{receiver.server_port}", BODY, {}, Networks(LOOPBACK))

    assert 200 == sent.status
    (arrived,) = receiver.arrived
    assert f"both.test:{receiver.server_port}" == arrived.headers["host"]
    with pytest.raises(NotAllowed):
        Networks().connect("both.test", receiver.server_port, LONG_S, encrypted=True)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: (status, {"location": f"{receiver.url}/elsewhere"})

    sent = send(receiver.url, BODY, {}, Networks(LOOPBACK))

    assert (status, f"answered {status}") == (sent.status, sent.problem)
    assert ["/"] == [each.path for each in receiver.arrived]


def test_what_a_receiver_refuses_and_when_it_asks_to_be_called_again_is_returned(
    receiver: Receiver,
) -> None:
    receiver.answer = lambda _: (429, {"retry-after": "7"})

    sent = send(receiver.url, BODY, {}, Networks(LOOPBACK))

    assert (429, "answered 429", 7.0) == (sent.status, sent.problem, sent.wait_s)
    for wrong in ("soon", "-1", "1e9", "9" * 30):
        headers = {"retry-after": wrong}
        receiver.answer = partial(answering, 503, headers)
        assert 0 == send(receiver.url, BODY, {}, Networks(LOOPBACK)).wait_s


def answering(status: int, headers: dict[str, str], _: Arrived) -> tuple[int, dict[str, str]]:
    return status, headers


def served_raw(answer: bytes, ended: threading.Event) -> socket.socket:
    """A listener that sends a byte string again and again, until it cannot or it is ended."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            with listener.accept()[0] as taken:
                taken.recv(65536)
                while not ended.wait(0.005):
                    taken.sendall(answer)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"H", "no answer in time|the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: y\r\n", "no answer in time|the answer is not HTTP"),
        (b"220 mail.example ESMTP\r\n" * 50, "the answer is not HTTP"),
    ],
)
def test_an_answer_that_never_ends_is_given_up(answer: bytes, problem: str) -> None:
    ended = threading.Event()
    with served_raw(answer, ended) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        sent = send(url, BODY, {}, Networks(LOOPBACK), timeout_s=0.5)
        ended.set()

    assert 0 == sent.status
    assert sent.problem in problem.split("|")


def not_known(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_port_where_nothing_listens_and_a_name_that_is_not_there_are_problems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    refused = send(f"http://127.0.0.1:{port}", BODY, {}, Networks(LOOPBACK))
    monkeypatch.setattr(socket, "getaddrinfo", not_known)
    unknown = send("https://no-such-name.invalid/", BODY, {}, Networks())

    assert "Connection refused" == refused.problem
    assert "the name is not known" == unknown.problem


def test_a_certificate_that_no_authority_vouches_for_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with receiving() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        receiver.handle_error = lambda *_: None  # type: ignore[method-assign]

        sent = send(receiver.url.replace("http:", "https:"), BODY, {}, Networks(LOOPBACK))

        assert sent.problem.startswith("its certificate is not valid: ")
        assert [] == receiver.arrived


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/hooks",
        "ftp://example.com/",
        "https://",
        "https:///hooks",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/a\nb",
        "https://example.com/ä",
        "https://" + "a" * 64 + ".com/",
        "https://ann:secret@example.com/",
        "https://example.com/#part",
        "https://example.com/" + "a" * 2_000,
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^url: ") as refused:
        check_url(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["https://example.com", "https://büro.example/h?x=1", "http://[::1]:8/"]
)
def test_urls_of_receivers_are_taken(text: str) -> None:
    check_url(text)
