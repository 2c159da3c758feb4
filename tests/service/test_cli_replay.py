"""`quotad replay` against a server: what is sent, what is reported, how it ends."""

import gzip
import json
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner, Result

from quotad.cli.app import app
from quotad.client import Client
from quotad.replay.formats import format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.sender import BATCH, Progress, replay
from tests.service.fake_quotad import UNAVAILABLE, Fail, FakeServer, fake_server

Run = Callable[..., Result]


def line(host: str, size: str = "100") -> str:
    return f'{host} - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 {size} "-" "curl/8.5.0"\n'


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as running:
        yield running


@pytest.fixture
def quotad(server: FakeServer) -> Run:
    """Run `quotad replay` in this process against the server."""

    def run(*args: str, stdin: bytes | None = None) -> Result:
        environment = {"QUOTAD_SERVER": server.address}
        return CliRunner().invoke(app, ["replay", *args], env=environment, input=stdin)

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """2,400 lines of four addresses, two of them far above 100."""
    counts = {"192.0.2.1": 1000, "192.0.2.2": 1200, "2001:db8::3": 101, "a": 99}
    hosts = list(Counter(counts).elements())
    random.Random(1).shuffle(hosts)
    path = tmp_path / "access.log"
    path.write_text("".join(line(host) for host in hosts))
    return path


HOSTS = ("--customer", "{remote_host}", "--feature", "api-calls")


def test_allowed_is_the_sum_of_what_each_customer_may_have(
    quotad: Run, server: FakeServer, log: Path
) -> None:
    result = quotad(str(log), *HOSTS, "--json")

    report = json.loads(result.stdout)
    assert 0 == result.exit_code
    assert (2400, 2400) == (report["lines"], report["decided"])
    assert 100 + 100 + 100 + 99 == report["allowed"]
    assert 900 + 1100 + 1 == report["denied"]
    assert [
        {"customer_id": "192.0.2.2", "denied": 1100},
        {"customer_id": "192.0.2.1", "denied": 900},
        {"customer_id": "2001:db8::3", "denied": 1},
    ] == report["top_denied"]
    assert {("192.0.2.1", "api-calls"): 100, ("a", "api-calls"): 99}.items() <= (
        server.quota.used.items()
    )


def test_report_is_readable(quotad: Run, log: Path) -> None:
    result = quotad(str(log), *HOSTS)

    lines = [" ".join(each.split()) for each in result.stdout.splitlines()]
    assert 0 == result.exit_code
    assert lines[0].startswith("2,400 decisions in ")
    assert "feature allowed denied granted refused" in lines
    assert "api-calls 399 2,001 399 2,001" in lines
    assert "192.0.2.2 1,100" in lines
    assert "" == result.stderr


def test_calls_of_a_replay_carry_no_keys_and_come_in_batches(
    quotad: Run, server: FakeServer, log: Path
) -> None:
    quotad(str(log), *HOSTS)

    batches = server.quota.requests
    assert [BATCH] * 4 + [2400 - 4 * BATCH] == sorted(
        (len(batch.requests) for batch in batches), reverse=True
    )
    assert {""} == {each.idempotency_key for batch in batches for each in batch.requests}


def test_quantity_is_a_field_and_a_dash_is_zero(quotad: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line("a", "2000000") + line("a", "-") + line("b", "17"))

    result = quotad(
        str(log), "--customer", "{remote_host}", "--feature", "bandwidth", "--quantity", "{bytes}"
    )

    assert any("2,000,017" in each for each in result.stdout.splitlines())
    assert 0 == result.exit_code


def test_json_lines_with_nested_fields_and_a_feature_of_their_own(
    quotad: Run, server: FakeServer, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"user": {"id": 7}, "kind": "api-calls", "n": 2}\n'
        '{"user": {"id": 7}, "kind": "seats", "n": 1}\n'
        '{"started": true}\n'
    )

    result = quotad(
        *(str(log), "--format", "jsonl", "--json"),
        *("--customer", "u-{user.id}", "--feature", "{kind}", "--quantity", "{n}"),
    )

    report = json.loads(result.stdout)
    assert {("u-7", "api-calls"): 2, ("u-7", "seats"): 1} == dict(server.quota.used)
    assert [{"line": 3, "why": "no field 'user.id'; these exist: started"}] == report[
        "skipped_lines"
    ]


