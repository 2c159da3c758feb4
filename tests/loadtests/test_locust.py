"""locust as a user starts it, against a real server: traffic, and the check at its end."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quotad.v1 import admin_pb2
from tests.processes import ROOT, environment
from tests.running import Running, eventually, running

PAGE = ROOT / "docs" / "loadtesting.md"

CATALOG = """
version: 1
default_plan: free
features:
  own-feature: {type: metered}
plans:
  free: {entitlements: {own-feature: {limit: 3}}}
"""

NEWER = CATALOG.replace("limit: 3", "limit: 5")
"""For new customers only."""

MATCH = re.compile(
    r"^check: counters match: ([\d,]+) allowed in ([\d,]+) counters of ([\d,]+) customers; "
    r"0 calls of unknown outcome$",
    re.MULTILINE,
)

RUN = re.compile(r"^check: run (lt-[0-9a-f]{8}): so start the ids", re.MULTILINE)


DEADLINE_S = 90.0
"""For a run of 20 seconds at the most, on a machine that is busy with other things too."""


class Locust:
    """A locust process; its output is in a file, so no pipe is full."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", *arguments],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait(self) -> int:
        return self._process.wait(DEADLINE_S)

    def run_id(self) -> str:
        """The name of its run, as soon as it tells."""
        said = eventually(
            lambda: self.said, lambda s: bool(RUN.search(s)) or self.ended, DEADLINE_S
        )
        found = RUN.search(said)
        assert found, said
        return found[1]

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        if not self.ended:
            self._process.kill()
        self._process.wait()


@contextmanager
def locust(log: Path, *arguments: str) -> Iterator[Locust]:
    made = Locust(log, *arguments)
    try:
        yield made
    finally:
        made.end()


def traffic(server: Running, users: int, seconds: int) -> tuple[str, ...]:
    """The arguments of a run without a web UI."""
    words = f"--users {users} --spawn-rate 100 --run-time {seconds}s --call-timeout 20"
    return ("--headless", "--only-summary", "--host", server.server.address, *words.split())


