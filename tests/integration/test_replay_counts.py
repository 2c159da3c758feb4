"""An access log through a running server: what is reported is what the plans allow, exactly."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import quotad, within_one_day
from tests.running import Running, running

LIMIT = 100

CALLS = {"192.0.2.1": 250, "192.0.2.2": 101, "192.0.2.3": 100, "192.0.2.4": 7, "2001:db8::5": 130}
"""Lines of each address that can be read."""

WITHOUT_BYTES = "192.0.2.4"
"""One line of this address says `-`."""

ALL = sum(CALLS.values())
ALLOWED = sum(min(count, LIMIT) for count in CALLS.values())

CATALOG = f"""
version: 1
default_plan: free
features:
  api-calls: {{type: metered}}
  bandwidth: {{type: metered, unit: byte}}
  GET: {{type: metered}}
  POST: {{type: metered}}
plans:
  free:
    entitlements:
      api-calls: {{limit: {LIMIT}, per: day}}
      bandwidth: {{limit: {100 * LIMIT}, per: day}}
      GET: {{limit: 50, per: day}}
      POST: unlimited
"""

Replay = Callable[..., Any]
"""Replays the log under a feature; gives the report."""


def line(host: str, method: str = "GET", size: str = "100") -> str:
    request = f"{method} /search?q=a HTTP/1.1"
    return f'{host} - - [17/May/2026:10:05:03 +0000] "{request}" 200 {size} "-" "curl/8.5"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Lines of several addresses in disorder, every other one a POST, and one that is cut off."""
    hosts = Counter(CALLS)
    hosts[WITHOUT_BYTES] -= 1
    lines = [
        line(host, "POST" if number % 2 else "GET")
        for host, count in hosts.items()
        for number in range(count)
    ]
    lines += [line(WITHOUT_BYTES, size="-"), "192.0.2.1 - - [17/May/2026:10:0\n"]
    random.Random(7).shuffle(lines)
    path = tmp_path / "access.log"
    path.write_text("".join(lines))
    return path


def replaying(store_url: str, log: Path, test: Callable[[Running, Replay], None]) -> None:
    """Run a test against a server on which nothing was used yet."""

    def run() -> None:
        with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as served:
            served.publish_and_wait(CATALOG)

            def replay(feature: str, *arguments: str) -> Any:
                words = ["--customer", "{remote_host}", "--feature", feature, *arguments, "--json"]
                address = served.server.address
                done = quotad("replay", str(log), *words, QUOTAD_SERVER=address)

                assert (0, "") == (done.returncode, done.stderr)
                return json.loads(done.stdout)

            test(served, replay)

    within_one_day(run)


def test_each_address_has_its_hundred_calls_a_day_and_no_more(store_url: str, log: Path) -> None:
    def check(served: Running, replay: Replay) -> None:
        report = replay("api-calls")

        assert (ALLOWED, ALL - ALLOWED, ALL) == (
            report["allowed"],
            report["denied"],
            report["decided"],
        )
        assert [
            {
                "feature_id": "api-calls",
                "allowed": ALLOWED,
                "denied": ALL - ALLOWED,
                "granted": ALLOWED,
                "refused": ALL - ALLOWED,
            }
        ] == report["features"]
        assert [("192.0.2.1", 150), ("2001:db8::5", 30), ("192.0.2.2", 1)] == [
            (each["customer_id"], each["denied"]) for each in report["top_denied"]
        ]
        assert report["top_denied_exact"]
        assert (ALL + 1, 1, 0, "") == (
            report["lines"],
            report["skipped"],
            report["errors"],
            report["stopped"],
        )
        assert ["not in the combined format"] == [each["why"] for each in report["skipped_lines"]]
        assert {host: [min(count, LIMIT)] for host, count in CALLS.items()} == {
            host: list(served.counters(host).values()) for host in CALLS
        }

    replaying(store_url, log, check)


def test_a_second_replay_is_denied_where_the_first_took_all(store_url: str, log: Path) -> None:
    def check(served: Running, replay: Replay) -> None:
        replay("api-calls")
        again = replay("api-calls")

        assert CALLS["192.0.2.4"] == again["allowed"]
        assert {host: count for host, count in CALLS.items() if count >= LIMIT} == {
            each["customer_id"]: each["denied"] for each in again["top_denied"]
        }
        assert [2 * CALLS["192.0.2.4"]] == list(served.counters("192.0.2.4").values())

    replaying(store_url, log, check)


def test_bytes_are_taken_as_quantities_and_no_bytes_as_nothing(store_url: str, log: Path) -> None:
    def check(served: Running, replay: Replay) -> None:
        [feature] = replay("bandwidth", "--quantity", "{bytes}")["features"]

        assert {
            "feature_id": "bandwidth",
            "allowed": ALLOWED,
            "denied": ALL - ALLOWED,
            "granted": 100 * (ALLOWED - 1),
            "refused": 100 * (ALL - ALLOWED),
        } == feature
        assert [100 * LIMIT] == list(served.counters("192.0.2.1").values())
        assert [600] == list(served.counters(WITHOUT_BYTES).values())

    replaying(store_url, log, check)


def test_features_named_by_a_field_are_counted_and_reported_apart(
    store_url: str, log: Path
) -> None:
    def check(served: Running, replay: Replay) -> None:
        report = replay("{method}")
        lines = log.read_text().splitlines()
        posts = sum('"POST ' in line for line in lines)
        gets = Counter(line.split()[0] for line in lines if '"GET ' in line)

        assert {
            "POST": (posts, 0),
            "GET": (
                sum(min(count, 50) for count in gets.values()),
                sum(max(count - 50, 0) for count in gets.values()),
            ),
        } == {each["feature_id"]: (each["allowed"], each["denied"]) for each in report["features"]}

    replaying(store_url, log, check)