def test_quantities_of_a_feature_with_decimals_are_scaled_exactly(
    quotad: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.admin.documents[-1]["features"] = {
        "bandwidth": {"type": "metered", "decimals": 3},
        "sso": {"type": "boolean"},
    }
    log = tmp_path / "log"
    log.write_text("a 0.123\na 2\na -\na 0.1234\na 1e-3\n")

    words = ("--customer", "{c}", "--feature", "bandwidth", "--quantity", "{request_time}")
    result = quotad(str(log), "--format", "{c} {request_time}", *words)

    assert {("a", "bandwidth"): 123 + 2000 + 1} == dict(server.quota.used)
    lines = [" ".join(each.split()) for each in result.stdout.splitlines()]
    assert "bandwidth 4 0 2.124 0.000" in lines
    assert "line 4: quantity '0.1234' has more than 3 decimals" in lines


def test_lines_wrapped_by_a_container_runtime_are_put_together_and_directives_left_out(
    quotad: Run, server: FakeServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    time = "2026-05-17T10:05:03Z stdout"
    fields = "#Fields: c-ip cs(User-Agent)"
    log.write_text(f"{time} F {fields}\n{time} P 192.0.\n{time} F 2.7 curl\n{time} F x\n")

    words = ("--format", "w3c", "--wrapped", "cri", *HOSTS, "--json")
    report = json.loads(quotad(str(log), *words).stdout)

    assert {("192.0.2.7", "api-calls"): 1} == dict(server.quota.used)
    assert (4, 1, 1) == (report["lines"], report["decided"], report["skipped"])
    assert [{"line": 4, "why": "has 1 fields; #Fields names 2"}] == report["skipped_lines"]


def test_unknown_format_is_one_clear_error(quotad: Run, log: Path) -> None:
    result = quotad(str(log), *HOSTS, "--format", "combind")

    assert (2, "") == (result.exit_code, result.stdout)
    assert (
        "quotad: --format: there is no format 'combind'; did you mean 'combined'?\n"
        == result.stderr
    )


def test_unreadable_lines_are_skipped_and_the_first_few_named(quotad: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line("a") + "garbage\n" * 8 + line("a")[:-12] + "\n" + line("b"))

    result = quotad(str(log), *HOSTS)
    report = json.loads(quotad(str(log), *HOSTS, "--json").stdout)

    assert 0 == result.exit_code
    assert "9 of 11 lines skipped\n  line 2: not in the combined format\n" in result.stdout
    assert (9, 2) == (report["skipped"], report["decided"])
    assert [2, 3, 4, 5, 6] == [skipped["line"] for skipped in report["skipped_lines"]]


def test_limit_ends_the_reading(quotad: Run, log: Path) -> None:
    report = json.loads(quotad(str(log), *HOSTS, "--limit", "17", "--json").stdout)

    assert (17, 17) == (report["lines"], report["decided"])


def test_standard_input_is_a_log_too_also_gzipped(quotad: Run, log: Path) -> None:
    plain = quotad("-", *HOSTS, "--json", stdin=log.read_bytes())
    zipped = quotad("-", *HOSTS, "--json", stdin=gzip.compress(log.read_bytes()))

    assert [2400, 2400] == [json.loads(each.stdout)["decided"] for each in (plain, zipped)]


def test_unknown_field_is_one_clear_error(quotad: Run, server: FakeServer, log: Path) -> None:
    result = quotad(str(log), "--customer", "{host}", "--feature", "api-calls")

    assert 2 == result.exit_code
    assert (
        "quotad: template '{host}': no field 'host'; these exist: remote_host, remote_user, time, "
        "method, path, protocol, status, bytes, referer, user_agent\n"
    ) == result.stderr
    assert [] == server.quota.requests


def test_log_of_another_format_is_one_clear_error(quotad: Run, log: Path) -> None:
    result = quotad(str(log), "--format", "jsonl", "--customer", "{c}", "--feature", "api-calls")

    assert 2 == result.exit_code
    assert f"quotad: {log}: no line could be used; the first: not JSON" in result.stderr
    assert 1 == len(result.stderr.splitlines())


def test_entries_of_the_ledger_are_sent_and_those_that_are_no_calls_are_counted(
    quotad: Run, server: FakeServer
) -> None:
    entry = {"at_ms": 1_779_012_000_000, "customer_id": "a", "feature_id": "api-calls"}
    counted = [("consume", 98), ("refund", -1), ("consume", 3)]
    lines = [{**entry, "verb": verb, "quantity": quantity} for verb, quantity in counted]
    log = "".join(json.dumps(each) + "\n" for each in lines)

    shown = quotad("-", "--format", "ledger", stdin=log.encode())

    assert (0, 98) == (shown.exit_code, server.quota.used["a", "api-calls"])
    assert "1 entry of the ledger was left out: refund 1\n" in shown.stdout


@pytest.mark.parametrize("given", ["--customer", "--feature"])
def test_a_log_needs_to_be_read_for_customer_and_feature(
    quotad: Run, log: Path, given: str
) -> None:
    result = quotad(str(log), given, "x")

    assert (2, "") == (result.exit_code, result.stdout)
    missing = {"--customer": "--feature", "--feature": "--customer"}[given]
    assert f"quotad: {missing} is missing: which part of a line it is\n" == result.stderr


def test_missing_log_is_one_clear_error(quotad: Run, tmp_path: Path) -> None:
    result = quotad(str(tmp_path / "none.log"), *HOSTS)

    assert 2 == result.exit_code
    assert f"quotad: {tmp_path / 'none.log'}: No such file or directory\n" == result.stderr


def test_damaged_log_is_reported_with_what_was_sent(quotad: Run, log: Path) -> None:
    whole = gzip.compress(log.read_bytes())
    log.write_bytes(whole[:-200])

    result = quotad(str(log), *HOSTS, "--json")

    report = json.loads(result.stdout)
    assert 2 == result.exit_code
    assert 0 < report["decided"] == report["lines"]
    assert "the log is damaged after line" in json.loads(result.stderr)["error"]["message"]


def test_no_server_is_one_clear_error(quotad: Run, log: Path) -> None:
    result = quotad(str(log), *HOSTS, "--server", "127.0.0.1:1")

    assert 2 == result.exit_code
    assert "" == result.stdout
    assert (
        "quotad: no server at 127.0.0.1:1 (connection refused); start one with 'quotad dev'\n"
        == result.stderr
    )


def test_batch_without_an_answer_is_not_sent_again(
    quotad: Run, server: FakeServer, log: Path
) -> None:
    """It may have been counted, and without a key a second try would count it twice."""
    server.quota.failures.append(Fail(grpc.StatusCode.UNAVAILABLE, "lost", "AWAY", counted=True))

    result = quotad(str(log), *HOSTS, "--concurrency", "1")

    assert 2 == result.exit_code
    assert "cannot answer now: lost\n" in result.stderr
    assert 1 == len(server.quota.requests)
    assert BATCH >= sum(server.quota.used.values())


def test_some_errors_leave_the_rest_of_the_report(
    quotad: Run, server: FakeServer, log: Path
) -> None:
    server.quota.item_failures["a"] = deque([UNAVAILABLE] * 3)

    result = quotad(str(log), *HOSTS)
    lines = result.stdout.splitlines()

    assert 2 == result.exit_code
    assert "3 calls without a decision" in lines
    assert "  3 UNAVAILABLE STORE_UNAVAILABLE: the store is away" in lines
    assert "quotad: 3 calls were not decided\n" == result.stderr
    assert 96 == server.quota.used["a", "api-calls"]


def test_server_that_goes_away_ends_the_replay(server: FakeServer) -> None:
    plan = LineTemplates(format_of("combined"), "{remote_host}", "api-calls", "1")

    def lines() -> Iterator[bytes]:
        for number in range(100_000):
            if number == 3 * BATCH:
                server.stop()
            yield line("a").encode().rstrip()

    with Client(server.address, timeout=10, retries=0) as client:
        report = replay(lines(), plan, client, concurrency=1)

    assert 0 < report.decided <= 3 * BATCH
    assert report.stopped.startswith("no server answered the last 10 batches")
    assert 100_000 > report.lines
    assert report.lines >= report.decided + report.errors


def test_interrupt_ends_the_reading_and_counts_what_is_in_flight(server: FakeServer) -> None:
    plan = LineTemplates(format_of("combined"), "{remote_host}", "bandwidth", "1")
    seen: list[Progress] = []

    def lines() -> Iterator[bytes]:
        for _ in range(2 * BATCH):
            yield line("a").encode().rstrip()
        raise KeyboardInterrupt

    with Client(server.address, timeout=10, retries=0) as client:
        report = replay(lines(), plan, client, on_progress=seen.append)

    assert "interrupted" == report.stopped
    assert 2 * BATCH == report.decided == server.quota.used["a", "bandwidth"]
    assert 2 * BATCH == seen[-1].decided
