"""`quotad customers import` and `export` against a real server, over both fronts."""

import gzip
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from quotad.cli.app import app
from quotad.client.transfer import ImportOutcome, Transfer
from quotad.transfer import importer
from quotad.transfer.state import alone
from tests.processes import DEADLINE_S, environment
from tests.running import Running
from tests.service.command_line import words
from tests.unit.rows_catalog import PLANS

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture
def run(quotad: Running) -> Run:
    def run_it(command: str, *args: object, stdin: bytes | None = None) -> Result:
        line = ["customers", command, *map(str, args), "--server", quotad.server.address]
        return CliRunner().invoke(app, line, input=stdin)

    return run_it


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", 5)


def rows(customer: str, count: int, **fields: Any) -> list[str]:
    """Lines of a file of customers."""
    return [
        json.dumps({"customer_id": f"{customer}-{n}", "plan": "pro"} | fields)
        for n in range(1, count + 1)
    ]


def written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def plans(run: Run, customer: str) -> dict[str, Any]:
    """The plans of the customers whose id starts so, by id."""
    exported = run("export", "-")
    assert 0 == exported.exit_code
    found = map(json.loads, exported.stdout.splitlines())
    return {
        row["customer_id"].removeprefix(f"{customer}-"): row.get("plan")
        for row in found
        if row["customer_id"].startswith(customer)
    }


def test_every_line_of_a_file_is_imported(run: Run, customer: str, tmp_path: Path) -> None:
    file = written(tmp_path / "customers.jsonl", rows(customer, 3))

    first, again = run("import", file), run("import", file)

    assert (0, 0) == (first.exit_code, again.exit_code)
    assert words(first)[0].startswith("3 customers in ")
    assert ["written 3", "unchanged 0", "rejected 0"] == words(first)[1:]
    assert ["written 0", "unchanged 3", "rejected 0"] == words(again)[1:]
    assert {"1": "pro", "2": "pro", "3": "pro"} == plans(run, customer)
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.usefixtures("small_batches")
def test_bad_lines_are_listed_by_number_and_the_others_are_imported(
    run: Run, customer: str, tmp_path: Path
) -> None:
    lines = rows(customer, 40)
    lines[6] = '{"customer_id": "x", "plan": "por"}'
    lines[17] = "hello"
    lines[32] = lines[0]
    file = written(tmp_path / "customers.jsonl", lines)

    result = run("import", file, "--rejects", tmp_path / "bad.jsonl")

    told = [
        (7, "plan: unknown plan 'por', did you mean 'pro'?"),
        (18, "is not a JSON object: invalid character (byte 0)"),
        (33, f"customer_id: '{customer}-1' is in line 1 already; a row is all of one"),
    ]
    assert 1 == result.exit_code
    assert [f"line {line}: {problem}" for line, problem in told] == words(result)[4:]
    assert [
        {"line": line, "problem": problem, "text": lines[line - 1]} for line, problem in told
    ] == list(map(json.loads, (tmp_path / "bad.jsonl").read_text().splitlines()))
    assert {str(n) for n in range(1, 41)} - {"7", "18", "33"} == plans(run, customer).keys()


def test_only_the_first_bad_lines_are_listed(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "customers.jsonl", ["hello"] * 33)

    result = run("import", file)

    assert 20 == sum(line.startswith("line ") for line in words(result))
    assert "... and 13 more; --rejects lists all of them" == words(result)[-1]


def test_json_has_it_for_a_program(run: Run, customer: str, tmp_path: Path) -> None:
    file = written(tmp_path / "customers.jsonl", [*rows(customer, 2), "{}"])

    report = json.loads(run("import", file, "--json").stdout)

    assert report.pop("seconds") > 0
    assert {
        "lines": 3,
        "written": 2,
        "unchanged": 0,
        "rejected": 1,
        "dry_run": False,
        "resumed_after": 0,
        "stopped": "",
        "problems": [{"line": 3, "problem": "customer_id: missing"}],
    } == report


