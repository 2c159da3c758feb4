"""Addresses of a server other than an IPv4 port."""

import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from quotad.client import Client
from quotad.client.admin import AdminClient, CatalogFile
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts.kinds import choose
from quotad.server.address import check_free, reserved
from quotad.server.ops import ops_port_of_dev
from quotad.server.workers import Workers
from tests.processes import Process, quotad, starting
from tests.running import CALL_S, eventually

PLANS = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 3}}}
"""


def published(process: Process, address: str) -> None:
    process.wait_for("listening on ")
    with AdminClient(address, timeout=CALL_S) as admin:
        admin.publish([CatalogFile("plans.yaml", PLANS)])
        eventually(lambda: admin.status().ready, bool)


def test_a_server_on_a_unix_socket_is_called_refuses_a_second_one_and_follows_a_killed_one(
    tmp_path: Path, store_url: str, prefix: str
) -> None:
    path = tmp_path / "quotad.sock"
    address = f"unix:{path}"
    flags = ["serve", "--listen", address, "--redis-url", store_url, "--prefix", prefix]
    with starting(tmp_path) as start:
        killed = start(*flags)
        published(killed, address)
        second = quotad(*flags)
        [worker] = killed.children()
        killed.send(signal.SIGKILL)
        worker.kill()
        eventually(lambda: worker.running, lambda running: not running)
        assert path.is_socket(), "nothing has cleaned up"

        server = start(*flags)
        published(server, address)
        with Client(address, timeout=CALL_S) as client:
            assert client.consume("acme", "calls").allowed
        status = quotad("--server", address, "status")
        front = choose("auto")
        assert f"listening on {address} ({front} front)" in server.log
        assert re.search(rf"^ *front +{front}$", status.stdout, re.MULTILINE), status.stdout
        server.press_ctrl_c()
        assert 0 == server.wait_for_all()

    assert (2, f"quotad: listen: cannot listen on {address}: Address already in use\n") == (
        second.returncode,
        second.stderr,
    )
    assert address in status.stdout
    assert not path.exists()


def test_a_unix_socket_is_for_one_worker(tmp_path: Path) -> None:
    refused = quotad("serve", "--listen", f"unix:{tmp_path / 's'}", "--workers", "2")

    assert (2, "quotad: workers: 2 cannot share a Unix socket; 1 can use it\n") == (
        refused.returncode,
        refused.stderr,
    )


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("file", "Address already in use"),
        ("folder", "Address already in use"),
        ("no/such/folder/socket", "No such file or directory"),
        ("x" * 120, "AF_UNIX path too long"),
    ],
)
def test_a_path_that_cannot_be_a_socket_is_refused_and_stays(
    tmp_path: Path, path: str, why: str
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    address = f"unix:{tmp_path / path}"

    with pytest.raises(ConfigError, match=f"^listen: cannot listen on .*: {why}$"):
        check_free(address)

    assert "mine" == (tmp_path / "file").read_text()


def test_an_address_of_ipv6_is_kept_for_workers_and_refused_to_others() -> None:
    with reserved("[::1]:0") as address, closing(socket.socket(socket.AF_INET6)) as other:
        port = int(address.removeprefix("[::1]:"))
        with pytest.raises(OSError, match="in use"):
            other.bind(("::1", port))
        with pytest.raises(ConfigError, match=r"Address already in use$"):
            check_free(address)


def test_operators_ports_that_are_opened_at_once_are_each_one_of_their_own() -> None:
    at_once, opened = Barrier(8), Barrier(8)

    def open_one(_: int) -> str:
        at_once.wait(CALL_S)
        with ops_port_of_dev("", Workers(Config())) as address:
            opened.wait(CALL_S)
            return address

    with ThreadPoolExecutor(8) as threads:
        addresses = list(threads.map(open_one, range(8)))

    assert 8 == len(set(addresses))
