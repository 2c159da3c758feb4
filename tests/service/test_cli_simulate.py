"""`quotad replay --simulate`: what is typed, what is shown, how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from quotad.archive import ArchiveDirectory, write_block
from quotad.archive.blocks import line_of
from quotad.cli.app import app
from quotad.cli.chart import WIDTH
from quotad.ledger import LedgerEntry
from tests.processes import DEADLINE_S, children_of, environment, treating
from tests.running import eventually

CATALOG = """
version: 1
default_plan: free
features:
  api-calls: {type: metered}
plans:
  free:
    entitlements:
      api-calls: {limit: 3, per: day}
  pro:
    entitlements:
      api-calls: {limit: 5, per: day}
"""


def line(host: str, time: str) -> str:
    return f'{host} - - [{time} +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5.0"\n'


LOG = "".join(
    line(host, f"{day}/May/2026:{hour}:00:00")
    for day in (17, 18)
    for hour in (10, 11)
    for host in ["192.0.2.1"] * 3 + ["192.0.2.2"]
)
"""Two days; the first address asks 6 times a day, the other twice."""

ASK = ("--customer", "{remote_host}", "--feature", "api-calls")

Run = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a log and two catalogs."""
    (tmp_path / "access.log").write_text(LOG)
    (tmp_path / "new.yaml").write_text(CATALOG)
    (tmp_path / "old.yaml").write_text(CATALOG.replace("limit: 3", "limit: 4"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def short() -> Iterator[Path]:
    """An empty directory whose path leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="q-") as name:
        yield Path(name)


def replay(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["replay", *words], input=stdin)


def simulate(*words: str, **more: Any) -> Result:
    return replay("access.log", *ASK, "--simulate", "--catalog", "new.yaml", *words, **more)


def simulated(*words: str) -> Any:
    done = simulate(*words, "--json")
    assert (0, "") == (done.exit_code, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.usefixtures("here")
def test_the_days_of_the_log_are_days_of_the_catalog() -> None:
    report = simulated()

    assert (16, 16, 0) == (report["lines"], report["decided"], report["skipped"])
    assert ("2026-05-17T10:00:00Z", "2026-05-18T11:00:00Z") == (report["first"], report["last"])
    assert (10, 6) == (report["total"]["after"]["allowed"], report["total"]["after"]["denied"])
    assert [("192.0.2.1", "free", 6)] == [
        (each["customer_id"], each["plan_id"], each["denied"]) for each in report["top_denied"]
    ]
    assert report["against"] is None
    assert report["total"]["before"] is None


@pytest.mark.usefixtures("here")
def test_the_report_is_readable_in_80_columns() -> None:
    result = simulate("--against", "old.yaml")

    text = [" ".join(each.split()) for each in result.stdout.splitlines()]
    assert 0 == result.exit_code
    assert text[0].startswith("16 lines in ")
    assert "log 2026-05-17 10:00:00 to 2026-05-18 11:00:00 UTC" in text
    assert "denied 6, 37.5 %: LIMIT_EXCEEDED 6" in text
    assert "denied before 4, 25.0 %: LIMIT_EXCEEDED 4" in text
    assert "newly denied 2 (customers: 1)" in text
    assert "free 16 6 4 2 0" in text
    assert "192.0.2.1 free 6 4 2" in text
    assert "time (UTC) allowed denied before █ allowed ░ denied" in text
    for day in (17, 18):
        assert any(re.fullmatch(rf"05-{day} 10:00 5 3 2 █+░+", each) for each in text)
    assert WIDTH >= max(map(len, result.stdout.splitlines()))


@pytest.mark.usefixtures("here")
def test_a_fixed_plan_is_everybodys() -> None:
    report = simulated("--plan", "pro")

    assert [("pro", 16, 2)] == [
        (row["plan_id"], row["decisions"], row["after"]["denied"]) for row in report["plans"]
    ]


def test_a_file_has_the_plans_of_customers(here: Path) -> None:
    (here / "customers.jsonl").write_text(
        '{"customer_id": "192.0.2.1", "plan": "pro", "start": "2026-05-18T00:00:00Z"}\n\n'
    )

    report = simulated("--customers", "customers.jsonl")

    # Before its start it has no plan; on its first day it asks 6 times for 5.
    assert {"NO_ACTIVE_SUBSCRIPTION": 6, "LIMIT_EXCEEDED": 1} == report["reasons"]
    assert {"pro": 6, "(none)": 6, "free": 4} == {
        row["plan_id"]: row["decisions"] for row in report["plans"]
    }


@pytest.mark.usefixtures("here")
def test_standard_input_has_the_plans_of_customers_for_both_catalogs() -> None:
    row = '{"customer_id": "192.0.2.1", "plan": "pro"}\n'

    done = simulate("--against", "old.yaml", "--customers", "-", "--json", stdin=row)

    [pro] = [each for each in json.loads(done.stdout)["plans"] if each["plan_id"] == "pro"]
    assert (12, 2, 2) == (pro["decisions"], pro["after"]["denied"], pro["before"]["denied"])


def test_a_plan_that_only_one_catalog_has_is_denied_by_the_other(here: Path) -> None:
    (here / "customers.jsonl").write_text('{"customer_id": "192.0.2.1", "plan": "pro"}\n')
    (here / "old.yaml").write_text(CATALOG.replace("  pro:", "  gold:"))

    report = simulated("--customers", "customers.jsonl", "--against", "old.yaml")

    assert {"NO_ACTIVE_SUBSCRIPTION": 12} == report["reasons_before"]


def test_the_page_is_written_beside_the_report(here: Path) -> None:
    result = simulate("--html", "page.html", "--against", "old.yaml")

    assert 0 == result.exit_code
    assert "most newly denied customers" in result.stdout
    assert 5 == (here / "page.html").read_text().count("<svg")


@pytest.mark.usefixtures("here")
def test_json_lines_name_their_time_with_a_template() -> None:
    lines = '{"at": {"ts": 1779012303}, "c": "a"}\n' * 4
    words = ("-", "--format", "jsonl", "--customer", "{c}", "--feature", "api-calls", "--simulate")

    done = replay(*words, "--catalog", "new.yaml", "--time", "{at.ts}", "--json", stdin=lines)

    assert 3 == json.loads(done.stdout)["total"]["after"]["allowed"]


@pytest.mark.usefixtures("here")
def test_lines_without_a_time_are_reported_with_the_way_out() -> None:
    words = ("-", "--format", "jsonl", "--customer", "{c}", "--feature", "api-calls", "--simulate")

    done = replay(*words, "--catalog", "new.yaml", stdin='{"ts": 1779012303, "c": "a"}\n')

    assert (2, "") == (done.exit_code, done.stdout)
    assert (
        "quotad: -: no line could be used; the first: no field 'time'; these exist: ts, c; name it"
        " with --time, such as --time '{ts}'\n"
    ) == done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--simulate"], "--simulate needs --catalog"),
        (["--catalog", "new.yaml"], "--catalog is for --simulate"),
        (["--html", "page.html"], "--html is for --simulate"),
        (["--simulate", "--catalog", "new.yaml", "--server", "a:1"], "--server is for sending"),
        (["--simulate", "--catalog", "no.yaml"], "no.yaml: No such file or directory"),
        (["--simulate", "--catalog", "bad.yaml"], "bad.yaml:"),
        (["--simulate", "--catalog", "new.yaml", "--against", "bad.yaml"], "bad.yaml:"),
        (["--simulate", "--catalog", "new.yaml", "--plan", "por"], "did you mean 'pro'?"),
        (["--simulate", "--catalog", "new.yaml", "--plan", "{x}"], "no field 'x'"),
        (["--simulate", "--catalog", "new.yaml", "--time", "{x}"], "no field 'x'"),
        (["--simulate", "--catalog", "new.yaml", "--html", "no/page.html"], "no such directory"),
        (["--simulate", "--catalog", "new.yaml", "--html", "."], "is a directory; name a file in"),
        (["--simulate", "--catalog", "new.yaml", "--html", "A" * 300], "File name too long"),
        (["--simulate", "--catalog", "A" * 300], "File name too long"),
        (["--simulate", "--catalog", "new"], "new: No such file or directory"),
        (["--simulate", "--catalog", "new.yaml", "--customers", "no"], "no: No such file"),
        (
            ["--simulate", "--catalog", "new.yaml", "--customers", "customers"],
            "customers: line 2: 'a' is on line 1 already",
        ),
        (
            ["--simulate", "--catalog", "new.yaml", "--customers", "gold"],
            "the customers do not fit new.yaml\ngold: line 1:",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_at_once(
    here: Path, words: list[str], problem: str
) -> None:
    (here / "bad.yaml").write_text(CATALOG.replace("per: day", "per: dya"))
    (here / "customers").write_text('{"customer_id": "a", "plan": "pro"}\n' * 2)
    (here / "gold").write_text('{"customer_id": "a", "plan": "gold"}\n')

    done = replay("access.log", *ASK, *words)

    assert (2, "") == (done.exit_code, done.stdout)
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_quantities_with_a_fraction_are_scaled_by_the_decimals_of_their_feature(here: Path) -> None:
    decimals = CATALOG.replace("{type: metered}", "{type: metered, decimals: 2}")
    (here / "new.yaml").write_text(decimals)
    lines = "".join(f"2026-05-17T10:00:0{n}Z a {q}\n" for n, q in enumerate(["1.25", "1.75", "1"]))
    words = (
        *("--format", "{time} {c} {q}", "--customer", "{c}", "--feature", "api-calls"),
        *("--quantity", "{q}", "--simulate", "--catalog", "new.yaml"),
    )

    total = json.loads(replay("-", *words, "--json", stdin=lines).stdout)["total"]
    other = replay("-", *words, "--against", "old.yaml", stdin=lines)

    assert (2, 1) == (total["after"]["allowed"], total["after"]["denied"])
    assert (2, "") == (other.exit_code, other.stdout)
    assert "feature 'api-calls' has 2 decimals in --catalog and 0 in --against" in other.stderr


def test_a_file_of_the_archive_is_a_log_as_it_is(here: Path) -> None:
    entry = LedgerEntry("7-1-0-0", 1_779_012_000_000, "consume", "a", "api-calls", 2, True, "")
    entries = [
        entry,
        replace(entry, verb="refund", quantity=-2),
        replace(entry, quantity=3, allowed=False, reason="LIMIT_EXCEEDED"),
        replace(entry, verb="record", customer_id="b", quantity=4),
    ]
    archive, at = ArchiveDirectory(here), 0
    for each in entries:  # a block each, as an archiver that is quick writes them
        block = write_block([line_of(each)], each.at_ms, each.at_ms)
        archive.put("2026-05-17", at, block)
        at += len(block)
    words = ("2026-05-17.jsonl.gz", "--format", "ledger", "--simulate", "--catalog", "new.yaml")

    report = json.loads(replay(*words, "--against", "old.yaml", "--json").stdout)

    assert (4, 3, 0) == (report["lines"], report["decided"], report["skipped"])
    assert (1, 2) == (report["total"]["after"]["allowed"], report["total"]["after"]["denied"])
    assert (1, "b") == (report["total"]["newly_denied"], report["top_denied"][0]["customer_id"])
    assert ["1 entry of the ledger was left out: refund 1"] == report["notes"]


@pytest.mark.usefixtures("here")
def test_standard_input_is_the_log_or_the_customers() -> None:
    done = replay("-", *ASK, "--simulate", "--catalog", "new.yaml", "--customers", "-", stdin=LOG)

    assert 2 == done.exit_code
    assert "--customers -: the log comes from standard input already" in done.stderr


@pytest.mark.usefixtures("here")
def test_a_mistyped_feature_is_refused_and_not_counted_as_denied() -> None:
    words = ("--customer", "{remote_host}", "--feature", "api-call", "--simulate")

    done = replay("access.log", *words, "--catalog", "new.yaml")

    assert 2 == done.exit_code
    assert (
        "quotad: --feature: the catalog has no feature 'api-call'; did you mean 'api-calls'?\n"
    ) == done.stderr


def test_without_the_library_for_plots_it_names_what_to_install(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.simulate.plots.is_installed", lambda: False)

    done = simulate("--html", "page.html")

    assert 2 == done.exit_code
    assert "pip install matplotlib" in done.stderr
    assert not (here / "page.html").exists()


def test_every_problem_of_a_catalog_is_shown(here: Path) -> None:
    (here / "new.yaml").write_text(CATALOG.replace("per: day", "per: dya"))

    done = simulate()

    assert "quotad: 2 problems in the catalog\n" == done.stderr.splitlines(keepends=True)[-1]


def script_calls(directory: Path) -> int:
    """How many scripts the private store has run."""
    for socket in directory.glob("quotad-simulate-*/valkey.sock"):
        with (
            suppress(redis.ConnectionError),
            redis.Redis(unix_socket_path=str(socket)) as client,
        ):
            found: Any = client.info("commandstats")
            return int(found.get("cmdstat_evalsha", {}).get("calls", 0))
    return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_reports_what_was_decided_and_ends_the_private_store(
    here: Path, short: Path, number: signal.Signals
) -> None:
    words = ["-", *ASK, "--simulate", "--catalog", "new.yaml", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "quotad", "replay", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(TMPDIR=str(short)),
        start_new_session=True,
        preexec_fn=treating(number, signal.SIG_DFL),
    ) as running:
        assert running.stdin is not None
        # More than the lines that are held back, so that there is something to tell.
        running.stdin.write((LOG * 2000).encode())
        running.stdin.flush()
        eventually(lambda: script_calls(short), lambda calls: calls > 2)
        [valkey] = children_of(running.pid)
        # Ctrl-C goes to the whole process group, SIGTERM to the process.
        assert os.getpgid(running.pid) != os.getpgid(valkey.number)
        if number is signal.SIGINT:
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        output, _ = running.communicate(timeout=DEADLINE_S)

    report = json.loads(output)
    assert (130, "interrupted") == (running.returncode, report["stopped"])
    assert report["decided"] == report["total"]["decisions"] > 0
    assert not valkey.running
    assert [] == list(short.glob("quotad-simulate-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_ignored(
    here: Path, short: Path, number: signal.Signals
) -> None:
    """As `nohup` starts a command, and a shell without a terminal one in the background."""
    words = ["-", *ASK, "--simulate", "--catalog", "new.yaml", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "quotad", "replay", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(TMPDIR=str(short)),
        preexec_fn=treating(number, signal.SIG_IGN),
    ) as running:
        assert running.stdin is not None
        running.stdin.write((LOG * 2000).encode())
        running.stdin.flush()
        eventually(lambda: script_calls(short), lambda calls: calls > 2)
        running.send_signal(number)
        output, _ = running.communicate(timeout=DEADLINE_S)

    report = json.loads(output)
    assert (0, "") == (running.returncode, report["stopped"])
    assert len(LOG.splitlines()) * 2000 == report["lines"]


def test_the_report_is_shown_also_when_the_page_cannot_be_written(here: Path) -> None:
    done = replay(
        "access.log", *ASK, "--simulate", "--catalog", "new.yaml", "--html", "/dev/full", "--json"
    )

    assert 2 == done.exit_code
    assert json.loads(done.stdout)["decided"] > 0
    assert (
        "--html /dev/full: No space left on device" in json.loads(done.stderr)["error"]["message"]
    )