def test_a_dry_run_checks_every_line_and_leaves_no_trace(
    run: Run, customer: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "customers.jsonl", [*rows(customer, 2), "{}"])

    result = run("import", file, "--dry-run")

    assert 1 == result.exit_code
    assert ["would be written 2", "unchanged 0", "rejected 1"] == words(result)[1:4]
    assert {} == plans(run, customer)
    assert [file] == list(tmp_path.iterdir())


def test_csv_gzipped_is_imported_and_exported_again(
    run: Run, customer: str, tmp_path: Path
) -> None:
    lines = [
        "customer_id,plan,start,addons,archived",
        f"{customer}-1,pro,2031-01-31,more-calls=2,",
        f"{customer}-2,free,2031-01-31T09:00:00+01:00,,true",
        f"{customer}-3,free,tomorrow,,",
        f"{customer}-4,free",
    ]
    file = tmp_path / "customers.csv.gz"
    file.write_bytes(gzip.compress("\r\n".join(lines).encode()))

    imported = run("import", file)
    exported = run("export", "-", "--format", "csv")

    assert 1 == imported.exit_code
    assert [
        "line 4: start: 'tomorrow' is not a time such as 2026-01-31T09:00:00Z, from 1970 to 9999",
        "line 5: has 2 cells; the header has 5",
    ] == words(imported)[4:]
    assert (
        "customer_id,plan,start,end,addons,resource,archived,name,unit_quantity,email"
        == exported.stdout.splitlines()[0]
    )
    assert {
        f"{customer}-1,pro,2031-01-31T00:00:00Z,,more-calls=2,,,,,",
        f"{customer}-2,free,2031-01-31T08:00:00Z,,,,true,,,",
    } == {line for line in exported.stdout.splitlines() if line.startswith(customer)}


def test_what_csv_cannot_hold_is_reported_and_left_out(
    run: Run, customer: str, tmp_path: Path
) -> None:
    override = {"feature": "csv-export", "entitlement": True}
    file = written(
        tmp_path / "customers.jsonl",
        [*rows(f"{customer}-a", 1), *rows(f"{customer}-b", 1, overrides=[override])],
    )
    run("import", file)

    result = run("export", tmp_path / "out.csv")

    assert 1 == result.exit_code
    assert f"quotad: left out {customer}-b-1: has overrides\n" in result.stderr
    assert " left out: CSV cannot hold them; JSON lines hold everything\n" in result.stderr
    exported = (tmp_path / "out.csv").read_text()
    assert f"\n{customer}-a-1,pro," in exported
    assert f"\n{customer}-b-1" not in exported


def test_an_export_is_imported_without_a_change(run: Run, customer: str, tmp_path: Path) -> None:
    run("import", written(tmp_path / "customers.jsonl", rows(customer, 7)))
    out = tmp_path / "out.jsonl.gz"

    exported = run("export", out)
    again = json.loads(run("import", out, "--json").stdout)

    assert words(exported)[0].endswith(f" customers exported to {out}")
    assert (0, 0) == (again["written"], again["rejected"])
    assert again["unchanged"] >= 7
    assert gzip.decompress(out.read_bytes()).count(b"\n") == again["unchanged"]


def test_an_export_that_fails_leaves_the_older_file_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = written(tmp_path / "out.jsonl", ["older"])

    def failing(_: Transfer) -> Any:
        yield b"{}"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Transfer, "export_rows", failing)
    result = run("export", out)

    assert (2, f"quotad: {out}: No space left on device\n") == (result.exit_code, result.stderr)
    assert ["older\n"] == [each.read_text() for each in tmp_path.iterdir()]