def requests(said: str, name: str) -> int:
    """How many requests of a name the table at the end shows."""
    found = re.search(rf"^(?:gRPC)? +{re.escape(name)} +(\d+) +0\(0\.00%\)", said, re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.fixture
def server(store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix) as made:
        yield made


def test_all_scenarios_end_with_counters_that_match(server: Running, tmp_path: Path) -> None:
    server.publish_and_wait(CATALOG)
    server.provision("early", "free")
    own = server.publish(NEWER, apply_to=admin_pb2.APPLY_TO_NEW).version

    with locust(tmp_path / "log", *traffic(server, users=18, seconds=8)) as process:
        code = process.wait()
    said = process.said

    assert 0 == code, said
    match = MATCH.search(said)
    assert match, said
    assert int(match[3].replace(",", "")) > 100
    assert requests(said, "Aggregated") > 500, said
    for name in (
        "hot gateway: CheckAndConsume",
        "LLM tokens: CheckAndConsume",
        "many tenants: BatchCheckAndConsume",
        "many tenants: CheckAndConsume",
        "many tenants: GetEntitlements",
        "plan change: CheckAndConsume",
        "plan change: ProvisionCustomer",
        "plan change: PublishCatalog",
    ):
        assert requests(said, name) > 0, name
    # A denial is no failure, and its reason is counted.
    assert re.search(r"^decisions: hot gateway: 1?\d?\d?,?\d+ LIMIT_EXCEEDED, ", said, re.M), said
    # The capped customer's limit is reached, and not passed.
    assert {"api-calls": 100} == used(server, f"{process.run_id()}-hot-1")
    # What was in force before is in force again.
    assert own.digest == server.publish(NEWER).version.digest
    assert [3, 5] == [server.consume(name, "own-feature").limit for name in ("early", "acme")]


def used(server: Running, customer_id: str) -> dict[str, int]:
    """The counters of a customer by feature; of several periods the longest, which counts most."""
    found: dict[str, int] = {}
    for name, count in server.counters(customer_id).items():
        feature_id = name.split(":")[0]
        found[feature_id] = max(count, found.get(feature_id, 0))
    return found


def test_ctrl_c_ends_a_run_with_its_check(server: Running, tmp_path: Path) -> None:
    server.publish_and_wait(CATALOG)

    with locust(tmp_path / "log", *traffic(server, users=20, seconds=80), "HotGateway") as process:
        hot = f"{process.run_id()}-hot-1"
        eventually(lambda: used(server, hot), lambda counters: bool(counters), DEADLINE_S)
        process.interrupt()
        code = process.wait()

    assert 0 == code, process.said
    assert re.search(r"^check: counters match: ", process.said, re.M), process.said
    assert "Traceback" not in process.said


def test_a_call_behind_the_back_of_locust_makes_the_run_fail(
    server: Running, tmp_path: Path
) -> None:
    with locust(tmp_path / "log", *traffic(server, users=6, seconds=4)) as process:
        customer = f"{process.run_id()}-hot-0"
        assert server.consume(customer, "api-calls").allowed
        code = process.wait()

    assert 1 == code, process.said
    assert not MATCH.search(process.said)
    assert "\ncheck: COUNTERS DO NOT MATCH: 1 problems; " in process.said, process.said
    found = re.search(rf"^check:   {customer} api-calls: (\S+) allowed, but (\S+) counted$",
                      process.said, re.MULTILINE)  # fmt: skip
    assert found, process.said
    allowed, counted = (int(each.replace(",", "")) for each in found.groups())
    assert 1 == counted - allowed


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def test_a_master_adds_up_what_its_workers_have_seen(server: Running, tmp_path: Path) -> None:
    port = str(free_port())
    master_words = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    worker_words = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    with (
        locust(
            tmp_path / "master", *traffic(server, 12, 4), *master_words, "--expect-workers", "2"
        ) as master,
        locust(tmp_path / "worker-1", *worker_words) as first,
        locust(tmp_path / "worker-2", *worker_words) as second,
    ):
        codes = [each.wait() for each in (master, first, second)]

    assert [0, 0, 0] == codes, master.said + first.said
    assert "2 workers connected" in master.said
    match = MATCH.search(master.said)
    assert match, master.said
    assert int(match[2].replace(",", "")) > 20
    # The counters themselves, as far as the hot customers go: both workers' calls are in them.
    hot = sum(
        used(server, f"{master.run_id()}-{name}").get("api-calls", 0) for name in ("hot-0", "hot-1")
    )
    allowed = re.search(r"^decisions: hot gateway: .*?([\d,]+) WITHIN_LIMIT", master.said, re.M)
    assert allowed
    assert hot == int(allowed[1].replace(",", ""))


def test_a_server_that_is_not_there_is_reported_in_one_line(tmp_path: Path) -> None:
    nowhere = ("--headless", "--only-summary", "--run-time", "1s", "--host", "127.0.0.1:1")
    with locust(tmp_path / "log", *nowhere) as process:
        code = process.wait()

    assert 1 == code
    assert ["check: NOT STARTED: 127.0.0.1:1 has not answered yet"] == [
        line for line in process.said.splitlines() if line.startswith("check:")
    ]


def test_the_catalog_of_another_machine_is_not_replaced_unasked(tmp_path: Path) -> None:
    elsewhere = ("--headless", "--only-summary", "--run-time", "9s", "--host", "192.0.2.1:50051")
    with locust(tmp_path / "log", *elsewhere) as process:
        code = process.wait()

    assert 1 == code
    assert "allow it with --replace-catalog" in process.said


def test_every_option_of_the_page_exists() -> None:
    option = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
    # locust's own help does not load the locustfile.
    own = set(option.findall((ROOT / "loadtests" / "scenarios" / "lifecycle.py").read_text()))
    help_text = subprocess.run(
        [sys.executable, "-m", "locust", "--help"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    ).stdout
    shown = set(option.findall(PAGE.read_text()))

    assert len(own) >= 6
    assert set() == own - shown
    assert set() == shown - own - set(option.findall(help_text))
