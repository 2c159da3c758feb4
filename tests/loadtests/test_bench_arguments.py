"""What the benchmark says to a command line that it cannot carry out, before it starts anything."""

from pathlib import Path

import pytest

from loadtests.bench import h2load, plots, redis_benchmark, shares
from loadtests.bench.__main__ import chosen, parse_arguments
from loadtests.bench.h2gen import Spec
from loadtests.bench.traffic import Traffic


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frontz"], "there is no group 'frontz'; there are fronts, "),
        (["fronts", "--lines", "native", "natve"], "--lines: there is no 'natve'; there are "),
        (["--name", "a/b"], "--name: 'a/b' is no name of a file"),
        (["--name", ""], "--name: '' is no name of a file"),
        (["--prototype", "no-such"], "--prototype: no-such is no directory"),
        (["--beside", "tests"], "--beside: tests has no .venv"),
        (["--rounds", "0"], "--rounds: must be more than 0"),
    ],
)
def test_a_mistyped_command_line_is_a_usage_error(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(words)

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["generators", "shares", "tls"])
def test_a_group_that_cannot_run_here_names_what_it_needs(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(h2load, "is_installed", lambda: False)
    monkeypatch.setattr(shares, "is_possible", lambda: False)

    with pytest.raises(SystemExit):
        parse_arguments([name])

    needed = {
        "generators": "Debian package nghttp2-client",
        "shares": "control groups",
        "tls": "the fast front (make front)",
    }
    assert needed[name] in capsys.readouterr().err


def test_lines_are_looked_for_in_the_groups_that_were_named() -> None:
    arguments = parse_arguments(["fronts", "--lines", "native"])

    assert [["native"]] == [[line.name for line in group.lines] for group in chosen(arguments)]


@pytest.mark.parametrize(
    ("tool", "run"),
    [
        ("h2load", lambda: h2load.run(Spec("127.0.0.1", 1, Traffic(customers=1)))),
        (
            "redis-benchmark",
            lambda: redis_benchmark.run("redis://127.0.0.1:1", ["PING"], 1, 1),
        ),
    ],
)
def test_a_tool_that_does_not_end_stops_the_benchmark_in_words(
    tool: str, run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = tmp_path / tool
    stuck.write_text("#!/bin/sh\nexec sleep 600\n")
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for module in (h2load, redis_benchmark):
        monkeypatch.setattr(module, "TIMEOUT_S", 0.05)

    with pytest.raises(RuntimeError, match=f"{tool} did not end within"):
        run()  # type: ignore[operator]


def test_pictures_of_no_result_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plots, "RESULTS", tmp_path)
    monkeypatch.setattr(plots, "is_installed", lambda: True)
    (tmp_path / "odd.json").write_text("{")

    for name, message in (("nope", "nope.json: No such file"), ("odd", "odd.json: Input data")):
        monkeypatch.setattr("sys.argv", ["plots", name])
        with pytest.raises(SystemExit, match=message):
            plots.main()