class Stops:
    """Lets so many batches through, and then fails in the way of its maker's choice."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int, error: BaseException) -> None:
        self._import = Transfer.import_rows
        self._left = after
        self._error = error
        self.sent: list[int] = []
        monkeypatch.setattr(Transfer, "import_rows", lambda *a, **k: self._pass_on(*a, **k))

    def _pass_on(self, transfer: Transfer, batch: Sequence[bytes], **options: Any) -> ImportOutcome:
        if not self._left:
            raise self._error
        self._left -= 1
        self.sent.append(len(batch))
        return self._import(transfer, batch, **options)


@pytest.mark.usefixtures("small_batches")
def test_an_import_that_was_interrupted_goes_on_where_it_stopped(
    run: Run, customer: str, tmp_path: Path
) -> None:
    lines = rows(customer, 23)
    lines[3] = lines[20] = "hello"
    file, bad = written(tmp_path / "customers.jsonl", lines), tmp_path / "bad.jsonl"

    with pytest.MonkeyPatch.context() as patch:
        Stops(patch, 3, KeyboardInterrupt())
        stopped = run("import", file, "--concurrency", "1", "--rejects", bad)
    left_over = run("import", file)
    with pytest.MonkeyPatch.context() as patch:
        stops = Stops(patch, 99, KeyboardInterrupt())
        resumed = run("import", file, "--resume", "--json", "--rejects", bad)

    assert 130 == stopped.exit_code
    assert "quotad: stopped after line 15; go on with --resume\n" == stopped.stderr
    assert 2 == left_over.exit_code
    assert "stopped after line 15; go on with --resume, or remove" in left_over.stderr
    report = json.loads(resumed.stdout)
    assert [5, 3] == stops.sent
    assert (1, 15, 23) == (resumed.exit_code, report["resumed_after"], report["lines"])
    assert (21, 0, 2) == (report["written"], report["unchanged"], report["rejected"])
    assert [21] == [problem["line"] for problem in report["problems"]]
    assert 21 == len(plans(run, customer))
    assert [4, 21] == [json.loads(line)["line"] for line in bad.read_text().splitlines()]
    assert {file, bad} == set(tmp_path.iterdir())


@pytest.mark.usefixtures("small_batches")
def test_an_import_whose_server_goes_away_prints_how_to_resume(
    run: Run, customer: str, tmp_path: Path
) -> None:
    from quotad.client import QuotaUnavailable

    file = written(tmp_path / "customers.jsonl", rows(customer, 23))
    gone = QuotaUnavailable("the store is away", code="UNAVAILABLE", reason="STORE_UNAVAILABLE")

    with pytest.MonkeyPatch.context() as patch:
        Stops(patch, 2, gone)
        stopped = run("import", file, "--concurrency", "1")
    resumed = run("import", file, "--resume")

    assert 2 == stopped.exit_code
    assert stopped.stderr.endswith(
        "cannot answer now: the store is away; stopped after line 10; go on with --resume\n"
    )
    assert ["went on after line 10", "written 23"] == words(resumed)[1:3]


def test_what_is_read_from_a_pipe_cannot_be_gone_on_with(run: Run, customer: str) -> None:
    text = "".join(line + "\n" for line in rows(customer, 2)).encode()

    piped = run("import", "-", "--json", stdin=gzip.compress(text))
    resumed = run("import", "-", "--resume", stdin=text)

    assert 2 == json.loads(piped.stdout)["written"]
    assert 2 == resumed.exit_code
    assert (
        "quotad: --resume: only an import of a file leaves something to go on from\n"
        == resumed.stderr
    )


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("c.csv", "customer_id,plann\n", "unknown column 'plann'; did you mean 'plan'?"),
        ("none/c.jsonl", None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(
    run: Run, tmp_path: Path, name: str, text: str | None, problem: str
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)

    result = run("import", file)

    assert (2, f"quotad: {file}: {problem}\n") == (result.exit_code, result.stderr)
    assert [] == list(tmp_path.glob("*.quotad-import"))


def test_a_file_does_not_become_the_list_of_its_bad_lines(
    run: Run, customer: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "customers.jsonl", [*rows(customer, 2), "hello"])
    before = file.read_bytes()

    result = run("import", file, "--rejects", file)

    assert (2, before) == (result.exit_code, file.read_bytes())
    assert f"quotad: --rejects {file}: is the file that is imported\n" == result.stderr


@pytest.mark.usefixtures("small_batches")
def test_an_import_goes_on_in_the_form_that_it_was_begun_in(
    run: Run, customer: str, tmp_path: Path
) -> None:
    lines = ["customer_id,plan", *(f"{customer}-{i},pro" for i in range(10))]
    file = written(tmp_path / "customers", lines)

    with pytest.MonkeyPatch.context() as patch:
        Stops(patch, 1, KeyboardInterrupt())
        run("import", file, "--format", "csv", "--concurrency", "1")
    resumed = run("import", file, "--resume")

    assert (0, "rejected 0") == (resumed.exit_code, words(resumed)[-1])


def test_a_damaged_file_is_reported_with_what_was_imported(
    run: Run, customer: str, tmp_path: Path
) -> None:
    text = "".join(line + "\n" for line in rows(customer, 2000)).encode()
    file = tmp_path / "customers.jsonl.gz"
    file.write_bytes(gzip.compress(text)[:-100])

    result = run("import", file)

    assert 2 == result.exit_code
    assert f"quotad: {file}: damaged after line " in result.stderr
    assert 0 < len(plans(run, customer)) < 2000
    assert [file] == list(tmp_path.iterdir())


def test_no_server_is_reported_at_once(tmp_path: Path) -> None:
    file = written(tmp_path / "customers.jsonl", rows("a", 1))

    line = ["customers", "import", str(file), "--server", "127.0.0.1:1"]
    result = CliRunner().invoke(app, line)

    assert 2 == result.exit_code
    assert result.stderr.startswith("quotad: no server at 127.0.0.1:1 (connection refused)")
    assert [file] == list(tmp_path.iterdir())


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe(
    quotad: Running, run: Run, customer: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "customers.jsonl", rows(customer, 3))
    line = ["customers", "import", str(file), "--server", quotad.server.address]
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "quotad", *line],
            env=environment(TERM="xterm"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
            timeout=DEADLINE_S,
        )
        seen = os.read(ours, 65536).decode()
    finally:
        os.close(theirs)
        os.close(ours)

    assert " 3 customers " in seen
    assert "" == run("import", file).stderr


def test_two_imports_of_a_file_do_not_get_into_each_others_way(
    run: Run, customer: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "customers.jsonl", rows(customer, 3))

    with alone(file):
        result = run("import", file)

    running = f"quotad: {file}: another import of it is running; wait for its end\n"
    assert (2, running) == (result.exit_code, result.stderr)
    assert 0 == run("import", file).exit_code


def test_the_file_of_bad_lines_is_named_when_it_cannot_be_written(
    run: Run, customer: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "customers.jsonl", [*rows(customer, 1), "hello"])

    result = run("import", file, "--rejects", "/dev/full")

    assert (2, "quotad: /dev/full: No space left on device\n") == (
        result.exit_code,
        result.stderr,
    )


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_name_that_no_file_can_have_is_one_line(run: Run, command: str, tmp_path: Path) -> None:
    result = run(command, tmp_path / ("A" * 300))

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.endswith("AAA: File name too long\n")


def test_what_csv_cannot_hold_is_in_the_json_report_alone(
    run: Run, customer: str, tmp_path: Path
) -> None:
    entitlement = {"feature": "csv-export", "entitlement": True}
    run("import", written(tmp_path / "in.jsonl", rows(customer, 1, overrides=[entitlement])))

    result = run("export", tmp_path / "out.csv", "--json")

    assert (1, "") == (result.exit_code, result.stderr)
    assert f"{customer}-1" in [
        each["customer_id"] for each in json.loads(result.stdout)["left_out"]
    ]
