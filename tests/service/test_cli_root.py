"""What is mistyped, where a reader is gone, and what help shows, of every command."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from quotad.cli import main
from quotad.cli.app import app
from quotad.config import Config
from quotad.v1 import admin_pb2
from tests.processes import DEADLINE_S, EXAMPLES, environment
from tests.service.command_line import Run
from tests.service.fake_quotad import FakeServer


def run(*words: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200", **env}, prog_name="quotad")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all commands and groups."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "quotad")
def test_every_command_has_help_under_its_short_name(path: tuple[str, ...]) -> None:
    shown = run(*path, "-h")  # each takes a while to lay out

    assert 0 == shown.exit_code
    assert " ".join(("Usage: quotad", *path)) in shown.stdout


def test_both_names_of_help_show_the_same() -> None:
    short, long = run("customers", "-h"), run("customers", "--help")

    assert (0, 0) == (short.exit_code, long.exit_code)
    assert short.stdout == long.stdout


MISTYPED = [
    (("consume",), "missing argument 'CUSTOMER'; see 'quotad consume --help'"),
    (("consume", "a", "b", "--foo"), "no such option: --foo; see 'quotad consume --help'"),
    (
        ("conusme",),
        "no such command 'conusme'. Did you mean 'consume', 'consume-all', 'customers'? See",
    ),
    (
        ("consume", "a", "b", "1.5"),
        "invalid value for 'QUANTITY': must be a whole number, not '1.5'; see 'quotad consume",
    ),
    (("zzz", "--limit", "x"), "no such command 'zzz'; see 'quotad --help'"),
    (
        ("reserve", "a", "b", "--ttl", "long"),
        "invalid value for '--ttl': must be a number, not 'long'; see",
    ),
    (("insights", "--limit", "0"), "invalid value for '--limit': must be at least 1, not 0; see"),
    (
        ("catalog", "history", "--limit", "1001"),
        "invalid value for '--limit': must be at most 1,000, not 1001; see",
    ),
    (("replay", "x", "--wrapped", "y"), "invalid value for '--wrapped': 'y' is not one of"),
    (("customers", "set", "a"), "say --plan, or what the customer is known by, such as --name"),
]


@pytest.mark.parametrize(("words", "problem"), MISTYPED)
def test_what_is_mistyped_is_one_line(words: tuple[str, ...], problem: str) -> None:
    done = run(*words)

    assert (2, "") == (done.exit_code, done.stdout)
    assert done.stderr.startswith(f"quotad: {problem}")
    assert 1 == len(done.stderr.splitlines())


@pytest.mark.parametrize(("words", "problem"), MISTYPED)
def test_what_is_mistyped_is_json_where_json_was_asked_for(
    words: tuple[str, ...], problem: str
) -> None:
    done = run(*words, "--json")

    assert (2, "") == (done.exit_code, done.stdout)
    error = json.loads(done.stderr)["error"]
    assert ("INVALID_ARGUMENT", "") == (error["code"], error["reason"])
    assert problem.split("; see")[0].removesuffix(" See") in error["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "--server", "ADDRESS", "customers", "list", "--limit", "2"),
        ("customers", "--json", "--server=ADDRESS", "list", "--limit", "2"),
        ("--server", "ADDRESS", "customers", "--json", "list", "--limit", "2"),
    ],
)
def test_json_and_server_may_stand_before_the_command(
    server: FakeServer, words: tuple[str, ...]
) -> None:
    done = run(*(word.replace("ADDRESS", server.address) for word in words))

    assert ("", {"customers": [], "more": False, "next": ""}) == (
        done.stderr,
        json.loads(done.stdout),
    )
    assert 2 == server.admin.requests[-1].page_size


def test_a_command_that_is_mistyped_behind_json_is_named() -> None:
    done = run("--json", "conusme")

    assert "no such command 'conusme'" in json.loads(done.stderr)["error"]["message"]


@pytest.mark.parametrize(
    "server",
    [
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:grpc",
        ":50051",
        "::1",
    ],
)
def test_server_without_a_port_is_refused_before_anything_is_asked(server: str) -> None:
    done = run("status", "--server", server)

    assert (2, "") == (done.exit_code, done.stdout)
    assert f"must be HOST:PORT, such as 127.0.0.1:50051, not {server!r}" in done.stderr
    assert 1 == len(done.stderr.splitlines())


@pytest.mark.parametrize("server", ["[::1]:1", "unix:/no/such/socket", "ipv4:127.0.0.1:1"])
def test_server_that_grpc_can_find_is_asked(server: str) -> None:
    done = run("status", "--server", server)

    assert 2 == done.exit_code
    assert f"quotad: no server at {server} (" in done.stderr


@pytest.fixture
def impossible_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC+25")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("impossible_zone")
def test_impossible_time_zone_is_refused_before_anything_is_counted(
    quotad: Run, server: FakeServer
) -> None:
    done = quotad("consume", "acme", "api-calls")

    assert (2, "") == (done.exit_code, done.stdout)
    problem = "TZ: is a day or more from UTC; name a zone such as Europe/Berlin"
    assert f"quotad: {problem}\n" == done.stderr
    assert [] == server.quota.requests


@pytest.mark.parametrize(
    "words",
    [
        ("catalog", "check", str(EXAMPLES)),
        ("catalog", "check", str(EXAMPLES), "--json"),
        ("serve", "--help"),
        ("--version",),
    ],
)
def test_a_reader_that_is_gone_ends_a_command_quietly(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "quotad", *words],
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=DEADLINE_S,
        )
    finally:
        os.close(writer)

    assert (141, b"") == (done.returncode, done.stderr)


def test_an_interrupt_while_commands_are_loaded_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quotad.cli.app.app", interrupt)

    with pytest.raises(SystemExit) as ended:
        main()

    assert 130 == ended.value.code
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["table", "json"])
def test_output_that_cannot_be_written_is_one_line(as_json: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "quotad", "catalog", "check", str(EXAMPLES), *as_json],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    problem = "the output cannot be written: No space left on device"
    assert 2 == done.returncode
    if as_json:
        error = json.loads(done.stderr)["error"]
        assert ("INTERNAL", problem) == (error["code"], error["message"])
    else:
        assert f"quotad: {problem}\n" == done.stderr


def test_a_command_whose_output_is_closed_still_ends_with_its_exit_code() -> None:
    command = f"exec {sys.executable} -m quotad catalog check {EXAMPLES} >&-"
    done = subprocess.run(
        command,
        shell=True,
        env=environment(),
        stderr=subprocess.PIPE,
        check=False,
        timeout=DEADLINE_S,
    )

    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", ["serve", "sidecar", "dev"])
def test_help_of_a_process_shows_what_its_settings_are_without_a_flag(command: str) -> None:
    shown = " ".join(run(command, "--help").stdout.replace("│", " ").split())
    defaults = Config()

    for name in Config.__struct_fields__:
        flag, default = f"--{name.replace('_', '-')} ", getattr(defaults, name)
        if flag in shown and default not in ((), ""):
            told = " ".join(map(str, default)) if isinstance(default, tuple) else default
            assert f"[default: ({told})]" in shown.split(flag)[1].split(" --")[0]


def completed(server: str, *words: str) -> list[str]:
    """What the shell offers for the last word."""
    done = run(
        _QUOTAD_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(("quotad", *words)),
        COMP_CWORD=str(len(words)),
        QUOTAD_SERVER=server,
    )
    assert "" == done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("cust",), ["customers"]),
        (("catalog", "his"), ["history"]),
        (("consume", "--res"), ["--resource"]),
        (("serve", "--front", "n"), ["native"]),
        (("replay", "access.log", "--format", "v"), ["vhost_combined"]),
        (("replay", "access.log", "--wrapped", "d"), ["docker"]),
        (("consume", "acme-"), ["acme-1", "acme-2"]),
        (("consume", "acme-1", "api"), ["api-calls"]),
        (("customers", "override", "acme-1", "s"), ["seats", "sso"]),
        (("customers", "set", "acme-1", "--plan", "p"), ["pro"]),
        (("customers", "change", "acme-1", "--addon", "m"), ["more-calls"]),
        (("insights", "se"), ["seats"]),
    ],
)
def test_completion_knows_commands_options_and_the_names_on_the_server(
    server: FakeServer, words: tuple[str, ...], wanted: list[str]
) -> None:
    server.admin.documents[-1] = {
        "features": {name: {} for name in ("api-calls", "seats", "sso")},
        "plans": {"free": {}, "pro": {}},
        "addons": {"more-calls": {}},
    }
    for name in ("acme-1", "acme-2", "globex"):
        server.admin.customers[name] = admin_pb2.Customer(customer_id=name)

    assert wanted == completed(server.address, *words)


@pytest.mark.parametrize("words", [("consume", ""), ("consume", "acme", ""), ("get", "x", "--p")])
def test_completion_offers_no_names_and_prints_nothing_when_no_server_answers(
    words: tuple[str, ...],
) -> None:
    assert [] == completed("127.0.0.1:1", *words)
